/* SPDX-License-Identifier: MIT */
#include "hv/lib/dmar.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

#define DMAR_FIXED 48

uint8_t dmar_flags(const struct acpi_table *dmar)
{
	return dmar->data[37];
}

uint8_t dmar_address_width(const struct acpi_table *dmar)
{
	return dmar->data[36] + 1;
}

int dmar_next(const struct acpi_table *dmar, uint32_t *at, struct dmar_entry *e)
{
	static const uint8_t fixed[] = {16, 24, 8}; /* VT-d 8.3, 8.4, 8.5: where scopes begin */

	if (dmar->length < DMAR_FIXED)
		return -EBADMSG;
	if (!*at)
		*at = DMAR_FIXED;
	while (*at < dmar->length) {
		const uint8_t *p = dmar->data + *at;
		uint32_t left = dmar->length - *at, length;

		if (left < 4)
			return -EBADMSG;
		length = get_le16(p, 2);
		if (length < 4 || length > left)
			return -EBADMSG;
		*at += length;
		memset(e, 0, sizeof(*e));
		e->type = get_le16(p, 0);
		if (e->type >= sizeof(fixed))
			continue;
		if (length < fixed[e->type])
			return -EBADMSG;
		e->segment = get_le16(p, 6);
		e->scopes = p + fixed[e->type];
		e->scopes_size = length - fixed[e->type];
		switch (e->type) {
		case DMAR_DRHD:
			e->all = p[4] & 1;
			e->base = get_le64(p, 8);
			if (!is_aligned(e->base, 4096) || (p[5] & 15) > 8)
				return -EBADMSG;
			e->size = 4096ull << (p[5] & 15); /* VT-d 8.3: Size */
			break;
		case DMAR_RMRR:
			e->base = get_le64(p, 8);
			if (get_le64(p, 16) < e->base || get_le64(p, 16) - e->base == UINT64_MAX)
				return -EBADMSG;
			e->size = get_le64(p, 16) - e->base + 1; /* the table gives the last byte */
			break;
		case DMAR_ATSR:
			e->all = p[4] & 1;
			break;
		}
		if (!range_ok(e->base, e->size))
			return -EBADMSG;
		return 1;
	}
	return 0;
}

int dmar_scope_next(const struct dmar_entry *entry, uint32_t *at, struct dmar_scope *s)
{
	uint32_t left = entry->scopes_size - *at, length;
	const uint8_t *p = entry->scopes + *at;

	if (!left)
		return 0;
	if (left < 6) /* VT-d 8.3.1 */
		return -EBADMSG;
	length = p[1];
	if (length < 8 || length > left || length % 2 || (length - 6) / 2 > DMAR_SCOPE_PATH_MAX)
		return -EBADMSG;
	*at += length;
	s->type = p[0];
	s->id = p[4];
	s->start_bus = p[5];
	s->path_length = (length - 6) / 2;
	for (uint32_t i = 0; i < s->path_length; i++) {
		uint8_t device = p[6 + 2 * i], function = p[7 + 2 * i];

		if (device > 31 || function > 7)
			return -EBADMSG;
		s->path[i] = device << 3 | function;
	}
	return 1;
}

const char *dmar_check(const struct acpi_table *dmar)
{
	struct dmar_entry e;
	uint32_t at = 0;
	int more;

	if (dmar->length < DMAR_FIXED)
		return "too short";
	while ((more = dmar_next(dmar, &at, &e)) > 0) {
		struct dmar_scope scope;
		uint32_t scope_at = 0;

		while ((more = dmar_scope_next(&e, &scope_at, &scope)) > 0)
			;
		if (more < 0)
			return "malformed device scope";
	}
	return more < 0 ? "malformed entry" : NULL;
}
