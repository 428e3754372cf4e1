/* SPDX-License-Identifier: MIT
 *
 * The probe guest: a dataplane kernel that does one thing, named by its first argument, to test the
 * walls around a domain. Core 0 does it; all cores say hello.
 *
 *   hello      exits with status 7
 *   beat       prints a line every 50 ms of its clock, for ever
 *   guard      fills its memory with a pattern, and prints the sum of it every 250 ms, for ever
 *   poll:N     N rounds of a loop with the local APIC's timer running; then waits
 *   spin       an endless loop with interrupts off
 *   read:A write:A exec:A   touches physical address A
 *   crash:N    ends badly, in way N of crash()
 *   pending    exits with interrupts pending on the vectors that exceptions have, too
 *   pae        turns on PAE paging outside IA-32e mode by a write that the hypervisor carries out
 *   msrs ports icr msix     tries what it must not: exits with status 7 if nothing of it worked,
 *   calls:N                 8 if something did
 */
#include <ix/bootinfo.h>

#define WINDOW         0xffff900000000000ull /* where map() shows other memory */
#define IA32_APIC_BASE 0x1b
#define X2APIC_SVR     0x80f
#define X2APIC_ICR     0x830
#define X2APIC_TIMER   0x832
#define X2APIC_COUNT   0x838
#define X2APIC_DIVIDE  0x83e
#define ICR_SELF       (1u << 18)
#define VECTOR_TIMER   0x40
#define VECTOR_SELF    0x30 /* two that attack_cores() sends to its own core as well */
#define VECTOR_SELF2   0x80
#define STATUS_HELD    7 /* the wall held */
#define STATUS_BROKEN  8
#define CODE           8

void probe_main(const struct ix_bootinfo *boot, uint64_t core);
extern void fault(void), fault_with_code(void), timer(void), pae_code(void);
extern const uint32_t pae_word;
_Noreturn void enter_pae(uint64_t pdpt, uint64_t code, uint64_t word);
extern volatile uint64_t resume, faults, ticks;

/* Kept by the handlers in start.S. */
volatile uint64_t resume, faults, ticks;

static const struct ix_bootinfo *info;
static volatile uint32_t lock;
static char line[256];
static uint64_t page_table[3][512] __attribute__((aligned(4096)));
static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff,
			       0x00cf9b000000ffff /* 32-bit code */};
static struct {
	uint64_t low, high;
} idt[256];

static int64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	int64_t result;

	asm volatile("vmcall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(c), "c"(d)
		     : "memory");
	return result;
}

static uint64_t physical(const volatile void *p)
{
	return info->kernel_base + ((uint64_t)p - IX_KERNEL_BASE);
}

static char *put_number(char *p, uint64_t v, unsigned int base)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		*p++ = digits[--n];
	return p;
}

/* %u and %x of 64-bit values only. */
static void say(const char *format, uint64_t a, uint64_t b)
{
	char *p = line;

	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		asm volatile("pause");
	for (const char *prefix = "probe: "; *prefix;)
		*p++ = *prefix++;
	for (; *format && p < line + sizeof(line) - 32; format++) {
		if (*format != '%') {
			*p++ = *format;
			continue;
		}
		format++;
		p = put_number(p, a, *format == 'x' ? 16 : 10);
		a = b;
	}
	*p++ = '\n';
	call(IX_GCALL_CONSOLE, physical(line), (uint64_t)(p - line), 0, 0);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"(value >> 32) : "memory");
}

static void start_timer(uint64_t ticks, uint32_t mode)
{
	wrmsr(X2APIC_SVR, 0x1ff);
	wrmsr(X2APIC_DIVIDE, 0xb); /* by 1 */
	wrmsr(X2APIC_TIMER, mode | VECTOR_TIMER);
	wrmsr(X2APIC_COUNT, ticks);
}

/* A fault is survived: true if there was none. */
static int try_wrmsr(uint32_t msr, uint64_t value)
{
	uint64_t before = faults;

	asm volatile("lea 1f(%%rip), %%r8; mov %%r8, resume(%%rip); wrmsr; 1:"
		     :
		     : "c"(msr), "a"((uint32_t)value), "d"(value >> 32)
		     : "r8", "memory");
	return faults == before;
}

static int try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint64_t before = faults;
	uint32_t low = 0, high = 0;

	asm volatile("lea 1f(%%rip), %%r8; mov %%r8, resume(%%rip); rdmsr; 1:"
		     : "+a"(low), "+d"(high)
		     : "c"(msr)
		     : "r8", "memory");
	*value = (uint64_t)high << 32 | low;
	return faults == before;
}

static int try_in(uint16_t port)
{
	uint64_t before = faults;
	uint8_t value = 0;

	asm volatile("lea 1f(%%rip), %%r8; mov %%r8, resume(%%rip); inb %1, %0; 1:"
		     : "+a"(value)
		     : "d"(port)
		     : "r8", "memory");
	return faults == before;
}

static int try_out(uint16_t port)
{
	uint64_t before = faults;

	asm volatile("lea 1f(%%rip), %%r8; mov %%r8, resume(%%rip); outb %0, %1; 1:"
		     :
		     : "a"((uint8_t)0), "d"(port)
		     : "r8", "memory");
	return faults == before;
}

static void set_gate(unsigned int vector, void (*handler)(void))
{
	uint64_t at = (uint64_t)handler;

	idt[vector].low = (at & 0xffff) | CODE << 16 | 0x8e00ull << 32 | (at >> 16 & 0xffff) << 48;
	idt[vector].high = at >> 32;
}

static void load_tables(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} g = {sizeof(gdt) - 1, (uint64_t)gdt}, i = {sizeof(idt) - 1, (uint64_t)idt};

	set_gate(6, fault);
	set_gate(13, fault_with_code);
	set_gate(VECTOR_TIMER, timer);
	set_gate(VECTOR_SELF, timer);
	set_gate(VECTOR_SELF2, timer);
	asm volatile("lgdt %0; lidt %1" : : "m"(g), "m"(i));
}

static uint64_t read_cr3(void)
{
	uint64_t v;

	asm volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

/* Shows the 2 MB around a physical address at WINDOW, executable; returns where the address is. */
static volatile uint64_t *map(uint64_t pa)
{
	uint64_t *root = (uint64_t *)(IX_DIRECT_BASE + (read_cr3() & ~0xfffull));

	page_table[1][0] = (pa & ~0x1fffffull) | 0x83;
	page_table[0][0] = physical(page_table[1]) | 3;
	root[WINDOW >> 39 & 511] = physical(page_table[0]) | 3;
	asm volatile("mov %0, %%cr3" : : "r"(read_cr3()) : "memory");
	return (volatile uint64_t *)(WINDOW + (pa & 0x1ffff8));
}

/* One page directory for the gigabyte that the probe lies in, mapped one to one, and once more in the
 * gigabyte beside it. */
static void pae(void)
{
	uint64_t *root = (uint64_t *)(IX_DIRECT_BASE + (read_cr3() & ~0xfffull));
	uint64_t gigabyte = physical(page_table) >> 30;

	for (uint64_t i = 0; i < 512; i++)
		page_table[1][i] = gigabyte << 30 | i << 21 | 0x83;
	page_table[0][gigabyte] = physical(page_table[1]) | 3;
	root[0] = physical(page_table[0]) | 3;
	/* The PDPT of PAE paging, whose entries have no bit for writing. */
	page_table[2][gigabyte] = physical(page_table[1]) | 1;
	page_table[2][gigabyte ^ 1] = physical(page_table[1]) | 1;
	enter_pae(physical(page_table[2]), physical((const void *)(uint64_t)pae_code),
		  physical(&pae_word) ^ 1 << 30);
}

static void crash(uint64_t way)
{
	asm volatile("lidt %0"
		     :
		     : "m"((const uint64_t[2]){0})); /* so every fault is a triple one */
	switch (way) {
	case 1:
		asm volatile("ud2");
		break;
	case 2:
		asm volatile("movq $0, 0");
		break;
	case 3:
		asm volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx");
		break;
	case 4:
		asm volatile("int3");
		break;
	case 5:
		asm volatile("mov $0x1000, %rsp; push %rax");
		break;
	case 6:
		asm volatile("mov %0, %%cr3" : : "r"(0x100000ull)); /* page tables in Linux */
		break;
	case 7:
		asm volatile("mov %%cr0, %%rax; btr $31, %%rax; mov %%rax, %%cr0" : : : "rax");
		break;
	case 8:
		asm volatile("mov %%cr4, %%rax; bts $13, %%rax; mov %%rax, %%cr4" : : : "rax");
		break;
	case 9:
		call(IX_GCALL_PANIC, 0x1000, 50, 0, 0);
		break;
	case 10:
		call(IX_GCALL_PANIC, physical("the probe is tired"), 18, 0, 0);
		break;
	case 11:
		asm volatile("outb %0, %1" : : "a"((uint8_t)6), "Nd"((uint16_t)0xcf9));
		asm volatile("ud2");
		break;
	default:
		wrmsr(0x3a, 5); /* IA32_FEATURE_CONTROL */
		asm volatile("ud2");
	}
}

/* An APIC takes any vector from 16 on: the next owner of the core, and the hypervisor, must not mistake
 * these for exceptions. Not 255: Bochs keeps the spurious vector in service for ever. */
static void leave_pending(void)
{
	asm volatile("cli");
	wrmsr(X2APIC_SVR, 0x1ff);
	for (uint64_t vector = 16; vector < 255; vector++)
		wrmsr(X2APIC_ICR, ICR_SELF | vector);
}

/* What a dataplane may touch without being asked, by docs/hypervisor.md and SDM 4: all else must
 * fault. Of the x2APIC it may read what it likes; what it may write is not tried, it works. */
static const struct {
	uint32_t first, last;
	int read, write;
} own_msrs[] = {
    {0x010, 0x010, 1, 0},           /* TSC */
    {0x01b, 0x01b, 1, 0},           /* APIC base */
    {0x03b, 0x03b, 1, 0},           /* TSC_ADJUST */
    {0x0fe, 0x0fe, 1, 0},           /* MTRRCAP */
    {0x10a, 0x10a, 1, 0},           /* ARCH_CAPABILITIES */
    {0x174, 0x176, 1, 1},           /* SYSENTER */
    {0x277, 0x277, 1, 1},           /* PAT */
    {0x6e0, 0x6e0, 1, 1},           /* TSC_DEADLINE */
    {0x802, 0x83f, 1, 1},           /* x2APIC */
    {0xc0000080, 0xc0000084, 1, 1}, /* EFER, SYSCALL */
    {0xc0000100, 0xc0000103, 1, 1}, /* FS, GS, TSC_AUX */
};

static int is_own_msr(uint32_t msr, int write)
{
	for (unsigned int i = 0; i < sizeof(own_msrs) / sizeof(own_msrs[0]); i++)
		if (msr >= own_msrs[i].first && msr <= own_msrs[i].last)
			return write ? own_msrs[i].write : own_msrs[i].read;
	return 0;
}

static int sweep_msrs(void)
{
	uint64_t tried = 0, taken = 0, value;

	for (uint32_t i = 0; i < 0x4000; i++) {
		uint32_t msr = i < 0x2000 ? i : 0xc0000000 + (i - 0x2000);

		value = 0;
		tried++;
		if (try_rdmsr(msr, &value) && !is_own_msr(msr, 0)) {
			say("MSR %x reads %x", msr, value);
			taken++;
		}
		if (is_own_msr(msr, 1))
			continue;
		tried++;
		if (try_wrmsr(msr, value)) {
			say("MSR %x takes %x", msr, value);
			taken++;
		}
	}
	/* Outside both ranges, and with values that would do harm. */
	tried += 5;
	taken += (uint64_t)try_rdmsr(0x12345678, &value) + (uint64_t)try_wrmsr(0x3a, 5) +
		 (uint64_t)try_wrmsr(0x79, 0) + (uint64_t)try_wrmsr(0x200, 0) +
		 (uint64_t)try_wrmsr(IA32_APIC_BASE, 0xfee00000);
	say("%u accesses to MSRs of others tried, %u worked", tried, taken);
	return !taken;
}

static int sweep_ports(void)
{
	uint64_t in = 0, out = 0;

	for (uint32_t port = 0; port < 0x10000; port++) {
		in += (uint64_t)try_in((uint16_t)port);
		out += (uint64_t)try_out((uint16_t)port);
	}
	say("of 65536 ports %u readable, %u writable", in, out);
	return !in && !out;
}

/* Whatever a core may aim at others: INIT, SIPI, NMI, SMI, fixed; one target, shorthands, logical.
 * What is not its core's is dropped; the two fixed vectors reach itself. */
static int attack_cores(void)
{
	static const uint32_t forms[] = {0x500, 0x4500, 0x600,       0x6ff,
					 0x400, 0x200,  VECTOR_SELF, VECTOR_SELF2};
	uint64_t tried = 0;

	wrmsr(X2APIC_SVR, 0x1ff);
	for (uint64_t to = 0; to < 16; to++)
		for (uint32_t shorthand = 0; shorthand < 4; shorthand++)
			for (unsigned int i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
				/* Physical or logical. */
				uint64_t icr = to << 32 | shorthand << 18 | forms[i];

				tried += 2;
				try_wrmsr(X2APIC_ICR, icr);
				try_wrmsr(X2APIC_ICR, icr | 1 << 11);
			}
	for (unsigned int i = 0; i < 16; i++)
		asm volatile("sti; nop; cli");
	say("%u interrupt commands tried, %u interrupts to itself", tried, ticks);
	return ticks == 2;
}

static int fuzz_calls(uint64_t number)
{
	uint64_t seed = 88172645463325252ull, refused = 0, r[5];

	for (uint64_t n = 0; n < number; n++) {
		for (unsigned int i = 0; i < 5; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			r[i] = seed >> (seed & 31) >> (seed >> 5 & 31);
		}
		r[0] = r[0] & 1 ? 0xf8 + (r[0] >> 1 & 31) : r[0];
		/* Not those that end the domain, nor those that fill the consoles and event rings. */
		if (r[0] == IX_GCALL_EXIT || r[0] == IX_GCALL_PANIC)
			r[0] = IX_GCALL_STATS;
		if (r[0] == IX_GCALL_EVENT)
			r[1] |= 0x100;
		if (r[0] == IX_GCALL_CONSOLE || r[0] == IX_GCALL_STATS)
			r[1] &= ~info->mem[0].base; /* not its own memory */
		refused += call(r[0], r[1], r[2], r[3], r[4]) < 0;
	}
	say("%u calls made, %u refused", number, refused);
	return refused > number / 2;
}

/* The configuration space of its function: all that is there to write, but the command register. */
static uint64_t write_config(uint64_t index)
{
	uint64_t taken = 0;

	for (uint64_t size = 1; size <= 4; size *= 2)
		for (uint64_t at = 0; at < 4096; at += size) {
			int64_t before = call(IX_GCALL_PCI_READ, index, at, size, 0);

			if (at == 4)
				continue;
			taken += call(IX_GCALL_PCI_WRITE, index, at, size, ~0ull) >= 0;
			taken += call(IX_GCALL_PCI_READ, index, at, size, 0) != before;
		}
	return taken;
}

/* Messages can be aimed at any core: neither the table, nor what enables it, is the guest's. */
static int attack_messages(void)
{
	uint64_t taken = 0, tables = 0;

	for (uint32_t i = 0; i < info->ndevices; i++) {
		const struct ix_device *d = &info->device[i];

		taken += write_config(d->index);
		for (unsigned int b = 0; b < IX_MAX_BARS; b++)
			tables += d->bar[b].flags & IX_BAR_MSIX ? 1 : 0;
	}
	/* Functions that it does not have. */
	for (uint64_t index = 0; index < 300; index++)
		if (index >= info->ndevices)
			taken += call(IX_GCALL_PCI_WRITE, index << (index & 60), 4, 2, 6) >= 0;
	say("%u writes to configuration space worked, %u BARs with MSI-X tables", taken, tables);
	return info->ndevices && !taken;
}

static void poll(uint64_t rounds)
{
	uint64_t begin = tsc();

	if (info->flags & IX_BOOT_X2APIC) {
		start_timer(info->tsc_khz * 10 + 1, 1 << 17); /* periodic */
		asm volatile("sti");
	}
	say("polling", 0, 0);
	for (uint64_t n = rounds; n; n--)
		asm volatile("" : "+r"(n));
	asm volatile("cli");
	say("polled %u rounds, %u timer interrupts", rounds, ticks);
	say("it took %u ticks of the TSC", tsc() - begin, 0);
	for (;;)
		asm volatile("sti; hlt; cli");
}

/* Whoever writes to memory of this domain changes the sum; whoever holds up its core delays it. */
static void guard(void)
{
	uint64_t *begin = (uint64_t *)(IX_DIRECT_BASE + info->free_base);
	uint64_t *end = (uint64_t *)(IX_DIRECT_BASE + info->mem[0].base + info->mem[0].size);
	uint64_t next = tsc();

	for (uint64_t *p = begin; p < end; p++)
		*p = (uint64_t)p * 0x9e3779b97f4a7c15ull;
	for (uint64_t n = 1;; n++) {
		uint64_t sum = 0;

		for (const uint64_t *p = begin; p < end; p++)
			sum = (sum << 1 | sum >> 63) ^ *p;
		say("guard %u sum %x", n, sum);
		for (next += info->tsc_khz * 250; tsc() < next;) {
			start_timer(info->tsc_khz * 10, 0);
			asm volatile("sti; hlt; cli");
		}
	}
}

static void beat(void)
{
	uint64_t next = tsc();

	for (uint64_t n = 1;; n++) {
		next += info->tsc_khz * 50;
		while (tsc() < next)
			asm volatile("pause");
		say("beat %u", n, 0);
	}
}

/* The first argument, behind the program's name. */
static const char *argument(void)
{
	const char *p = (const char *)(IX_DIRECT_BASE + info->args.base);
	const char *end = p + info->args.size;

	while (p < end && *p)
		p++;
	return p + 1 < end ? p + 1 : "";
}

static uint64_t parameter(const char *p)
{
	uint64_t v = 0, base = 10;

	while (*p && *p != ':')
		p++;
	if (*p)
		p++;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; *p; p++)
		v = v * base + (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	return v;
}

static int is(const char *a, const char *b)
{
	for (; *b; a++, b++)
		if (*a != *b)
			return 0;
	return !*a || *a == ':';
}

/* Returns the status with which the domain exits. */
static uint64_t act(const char *role)
{
	int held = 1;

	if (is(role, "beat"))
		beat();
	else if (is(role, "guard"))
		guard();
	else if (is(role, "poll"))
		poll(parameter(role));
	else if (is(role, "spin"))
		for (;;)
			asm volatile("");
	else if (is(role, "read"))
		say("read %x", *map(parameter(role)), 0);
	else if (is(role, "write"))
		*map(parameter(role)) = 0x5a5a5a5a;
	else if (is(role, "exec"))
		((void (*)(void))map(parameter(role)))();
	else if (is(role, "crash"))
		crash(parameter(role));
	else if (is(role, "pending"))
		leave_pending();
	else if (is(role, "pae"))
		pae();
	else if (is(role, "msrs"))
		held = sweep_msrs();
	else if (is(role, "ports"))
		held = sweep_ports();
	else if (is(role, "calls"))
		held = fuzz_calls(parameter(role));
	else if (is(role, "icr"))
		held = attack_cores();
	else if (is(role, "msix"))
		held = attack_messages();
	return held ? STATUS_HELD : STATUS_BROKEN;
}

void probe_main(const struct ix_bootinfo *boot, uint64_t core)
{
	uint64_t status;

	info = boot;
	say("core %u of %u is here", core, boot->ncores);
	if (core)
		for (;;)
			asm volatile("hlt");
	load_tables();
	status = act(argument());
	say("done", 0, 0);
	call(IX_GCALL_EXIT, status, 0, 0, 0);
}
