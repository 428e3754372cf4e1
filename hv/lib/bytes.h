/* SPDX-License-Identifier: MIT
 *
 * Little-endian values at any address, aligned or not. The caller has checked the length.
 */
#ifndef HV_LIB_BYTES_H
#define HV_LIB_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint8_t get_u8(const void *p, size_t offset)
{
	return ((const uint8_t *)p)[offset];
}

static inline uint16_t get_le16(const void *p, size_t offset)
{
	uint16_t v;

	__builtin_memcpy(&v, (const char *)p + offset, sizeof(v));
	return v;
}

static inline uint32_t get_le32(const void *p, size_t offset)
{
	uint32_t v;

	__builtin_memcpy(&v, (const char *)p + offset, sizeof(v));
	return v;
}

static inline uint64_t get_le64(const void *p, size_t offset)
{
	uint64_t v;

	__builtin_memcpy(&v, (const char *)p + offset, sizeof(v));
	return v;
}

static inline void put_u8(void *p, size_t offset, uint8_t v)
{
	((uint8_t *)p)[offset] = v;
}

static inline void put_le16(void *p, size_t offset, uint16_t v)
{
	__builtin_memcpy((char *)p + offset, &v, sizeof(v));
}

static inline void put_le32(void *p, size_t offset, uint32_t v)
{
	__builtin_memcpy((char *)p + offset, &v, sizeof(v));
}

static inline void put_le64(void *p, size_t offset, uint64_t v)
{
	__builtin_memcpy((char *)p + offset, &v, sizeof(v));
}

#endif
