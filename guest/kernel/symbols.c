/* SPDX-License-Identifier: MIT
 *
 * The symbol table that the second pass of the link puts into .ksyms (guest/kernel/mksyms).
 */
#include <ix/bootinfo.h>

#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/symbols.h"

struct ksym {
	uint32_t offset; /* from IX_KERNEL_BASE, ascending */
	uint32_t name;   /* offset in ksym_names */
};

/* Absent in the first pass. */
extern const struct ksym ksym_table[] __attribute__((weak));
extern const uint32_t ksym_count __attribute__((weak));
extern const char ksym_names[] __attribute__((weak));
extern char text_start[], rodata_start[];

const char *symbol_of(uint64_t address, uint64_t *offset)
{
	if (!&ksym_count || address < (uint64_t)text_start || address >= (uint64_t)rodata_start)
		return NULL;
	uint32_t want = (uint32_t)(address - IX_KERNEL_BASE), low = 0, high = ksym_count;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (ksym_table[mid].offset <= want)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NULL;
	*offset = want - ksym_table[low - 1].offset;
	return ksym_names + ksym_table[low - 1].name;
}

/* Frames lie in a core's area or, early, in the kernel's data; both are mapped where they begin. */
static bool frame_ok(uint64_t frame, uint64_t last)
{
	return frame % 8 == 0 && frame > last && frame - last < CPU_STACK_TOP;
}

void backtrace(uint64_t frame)
{
	for (unsigned depth = 0; depth < 24; depth++) {
		const uint64_t *f = (const uint64_t *)frame;
		uint64_t offset = 0, next = f[0], ip = f[1];
		const char *s = symbol_of(ip, &offset);

		if (!s)
			break;
		say("    %p %s+0x%lx", (void *)ip, s, offset);
		if (!frame_ok(next, frame))
			break;
		frame = next;
	}
}
