/* SPDX-License-Identifier: MIT
 *
 * A hostile control VM: booted in Linux's place, it does in ring 0, and as a program in ring 3, what
 * Linux never would, while a dataplane on core 1 must notice nothing (start.S). Lines of the form
 * `test: NAME ok|FAILED why`. Command line: runs=N, how often each attack is made.
 */
#include <stdbool.h>

#include <ix/hypercall.h>

#define CODE        8
#define DATA        0x10
#define TSS         0x28
#define USER_CODE32 0x3b
#define FLAG_TF     0x100
#define FLAG_IF     0x200
#define VEC_NMI     2
#define VEC_DB      1
#define VEC_UD      6
#define VEC_GP      13
#define VEC_PF      14
#define VEC_BACK    0x80 /* from ring 3 */
#define VECTORS     256
#define PAGE        4096ull
#define MB_2        0x200000ull
#define PTE         0x7 /* present, writable, user */
#define PTE_PS      0x80
#define COM1        0x3f8
#define TOP         0x100000000ull
#define SPARE       0x1800000ull /* 2 MB that nobody uses */
#define BAR0        0xe0000000ull
#define BAR1        0xe0100000ull
#define APIC        0xfee00000ull
#define APIC_EOI    0xb0
#define APIC_LDR    0xd0
#define APIC_SVR    0xf0
#define APIC_ICR    0x300
#define APIC_BASE   0x1b
#define X2_EOI      0x80b
#define X2_SVR      0x80f
#define X2_ICR      0x830
#define BEAT_CORE   1 /* APIC ID */

struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

void hostile_main(const uint8_t *zero_page);
void on_trap(struct frame *f);
void in_ring_3(void (*f)(void));
void *memset(void *to, int value, uint64_t n);
void *memcpy(void *to, const void *from, uint64_t n);
extern void from_ring_3(void);
extern const char stubs[], beat[], beat_end[], trap_stack_top[];
extern uint64_t kernel_rsp;

static volatile uint64_t resume; /* where execution goes on after a provoked fault */
static volatile uint64_t taken[VECTORS];
static volatile uint64_t fault_flags; /* of the last one provoked */
static bool x2apic;
static uint64_t runs = 1000, seed = 88172645463325252ull;
static struct {
	uint64_t low, high;
} idt[VECTORS];
static struct __attribute__((packed)) {
	uint32_t reserved;
	uint64_t rsp[3], reserved2, ist[7], reserved3;
	uint16_t reserved4, io_map;
} tss;
static uint64_t gdt[] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0,
    0, 0x00cffb000000ffff};

static volatile struct ix_slot *const slots = (void *)(BAR0 + IX_SLOTS_OFFSET);
static uint16_t control_bdf, card_bdf = 0xffff;
static uint64_t card_bar;
static uint64_t beat_handle, beat_memory, beat_exits;

void *memset(void *to, int value, uint64_t n)
{
	void *d = to;

	asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(value) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, uint64_t n)
{
	void *d = to;

	asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Of any magnitude. */
static uint64_t rnd_sized(void)
{
	uint64_t shift = rnd() & 63;

	return rnd() >> shift;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void outl(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static uint32_t inl(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void put(const char *s)
{
	for (; *s; s++) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		outb(COM1, (uint8_t)*s);
	}
}

static void put_number(uint64_t v)
{
	char digits[24], *p = digits + sizeof(digits);

	*--p = 0;
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	put(p);
}

static void say(const char *what, uint64_t n, const char *more)
{
	put("hostile: ");
	put(what);
	put(" ");
	put_number(n);
	put(more);
	put("\r\n");
}

static void report(const char *name, bool ok, const char *why, uint64_t value)
{
	put("test: ");
	put(name);
	put(ok ? " ok " : " FAILED ");
	put(why);
	put(" ");
	put_number(value);
	put("\r\n");
}

static void wrmsr_raw(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"(value >> 32) : "memory");
}

static uint64_t rdmsr_raw(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

/* Where the next fault continues: behind the instruction that may cause it. */
#define RESUME "lea 1f(%%rip), %%r8; mov %%r8, resume(%%rip); "

static bool try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint64_t before = taken[VEC_GP];
	uint32_t low = 0, high = 0;

	asm volatile(RESUME "rdmsr; 1:" : "+a"(low), "+d"(high) : "c"(msr) : "r8", "memory");
	*value = (uint64_t)high << 32 | low;
	return taken[VEC_GP] == before;
}

static bool try_wrmsr(uint32_t msr, uint64_t value)
{
	uint64_t before = taken[VEC_GP];

	asm volatile(RESUME "wrmsr; 1:"
		     :
		     : "c"(msr), "a"((uint32_t)value), "d"(value >> 32)
		     : "r8", "memory");
	return taken[VEC_GP] == before;
}

static void apic_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(APIC + reg) = value;
}

void on_trap(struct frame *f)
{
	taken[f->vector]++;
	if (f->vector == VEC_BACK && f->cs & 3) {
		f->rip = (uint64_t)from_ring_3;
		f->cs = CODE;
		f->ss = 0;
		f->rsp = kernel_rsp;
		f->rflags = 2;
	} else if (f->vector >= 32) {
		if (x2apic)
			wrmsr_raw(X2_EOI, 0);
		else
			apic_write(APIC_EOI, 0);
	} else if (f->vector != VEC_NMI) {
		if (!resume) {
			say("unexpected exception", f->vector, "");
			say("at", f->rip, "");
			for (;;)
				asm volatile("cli; hlt");
		}
		fault_flags = f->rflags;
		f->rip = resume;
		resume = 0;
	}
}

static void load_tables(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} g = {sizeof(gdt) - 1, (uint64_t)gdt}, i = {sizeof(idt) - 1, (uint64_t)idt};
	uint64_t at = (uint64_t)&tss;

	for (unsigned int v = 0; v < VECTORS; v++) {
		uint64_t to = (uint64_t)stubs + 16ull * v;
		uint64_t type = v == VEC_BACK ? 0xee00 : 0x8e00;

		idt[v].low = (to & 0xffff) | CODE << 16 | type << 32 | (to >> 16 & 0xffff) << 48;
	}
	tss.rsp[0] = (uint64_t)trap_stack_top;
	tss.io_map = sizeof(tss);
	gdt[5] =
	    (sizeof(tss) - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
	asm volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(g), "m"(i), "r"(TSS));
	asm volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: mov %1, %%ss"
		     :
		     : "i"(CODE), "r"(DATA)
		     : "rax", "memory");
}

/* Ring 3 may use everything that the first page tables map. */
static void open_to_ring_3(void)
{
	uint64_t cr3, *root, *pointers;

	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	root = (uint64_t *)(cr3 & ~(PAGE - 1));
	root[0] |= PTE;
	pointers = (uint64_t *)(root[0] & ~(PAGE - 1));
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t *directory = (uint64_t *)(pointers[i] & ~(PAGE - 1));

		pointers[i] |= PTE;
		for (unsigned int j = 0; j < 512; j++)
			directory[j] |= PTE;
	}
	asm volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static uint32_t config_read(uint16_t bdf, uint8_t offset)
{
	outl(0xcf8, 0x80000000u | (uint32_t)bdf << 8 | (offset & 0xfc));
	return inl(0xcfc);
}

static void config_write(uint16_t bdf, uint8_t offset, uint32_t value)
{
	outl(0xcf8, 0x80000000u | (uint32_t)bdf << 8 | (offset & 0xfc));
	outl(0xcfc, value);
}

static void place_bars(void)
{
	config_write(control_bdf, 0x04, 0);
	config_write(control_bdf, 0x10, (uint32_t)BAR0);
	config_write(control_bdf, 0x14, (uint32_t)BAR1);
	config_write(control_bdf, 0x04, 2);
}

static void find_functions(void)
{
	for (uint16_t device = 0; device < 32; device++) {
		uint32_t id = config_read((uint16_t)(device << 3), 0);

		if (id == (IX_PCI_VENDOR | IX_PCI_CONTROL << 16))
			control_bdf = (uint16_t)(device << 3);
		if (id == 0x100e8086)
			card_bdf = (uint16_t)(device << 3);
	}
	place_bars();
	if (card_bdf != 0xffff) {
		card_bar = config_read(card_bdf, 0x10) & ~15u;
		config_write(card_bdf, 0x04, 2);
	}
}

static int32_t call(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	slots[0].op = op;
	slots[0].arg[0] = a;
	slots[0].arg[1] = b;
	slots[0].arg[2] = c;
	slots[0].arg[3] = d;
	*(volatile uint32_t *)BAR1 = 0;
	return slots[0].status;
}

static void answer(void *to, uint64_t size)
{
	memcpy(to, (const void *)slots[0].data, size);
}

/* The dataplane's state; false: it does not run, or a core of it left the guest meanwhile. */
static bool beats(uint64_t *count, uint64_t *card)
{
	struct ix_hv_domain d;
	uint64_t stats[2];

	for (uint64_t i = 0; !call(IX_CALL_DOMAIN, i, 0, 0, 0); i++) {
		answer(&d, sizeof(d));
		if (d.handle != beat_handle)
			continue;
		if (call(IX_CALL_STATS, beat_handle, 0, sizeof(stats), 0) != sizeof(stats))
			return false;
		answer(stats, sizeof(stats));
		*count = stats[0];
		*card = stats[1];
		if (!beat_exits)
			beat_exits = d.exits;
		return d.state[0] == 'r' && d.exits == beat_exits;
	}
	return false;
}

static void start_beat(void)
{
	struct ix_create spec = {
	    .name = "beat", .memory = MB_2, .ncores = 1, .apic_id = {BEAT_CORE}};
	uint64_t *page = (uint64_t *)(BAR0 + IX_BULK_OFFSET), code = (uint64_t)(beat_end - beat);
	struct ix_hv_domain d;
	uint64_t count = 0, card = 0, m;
	int32_t status;

	memcpy((void *)slots[0].data, &spec, sizeof(spec));
	status = call(IX_CALL_CREATE, 0, 0, 0, 0);
	answer(&beat_handle, sizeof(beat_handle));
	status |= call(IX_CALL_DOMAIN, 0, 0, 0, 0);
	answer(&d, sizeof(d));
	m = beat_memory = d.mem[0].base;
	if (card_bdf != 0xffff)
		status |= call(IX_CALL_ASSIGN, beat_handle, card_bdf, 0, 0);
	/* Page tables, one to one: its own 2 MB, and its device's; a boot page; the code. */
	memset(page, 0, IX_BULK_SIZE);
	page[0] = page[256] = (m + PAGE) | PTE;
	page[512 + (m >> 30)] = (m + 2 * PAGE) | PTE;
	page[1024 + (m >> 21 & 511)] = m | PTE | PTE_PS;
	page[512 + (card_bar >> 30)] |= (m + 3 * PAGE) | PTE;
	page[1536 + (card_bar >> 21 & 511)] = (card_bar & ~(MB_2 - 1)) | PTE | PTE_PS;
	page[2048 + 1] = card_bar;
	page[2048 + 2] = m + 6 * PAGE;
	memcpy(page + 2560, beat, code);
	status |= call(IX_CALL_WRITE, beat_handle, m, 0, 5 * PAGE + code);
	status |= call(IX_CALL_CORE_GIVE, BEAT_CORE, 0, 0, 0);
	status |= call(IX_CALL_START, beat_handle, m + 5 * PAGE, m, m + 4 * PAGE);
	for (unsigned int i = 0; i < 1000 && !count; i++) {
		beat_exits = 0;
		beats(&count, &card);
	}
	if (status)
		say("refused:", 0, (const char *)slots[0].why);
	report("dataplane-started", !status && count, "counts to", count);
}

/* After each attack: the dataplane goes on, without an exit, and its device answers as before. */
static void still_beats(const char *name)
{
	static uint64_t first_card;
	uint64_t before = 0, after = 0, card = 0;
	bool ok = beats(&before, &card);

	for (unsigned int i = 0; i < 10000 && ok && after <= before; i++)
		ok = beats(&after, &card);
	if (!first_card)
		first_card = card;
	report(name, ok && after > before && card == first_card && (!card_bar || card),
	       "the dataplane counts to", after);
}

static void wild_vmcalls(void)
{
	for (uint64_t n = runs; n; n--) {
		uint64_t a = rnd_sized(), b = rnd_sized(), c = rnd_sized(), d = rnd_sized();

		if (n & 1)
			a = IX_GCALL_CONSOLE + (a & 15);
		asm volatile(RESUME "vmcall; 1:"
			     : "+a"(a), "+D"(b), "+S"(c), "+d"(d)
			     : "c"(rnd())
			     : "r8", "memory");
	}
}

static void attack_vmcall(void)
{
	uint64_t before = taken[VEC_UD], ring0, ring3;

	wild_vmcalls();
	ring0 = taken[VEC_UD] - before;
	report("vmcall-ring-0", ring0 == runs, "#UD:", ring0);
	in_ring_3(wild_vmcalls);
	ring3 = taken[VEC_UD] - before - ring0;
	report("vmcall-ring-3", ring3 == runs, "#UD:", ring3);
	still_beats("vmcall");
}

static const uint64_t edges[] = {0,
				 1,
				 2,
				 PAGE,
				 PAGE - 1,
				 MB_2,
				 IX_BULK_SIZE,
				 IX_BULK_SIZE - 1,
				 0x7fffffffffffffff,
				 0x8000000000000000,
				 ~0ull,
				 ~0ull - PAGE + 1,
				 0xfee00000,
				 0x100000000};

static uint64_t wild_argument(void)
{
	uint64_t r = rnd();

	switch (r & 7) {
	case 0:
		return edges[(r >> 8) % (sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return beat_memory + (r >> 8 & 0x3fffff);
	case 2:
		return r >> 8 & 7;
	case 3:
		return (r >> 8 & 15) << 8 | (r >> 12 & 15); /* as handles are made */
	default:
		return rnd_sized();
	}
}

/* A call that root may make and that would end the dataplane is no attack; and a walk over all PCI
 * functions takes the time of a thousand others. */
static bool unwanted(uint32_t op, uint64_t arg)
{
	return (op == IX_CALL_STOP && arg == beat_handle) || (op == IX_CALL_PCI && rnd() & 4095);
}

static void fill_slot(volatile struct ix_slot *slot)
{
	struct ix_create *create = (struct ix_create *)slot->data;
	uint64_t r = rnd();
	uint32_t op = r & 15 ? (r >> 8) % 48 : (uint32_t)(r >> 8);

	for (unsigned int i = 0; i < 4; i++)
		slot->arg[i] = wild_argument();
	if ((r >> 60) < 4)
		slot->arg[0] = beat_handle;
	slot->op = unwanted(op, slot->arg[0]) ? IX_CALL_INFO : op;
	if (slot->op != IX_CALL_CREATE)
		return;
	for (unsigned int i = 0; i < sizeof(*create) / 8; i++)
		((volatile uint64_t *)slot->data)[i] = rnd();
	if (r >> 56 & 7)
		return;
	create->name[0] = (char)('a' + (r >> 40 & 3));
	create->name[1] = 0;
	create->memory = wild_argument();
	create->ncores = rnd() & 3;
	create->apic_id[0] = rnd() & 3;
	create->apic_id[1] = rnd() & 3;
}

static void wild_doorbell(void)
{
	for (uint64_t n = runs; n; n--) {
		uint64_t r = rnd(), value = r & 0x300 ? r & 15 : rnd_sized();
		volatile uint8_t *at = (volatile uint8_t *)BAR1;

		fill_slot(&slots[r & 15]);
		if (!(r & 0x1c00))
			at += r >> 16 & 0xff8;
		switch (r >> 32 & 31) {
		case 0:
			*at = (uint8_t)value;
			break;
		case 1:
			*(volatile uint16_t *)at = (uint16_t)value;
			break;
		case 2:
			*(volatile uint64_t *)at = value;
			break;
		default:
			*(volatile uint32_t *)at = (uint32_t)value;
		}
	}
}

/* Instructions that a doorbell does not take. */
static void odd_doorbell(void)
{
	uint64_t zero = 0;

	asm volatile(RESUME "xchg %%rax, (%0); 1:" : : "r"(BAR1), "a"(zero) : "r8", "memory");
	asm volatile(RESUME "lock incl (%0); 1:" : : "r"(BAR1) : "r8", "memory");
	asm volatile(RESUME "mov (%0), %%eax; 1:" : : "r"(BAR1) : "r8", "rax", "memory");
	asm volatile(RESUME "movl $0, 0xffe(%0); 1:" : : "r"(BAR1) : "r8", "memory");
	asm volatile(RESUME "push (%0); 1:" : : "r"(BAR1) : "r8", "memory");
	asm volatile(RESUME "movups %%xmm0, (%0); 1:" : : "r"(BAR1) : "r8", "memory");
	asm volatile(RESUME "jmp *%0; 1:" : : "r"(BAR1) : "r8", "memory");
	asm volatile(RESUME "rep stosb; 1:"
		     : "+D"((uint64_t){BAR1}), "+c"((uint64_t){8})
		     : "a"(0)
		     : "r8", "memory");
}

static void attack_doorbell(void)
{
	uint64_t before;
	struct ix_hv_info info;

	wild_doorbell();
	still_beats("doorbell-ring-0");
	in_ring_3(wild_doorbell);
	still_beats("doorbell-ring-3");
	say("doorbells rung:", 2 * runs, "");
	before = taken[VEC_GP];
	odd_doorbell();
	report("doorbell-odd", taken[VEC_GP] - before >= 6, "#GP:", taken[VEC_GP] - before);
	report("calls-work", !call(IX_CALL_INFO, 0, 0, 0, 0), "", 0);
	answer(&info, sizeof(info));
	report("info", info.ncores == 2 && info.abi == IX_ABI_VERSION, "cores", info.ncores);
}

/* INIT to this core would end the test, as it would end Linux. */
static bool suicide(uint32_t low, uint32_t dest, uint32_t broadcast)
{
	bool init = (low >> 8 & 7) == 5 && !(low >> 18 & 3);

	return init && (dest == 0 || dest == broadcast || low >> 11 & 1);
}

static uint32_t wild_command(void)
{
	static const uint32_t modes[] = {0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 0};
	uint64_t r = rnd();

	/* To itself it sends no vector of an exception. */
	if ((r & 0xf0) == 0x10)
		r |= 0x20;
	return (r & 0xff) | modes[(r >> 8) % 12] << 8 | (r >> 16 & 1) << 11 | (r >> 17 & 1) << 14 |
	       (r >> 18 & 1) << 15 | (r >> 19 & 3) << 18;
}

static void attack_xapic(void)
{
	/* Odd widths and places are dropped. */
	*(volatile uint64_t *)(APIC + APIC_ICR) = 0x4500;
	*(volatile uint8_t *)(APIC + APIC_ICR) = 0;
	*(volatile uint32_t *)(APIC + APIC_ICR + 4) = 0x4500;
	apic_write(APIC_SVR, 0x1ff);
	for (uint64_t n = runs; n; n--) {
		uint32_t low = wild_command(), dest = n & 7 ? rnd() & 3 : rnd() & 0xff;

		if (suicide(low, dest, 0xff))
			continue;
		apic_write(APIC_LDR, n & 1 ? 1u << 24 : (uint32_t)rnd() & 0xff000000);
		apic_write(APIC_ICR + 0x10, dest << 24);
		apic_write(APIC_ICR, low);
		if (!(n & 15))
			asm volatile("sti; nop; cli");
	}
}

static void attack_x2apic(void)
{
	uint64_t refused = 0, made = 0;

	wrmsr_raw(X2_SVR, 0x1ff);
	/* At the page there is nothing now. */
	apic_write(APIC_ICR, 0xc4500);
	for (uint64_t n = runs; n; n--) {
		uint32_t low = wild_command(), dest = n & 7 ? rnd() & 3 : (uint32_t)rnd_sized();

		if (n % 64 == 0)
			low |= (uint32_t)rnd();
		if (suicide(low, dest, 0xffffffff))
			continue;
		made++;
		refused += !try_wrmsr(X2_ICR, (uint64_t)dest << 32 | low);
		if (!(n & 15))
			asm volatile("sti; nop; cli");
	}
	say("x2APIC interrupt commands:", made, "");
	report("icr-reserved", refused > 0, "#GP:", refused);
}

static void attack_apic(void)
{
	if (x2apic) {
		attack_x2apic();
	} else {
		report("icr-msr", !try_wrmsr(X2_ICR, 0x4500), "is not there in xAPIC mode", 0);
		attack_xapic();
	}
	report("apic-stays", !try_wrmsr(APIC_BASE, 0xfee00000) && !try_wrmsr(APIC_BASE, 0xfed00900),
	       "", 0);
	still_beats(x2apic ? "icr-x2apic" : "icr-xapic");
}

static void attack_pci(void)
{
	uint64_t seen = 0;

	if (card_bdf == 0xffff) {
		report("hidden-function", false, "there is no card", 0);
		return;
	}
	for (uint64_t n = runs; n; n--) {
		uint64_t r = rnd();
		uint16_t port = (uint16_t)(0xcfc + (r >> 32 & 3));
		uint32_t low = 0x80000000u | (uint32_t)card_bdf << 8 | (r & 0xfc);

		outl(0xcf8, low);
		switch (r >> 40 & 3) {
		case 0:
			outb(port, (uint8_t)rnd());
			break;
		case 1:
			seen += inl(0xcfc) != 0xffffffff;
			break;
		default:
			outl(0xcfc, (uint32_t)rnd());
		}
	}
	report("hidden-function", !seen, "seen", seen);
	still_beats("hidden-function-writes");
	/* Its registers: ones, and no write arrives (e1000 CTRL.RST, 82540EM manual 13.4.1). */
	*(volatile uint32_t *)card_bar = 1u << 26;
	report("hidden-registers", *(volatile uint32_t *)(card_bar + 8) == 0xffffffff, "", 0);
	/* The control function anywhere, then back. */
	for (unsigned int n = 0; n < 60; n++) {
		uint64_t r = rnd();

		config_write(control_bdf, (uint8_t)(r >> 8 & 1 ? 0x10 + (r & 4) : r),
			     r >> 9 & 1 ? (uint32_t)beat_memory + (r >> 32 & 0x1ff000)
					: (uint32_t)(r >> 32));
	}
	place_bars();
	report("control-function-back", !call(IX_CALL_INFO, 0, 0, 0, 0), "", 0);
	still_beats("control-function-moved");
}

/* The first page tables' entry for 2 MB below 4 GB. */
static volatile uint64_t *page_entry(uint64_t va)
{
	uint64_t cr3, *table;

	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	table = (uint64_t *)(cr3 & ~(PAGE - 1));
	table = (uint64_t *)(table[0] & ~(PAGE - 1));
	table = (uint64_t *)(table[va >> 30] & ~(PAGE - 1));
	return &table[va >> 21 & 511];
}

static void set_page_entry(uint64_t va, uint64_t value)
{
	*page_entry(va) = value;
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static bool own_flags(void)
{
	return (fault_flags & (FLAG_TF | FLAG_IF)) == FLAG_IF;
}

static void copy_from_absent(uint64_t to)
{
	uint64_t from = beat_memory + 64;

	asm volatile("sti; " RESUME "movsq; 1: cli" : "+S"(from), "+D"(to) : : "r8", "memory");
}

/* From absent memory to a page that the guest has not mapped, and to the doorbell, which does not take
 * that instruction: the guest's handler sees its own flags. */
static void fault_in_step(void)
{
	uint64_t entry = *page_entry(SPARE), db = taken[VEC_DB], pf = taken[VEC_PF], gp, cr2;

	set_page_entry(SPARE, 0);
	copy_from_absent(SPARE + 8);
	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	set_page_entry(SPARE, entry);
	report("absent-memory-fault", taken[VEC_PF] == pf + 1 && cr2 == SPARE + 8 && own_flags(),
	       "flags", fault_flags);
	gp = taken[VEC_GP];
	copy_from_absent(BAR1);
	report("absent-memory-refused", taken[VEC_GP] == gp + 1 && own_flags(), "flags",
	       fault_flags);
	report("absent-memory-steps", taken[VEC_DB] == db, "#DB:", taken[VEC_DB] - db);
}

static void attack_memory(void)
{
	volatile uint64_t *m = (volatile uint64_t *)beat_memory;
	uint64_t wrong = 0, code = 0x50, gp;

	for (uint64_t i = 0; i < MB_2 / 8; i += 509) {
		m[i] = 0x1122334455667788;
		wrong += m[i] != ~0ull;
	}
	/* Over the edge of two absent pages, and with two of them in one instruction. */
	*(volatile uint64_t *)(beat_memory + PAGE - 4) = 0;
	wrong += *(volatile uint64_t *)(beat_memory + PAGE - 4) != ~0ull;
	asm volatile("movsq"
		     : "+S"((uint64_t){beat_memory + 64}), "+D"((uint64_t){beat_memory + 5 * PAGE})
		     :
		     : "memory");
	asm volatile("lock xaddq %0, (%1)" : "+r"(code) : "r"(beat_memory + 5 * PAGE) : "memory");
	wrong += code != ~0ull;
	report("absent-memory", !wrong, "wrong:", wrong);
	gp = taken[VEC_GP];
	asm volatile(RESUME "jmp *%0; 1:" : : "r"(beat_memory + 5 * PAGE) : "r8", "memory");
	report("absent-memory-not-executed", taken[VEC_GP] == gp + 1, "", 0);
	fault_in_step();
	still_beats("absent-memory-writes");
}

/* In 32-bit code: CPUID in the last two bytes of 4 GB, and INT 0x80 where it goes on. */
static void wrap(void)
{
	asm volatile("push %0; push %1; lretq" : : "i"(USER_CODE32), "r"(TOP - 2));
}

static void attack_wrap(void)
{
	uint64_t last = *page_entry(TOP - 1), first = *page_entry(0), back = taken[VEC_BACK];
	uint8_t *spare = (uint8_t *)SPARE;

	spare[MB_2 - 2] = 0x0f;
	spare[MB_2 - 1] = 0xa2;
	spare[0] = 0xcd;
	spare[1] = VEC_BACK;
	set_page_entry(TOP - 1, SPARE | PTE | PTE_PS);
	set_page_entry(0, SPARE | PTE | PTE_PS);
	in_ring_3(wrap);
	set_page_entry(TOP - 1, last);
	set_page_entry(0, first);
	report("wrap-at-4g", taken[VEC_BACK] == back + 1, "", 0);
}

static void attack_processor(void)
{
	static const uint32_t deny[] = {0x12,  0x3a,  0x9b,  0xed,  0x480,  0x48b,     0x491,
					0x570, 0x1d9, 0x6e0, 0x985, 0x17d0, 0x4b564d01};
	uint64_t value, read = 0, ud = taken[VEC_UD], gp = taken[VEC_GP];

	asm volatile(RESUME "vmxoff; 1:" : : : "r8", "memory");
	asm volatile(RESUME "vmlaunch; 1:" : : : "r8", "memory");
	asm volatile(RESUME "vmresume; 1:" : : : "r8", "memory");
	asm volatile(RESUME "vmread %%rax, %%rcx; 1:" : : : "r8", "rcx", "memory");
	asm volatile(RESUME "vmwrite %%rax, %%rcx; 1:" : : : "r8", "memory");
	asm volatile(RESUME "vmptrst (%%rsp); 1:" : : : "r8", "memory");
	asm volatile(RESUME "invept (%%rsp), %%rax; 1:" : : "a"(2) : "r8", "memory");
	asm volatile(RESUME "invvpid (%%rsp), %%rax; 1:" : : "a"(2) : "r8", "memory");
	report("vmx-instructions", taken[VEC_UD] - ud == 8, "#UD:", taken[VEC_UD] - ud);
	asm volatile(RESUME "mov %%cr4, %%rax; bts $13, %%rax; mov %%rax, %%cr4; 1:"
		     :
		     :
		     : "r8", "rax", "memory");
	asm volatile(RESUME "mov %%cr4, %%rax; bts $14, %%rax; mov %%rax, %%cr4; 1:"
		     :
		     :
		     : "r8", "rax", "memory");
	report("vmxe-smxe", taken[VEC_GP] - gp == 2, "#GP:", taken[VEC_GP] - gp);
	asm volatile("invd; wbinvd" : : : "memory");
	for (uint32_t msr = 0; msr < 0x2000; msr++)
		read += (uint64_t)try_rdmsr(msr, &value) +
			(uint64_t)try_rdmsr(0xc0000000 + msr, &value);
	say("MSRs read:", read, "");
	value = 0;
	for (unsigned int i = 0; i < sizeof(deny) / sizeof(deny[0]); i++)
		for (unsigned int bit = 0; bit < 64; bit++)
			if (deny[i] != 0x1d9 || bit > 1)
				value +=
				    (uint64_t)(try_wrmsr(deny[i], 1ull << bit) && deny[i] != 0x6e0);
	report("forbidden-msrs", !value, "taken:", value);
	still_beats("processor");
}

/* Accesses by which a reset would pass the filter: too wide, from below, as strings. */
static void attack_ports(void)
{
	static const struct {
		uint16_t port;
		uint32_t value;
		bool wide;
	} writes[] = {
	    {0x63, 0xfe00, false},     {0x64, 0xfefe, false},    {0x61, 0xfe000000, true},
	    {0x91, 0x0100, false},     {0x90, 0x00010000, true}, {0xcf5, 0x06000000, true},
	    {0xcf6, 0x06000000, true},
	};
	uint64_t gp = taken[VEC_GP], n = sizeof(writes) / sizeof(writes[0]);

	for (unsigned int i = 0; i < n; i++) {
		if (writes[i].wide)
			asm volatile(RESUME "outl %%eax, %%dx; 1:"
				     :
				     : "a"(writes[i].value), "d"(writes[i].port)
				     : "r8", "memory");
		else
			asm volatile(RESUME "outw %%ax, %%dx; 1:"
				     :
				     : "a"(writes[i].value), "d"(writes[i].port)
				     : "r8", "memory");
	}
	asm volatile(RESUME "outsb; 1:" : : "S"("\xfe"), "d"(0x64) : "r8", "memory");
	asm volatile(RESUME "rep insb; 1:" : : "D"(gdt), "d"(0xcfc), "c"(8) : "r8", "memory");
	report("ports", taken[VEC_GP] - gp == n + 2, "#GP:", taken[VEC_GP] - gp);
}

static void read_command_line(const uint8_t *zero_page)
{
	const char *p = (const char *)(uint64_t) * (const uint32_t *)(zero_page + 0x228);

	for (; *p; p++)
		if (p[0] == 'r' && p[1] == 'u' && p[2] == 'n' && p[3] == 's' && p[4] == '=')
			for (runs = 0, p += 5; *p >= '0' && *p <= '9'; p++)
				runs = runs * 10 + (uint64_t)(*p - '0');
}

void hostile_main(const uint8_t *zero_page)
{
	struct ix_hv_info info;
	uint64_t begin;

	read_command_line(zero_page);
	x2apic = rdmsr_raw(APIC_BASE) & 0x400;
	/* The old interrupt controllers, of which the firmware has made exceptions. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	load_tables();
	open_to_ring_3();
	find_functions();
	say("runs", runs, " of each attack");
	start_beat();
	still_beats("begin");
	attack_vmcall();
	attack_memory();
	attack_wrap();
	attack_pci();
	attack_processor();
	attack_ports();
	attack_doorbell();
	attack_apic();
	say("NMIs to itself:", taken[VEC_NMI], "");
	/* The end of this VM, as Linux might end. */
	if (!x2apic) {
		/* Seen well, then not. */
		call(IX_CALL_INFO, 0, 0, 0, 0);
		answer(&info, sizeof(info));
		asm volatile("sti");
		for (begin = tsc(); tsc() - begin < 5000 * info.tsc_khz;)
			asm volatile("pause");
		asm volatile("cli");
		say("hang after", runs, " runs");
		for (;;)
			asm volatile("pause");
	}
	say("triple fault after", runs, " runs");
	asm volatile("lidt %0; ud2" : : "m"((const uint64_t[2]){0}));
}
