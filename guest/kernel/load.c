/* SPDX-License-Identifier: MIT
 *
 * Loading of the application: its segments, its first stack as Linux lays it out.
 */
#include <elf.h>

#include "guest/kernel/console.h"
#include "guest/kernel/elf.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"
#include "guest/kernel/random.h"
#include "guest/kernel/string.h"
#include "guest/kernel/uvm.h"

#define STACK_PAGES 4 /* 8 MB, Linux' default */
#define MAX_STRINGS 4096
#define PLATFORM    "x86_64"

/* Rights that segments ask of the 2 MB page at va. */
static void page_rights(const struct app_elf *elf, uint64_t base, uint64_t va, bool *write,
			bool *execute)
{
	*write = *execute = false;
	for (unsigned i = 0; i < elf->nsegments; i++) {
		const struct app_segment *s = &elf->segment[i];
		uint64_t from = base + s->vaddr, to = from + s->memsize;

		if (from < va + PAGE_SIZE && to > va) {
			*write |= s->write;
			*execute |= s->execute;
		}
	}
}

static bool page_wanted(const struct app_elf *elf, uint64_t base, uint64_t va)
{
	for (unsigned i = 0; i < elf->nsegments; i++) {
		uint64_t from = base + elf->segment[i].vaddr;

		if (from < va + PAGE_SIZE && from + elf->segment[i].memsize > va)
			return true;
	}
	return false;
}

static void load_segments(const struct app_elf *elf, const uint8_t *file, uint64_t base)
{
	bool shared = false;
	uint64_t va = (base + elf->low) & ~(uint64_t)(PAGE_SIZE - 1);

	for (; va < base + elf->high; va += PAGE_SIZE) {
		bool write, execute;

		if (!page_wanted(elf, base, va))
			continue;
		page_rights(elf, base, va, &write, &execute);
		shared |= write && execute;
		if (uvm_map(va, 1, write, execute))
			refuse("not enough memory for the application: its segments take %lu MB, "
			       "%u are free",
			       (elf->high - elf->low + PAGE_SIZE - 1) >> 20,
			       pages_free() * (PAGE_SIZE >> 20));
	}
	if (shared)
		say("application: code and data share a 2 MB page, which is writable and "
		    "executable; link with -Wl,-z,max-page-size=0x200000 to part them");

	for (unsigned i = 0; i < elf->nsegments; i++) {
		const struct app_segment *s = &elf->segment[i];

		for (uint64_t done = 0, part; done < s->filesize; done += part) {
			uint64_t to = base + s->vaddr + done;
			uint64_t room = PAGE_SIZE - (to & (PAGE_SIZE - 1));

			part = s->filesize - done < room ? s->filesize - done : room;
			memcpy(uvm_kernel_address(to, false), file + s->offset + done, part);
		}
	}
}

/* A stack under construction, downwards: `kernel` is where the kernel sees user address `user`. */
struct stack {
	uint64_t user;
	uint8_t *kernel;
	uint64_t left;
};

static uint64_t push(struct stack *s, const void *data, uint64_t n)
{
	if (n > s->left)
		refuse("application: arguments and environment are too long");
	s->user -= n;
	s->kernel -= n;
	s->left -= n;
	memcpy(s->kernel, data, n);
	return s->user;
}

/* Copies a block of strings and lists their addresses; returns their number. */
static unsigned push_strings(struct stack *s, const struct ix_blob *blob, uint64_t *list)
{
	const char *text = phys_to_virt(blob->base);
	unsigned n = 0;

	if (blob->size == 0)
		return 0;
	if (text[blob->size - 1])
		refuse("application: arguments do not end in NUL");
	uint64_t at = push(s, text, blob->size);

	for (uint64_t i = 0; i < blob->size; i += strlen(text + i) + 1) {
		if (n == MAX_STRINGS)
			refuse("application: too many arguments");
		list[n++] = at + i;
	}
	return n;
}

static uint64_t make_stack(const struct ix_bootinfo *bi, const struct app_elf *elf, uint64_t base)
{
	static uint64_t argv[MAX_STRINGS], envp[MAX_STRINGS];
	uint64_t low = USER_STACK - (uint64_t)STACK_PAGES * PAGE_SIZE;
	uint8_t random[16];

	if (uvm_map(low, STACK_PAGES, true, false))
		refuse(
		    "not enough memory for the application's stack: 8 MB are wanted, %u are free",
		    pages_free() * (PAGE_SIZE >> 20));
	/* Only the topmost page is written here. */
	struct stack s = {USER_STACK, (uint8_t *)uvm_kernel_address(USER_STACK - PAGE_SIZE, true),
			  PAGE_SIZE};

	s.kernel += PAGE_SIZE;
	random_bytes(random, sizeof(random));
	push(&s, &(uint64_t){0}, 8);
	unsigned argc = push_strings(&s, &bi->args, argv);
	unsigned envc = push_strings(&s, &bi->env, envp);
	uint64_t platform = push(&s, PLATFORM, sizeof(PLATFORM));
	uint64_t random_at = push(&s, random, sizeof(random));
	uint64_t aux[][2] = {
	    {AT_PHDR, elf->phdr ? base + elf->phdr : 0},
	    {AT_PHENT, sizeof(Elf64_Phdr)},
	    {AT_PHNUM, elf->phdr ? elf->phnum : 0},
	    {AT_PAGESZ, SMALL_PAGE},
	    {AT_BASE, 0},
	    {AT_FLAGS, 0},
	    {AT_ENTRY, base + elf->entry},
	    {AT_UID, 0},
	    {AT_EUID, 0},
	    {AT_GID, 0},
	    {AT_EGID, 0},
	    {AT_SECURE, 0},
	    {AT_CLKTCK, 100},
	    {AT_HWCAP, cpuid(1, 0).d},
	    {AT_PLATFORM, platform},
	    {AT_RANDOM, random_at},
	    {AT_EXECFN, argc ? argv[0] : 0},
	    {AT_NULL, 0},
	};
	uint64_t words = 1 + argc + 1 + envc + 1, zero = 0, count = argc;
	uint64_t size = words * 8 + sizeof(aux);

	/* The stack pointer is a multiple of 16 at the entry point (psABI 3.4.1). */
	uint64_t skew = (s.user - size) & 15;

	push(&s, (uint8_t[16]){0}, skew);
	push(&s, aux, sizeof(aux));
	push(&s, &zero, 8);
	push(&s, envp, envc * 8);
	push(&s, &zero, 8);
	push(&s, argv, argc * 8);
	return push(&s, &count, 8);
}

void process_load(const struct ix_bootinfo *bi)
{
	const uint8_t *file = phys_to_virt(bi->app.base);
	const char *why = "";
	static struct app_elf elf;
	uint64_t base = 0;

	if (bi->app.size == 0)
		refuse("no application");
	if (app_elf_parse(file, bi->app.size, PAGE_SIZE, USER_BRK, &elf, &why))
		refuse("application: %s", why);
	if (elf.pie) {
		uint32_t slide;

		random_bytes(&slide, sizeof(slide));
		base = USER_PIE + (uint64_t)(slide & 0xffff) * PAGE_SIZE;
	}
	load_segments(&elf, file, base);

	struct thread *t = &cpu_of(0)->thread;

	t->tid = 1;
	t->start_regs = (struct regs){
	    .ip = base + elf.entry,
	    .cs = SEL_UCODE,
	    .flags = RFLAGS_FIXED | RFLAGS_IF,
	    .sp = make_stack(bi, &elf, base),
	    .ss = SEL_UDATA,
	};
	t->state = THREAD_STARTING;
}
