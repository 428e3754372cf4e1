/* SPDX-License-Identifier: MIT
 *
 * The application's address space.
 */
#include <errno.h>

#include "guest/kernel/apic.h"
#include "guest/kernel/console.h"
#include "guest/kernel/file.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/string.h"
#include "guest/kernel/uaccess.h"
#include "guest/kernel/uvm.h"

#define UNITS     ((unsigned)(PAGE_SIZE / SMALL_PAGE)) /* 4 KB units of a page */
#define MIN_SLOTS 16384                                /* the mmap window: 32 GB at least */
#define BRK_MAX   (1ull << 30)
#define URGENT_NS 1000000 /* how long an allocation may wait for other cores */

/* As Linux has them. */
#define PROT_READ      1
#define PROT_WRITE     2
#define PROT_EXEC      4
#define MAP_SHARED     1
#define MAP_FIXED      0x10
#define MAP_ANONYMOUS  0x20
#define MAP_NOREPLACE  0x100000
#define MREMAP_MAYMOVE 1
#define MADV_DONTNEED  4

enum slot_state {
	SLOT_FREE,
	SLOT_USED,
	SLOT_DRAINING
};

/* One 2 MB piece of the mmap window. */
struct slot {
	uint64_t used[UNITS / 64]; /* units in use */
	uint64_t pa;               /* its page; 0: address space only (PROT_NONE) */
	uint64_t gen;              /* draining: free when every core has seen this */
	uint16_t nused;
	uint8_t state;
	bool shareable; /* small mappings may be put in beside others */
};

static struct lock vm_lock;
static struct slot *slots __ro_after_init;
static unsigned nslots __ro_after_init;
static unsigned ncores __ro_after_init;
static unsigned first_small; /* where to look first for room for a small mapping */
static unsigned draining;
uint64_t uvm_tlb_gen = 1; /* atomic */
static uint64_t brk_end = USER_BRK;

void uvm_init(unsigned n)
{
	unsigned want = pages_total() * 4 > MIN_SLOTS ? pages_total() * 4 : MIN_SLOTS;
	uint64_t bytes = (uint64_t)want * sizeof(struct slot);
	uint64_t pa = page_alloc_run((unsigned)((bytes + PAGE_SIZE - 1) >> PAGE_BITS));

	if (!pa)
		refuse("not enough memory for the application's address space");
	slots = phys_to_virt(pa);
	nslots = want;
	ncores = n;
}

static uint64_t slot_va(unsigned i)
{
	return USER_MMAP + ((uint64_t)i << PAGE_BITS);
}

static uint64_t prot_flags(uint64_t prot)
{
	return PTE_U | (prot & PROT_WRITE ? PTE_W : 0) | (prot & PROT_EXEC ? 0 : PTE_NX);
}

/* Addresses that the application's calls may change: not the kernel's read-only windows. */
static bool own_range(uint64_t addr, uint64_t len)
{
	return addr >= PAGE_SIZE && user_range_ok(addr, len) &&
	       (addr + len <= USER_SHARED || addr >= USER_STACK - (1ull << 32));
}

static bool in_window(uint64_t addr, uint64_t len)
{
	uint64_t size = (uint64_t)nslots << PAGE_BITS;

	return addr >= USER_MMAP && addr - USER_MMAP < size && len <= size - (addr - USER_MMAP);
}

void uvm_sync(struct cpu *c)
{
	uint64_t gen = __atomic_load_n(&uvm_tlb_gen, __ATOMIC_SEQ_CST);

	if (__atomic_load_n(&c->tlb_seen, __ATOMIC_RELAXED) == gen)
		return;
	write_cr3(read_cr3()); /* user pages are not global */
	__atomic_store_n(&c->tlb_seen, gen, __ATOMIC_RELEASE);
}

uint64_t uvm_pause(struct cpu *c)
{
	uint64_t seen = c->tlb_seen;

	__atomic_store_n(&c->tlb_seen, UINT64_MAX, __ATOMIC_RELEASE);
	return seen;
}

void uvm_resume(struct cpu *c, uint64_t seen)
{
	/*
	 * First counted in, then looked for news: a removal that this look misses finds the core counted,
	 * and waits for it.
	 */
	__atomic_store_n(&c->tlb_seen, seen, __ATOMIC_SEQ_CST);
	uvm_sync(c);
}

/* Frees what every core has stopped seeing. Under vm_lock. */
static void reap(void)
{
	uint64_t seen = UINT64_MAX;

	if (!draining)
		return;
	for (unsigned i = 0; i < ncores; i++) {
		uint64_t s = __atomic_load_n(&cpu_of(i)->tlb_seen, __ATOMIC_SEQ_CST);

		seen = s < seen ? s : seen;
	}
	for (unsigned i = 0; i < nslots && draining; i++) {
		if (slots[i].state != SLOT_DRAINING || slots[i].gen > seen)
			continue;
		if (slots[i].pa)
			page_free_user(slots[i].pa);
		slots[i] = (struct slot){0};
		draining--;
	}
}

/* Memory is short: cores in ring 3 that hold back removed pages are made to look up. Under vm_lock. */
static void reap_urgently(void)
{
	uint64_t end = rdtsc() + ns_to_tsc(URGENT_NS);

	uvm_sync(this_cpu());
	reap();
	for (unsigned i = 0; draining && i < ncores; i++) {
		struct cpu *c = cpu_of(i);

		if (c != this_cpu() &&
		    __atomic_load_n(&c->tlb_seen, __ATOMIC_SEQ_CST) < uvm_tlb_gen)
			apic_kick(c);
	}
	while (draining && rdtsc() < end) {
		cpu_pause();
		reap();
	}
}

/* After entries were removed or narrowed: this core at once, the others in time. */
static uint64_t flush(void)
{
	uint64_t gen = __atomic_add_fetch(&uvm_tlb_gen, 1, __ATOMIC_SEQ_CST);

	uvm_sync(this_cpu());
	return gen;
}

int uvm_map(uint64_t va, unsigned n, bool write, bool execute)
{
	uint64_t flags = prot_flags((write ? PROT_WRITE : 0) | (execute ? PROT_EXEC : 0));

	for (unsigned i = 0; i < n; i++) {
		uint64_t pa = page_alloc_user();

		if (!pa)
			return -ENOMEM;
		if (map_page(va + ((uint64_t)i << PAGE_BITS), pa, flags)) {
			page_free_user(pa);
			return -ENOMEM;
		}
	}
	return 0;
}

int uvm_map_shared(uint64_t va, uint64_t pa, unsigned n)
{
	for (uint64_t off = 0; off < (uint64_t)n << PAGE_BITS; off += PAGE_SIZE)
		if (map_page(va + off, pa + off, PTE_U | PTE_NX))
			return -ENOMEM;
	return 0;
}

static uint64_t entry_of(uint64_t va)
{
	uint64_t *e = va < USER_TOP ? pte_of(va, false) : NULL;
	uint64_t v = e ? __atomic_load_n(e, __ATOMIC_ACQUIRE) : 0;

	return (v & (PTE_P | PTE_U)) == (PTE_P | PTE_U) ? v : 0;
}

void *uvm_kernel_address(uint64_t va, bool write)
{
	uint64_t e = entry_of(va);

	if (!e || (write && !(e & PTE_W)))
		return NULL;
	return phys_to_virt((e & PTE_PA) + (va & (PAGE_SIZE - 1)));
}

/* ---- units of a slot ---- */

static bool unit_used(const struct slot *s, unsigned u)
{
	return s->used[u / 64] >> (u % 64) & 1;
}

static void mark(struct slot *s, unsigned from, unsigned n, bool used)
{
	for (unsigned u = from; u < from + n; u++) {
		if (unit_used(s, u) == used)
			continue;
		s->used[u / 64] ^= 1ull << (u % 64);
		s->nused = (uint16_t)(used ? s->nused + 1 : s->nused - 1);
	}
}

/* First of n free units in a row, or -1. */
static int find_units(const struct slot *s, unsigned n)
{
	unsigned run = 0;

	for (unsigned u = 0; u < UNITS; u++) {
		if (u % 64 == 0 && s->used[u / 64] == UINT64_MAX) {
			run = 0;
			u += 63;
			continue;
		}
		run = unit_used(s, u) ? 0 : run + 1;
		if (run == n)
			return (int)(u + 1 - n);
	}
	return -1;
}

static int slot_populate(unsigned i, uint64_t prot)
{
	uint64_t pa = page_alloc_user();

	if (!pa) {
		reap_urgently();
		pa = page_alloc_user();
	}
	if (!pa)
		return -ENOMEM;
	if (map_page(slot_va(i), pa, prot_flags(prot))) {
		page_free_user(pa);
		return -ENOMEM;
	}
	slots[i].pa = pa;
	return 0;
}

/* Takes a slot out of use; the page follows when nobody can see it. */
static void slot_drop(unsigned i, bool *removed)
{
	uint64_t *e = pte_of(slot_va(i), false);

	if (e)
		__atomic_store_n(e, 0, __ATOMIC_RELEASE);
	slots[i].state = SLOT_DRAINING;
	slots[i].gen = __atomic_load_n(&uvm_tlb_gen, __ATOMIC_RELAXED) + 1;
	slots[i].nused = 0;
	draining++;
	*removed = true;
}

/* After a change of its entry: small mappings go only where they can be read and written. */
static void slot_classify(unsigned i)
{
	const uint64_t *e = pte_of(slot_va(i), false);

	slots[i].shareable = e && (*e & PTE_P) && (*e & PTE_W) && (*e & PTE_NX);
}

static void unmap_window(uint64_t addr, uint64_t len)
{
	bool removed = false;

	while (len) {
		unsigned i = (unsigned)((addr - USER_MMAP) >> PAGE_BITS);
		unsigned from = (unsigned)((addr & (PAGE_SIZE - 1)) / SMALL_PAGE);
		unsigned n =
		    len / SMALL_PAGE < UNITS - from ? (unsigned)(len / SMALL_PAGE) : UNITS - from;

		if (slots[i].state == SLOT_USED) {
			mark(&slots[i], from, n, false);
			if (slots[i].nused == 0)
				slot_drop(i, &removed);
			else if (i < first_small)
				first_small = i;
		}
		addr += (uint64_t)n * SMALL_PAGE;
		len -= (uint64_t)n * SMALL_PAGE;
	}
	if (removed) {
		flush();
		reap();
	}
}

/* n free slots in a row, or -1. */
static int find_slots(unsigned n)
{
	for (int again = 0; again < 2; again++) {
		unsigned run = 0;

		for (unsigned i = 0; i < nslots; i++) {
			run = slots[i].state == SLOT_FREE ? run + 1 : 0;
			if (run == n)
				return (int)(i + 1 - n);
		}
		reap();
	}
	return -1;
}

static int64_t map_slots(uint64_t units, uint64_t prot)
{
	unsigned n = (unsigned)((units + UNITS - 1) / UNITS);
	int first = find_slots(n);

	if (first < 0)
		return -ENOMEM;
	for (unsigned i = (unsigned)first; i < (unsigned)first + n; i++) {
		slots[i] = (struct slot){.state = SLOT_USED};
		slots[i].shareable = prot && !(prot & PROT_EXEC) && (prot & PROT_WRITE);
		if (prot && slot_populate(i, prot)) {
			mark(&slots[i], 0, 1, true);
			unmap_window(slot_va((unsigned)first), (uint64_t)(i + 1 - (unsigned)first)
								   << PAGE_BITS);
			return -ENOMEM;
		}
		mark(&slots[i], 0, units < UNITS ? (unsigned)units : UNITS, true);
		units -= units < UNITS ? units : UNITS;
	}
	return (int64_t)slot_va((unsigned)first);
}

/* A mapping of less than a page goes in beside others of the usual kind: read and write. */
static int64_t map_units(unsigned n)
{
	for (unsigned i = first_small; i < nslots; i++) {
		struct slot *s = &slots[i];

		if (s->state != SLOT_USED || !s->shareable || UNITS - s->nused < n)
			continue;
		int from = find_units(s, n);

		if (from < 0)
			continue;
		mark(s, (unsigned)from, n, true);
		memset(phys_to_virt(s->pa + (uint64_t)from * SMALL_PAGE), 0,
		       (size_t)n * SMALL_PAGE);
		return (int64_t)(slot_va(i) + (uint64_t)from * SMALL_PAGE);
	}
	return map_slots(n, PROT_READ | PROT_WRITE);
}

static int64_t map_anywhere(uint64_t len, uint64_t prot)
{
	uint64_t units = len / SMALL_PAGE;

	/* PROT_NONE of less than a page is the guard of something: it comes from the usual kind. */
	if (units < UNITS && !(prot & PROT_EXEC) && (prot & PROT_WRITE || !prot))
		return map_units((unsigned)units);
	return map_slots(units, prot);
}

/* MAP_FIXED over memory that the application has: it is zeroed where it is. */
static int64_t map_over(uint64_t addr, uint64_t len)
{
	for (uint64_t at = addr; at < addr + len;) {
		uint64_t part = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		char *p = uvm_kernel_address(at, true);

		part = part < addr + len - at ? part : addr + len - at;
		if (!p)
			return -ENOMEM;
		memset(p, 0, part);
		at += part;
	}
	return (int64_t)addr;
}

int64_t sys_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, uint64_t fd,
		 uint64_t off)
{
	int64_t at;

	if (len == 0 || off % SMALL_PAGE)
		return -EINVAL;
	if (len > (uint64_t)nslots << PAGE_BITS)
		return -ENOMEM;
	len = (len + SMALL_PAGE - 1) & ~(uint64_t)(SMALL_PAGE - 1);
	if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
		return -EACCES;
	if (!(flags & MAP_ANONYMOUS) && (flags & MAP_SHARED) && (prot & PROT_WRITE))
		return -EACCES; /* files are read-only */
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	if (flags & MAP_NOREPLACE)
		return -EEXIST;

	lock(&vm_lock);
	if (flags & MAP_FIXED)
		at = addr % SMALL_PAGE || !own_range(addr, len) ? -EINVAL : map_over(addr, len);
	else
		at = map_anywhere(len, prot);
	unlock(&vm_lock);
	if (at >= 0 && !(flags & MAP_ANONYMOUS)) {
		int64_t err = file_read_at(fd, off, (uint64_t)at, len);

		if (err < 0) {
			if (!(flags & MAP_FIXED))
				sys_munmap((uint64_t)at, len);
			return err;
		}
	}
	return at;
}

int64_t sys_munmap(uint64_t addr, uint64_t len)
{
	len = (len + SMALL_PAGE - 1) & ~(uint64_t)(SMALL_PAGE - 1);
	if (addr % SMALL_PAGE || len == 0 || !own_range(addr, len))
		return -EINVAL;
	/* Elsewhere lie the program and its stack, which stay. */
	if (!in_window(addr, len))
		return 0;
	lock(&vm_lock);
	unmap_window(addr, len);
	unlock(&vm_lock);
	return 0;
}

/* Whether all units in use of the page at va lie in addr..end-1. */
static bool covers(uint64_t va, uint64_t addr, uint64_t end)
{
	if (addr <= va && end - va >= PAGE_SIZE)
		return true;
	if (!in_window(va, PAGE_SIZE))
		return false;
	const struct slot *s = &slots[(va - USER_MMAP) >> PAGE_BITS];

	for (unsigned u = 0; u < UNITS; u++) {
		uint64_t at = va + (uint64_t)u * SMALL_PAGE;

		if (unit_used(s, u) && (at < addr || at >= end))
			return false;
	}
	return true;
}

/* Permissions of one page of the window that is not mapped now: reserved, or PROT_NONE as a whole. */
static int protect_absent(uint64_t va, uint64_t prot)
{
	unsigned i = (unsigned)((va - USER_MMAP) >> PAGE_BITS);
	int err = 0;

	if (!in_window(va, PAGE_SIZE) || slots[i].state != SLOT_USED)
		return -ENOMEM;
	if (prot && slots[i].pa)
		err = map_page(va, slots[i].pa, prot_flags(prot));
	else if (prot)
		err = slot_populate(i, prot);
	return err;
}

/* Permissions of one page, of which addr..end-1 is meant. */
static int protect_page(uint64_t va, uint64_t addr, uint64_t end, uint64_t prot, bool *narrowed)
{
	uint64_t *e = pte_of(va, false), old = e ? *e : 0, new = 0;
	bool whole = covers(va, addr, end);

	if (!(old & PTE_P))
		return protect_absent(va, prot);
	if (prot)
		new = (old & PTE_PA) | prot_flags(prot) | PTE_P | PTE_BIG;
	else if (!whole || !in_window(va, PAGE_SIZE))
		return 0; /* only the window remembers pages that are not mapped */
	if (!whole) {
		/* Others live in this page: rights are added, none is taken. */
		new |= old &PTE_W;
		if (!(old & PTE_NX))
			new &= ~PTE_NX;
		if ((new &PTE_W) && !(new &PTE_NX) && !((old & PTE_W) && !(old & PTE_NX)))
			return -EACCES;
	}
	*narrowed |= !new || (old & PTE_W & ~new) || (new & ~old &PTE_NX);
	__atomic_store_n(e, new, __ATOMIC_RELEASE);
	if (in_window(va, PAGE_SIZE))
		slot_classify((unsigned)((va - USER_MMAP) >> PAGE_BITS));
	return 0;
}

int64_t sys_mprotect(uint64_t addr, uint64_t len, uint64_t prot)
{
	int err = 0;
	bool narrowed = false;

	len = (len + SMALL_PAGE - 1) & ~(uint64_t)(SMALL_PAGE - 1);
	if (addr % SMALL_PAGE)
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!own_range(addr, len))
		return -ENOMEM;
	if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
		return -EACCES;
	lock(&vm_lock);
	for (uint64_t va = addr & ~(uint64_t)(PAGE_SIZE - 1); va < addr + len && !err;
	     va += PAGE_SIZE)
		err = protect_page(va, addr, addr + len, prot, &narrowed);
	if (narrowed)
		flush();
	unlock(&vm_lock);
	return err;
}

/* Gives slot `to` the page of slot `from`, which drains without one. */
static void move_page(unsigned from, unsigned to, bool *removed)
{
	uint64_t *e = pte_of(slot_va(to), false), *old = pte_of(slot_va(from), false);
	uint64_t spare = slots[to].pa;

	slots[to].pa = slots[from].pa;
	__atomic_store_n(e, *old, __ATOMIC_RELEASE);
	slots[from].pa = 0;
	slot_classify(to);
	page_free_user(spare); /* nobody has been told of it */
	memset(slots[from].used, 0, sizeof(slots[from].used));
	slot_drop(from, removed);
}

static int64_t grow_by_moving(uint64_t old, uint64_t old_len, uint64_t new_len)
{
	int64_t to = map_anywhere(new_len, PROT_READ | PROT_WRITE);
	bool removed = false;
	uint64_t done = 0;

	if (to < 0)
		return to;
	if (old % PAGE_SIZE == 0 && (uint64_t)to % PAGE_SIZE == 0) {
		for (; old_len - done >= PAGE_SIZE; done += PAGE_SIZE) {
			unsigned i = (unsigned)((old + done - USER_MMAP) >> PAGE_BITS);

			if (!slots[i].pa || !entry_of(old + done))
				break;
			move_page(i, (unsigned)(((uint64_t)to + done - USER_MMAP) >> PAGE_BITS),
				  &removed);
		}
	}
	for (uint64_t at = done; at < old_len; at += SMALL_PAGE) {
		const char *from = uvm_kernel_address(old + at, false);
		char *into = uvm_kernel_address((uint64_t)to + at, true);

		if (from && into)
			memcpy(into, from, SMALL_PAGE);
	}
	if (removed)
		flush();
	if (done < old_len)
		unmap_window(old + done, old_len - done);
	return to;
}

/* Whether addr..addr+len-1 is mapped in the window, all of it. */
static bool all_used(uint64_t addr, uint64_t len)
{
	for (uint64_t at = addr; at < addr + len; at += SMALL_PAGE) {
		const struct slot *s = &slots[(at - USER_MMAP) >> PAGE_BITS];

		if (s->state != SLOT_USED ||
		    !unit_used(s, (unsigned)((at & (PAGE_SIZE - 1)) / SMALL_PAGE)))
			return false;
	}
	return true;
}

/* Room behind a mapping, in its last page. */
static bool grow_in_place(uint64_t end, uint64_t more)
{
	struct slot *s = &slots[(end - 1 - USER_MMAP) >> PAGE_BITS];
	unsigned from = (unsigned)((end & (PAGE_SIZE - 1)) / SMALL_PAGE);
	unsigned n = (unsigned)(more / SMALL_PAGE);

	if (from == 0 || more > (uint64_t)(UNITS - from) * SMALL_PAGE || !s->pa)
		return false;
	for (unsigned u = from; u < from + n; u++)
		if (unit_used(s, u))
			return false;
	mark(s, from, n, true);
	memset(phys_to_virt(s->pa + (uint64_t)from * SMALL_PAGE), 0, more);
	return true;
}

int64_t sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags,
		   uint64_t new_addr)
{
	int64_t ret = (int64_t)old;

	(void)new_addr;
	if (old % SMALL_PAGE || (flags & ~(uint64_t)MREMAP_MAYMOVE) || new_len == 0 ||
	    old_len == 0 || old_len > (uint64_t)nslots << PAGE_BITS ||
	    new_len > (uint64_t)nslots << PAGE_BITS)
		return -EINVAL;
	old_len = (old_len + SMALL_PAGE - 1) & ~(uint64_t)(SMALL_PAGE - 1);
	new_len = (new_len + SMALL_PAGE - 1) & ~(uint64_t)(SMALL_PAGE - 1);
	if (!in_window(old, old_len))
		return -EFAULT;
	lock(&vm_lock);
	if (!all_used(old, old_len))
		ret = -EFAULT;
	else if (new_len < old_len)
		unmap_window(old + new_len, old_len - new_len);
	else if (new_len > old_len && !grow_in_place(old + old_len, new_len - old_len))
		ret = flags & MREMAP_MAYMOVE ? grow_by_moving(old, old_len, new_len) : -ENOMEM;
	unlock(&vm_lock);
	return ret;
}

int64_t sys_brk(uint64_t addr)
{
	lock(&vm_lock);
	if (addr >= USER_BRK && addr <= USER_BRK + BRK_MAX) {
		uint64_t mapped = (brk_end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

		while (mapped < addr && (entry_of(mapped) || !uvm_map(mapped, 1, true, false)))
			mapped += PAGE_SIZE;
		/* Memory given back reads as zero when it is taken again. */
		if (addr < brk_end)
			map_over(addr, brk_end - addr);
		if (addr <= mapped)
			brk_end = addr;
	}
	addr = brk_end;
	unlock(&vm_lock);
	return (int64_t)addr;
}

int64_t sys_madvise(uint64_t addr, uint64_t len, uint64_t advice)
{
	if (addr % SMALL_PAGE || !own_range(addr, len))
		return -EINVAL;
	if (advice != MADV_DONTNEED)
		return 0; /* advice may be ignored; this kind is relied on to zero */
	len = (len + SMALL_PAGE - 1) & ~(uint64_t)(SMALL_PAGE - 1);
	lock(&vm_lock);
	int64_t err = in_window(addr, len) ? map_over(addr, len) : 0;

	unlock(&vm_lock);
	return err < 0 ? err : 0;
}
