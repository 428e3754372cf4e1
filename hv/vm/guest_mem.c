/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest_mem.h"

#include "hv/arch/x86.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/vm/domain.h"

#define PTE_PRESENT BIT(0)
#define PTE_LARGE   BIT(7)
#define PTE_ADDRESS 0x000ffffffffff000ul
#define AR_L        BIT(13)
#define AR_DB       BIT(14)

const void *guest_pointer(const struct vm *vm, uint64_t gpa, uint64_t len)
{
	const struct domain *d = (const struct domain *)vm;
	bool has;

	if (vm->id == VM_LINUX)
		has = memmap_contains(&hv.linux_map, gpa, len, MEM_RAM);
	else
		has = domain_memory_has(d->mem, d->nmem, gpa, len);
	return has ? direct(gpa) : NULL;
}

/* The guest's paging, SDM 3A chapter 4; rights are not checked, the processor did when it executed
 * the instruction. False: not mapped. */
static bool translate(struct vcpu *v, uint64_t va, uint64_t *pa)
{
	uint64_t table = vmread(VMCS_GUEST_CR3) & PTE_ADDRESS;
	unsigned int levels = vmread(VMCS_GUEST_CR4) & CR4_LA57 ? 5 : 4;

	if (!(vmread(VMCS_GUEST_CR0) & CR0_PG)) {
		*pa = va;
		return true;
	}
	if (!(vmread(VMCS_GUEST_EFER) & EFER_LMA))
		return false;
	for (unsigned int l = levels; l >= 1; l--) {
		unsigned int shift = 12 + 9 * (l - 1);
		const uint64_t *entry = guest_pointer(v->vm, table + (va >> shift & 511) * 8, 8);
		uint64_t e;

		if (!entry)
			return false;
		e = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (!(e & PTE_PRESENT))
			return false;
		if (l == 1 || (l <= 3 && e & PTE_LARGE)) {
			uint64_t mask = BIT(shift) - 1;

			*pa = (e & PTE_ADDRESS & ~mask) | (va & mask);
			return true;
		}
		table = e & PTE_ADDRESS;
	}
	return false;
}

/* Up to `len` bytes; returns how many could be read. */
static size_t read_virtual(struct vcpu *v, uint64_t va, uint8_t *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n = PAGE_SIZE - (va & (PAGE_SIZE - 1));
		const void *from;
		uint64_t pa;

		if (n > len - done)
			n = len - done;
		if (!translate(v, va, &pa))
			break;
		from = guest_pointer(v->vm, pa, n);
		if (!from)
			break;
		memcpy(to + done, from, n);
		done += n;
		va += n;
	}
	return done;
}

int guest_decode_mmio(struct vcpu *v, struct mmio_insn *insn)
{
	uint64_t ar = vmread(VMCS_GUEST_CS_AR);
	uint8_t bytes[MMIO_INSN_MAX];
	enum mmio_mode mode;
	size_t n;

	if (ar & AR_L)
		mode = MMIO_64;
	else if (ar & AR_DB)
		mode = MMIO_32;
	else
		return -EINVAL;
	n = read_virtual(v, vmread(VMCS_GUEST_CS_BASE) + vmread(VMCS_GUEST_RIP), bytes,
			 sizeof(bytes));
	return n ? mmio_decode(bytes, (uint32_t)n, mode, insn) : -EFAULT;
}

/* The stack pointer is an operand as any other, but lives in the VMCS. */
uint64_t guest_mmio_stores(struct vcpu *v, const struct mmio_insn *insn)
{
	v->reg[RSP] = vmread(VMCS_GUEST_RSP);
	return mmio_write_value(insn, v->reg);
}

void guest_mmio_loads(struct vcpu *v, const struct mmio_insn *insn, uint64_t value)
{
	v->reg[RSP] = vmread(VMCS_GUEST_RSP);
	mmio_read_value(insn, value, v->reg);
	vmwrite(VMCS_GUEST_RSP, v->reg[RSP]);
}
