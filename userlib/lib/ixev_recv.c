/* SPDX-License-Identifier: MIT
 *
 * The receiving side of connections: unread bytes, mostly where the kernel has put them.
 *
 * They are a list of pieces. The first may lie in memory of the library's own (a block): bytes that
 * were put together for ixev_peek(), which the kernel has back already, or that outlive their
 * connection.
 */
#include <errno.h>
#include <stdlib.h>

#include "userlib/lib/ixev_priv.h"

/* ---- pieces and blocks ---- */

static bool in_block(const struct ixev_ctx *x)
{
	return x->rx_copy && x->rx_head && x->rx_head->data == x->rx_copy->data;
}

static void free_blocks(struct ixev_block **list)
{
	while (*list) {
		struct ixev_block *b = *list;

		*list = b->next;
		free(b);
	}
}

/* Makes the first piece, or a new one, begin a block with room for `room` bytes. */
static bool new_block(struct ixev_ctx *x, size_t room)
{
	struct ixev_seg *s = x->rx_head ? x->rx_head : seg_get(x->base);
	struct ixev_block *b = s ? malloc(sizeof(*b) + room) : NULL;

	if (!b) {
		if (s && !x->rx_head)
			seg_put(x->base, s);
		return false;
	}
	if (!x->rx_head) {
		*s = (struct ixev_seg){0};
		x->rx_head = x->rx_tail = s;
	}
	s->len -= x->rx_off;
	memcpy(b->data, s->data + x->rx_off, s->len);
	s->data = b->data;
	x->rx_off = 0;
	b->room = room;
	if (!x->rx_own)
		free_blocks(&x->rx_copy);
	b->next = x->rx_copy;
	x->rx_copy = b;
	return true;
}

static void give_back(struct ixev_ctx *x, size_t n)
{
	if (!n || (x->state & ST_DEAD))
		return;
	x->rx_done += (uint32_t)n;
	make_dirty(x);
}

/* Takes n bytes off the first piece: how many of them the kernel is to get back. */
static size_t consume(struct ixev_ctx *x, size_t n)
{
	struct ixev_seg *s = x->rx_head;
	bool own = in_block(x);

	x->rx_want = 0;
	x->rx_off += (uint32_t)n;
	x->rx_bytes -= (uint32_t)n;
	if (x->rx_off == s->len) {
		x->rx_head = s->next;
		x->rx_off = 0;
		seg_put(x->base, s);
		if (own && !x->rx_own)
			free_blocks(&x->rx_copy);
	}
	return own ? 0 : n;
}

/* The first `want` bytes, or as many as there are, into one block. */
static bool put_together(struct ixev_ctx *x, size_t want)
{
	struct ixev_seg *s = x->rx_head;

	if (!in_block(x) || x->rx_copy->room - x->rx_off < want) {
		size_t held = s && !in_block(x) ? s->len - x->rx_off : 0;

		/* Half as much again: who asks for byte after byte does not copy each time. */
		if (!new_block(x, want + want / 2))
			return false;
		give_back(x, held);
	}
	while ((s = x->rx_head->next) && x->rx_head->len - x->rx_off < want) {
		uint32_t n = (uint32_t)want - (x->rx_head->len - x->rx_off);

		n = n < s->len ? n : s->len;
		memcpy(x->rx_copy->data + x->rx_head->len, s->data, n);
		x->rx_head->len += n;
		give_back(x, n);
		s->data += n;
		s->len -= n;
		if (s->len)
			break;
		x->rx_head->next = s->next;
		if (!s->next)
			x->rx_tail = x->rx_head;
		seg_put(x->base, s);
	}
	return true;
}

/* ---- the kernel's side ---- */

bool recv_add(struct ixev_ctx *x, const char *data, uint32_t n)
{
	uint32_t skip = x->rx_skip < n ? (uint32_t)x->rx_skip : n;
	struct ixev_seg *s;

	x->rx_skip -= skip;
	give_back(x, skip);
	data += skip;
	n -= skip;
	if (!n)
		return true;
	s = seg_get(x->base);
	if (!s)
		return false;
	*s = (struct ixev_seg){.data = data, .len = n};
	if (x->rx_head)
		x->rx_tail->next = s;
	else
		x->rx_head = s;
	x->rx_tail = s;
	x->rx_bytes += n;
	/* Who waits for more than the window holds must not wait for ever. */
	return x->rx_bytes >= x->rx_want || put_together(x, x->rx_want);
}

static void drop_pieces(struct ixev_ctx *x)
{
	while (x->rx_head) {
		struct ixev_seg *s = x->rx_head;

		x->rx_head = s->next;
		seg_put(x->base, s);
	}
	x->rx_off = x->rx_bytes = 0;
}

void recv_save(struct ixev_ctx *x)
{
	if (x->rx_bytes && !put_together(x, x->rx_bytes)) {
		drop_pieces(x);
		x->state &=
		    (uint16_t)~ST_EOF; /* not the whole stream, and not to be taken for it */
		x->error = -ENOMEM;
	}
}

void recv_drop(struct ixev_ctx *x)
{
	drop_pieces(x);
	free_blocks(&x->rx_copy);
	x->rx_lent = x->rx_own = x->rx_done = x->rx_want = 0;
}

/* ---- the application's side ---- */

/* Why there is nothing to read. */
static ssize_t nothing(const struct ixev_ctx *x)
{
	if (x->state & ST_CLOSING)
		return -EBADF;
	if (x->state & ST_EOF)
		return 0;
	if (x->state & ST_DEAD)
		return x->error;
	return -EAGAIN;
}

/* The first piece's unread bytes. */
static size_t piece(const struct ixev_ctx *x, const char **data)
{
	*data = x->rx_head->data + x->rx_off;
	return x->rx_head->len - x->rx_off;
}

ssize_t ixev_recv(struct ixev_ctx *x, void *buf, size_t len)
{
	size_t got = 0, back = 0;

	if (x->rx_lent)
		return -EBUSY;
	if (!x->rx_bytes)
		return nothing(x);
	while (got < len && x->rx_bytes) {
		const char *data;
		size_t n = piece(x, &data);

		n = n < len - got ? n : len - got;
		memcpy((char *)buf + got, data, n);
		back += consume(x, n);
		got += n;
	}
	give_back(x, back);
	return (ssize_t)got;
}

ssize_t ixev_recv_zc(struct ixev_ctx *x, const void **data, size_t max)
{
	const char *p;
	size_t n;

	if (!x->rx_bytes)
		return nothing(x);
	n = piece(x, &p);
	n = n < max ? n : max;
	*data = p;
	x->rx_lent += (uint32_t)n;
	x->rx_own += in_block(x) ? (uint32_t)n : 0;
	consume(x, n);
	return (ssize_t)n;
}

void ixev_recv_done(struct ixev_ctx *x, size_t bytes)
{
	size_t own;

	bytes = bytes < x->rx_lent ? bytes : x->rx_lent;
	x->rx_lent -= (uint32_t)bytes;
	own = bytes < x->rx_own ? bytes : x->rx_own; /* lent before those of the kernel */
	x->rx_own -= (uint32_t)own;
	if (!x->rx_own && !in_block(x))
		free_blocks(&x->rx_copy);
	give_back(x, bytes - own);
}

ssize_t ixev_peek(struct ixev_ctx *x, const void **data, size_t want)
{
	const char *p;
	size_t n;

	if (x->rx_lent)
		return -EBUSY;
	if (want > UINT32_MAX / 2)
		return -EMSGSIZE;
	want = want ? want : 1;
	x->rx_want = 0;
	if (x->rx_bytes < want && (x->state & (ST_CLOSING | ST_EOF | ST_DEAD)))
		return nothing(x);
	if (x->rx_bytes < want)
		x->rx_want = (uint32_t)want;
	if (x->rx_bytes && piece(x, &p) < want && !put_together(x, want)) {
		x->rx_want = 0;
		return -ENOMEM;
	}
	if (x->rx_want)
		return -EAGAIN;
	n = piece(x, &p);
	*data = p;
	return (ssize_t)n;
}

void ixev_skip(struct ixev_ctx *x, size_t bytes)
{
	size_t back = 0;

	if (x->rx_lent)
		return;
	if (bytes > x->rx_bytes) {
		x->rx_skip += bytes - x->rx_bytes;
		bytes = x->rx_bytes;
	}
	while (bytes) {
		const char *data;
		size_t n = piece(x, &data);

		n = n < bytes ? n : bytes;
		back += consume(x, n);
		bytes -= n;
	}
	give_back(x, back);
}
