/* SPDX-License-Identifier: MIT
 *
 * The only ways in which the kernel touches memory through a user address. An address is first held
 * against the user half; page permissions are checked by the processor as for ring 3's own
 * accesses (CR0.WP keeps read-only pages so), and a fault becomes -EFAULT.
 */
#ifndef GUEST_UACCESS_H
#define GUEST_UACCESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/kernel/layout.h"

size_t copy_user_raw(void *to, const void *from, size_t n);
size_t zero_user_raw(void *to, size_t n);
int load_user32_raw(uint64_t addr, uint32_t *value);

static inline bool user_range_ok(uint64_t addr, uint64_t len)
{
	return addr < USER_TOP && len <= USER_TOP - addr;
}

static inline int copy_from_user(void *to, uint64_t from, size_t n)
{
	if (!user_range_ok(from, n) || copy_user_raw(to, (const void *)from, n))
		return -EFAULT;
	return 0;
}

static inline int copy_to_user(uint64_t to, const void *from, size_t n)
{
	if (!user_range_ok(to, n) || copy_user_raw((void *)to, from, n))
		return -EFAULT;
	return 0;
}

static inline int zero_user(uint64_t to, size_t n)
{
	if (!user_range_ok(to, n) || zero_user_raw((void *)to, n))
		return -EFAULT;
	return 0;
}

static inline int load_user32(uint64_t addr, uint32_t *value)
{
	if (addr % 4 || !user_range_ok(addr, 4))
		return -EFAULT;
	return load_user32_raw(addr, value);
}

#define get_user(var, addr) copy_from_user(&(var), (addr), sizeof(var))
#define put_user(addr, var) copy_to_user((addr), &(var), sizeof(var))

#endif
