/* SPDX-License-Identifier: MIT
 *
 * TAP devices and memory wires.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/hosted/wire.h"

#define SLOTS 2048 /* frames of a memory wire, each way */

struct slot {
	uint32_t len;
	uint8_t data[WIRE_FRAME_MAX];
};

/* One producer, one consumer. */
struct ring {
	_Alignas(64) _Atomic uint32_t head; /* next slot to fill */
	_Alignas(64) _Atomic uint32_t tail; /* next slot to read */
	_Alignas(64) _Atomic uint32_t sleeping;
	struct slot slot[SLOTS];
};

struct wire {
	int fd;               /* TAP, or the event that wakes this end */
	struct ring *rx, *tx; /* NULL: TAP */
	int peer_fd;
};

static bool set_up(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};
	bool ok;

	if (s < 0)
		return false;
	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	ok = ioctl(s, SIOCGIFFLAGS, &ifr) == 0;
	if (ok && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		ok = ioctl(s, SIOCSIFFLAGS, &ifr) == 0;
	}
	close(s);
	return ok;
}

struct wire *wire_tap(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	struct wire *w = calloc(1, sizeof(*w));
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (!w || fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || !set_up(name)) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		free(w);
		errno = err;
		return NULL;
	}
	w->fd = fd;
	return w;
}

bool wire_pair(struct wire *end[2])
{
	struct ring *r =
	    mmap(NULL, 2 * sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd[2] = {eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		     eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};

	if (r == MAP_FAILED || fd[0] < 0 || fd[1] < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		end[i] = calloc(1, sizeof(*end[i]));
		if (!end[i])
			return false;
		*end[i] = (struct wire){.fd = fd[i], .peer_fd = fd[!i], .rx = &r[i], .tx = &r[!i]};
	}
	return true;
}

static size_t ring_recv(struct ring *r, void *buf)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	struct slot *s = &r->slot[tail % SLOTS];
	size_t len;

	if (tail == atomic_load_explicit(&r->head, memory_order_acquire))
		return 0;
	len = s->len;
	memcpy(buf, s->data, len);
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return len;
}

static void wake(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* full: the other end is awake */
}

static bool ring_send(struct wire *w, const struct iovec *iov, int n)
{
	struct ring *r = w->tx;
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	struct slot *s = &r->slot[head % SLOTS];
	size_t len = 0;

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) == SLOTS)
		return false;
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > sizeof(s->data) - len)
			return true; /* longer than any frame: lost */
		memcpy(s->data + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	s->len = (uint32_t)len;
	/* Store head, then load sleeping: against the consumer's opposite order in wire_arm(). */
	atomic_store(&r->head, head + 1);
	if (atomic_load(&r->sleeping) && atomic_exchange(&r->sleeping, 0))
		wake(w->peer_fd);
	return true;
}

size_t wire_recv(struct wire *w, void *buf)
{
	ssize_t n;

	if (w->rx)
		return ring_recv(w->rx, buf);
	n = read(w->fd, buf, WIRE_FRAME_MAX);
	return n > 0 && n < WIRE_FRAME_MAX ? (size_t)n : 0;
}

bool wire_send(struct wire *w, const struct iovec *iov, int n)
{
	if (w->tx)
		return ring_send(w, iov, n);
	if (writev(w->fd, iov, n) < 0)
		return true; /* the device is down: lost, as on any wire */
	return true;
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}

bool wire_arm(struct wire *w)
{
	if (!w->rx)
		return true;
	atomic_store(&w->rx->sleeping, 1);
	return atomic_load(&w->rx->head) == atomic_load(&w->rx->tail);
}

void wire_disarm(struct wire *w)
{
	uint64_t count;

	if (!w->rx)
		return;
	atomic_store(&w->rx->sleeping, 0);
	if (read(w->fd, &count, sizeof(count)) < 0)
		return; /* was not signalled */
}
