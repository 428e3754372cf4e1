/* SPDX-License-Identifier: MIT */
#include "hv/symbols.h"

#include <stddef.h>

struct symbol {
	uint32_t text_offset; /* of the function's first byte, from hv_text_start */
	uint32_t name_offset; /* in symbol_names */
};

/* Sorted by address; empty in the first link. */
extern const struct symbol symbol_table[] __attribute__((weak));
extern const uint32_t symbol_count __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));
extern const char hv_text_start[], hv_text_end[];

const char *symbol_name(uint64_t address, uint64_t *offset)
{
	uint64_t text = (uint64_t)hv_text_start;
	size_t low = 0, high;

	*offset = 0;
	if (!&symbol_count || address < text || address >= (uint64_t)hv_text_end)
		return "?";
	high = symbol_count;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (text + symbol_table[mid].text_offset <= address)
			low = mid;
		else
			high = mid;
	}
	*offset = address - text - symbol_table[low].text_offset;
	return symbol_names + symbol_table[low].name_offset;
}
