/* SPDX-License-Identifier: MIT */
#include "hv/vm/vm.h"

#include "hv/arch/offsets.h"
#include "hv/arch/paging.h"
#include "hv/arch/smp.h"
#include "hv/arch/trap.h"
#include "hv/arch/wait.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/cpuid.h"
#include "hv/lib/insn.h"
#include "hv/lib/string.h"
#include "hv/lib/vmentry.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/entry_check.h"

_Static_assert(offsetof(struct cpu, requests) == CPU_REQUESTS, "offsets.h");
_Static_assert(offsetof(struct cpu, main_stack) == 8, "trampoline.S");
_Static_assert(offsetof(struct vcpu, reg[R15]) == VCPU_R15, "offsets.h");
_Static_assert(offsetof(struct vcpu, reg[RDI]) == VCPU_RDI, "offsets.h");
_Static_assert(offsetof(struct vcpu, cr2) == VCPU_CR2, "offsets.h");

/* VM-entry interruption information, SDM 3C 25.8.3. */
#define INTR_TYPE_NMI   (2u << 8)
#define INTR_TYPE_HARD  (3u << 8)
#define INTR_ERROR_CODE (1u << 11)
#define INTR_VALID      (1u << 31)
#define INTR_TYPE(info) ((info) >> 8 & 7)

#define BLOCKING_STI   (1u << 0)
#define BLOCKING_MOVSS (1u << 1)
#define BLOCKING_NMI   (1u << 3)

#define DR7_GD BIT(13)

/* Segment access rights, SDM 3C table 25-2. */
#define AR_CODE16   0x009b
#define AR_DATA16   0x0093
#define AR_CODE64   0xa09b
#define AR_DATA     0xc093
#define AR_LDT      0x0082
#define AR_TSS_BUSY 0x008b
#define AR_UNUSABLE 0x10000
#define AR_L        BIT(13)

/* Exceptions that exit. #DB and #AC can be made to recur endlessly in microcode (CVE-2015-5307,
 * CVE-2015-8104); #MC must reach the hypervisor. */
#define EXCEPTIONS     (BIT(VEC_DB) | BIT(VEC_AC) | BIT(VEC_MC))
#define ALL_EXCEPTIONS 0xffffffff

#define CR0_RESET 0x60000010ul
#define PAT_RESET 0x0007040600070406ul

static void set_segment(unsigned int seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t ar)
{
	vmwrite(VMCS_GUEST_ES_SEL + 2 * seg, sel);
	vmwrite(VMCS_GUEST_ES_BASE + 2 * seg, base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * seg, limit);
	vmwrite(VMCS_GUEST_ES_AR + 2 * seg, ar);
}

static void set_host_state(const struct cpu *cpu)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} idtr;

	asm volatile("sidt %0" : "=m"(idtr));
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, paging_root());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_CS_SEL, SEL_CODE);
	vmwrite(VMCS_HOST_SS_SEL, SEL_DATA);
	vmwrite(VMCS_HOST_DS_SEL, SEL_DATA);
	vmwrite(VMCS_HOST_ES_SEL, SEL_DATA);
	vmwrite(VMCS_HOST_FS_SEL, 0);
	vmwrite(VMCS_HOST_GS_SEL, 0);
	vmwrite(VMCS_HOST_TR_SEL, SEL_TSS);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, (uint64_t)cpu);
	vmwrite(VMCS_HOST_TR_BASE, (uint64_t)&cpu->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, (uint64_t)cpu->gdt);
	vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_RIP, (uint64_t)vmx_exit);
}

/* Controls: what is always on, and what is on where all cores have it. preflight.c has made sure of
 * the former. */
static void set_controls(const struct vm *vm)
{
	const struct vmx_caps *c = &hv.vmx;
	uint32_t proc2 = PROC2_EPT | PROC2_UNRESTRICTED |
			 (c->proc2 & (PROC2_RDTSCP | PROC2_INVPCID | PROC2_XSAVES |
				      PROC2_USER_WAIT | PROC2_VPID));

	/* Without INVVPID translations of a VPID could not be dropped. */
	if (!(c->ept_vpid & EPT_CAP_INVVPID))
		proc2 &= ~PROC2_VPID;
	vmwrite(VMCS_PIN_CTLS, c->pin1 | PIN_NMI_EXITING | PIN_VIRTUAL_NMI);
	vmwrite(VMCS_PROC_CTLS, c->proc1 | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY);
	vmwrite(VMCS_PROC2_CTLS, c->proc21 | proc2);
	vmwrite(VMCS_EXIT_CTLS, c->exit1 | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
				    EXIT_SAVE_EFER | EXIT_LOAD_EFER | (c->exit & EXIT_SAVE_DEBUG));
	vmwrite(VMCS_ENTRY_CTLS,
		c->entry1 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | (c->entry & ENTRY_LOAD_DEBUG));
	if (proc2 & PROC2_XSAVES)
		vmwrite(VMCS_XSS_EXITING, CPUID_XSS_HIDDEN);
	if (proc2 & PROC2_VPID)
		vmwrite(VMCS_VPID, vm->id + 1);
	vmwrite(VMCS_EXCEPTION_BITMAP, EXCEPTIONS);
	vmwrite(VMCS_PF_MASK, 0);
	vmwrite(VMCS_PF_MATCH, 0);
	vmwrite(VMCS_CR3_TARGETS, 0);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_INTR_INFO, 0);
	vmwrite(VMCS_IO_BITMAP_A, direct_pa(vm->io_bitmap));
	vmwrite(VMCS_IO_BITMAP_B, direct_pa(vm->io_bitmap) + PAGE_SIZE);
	vmwrite(VMCS_MSR_BITMAP, direct_pa(vm->msr_bitmap));
	vmwrite(VMCS_EPTP, vm->eptp);
	vmwrite(VMCS_LINK_POINTER, ~0ul);
	vmwrite(VMCS_TSC_OFFSET, 0);
	vmwrite(VMCS_CR0_MASK, creg_cr0_mask(&hv.vmx.creg));
	vmwrite(VMCS_CR4_MASK, creg_cr4_mask(&hv.vmx.creg));
}

void vcpu_set_cr0(struct vcpu *v, uint64_t value)
{
	uint64_t old = vmread(VMCS_GUEST_CR0);
	uint64_t efer = vmread(VMCS_GUEST_EFER);
	uint64_t entry = vmread(VMCS_ENTRY_CTLS);

	vmwrite(VMCS_CR0_SHADOW, creg_cr0_shadow(value));
	vmwrite(VMCS_GUEST_CR0, creg_cr0_real(&hv.vmx.creg, value));
	/* Paging turned on with EFER.LME enters IA-32e mode, off leaves it (SDM 3A 10.8.5). */
	if (!((old ^ value) & CR0_PG))
		return;
	/* The processor would drop its translations, which it keeps over exits (SDM 3A 4.10.4.1). */
	invvpid_all(&hv.vmx, (uint16_t)(v->vm->id + 1));
	if (value & CR0_PG && efer & EFER_LME) {
		efer |= EFER_LMA;
		entry |= ENTRY_IA32E;
	} else {
		efer &= ~EFER_LMA;
		entry &= ~(uint64_t)ENTRY_IA32E;
	}
	vmwrite(VMCS_GUEST_EFER, efer);
	vmwrite(VMCS_ENTRY_CTLS, entry);
}

void vcpu_set_cr4(struct vcpu *v, uint64_t value)
{
	(void)v;
	vmwrite(VMCS_CR4_SHADOW, value);
	vmwrite(VMCS_GUEST_CR4, creg_cr4_real(&hv.vmx.creg, value));
}

/* Guest state as INIT leaves it, SDM 3A table 9-1, at the given real-mode code segment. */
static void set_reset_state(struct vcpu *v)
{
	memset(v->reg, 0, sizeof(v->reg));
	v->reg[RDX] = cpuid(1, 0).eax;
	v->cr2 = 0;
	v->injected = 0;
	v->nmi_pending = false;
	for (unsigned int s = SEG_ES; s <= SEG_GS; s++)
		set_segment(s, 0, 0, 0xffff, AR_DATA16);
	set_segment(SEG_CS, 0xf000, 0xffff0000, 0xffff, AR_CODE16);
	set_segment(SEG_LDTR, 0, 0, 0xffff, AR_LDT);
	set_segment(SEG_TR, 0, 0, 0xffff, AR_TSS_BUSY);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_CR0, creg_cr0_real(&hv.vmx.creg, CR0_RESET));
	vmwrite(VMCS_CR0_SHADOW, CR0_RESET);
	vmwrite(VMCS_GUEST_CR3, 0);
	vcpu_set_cr4(v, 0);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_EFER, 0);
	vmwrite(VMCS_GUEST_PAT, PAT_RESET);
	vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
	vmwrite(VMCS_GUEST_RSP, 0);
	vmwrite(VMCS_GUEST_RIP, 0xfff0);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_ENTRY_INTR_INFO, 0);
	vmwrite(VMCS_ENTRY_CTLS, vmread(VMCS_ENTRY_CTLS) & ~(uint64_t)ENTRY_IA32E);
}

struct vcpu *vcpu_new(struct vm *vm, struct cpu *cpu)
{
	struct vcpu *v = page_alloc(1);

	_Static_assert(sizeof(*v) <= PAGE_SIZE, "a vCPU is a page");
	if (!v)
		return NULL;
	v->vm = vm;
	v->cpu = cpu;
	v->vmcs = page_alloc(1);
	if (!v->vmcs) {
		vcpu_free(v);
		return NULL;
	}
	return v;
}

void vcpu_free(struct vcpu *v)
{
	if (v->vmcs)
		page_free(v->vmcs);
	if (v->ones)
		page_free(v->ones);
	page_free(v);
}

void vcpu_load(struct vcpu *v)
{
	*(uint32_t *)v->vmcs = hv.vmx.revision;
	v->launched = false;
	if (vmcs_clear(v->vmcs) || vmcs_load(v->vmcs))
		panic("core %u: VMPTRLD failed", v->cpu->index);
	v->cpu->vcpu = v;
	set_host_state(v->cpu);
	set_controls(v->vm);
	set_reset_state(v);
	/* Translations that an earlier domain of this core left behind. */
	invept_all(&hv.vmx, v->vm->eptp);
	invvpid_all(&hv.vmx, (uint16_t)(v->vm->id + 1));
}

void vcpu_start_real(struct vcpu *v, uint8_t vector)
{
	set_reset_state(v);
	set_segment(SEG_CS, (uint16_t)(vector << 8), (uint64_t)vector << 12, 0xffff, AR_CODE16);
	vmwrite(VMCS_GUEST_RIP, 0);
}

void vcpu_start_long(struct vcpu *v, uint64_t rip, uint64_t cr3, uint16_t cs, uint16_t ds)
{
	set_reset_state(v);
	set_segment(SEG_CS, cs, 0, 0xffffffff, AR_CODE64);
	set_segment(SEG_SS, ds, 0, 0xffffffff, AR_DATA);
	set_segment(SEG_DS, ds, 0, 0xffffffff, AR_DATA);
	set_segment(SEG_ES, ds, 0, 0xffffffff, AR_DATA);
	set_segment(SEG_FS, 0, 0, 0, AR_UNUSABLE);
	set_segment(SEG_GS, 0, 0, 0, AR_UNUSABLE);
	vcpu_set_cr4(v, CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	vmwrite(VMCS_GUEST_EFER, EFER_LME | EFER_NXE | EFER_SCE);
	vcpu_set_cr0(v, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	vmwrite(VMCS_GUEST_CR3, cr3);
	vmwrite(VMCS_GUEST_RIP, rip);
}

void vcpu_set_timer(struct vcpu *v, uint64_t ticks)
{
	/* One count every 2^rate ticks (SDM 3D A.6). */
	uint64_t counts = ticks >> (rdmsr(MSR_VMX_MISC) & 31);

	(void)v;
	if (!(hv.vmx.pin & PIN_PREEMPTION_TIMER))
		return;
	vmwrite(VMCS_PREEMPTION_TIMER, counts < 0xffffffff ? counts : 0xffffffff);
	vmwrite(VMCS_PIN_CTLS, vmread(VMCS_PIN_CTLS) | PIN_PREEMPTION_TIMER);
}

void vcpu_stop_timer(struct vcpu *v)
{
	(void)v;
	vmwrite(VMCS_PIN_CTLS, vmread(VMCS_PIN_CTLS) & ~(uint64_t)PIN_PREEMPTION_TIMER);
}

void vcpu_skip_bytes(struct vcpu *v, uint64_t length)
{
	uint64_t blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	bool code_64 = vmread(VMCS_GUEST_EFER) & EFER_LMA && vmread(VMCS_GUEST_CS_AR) & AR_L;

	(void)v;
	vmwrite(VMCS_GUEST_RIP, insn_next(vmread(VMCS_GUEST_RIP), length, code_64));
	if (blocking & (BLOCKING_STI | BLOCKING_MOVSS))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			blocking & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOVSS));
	/* The trap that a single step ends with. */
	if (insn_steps(vmread(VMCS_GUEST_RFLAGS), vmread(VMCS_GUEST_DEBUGCTL)))
		vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_BS);
}

void vcpu_skip(struct vcpu *v)
{
	vcpu_skip_bytes(v, vmread(VMCS_EXIT_INSN_LEN));
}

void vcpu_inject(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	/* Its frame holds the flags: not those of a step. */
	if (v->step.pages)
		v->vm->stepped(v, vector);
	/* In real mode exceptions have no error code, and VM entry refuses one (SDM 3C 27.2.1.3). */
	has_error = has_error && vmread(VMCS_GUEST_CR0) & CR0_PE;
	v->injected = INTR_VALID | INTR_TYPE_HARD | vector | (has_error ? INTR_ERROR_CODE : 0);
	vmwrite(VMCS_ENTRY_ERROR_CODE, error);
}

void vcpu_catch_exceptions(struct vcpu *v, bool all)
{
	(void)v;
	vmwrite(VMCS_EXCEPTION_BITMAP, all ? ALL_EXCEPTIONS : EXCEPTIONS);
}

unsigned int vcpu_cpl(void)
{
	return vmread(VMCS_GUEST_SS_AR) >> 5 & 3;
}

/* An event whose delivery the exit interrupted is delivered again (SDM 3C 28.2.4). */
static void keep_interrupted_event(struct vcpu *v)
{
	uint32_t info = (uint32_t)vmread(VMCS_IDT_VECTORING);

	if (!(info & INTR_VALID) || v->injected)
		return;
	if (INTR_TYPE(info) == 2) {
		/* An NMI: delivery had set the blocking that delivering it anew must find clear. */
		v->nmi_pending = true;
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCKING_NMI);
		return;
	}
	v->injected = info & ~(1u << 12);
	if (info & INTR_ERROR_CODE)
		vmwrite(VMCS_ENTRY_ERROR_CODE, vmread(VMCS_IDT_VECTORING_ERROR));
	vmwrite(VMCS_ENTRY_INSN_LEN, vmread(VMCS_EXIT_INSN_LEN));
}

static void set_event(struct vcpu *v)
{
	uint64_t proc = vmread(VMCS_PROC_CTLS), want = proc & ~(uint64_t)PROC_NMI_WINDOW;

	/* An NMI waits for the end of a step, whose flags its frame would hold. */
	if (v->nmi_pending && !v->step.pages) {
		if (!v->injected && !(vmread(VMCS_GUEST_INTERRUPTIBILITY) &
				      (BLOCKING_NMI | BLOCKING_MOVSS | BLOCKING_STI))) {
			v->injected = INTR_VALID | INTR_TYPE_NMI | VEC_NMI;
			v->nmi_pending = false;
		} else {
			want |= PROC_NMI_WINDOW;
		}
	}
	if (want != proc)
		vmwrite(VMCS_PROC_CTLS, want);
	vmwrite(VMCS_ENTRY_INTR_INFO, v->injected);
}

static bool handle_exception(struct vcpu *v)
{
	uint32_t info = (uint32_t)vmread(VMCS_EXIT_INTR_INFO);
	uint8_t vector = (uint8_t)info;

	if (INTR_TYPE(info) == 2) {
		/* Further ones stay blocked until an IRET; nmi_handler(), that `int` runs, has one. */
		asm volatile("int $2");
		return true;
	}
	if (vector == VEC_MC)
		panic("machine check in %s at %#lx", v->vm->name, vmread(VMCS_GUEST_RIP));
	if (v->step.pages && v->vm->stepped(v, vector))
		return true;
	/* The guest's own business, given back. A page fault's address goes to CR2, and a #DB's cause
	 * to DR6. */
	if (vector == VEC_PF)
		v->cr2 = vmread(VMCS_EXIT_QUALIFICATION);
	if (vector == VEC_DB) {
		uint64_t dr6;

		asm volatile("mov %%dr6, %0" : "=r"(dr6));
		dr6 = (dr6 & ~0xful) | vmread(VMCS_EXIT_QUALIFICATION) | 0xffff0ff0ul;
		asm volatile("mov %0, %%dr6" : : "r"(dr6));
		/* Delivery would clear DR7.GD (SDM 3B 18.2.4); injection does not. */
		vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
		/* A trap that any program can set up in the shadow of MOV SS: VM entry wants to see
		 * the pending single step (SDM 3C 27.3.1.5). */
		if (insn_steps(vmread(VMCS_GUEST_RFLAGS), vmread(VMCS_GUEST_DEBUGCTL)) &&
		    vmread(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOVSS))
			vmwrite(VMCS_GUEST_PENDING_DEBUG,
				vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_BS);
	}
	v->injected = INTR_VALID | (info & 0xfff);
	if (info & INTR_ERROR_CODE)
		vmwrite(VMCS_ENTRY_ERROR_CODE, vmread(VMCS_EXIT_INTR_ERROR));
	vmwrite(VMCS_ENTRY_INSN_LEN, vmread(VMCS_EXIT_INSN_LEN));
	return true;
}

void vcpu_dump(struct vcpu *v, uint32_t reason)
{
	static const char *const name[NREGS] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						"rsi", "rdi", "r8 ", "r9 ", "r10", "r11",
						"r12", "r13", "r14", "r15"};

	v->reg[RSP] = vmread(VMCS_GUEST_RSP);
	log_error("%s, core %u: %s (exit reason %#x, qualification %#lx)", v->vm->name,
		  v->cpu->index, exit_reason_name(reason), reason, vmread(VMCS_EXIT_QUALIFICATION));
	log_error("  rip %016lx cs %04lx rflags %08lx cr0 %lx cr3 %lx cr4 %lx efer %lx",
		  vmread(VMCS_GUEST_RIP), vmread(VMCS_GUEST_CS_SEL), vmread(VMCS_GUEST_RFLAGS),
		  vmread(VMCS_GUEST_CR0), vmread(VMCS_GUEST_CR3), vmread(VMCS_GUEST_CR4),
		  vmread(VMCS_GUEST_EFER));
	for (unsigned int i = 0; i < NREGS; i += 4)
		log_error("  %s %016lx %s %016lx %s %016lx %s %016lx", name[i], v->reg[i],
			  name[i + 1], v->reg[i + 1], name[i + 2], v->reg[i + 2], name[i + 3],
			  v->reg[i + 3]);
	log_error("  guest physical %lx, linear %lx", vmread(VMCS_GUEST_PHYSICAL),
		  vmread(VMCS_GUEST_LINEAR));
}

static void report_entry(const struct vcpu *v, const char *why)
{
	log_error("%s, core %u: VM entry refused: %s", v->vm->name, v->cpu->index,
		  why ? why : "by no rule that the hypervisor knows");
}

/* VMLAUNCH or VMRESUME has failed: a control or the host state is bad. That ends the VM alone. */
static bool entry_failed(struct vcpu *v)
{
	uint64_t error = vmread(VMCS_INSN_ERROR);

	report_entry(v, entry_check());
	log_error("%s, core %u: VM-instruction error %lu", v->vm->name, v->cpu->index, error);
	return v->vm->exit(v, EXIT_REASON_ENTRY_FAILED | EXIT_ENTRY_CONTROLS);
}

/* For tests: an emulator may take a state that a processor refuses. */
static void test_entry(struct vcpu *v)
{
	const char *why;

	if (hv.options.test == TEST_BAD_ENTRY && v->vm->id == VM_LINUX)
		vmwrite(VMCS_GUEST_RFLAGS, 0);
	if (hv.options.test != TEST_ENTRIES)
		return;
	why = entry_check();
	if (why)
		report_entry(v, why);
}

static bool handle_exit(struct vcpu *v)
{
	uint32_t reason = (uint32_t)vmread(VMCS_EXIT_REASON);
	uint32_t basic = reason & 0xffff;

	v->exits.count[basic < EXIT_REASONS ? basic : EXIT_REASONS - 1]++;
	v->injected = 0;
	if (reason & EXIT_REASON_ENTRY_FAILED) {
		report_entry(v, entry_check());
		return v->vm->exit(v, reason);
	}
	keep_interrupted_event(v);
	switch (basic) {
	case EXIT_EXCEPTION_NMI:
		return handle_exception(v);
	case EXIT_NMI_WINDOW:
		return true;
	case EXIT_INIT:
		/* Real INITs are never sent; one from outside is ignored and counted. */
		return true;
	default:
		return v->vm->exit(v, basic);
	}
}

void vcpu_unload(struct vcpu *v)
{
	vmcs_clear(v->vmcs);
	v->launched = false;
	v->cpu->vcpu = NULL;
}

void vcpu_run(struct vcpu *v)
{
	uint64_t since = rdtsc();

	for (;;) {
		uint32_t requests = cpu_take_requests(v->cpu);
		int status;

		if (requests && !v->vm->request(v, requests))
			break;
		set_event(v);
		if (hv.options.test)
			test_entry(v);
		v->exits.root_cycles += rdtsc() - since;
		status = vmx_enter(v, v->launched);
		since = rdtsc();
		if (status == 2)
			continue;
		v->launched = true;
		if (status ? !entry_failed(v) : !handle_exit(v))
			break;
	}
	vcpu_unload(v);
}
