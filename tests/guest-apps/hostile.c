/* SPDX-License-Identifier: MIT
 *
 * An application that does what it must not: argv[1] says what. It prints "alive" before; what comes
 * after must be a fault that the kernel reports, or a clean end.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ix/abi.h>

#define KERNEL 0xffffffff80000000ull
#define DIRECT 0xffff800000000000ull

static const uint64_t rodata[512] = {1};
static uint64_t data[512];
static uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* Addresses of every kind of page, ours and not. */
static const struct {
	const char *name;
	uint64_t at;
} places[] = {
    {"null", 0},
    {"low", 0x1000},
    {"below-program", 0x3ff000},
    {"brk", 0x0000100000000000},
    {"window-end", 0x00002fffffff0000},
    {"shared-gap", 0x00005fffffe00000},
    {"stack-guard", 0x00007ffeff7ff000},
    {"above-stack", 0x00007fff00000000},
    {"last-user-page", 0x00007fffffe00000},
    {"last-user-byte", 0x00007fffffffffff},
    {"non-canonical", 0x0000800000000000},
    {"non-canonical-high", 0xffff7fffffffffff},
    {"direct-map", DIRECT + 0x1000000},
    {"direct-map-mmio", DIRECT + 0xfee00000},
    {"mmio", 0xffffe00000000000},
    {"core-area", 0xfffff00000200000},
    {"core-guard", 0xfffff000001ff000},
    {"kernel-text", KERNEL},
    {"kernel-rodata", KERNEL + 0x200000},
    {"kernel-data", KERNEL + 0x400000},
    {"top", 0xfffffffffffffff0},
};

static uint64_t place(const char *name)
{
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strcmp(places[i].name, name))
			return places[i].at;
	if (!strcmp(name, "text"))
		return (uint64_t)(uintptr_t)call;
	if (!strcmp(name, "rodata"))
		return (uint64_t)(uintptr_t)rodata;
	if (!strcmp(name, "data"))
		return (uint64_t)(uintptr_t)data;
	if (!strcmp(name, "stack"))
		return (uint64_t)(uintptr_t)__builtin_frame_address(0) - 4096;
	if (!strcmp(name, "heap"))
		return (uint64_t)(uintptr_t)malloc(8192);
	if (!strcmp(name, "mapping"))
		return (uint64_t)(uintptr_t)mmap(NULL, 1 << 21, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!strcmp(name, "read-only-mapping"))
		return (uint64_t)(uintptr_t)mmap(NULL, 4 << 20, PROT_READ,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!strcmp(name, "unmapped")) {
		void *p =
		    mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*(volatile char *)p = 1;
		munmap(p, 4 << 20);
		return (uint64_t)(uintptr_t)p;
	}
	struct ix_attach a = {.version = IX_ABI_VERSION, .size = sizeof(a)};

	if (!strcmp(name, "events") || !strcmp(name, "payload")) {
		if (call(IX_SYS_ATTACH, (uint64_t)(uintptr_t)&a, 0, 0, 0, 0, 0))
			exit(3);
		return *name == 'e' ? a.events : a.rx_base;
	}
	exit(2);
}

static void overflow(volatile char *p, uint64_t depth)
{
	volatile char page[4096];

	page[0] = *p;
	if (depth)
		overflow(page, depth - 1);
	page[1] = 0;
}

static void instruction(const char *name)
{
	static struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {0xffff, KERNEL};
	uint64_t sink = 0;

#define DO(what, ...)                          \
	if (!strcmp(name, what)) {             \
		__asm__ volatile(__VA_ARGS__); \
		return;                        \
	}
	DO("cli", "cli")
	DO("sti", "sti")
	DO("hlt", "hlt")
	DO("in", "inb $0x60, %%al" ::: "rax")
	DO("out", "outb %%al, $0xf4" ::: "rax")
	DO("outs", "outsb" ::"S"(data), "d"(0xf4))
	DO("cr0", "mov %%cr0, %0" : "=r"(sink))
	DO("cr3", "mov %0, %%cr3" ::"r"(0ull))
	DO("cr4", "mov %0, %%cr4" ::"r"(0ull))
	DO("cr8", "mov %0, %%cr8" ::"r"(0ull))
	DO("dr7", "mov %0, %%dr7" ::"r"(0ull))
	DO("rdmsr", "rdmsr" ::"c"(0xc0000082) : "rax", "rdx")
	DO("wrmsr", "wrmsr" ::"c"(0xc0000082), "a"(0), "d"(0))
	DO("lgdt", "lgdt %0" ::"m"(table))
	DO("lidt", "lidt %0" ::"m"(table))
	DO("lldt", "lldt %%ax" ::"a"(0))
	DO("ltr", "ltr %%ax" ::"a"(0x30))
	DO("sgdt", "sgdt %0" : "=m"(table))
	DO("sidt", "sidt %0" : "=m"(table))
	DO("smsw", "smsw %0" : "=r"(sink))
	DO("str", "str %0" : "=r"(sink))
	DO("invd", "invd")
	DO("wbinvd", "wbinvd")
	DO("invlpg", "invlpg (%0)" ::"r"(KERNEL))
	DO("swapgs", "swapgs")
	DO("sysret", "sysretq" ::"c"(KERNEL))
	DO("iret",
	   "pushq $0x10\n\tpushq $0\n\tpushq $2\n\tpushq $8\n\tpushq %0\n\tiretq" ::"r"(KERNEL))
	DO("far-return", "pushq $8\n\tpushq %0\n\tlretq" ::"r"(KERNEL))
	DO("sysenter", "sysenter" ::: "rcx", "rdx")
	DO("vmcall", "vmcall" ::"a"(0x101), "D"(0))
	DO("vmmcall", "vmmcall" ::"a"(0x101), "D"(0))
	DO("int80", "int $0x80" ::"a"(60))
	DO("int3", "int3")
	DO("icebp", ".byte 0xf1")
	DO("int14", "int $14")
	DO("int-timer", "int $0x40")
	DO("int-df", "int $8")
	DO("ud2", "ud2")
	DO("divide", "div %0" ::"r"(0ull), "a"(1ull), "d"(0ull))
	DO("load-ds", "mov %0, %%ds" ::"r"(0x10))
	DO("load-ss", "mov %0, %%ss" ::"r"(0x10))
	DO("clac", "clac")
	DO("stac", "stac")
	DO("monitor", "monitor" ::"a"(data), "c"(0), "d"(0))
	DO("mwait", "mwait" ::"a"(0), "c"(0))
	DO("xsetbv", "xsetbv" ::"c"(0), "a"(7), "d"(0))
	DO("trap-flag", "pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\tnop\n\tnop" ::: "memory")
	exit(2);
}

/* Odd but allowed: the kernel goes on, and so do we. */
static void odd(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t bases[] = {0, KERNEL, 0xfffff00000240000, 0x00007fffffffffff, 1};
	long pid;

	/* Calls with every flag a user can set; the kernel's must be its own. */
	__asm__ volatile("pushf\n\torl $0x44400, (%%rsp)\n\tpopf\n\t"
			 "syscall\n\t"
			 "pushf\n\tandl $~0x44400, (%%rsp)\n\tpopf"
			 : "=a"(pid)
			 : "a"(SYS_getpid)
			 : "rcx", "r11", "memory");
	if (pid != 1)
		exit(4);
	/* Lengths and numbers that overflow when they are rounded up. */
	for (uint64_t less = 1; less < 8192; less += 100) {
		uint64_t at = (uint64_t)(uintptr_t)p, n = -less;

		if (call(SYS_mremap, at, n, 4096, 1, 0, 0) != -EINVAL ||
		    call(SYS_munmap, at, n, 0, 0, 0, 0) >= 0 ||
		    call(SYS_madvise, at, n, 4, 0, 0, 0) >= 0 ||
		    call(SYS_mmap, 0, n, 3, 0x22, -1ull, 0) != -ENOMEM ||
		    call(SYS_fcntl, 1, 0, n, 0, 0, 0) != -EINVAL)
			exit(4);
	}
	if (call(SYS_getrandom, (uint64_t)(uintptr_t)p, 1ull << 40, 0, 0, 0, 0) > 1 << 20)
		exit(4);
	/* A user's GS base may look like the kernel's. */
	if (getenv("FSGSBASE")) {
		for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
			__asm__ volatile("wrgsbase %0" ::"r"(bases[i]));
			for (int j = 0; j < 100; j++)
				if (getpid() != 1)
					exit(4);
			/* and stay there for a few timer interrupts */
			for (volatile int j = 0; j < 3000000; j++)
				;
		}
	}
	/* A stack pointer that is no use to anybody. */
	__asm__ volatile("mov %%rsp, %%rbx\n\txor %%esp, %%esp\n\tsyscall\n\t"
			 "mov $0xffffffff80400000, %%rsp\n\tmov %1, %%eax\n\tsyscall\n\t"
			 "mov %%rbx, %%rsp"
			 : "=a"(pid)
			 : "i"(SYS_getpid), "a"(SYS_getpid)
			 : "rbx", "rcx", "r11", "memory");
	if (pid != 1)
		exit(4);
	printf("odd things done\n");
	exit(0);
}

static uint64_t odd_value(void)
{
	switch (rnd() % 12) {
	case 0:
		return 0;
	case 1:
		return rnd() % 64;
	case 2:
		return -(rnd() % 64);
	case 3:
		return rnd();
	case 4:
		return 1ull << rnd() % 64;
	case 5:
		return (1ull << rnd() % 64) - 1;
	case 6:
		return (uint64_t)(uintptr_t)data + rnd() % sizeof(data);
	case 7:
		return (uint64_t)(uintptr_t)rodata;
	case 8:
		return (uint64_t)(uintptr_t)&seed + 8;
	default:
		return places[rnd() % (sizeof(places) / sizeof(places[0]))].at + rnd() % 16 * 8;
	}
}

/* Calls that would end us, or wait for ever, by right. */
static int deadly(uint64_t nr, uint64_t a, uint64_t b)
{
	return nr == SYS_exit || nr == SYS_exit_group || nr == SYS_clone || nr == SYS_kill ||
	       nr == SYS_tkill || nr == SYS_tgkill || nr == SYS_nanosleep ||
	       nr == SYS_clock_nanosleep || nr == SYS_arch_prctl || nr == SYS_close ||
	       (nr == SYS_futex && (b & 127) != 1) || nr == SYS_brk || nr == SYS_read ||
	       nr == SYS_readv || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_mremap ||
	       nr == SYS_madvise || nr == SYS_dup2 || nr == SYS_dup3 ||
	       (nr == SYS_mmap && a != 0) ||
	       /* the console is slow */
	       ((nr == SYS_write || nr == SYS_writev) && a < 3) || nr == SYS_set_tid_address;
}

/* Every call with pointers of every shape: an error or a result, and we live on. */
static void pointers(void)
{
	for (uint64_t nr = 0; nr < 450; nr++) {
		for (unsigned i = 0; i < 60; i++) {
			uint64_t v[6];

			for (int j = 0; j < 6; j++)
				v[j] = odd_value();
			if (nr == SYS_mmap) {
				v[0] = 0;
				v[1] %= 1 << 20;
				v[3] &= ~0x10ull;
			}
			if (deadly(nr, v[0], v[1]))
				continue;
			call((long)nr, v[0], v[1], v[2], v[3], v[4], v[5]);
		}
	}
	/* Our own memory has been written all over: no library from here on. */
	static const char line[] = "pointers done\n";

	call(SYS_write, 1, (uint64_t)(uintptr_t)line, sizeof(line) - 1, 0, 0, 0);
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* Anything at all, but at addresses that we can lose: mappings of our own. */
static void memory_calls(void)
{
	uint64_t base[16] = {0}, len[16] = {0};

	for (unsigned i = 0; i < 60000; i++) {
		unsigned k = rnd() % 16;
		uint64_t l = rnd() % 4 ? rnd() % 40000 : rnd() % (6 << 20);

		switch (rnd() % 6) {
		case 0:
		case 1:
			if (base[k])
				call(SYS_munmap, base[k], len[k], 0, 0, 0, 0);
			len[k] = l;
			base[k] = (uint64_t)call(SYS_mmap, 0, l, rnd() % 8, 0x22, (uint64_t)-1, 0);
			if ((int64_t)base[k] < 0)
				base[k] = 0;
			break;
		case 2:
			call(SYS_mprotect, base[k] + rnd() % 16 * 4096, l, rnd() % 8, 0, 0, 0);
			break;
		case 3:
			if (base[k]) {
				uint64_t to =
				    (uint64_t)call(SYS_mremap, base[k], len[k], l, rnd() % 2, 0, 0);

				if ((int64_t)to > 0) {
					base[k] = to;
					len[k] = l;
				}
			}
			break;
		case 4:
			if (base[k])
				call(SYS_madvise, base[k], len[k], rnd() % 8, 0, 0, 0);
			break;
		case 5:
			if (base[k] && rnd() % 2) {
				call(SYS_munmap, base[k] + (len[k] / 2 & ~4095ull), l, 0, 0, 0, 0);
				base[k] = 0;
			}
			break;
		}
	}
	printf("memory calls done\n");
	_exit(0);
}

/* Batches of calls that make little sense; the connections they name are nobody's. */
static void batches(unsigned long total)
{
	static struct ix_call calls[256] __attribute__((aligned(64)));
	struct ix_attach a = {.version = IX_ABI_VERSION, .size = sizeof(a)};
	unsigned long made = 0, good = 0;
	uint64_t handles[64] = {0};

	if (call(IX_SYS_ATTACH, (uint64_t)(uintptr_t)&a, 0, 0, 0, 0, 0))
		exit(3);
	for (unsigned long done = 0; done < total; done++) {
		unsigned ncalls = rnd() % 64 ? rnd() % 8 : rnd() % 257;

		for (unsigned i = 0; i < ncalls; i++) {
			struct ix_call *c = &calls[i];

			for (unsigned j = 0; j < sizeof(*c) / 8; j++)
				((uint64_t *)c)[j] = odd_value();
			c->op = (uint8_t)(rnd() % 28);
			if (rnd() % 16)
				c->flags = rnd() % 2;
			c->n %= rnd() % 8 ? 70 : UINT32_MAX;
			if (rnd() % 2)
				c->handle = handles[rnd() % 64];
			if (rnd() % 4 == 0)
				c->handle ^= 1ull << rnd() % 64;
		}
		long n = call(rnd() % 2 ? IX_SYS_RUN_IO : IX_SYS_CALL, (uint64_t)(uintptr_t)calls,
			      ncalls, 0, 0, 0, 0);

		if (n < 0)
			exit(5);
		made += ncalls;
		for (unsigned i = 0; i < ncalls; i++) {
			good += calls[i].ret >= 0;
			if (calls[i].ret > 0)
				handles[rnd() % 64] = calls[i].handle;
		}
		if (rnd() % 64)
			continue;
		/* The array itself in odd places. */
		call(IX_SYS_RUN_IO, odd_value(), rnd() % 100000, 0, 0, 0, 0);
		call(IX_SYS_TCP_INFO, handles[rnd() % 64], odd_value(), rnd() % 200, 0, 0, 0);
	}
	printf("%lu batches, %lu calls, %lu taken\n", total, made, good);
	exit(0);
}

static void touch(const char *how, const char *where)
{
	uint64_t at = place(where);

	printf("alive\n");
	fflush(stdout);
	if (!strcmp(how, "read"))
		*(volatile char *)(uintptr_t)at;
	else if (!strcmp(how, "write"))
		*(volatile char *)(uintptr_t)at = 1;
	else if (!strcmp(how, "execute"))
		((void (*)(void))(uintptr_t)at)();
	else
		exit(2);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 88172645463325252ull;
	if (argc > 2 &&
	    (!strcmp(what, "read") || !strcmp(what, "write") || !strcmp(what, "execute"))) {
		touch(what, argv[2]);
	} else if (argc > 2 && !strcmp(what, "instruction")) {
		printf("alive\n");
		fflush(stdout);
		instruction(argv[2]);
	} else if (!strcmp(what, "overflow")) {
		printf("alive\n");
		overflow(argv[0], UINT64_MAX);
	} else if (!strcmp(what, "abort")) {
		abort();
	} else if (!strcmp(what, "odd")) {
		odd();
	} else if (!strcmp(what, "pointers")) {
		pointers();
	} else if (!strcmp(what, "memory")) {
		memory_calls();
	} else if (argc > 2 && !strcmp(what, "batches")) {
		batches(strtoul(argv[2], NULL, 0));
	} else {
		return 2;
	}
	printf("survived\n");
	return 0;
}
