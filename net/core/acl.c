/* SPDX-License-Identifier: MIT */
#include "net/core/core.h"

bool addr_v4(const struct ixn_addr *a, bool any, uint32_t *ip)
{
	static const struct ixn_addr zero;
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	*ip = ixn_to_u32(a);
	if (any && !memcmp(a, &zero, sizeof(zero)))
		return true;
	return !memcmp(a, mapped, sizeof(mapped));
}

int ixn_acl_set(struct ixn *n, const struct ixn_acl *acl, uint32_t count)
{
	uint32_t ip;

	if (count > n->cfg.max_acl)
		return -IXN_ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		if (acl[i].prefix > 32 || acl[i].port_lo > acl[i].port_hi ||
		    !addr_v4(&acl[i].remote, true, &ip))
			return -IXN_EINVAL;
	}
	if (count)
		memcpy(n->acl, acl, count * sizeof(*acl));
	n->nacl = count;
	return 0;
}

bool acl_allows(const struct ixn *n, uint8_t proto, bool in, uint32_t remote, uint16_t port)
{
	for (uint32_t i = 0; i < n->nacl; i++) {
		const struct ixn_acl *a = &n->acl[i];
		uint32_t mask = a->prefix ? ~0u << (32 - a->prefix) : 0;

		if ((in ? a->in : a->out) && (!a->proto || a->proto == proto) &&
		    ((remote ^ ixn_to_u32(&a->remote)) & mask) == 0 && port >= a->port_lo &&
		    port <= a->port_hi)
			return a->allow;
	}
	return true;
}
