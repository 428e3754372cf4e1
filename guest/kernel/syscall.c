/* SPDX-License-Identifier: MIT
 *
 * System calls: Linux' numbers and meanings for what a static program built with musl needs, served
 * here. Those that are neither served nor known are logged once and return -ENOSYS.
 */
#include <errno.h>

#include <ix/abi.h>

#include "guest/kernel/clock.h"
#include "guest/kernel/console.h"
#include "guest/kernel/dataplane.h"
#include "guest/kernel/file.h"
#include "guest/kernel/futex.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"
#include "guest/kernel/random.h"
#include "guest/kernel/string.h"
#include "guest/kernel/trap.h"
#include "guest/kernel/uaccess.h"
#include "guest/kernel/uvm.h"

#define PID        1
#define MAX_NR     512
#define MAX_SIGNAL 64
#define MAX_LOGGED 32 /* the console is not the application's to flood */
#define MAX_RANDOM 65536
#define AT_FDCWD   ((uint64_t)-100)

/* Linux, arch/x86/entry/syscalls/syscall_64.tbl */
enum {
	NR_read = 0,
	NR_write = 1,
	NR_open = 2,
	NR_close = 3,
	NR_stat = 4,
	NR_fstat = 5,
	NR_lstat = 6,
	NR_lseek = 8,
	NR_mmap = 9,
	NR_mprotect = 10,
	NR_munmap = 11,
	NR_brk = 12,
	NR_rt_sigaction = 13,
	NR_rt_sigprocmask = 14,
	NR_ioctl = 16,
	NR_pread64 = 17,
	NR_readv = 19,
	NR_writev = 20,
	NR_access = 21,
	NR_pipe = 22,
	NR_sched_yield = 24,
	NR_mremap = 25,
	NR_madvise = 28,
	NR_dup = 32,
	NR_dup2 = 33,
	NR_nanosleep = 35,
	NR_getpid = 39,
	NR_clone = 56,
	NR_exit = 60,
	NR_kill = 62,
	NR_uname = 63,
	NR_fcntl = 72,
	NR_getcwd = 79,
	NR_gettimeofday = 96,
	NR_getrlimit = 97,
	NR_getrusage = 98,
	NR_sysinfo = 99,
	NR_getuid = 102,
	NR_getgid = 104,
	NR_geteuid = 107,
	NR_getegid = 108,
	NR_getppid = 110,
	NR_sigaltstack = 131,
	NR_prctl = 157,
	NR_arch_prctl = 158,
	NR_gettid = 186,
	NR_tkill = 200,
	NR_time = 201,
	NR_futex = 202,
	NR_sched_getaffinity = 204,
	NR_getdents64 = 217,
	NR_set_tid_address = 218,
	NR_clock_gettime = 228,
	NR_clock_getres = 229,
	NR_clock_nanosleep = 230,
	NR_exit_group = 231,
	NR_tgkill = 234,
	NR_openat = 257,
	NR_newfstatat = 262,
	NR_faccessat = 269,
	NR_set_robust_list = 273,
	NR_eventfd2 = 290,
	NR_dup3 = 292,
	NR_pipe2 = 293,
	NR_prlimit64 = 302,
	NR_getrandom = 318,
	NR_membarrier = 324,
};

static int64_t sys_getrandom(uint64_t buf, uint64_t n)
{
	uint8_t part[64];
	uint64_t done = 0;

	/* As much as the network can wait for; whoever wants more calls again (getrandom(2)). */
	n = n < MAX_RANDOM ? n : MAX_RANDOM;
	if (!user_range_ok(buf, n))
		return -EFAULT;
	while (done < n) {
		uint64_t len = n - done < sizeof(part) ? n - done : sizeof(part);

		random_bytes(part, len);
		if (copy_to_user(buf + done, part, len))
			return done ? (int64_t)done : -EFAULT;
		done += len;
	}
	return (int64_t)n;
}

static int64_t sys_uname(uint64_t to)
{
	static const struct {
		char sysname[65], nodename[65], release[65], version[65], machine[65], domain[65];
	} names = {"Linux", "ironix", "5.10.0-ironix", "Ironix dataplane", "x86_64", "(none)"};

	return put_user(to, names);
}

static int64_t sys_sysinfo(uint64_t to)
{
	struct {
		int64_t uptime;
		uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
		uint16_t procs, pad;
		uint64_t totalhigh, freehigh;
		uint32_t unit;
	} info;

	memset(&info, 0, sizeof(info));
	info.uptime = (int64_t)(clock_ns() / 1000000000);
	info.totalram = (uint64_t)pages_total() * PAGE_SIZE;
	info.freeram = (uint64_t)pages_free() * PAGE_SIZE;
	info.procs = 1;
	info.unit = 1;
	return put_user(to, info);
}

static int64_t sys_prlimit(uint64_t what, uint64_t old)
{
	uint64_t limit[2] = {UINT64_MAX, UINT64_MAX};

	if (what > 15)
		return -EINVAL;
	if (what == 3) /* RLIMIT_STACK */
		limit[0] = limit[1] = 8 << 20;
	if (what == 4) /* RLIMIT_CORE */
		limit[0] = limit[1] = 0;
	if (what == 7) /* RLIMIT_NOFILE */
		limit[0] = limit[1] = 64;
	return old ? put_user(old, limit) : 0;
}

static int64_t sys_getrusage(uint64_t to)
{
	uint64_t us = clock_ns() / 1000;
	int64_t usage[18] = {(int64_t)(us / 1000000), (int64_t)(us % 1000000)};

	return put_user(to, usage);
}

static int64_t sys_sched_getaffinity(uint64_t n, uint64_t to)
{
	uint64_t mask = ncpus == 64 ? UINT64_MAX : (1ull << ncpus) - 1;

	if (n < sizeof(mask) || n % sizeof(mask))
		return -EINVAL;
	return put_user(to, mask) ? -EFAULT : (int64_t)sizeof(mask);
}

static int64_t sys_arch_prctl(uint64_t what, uint64_t addr)
{
	enum {
		SET_GS = 0x1001,
		SET_FS,
		GET_FS,
		GET_GS
	};
	uint64_t v;

	switch (what) {
	case SET_FS:
	case SET_GS:
		if (addr >= USER_TOP)
			return -EPERM;
		wrmsr(what == SET_FS ? MSR_FS_BASE : MSR_KERNEL_GS_BASE, addr);
		return 0;
	case GET_FS:
	case GET_GS:
		v = rdmsr(what == GET_FS ? MSR_FS_BASE : MSR_KERNEL_GS_BASE);
		return put_user(addr, v);
	default:
		return -EINVAL;
	}
}

/*
 * Signals: dispositions are kept and masks too, but no handler runs. A signal that a thread sends to
 * the application ends it, unless it is ignored, has a handler that cannot run here, or does nothing by default.
 */
struct linux_sigaction {
	uint64_t handler, flags, restorer, mask;
};
static struct linux_sigaction actions[MAX_SIGNAL + 1];

static int64_t sys_rt_sigaction(uint64_t sig, uint64_t act, uint64_t old, uint64_t size)
{
	struct linux_sigaction a;

	if (sig < 1 || sig > MAX_SIGNAL || size != 8)
		return -EINVAL;
	if (act && (sig == 9 || sig == 19))
		return -EINVAL;
	if (act && get_user(a, act))
		return -EFAULT;
	if (old && put_user(old, actions[sig]))
		return -EFAULT;
	if (act)
		actions[sig] = a;
	return 0;
}

static int64_t sys_rt_sigprocmask(uint64_t how, uint64_t set, uint64_t old, uint64_t size)
{
	struct thread *t = &this_cpu()->thread;
	uint64_t s = 0, before = t->signal_mask;

	if (size != 8 || (set && how > 2))
		return -EINVAL;
	if (set && get_user(s, set))
		return -EFAULT;
	if (old && put_user(old, before))
		return -EFAULT;
	if (set)
		t->signal_mask = how == 0 ? before | s : how == 1 ? before & ~s : s;
	return 0;
}

static int64_t send_signal(uint64_t sig)
{
	const uint64_t harmless = 1ull << 17 | 1ull << 18 | 1ull << 23 | 1ull << 28;

	if (sig > MAX_SIGNAL)
		return -EINVAL;
	if (sig == 0)
		return 0;
	if (sig != 9 &&
	    (actions[sig].handler == 1 || (actions[sig].handler == 0 && (harmless >> sig & 1))))
		return 0;
	if (actions[sig].handler > 1 && sig != 9)
		return -ENOSYS;
	process_kill((int)sig);
}

static int64_t unknown(uint64_t nr)
{
	static uint64_t logged[MAX_NR / 64]; /* a lost update logs a call twice */
	static unsigned lines;

	if (nr < MAX_NR && lines < MAX_LOGGED && !(logged[nr / 64] >> (nr % 64) & 1)) {
		logged[nr / 64] |= 1ull << (nr % 64);
		lines++;
		say("system call %lu is not served", nr);
	}
	return -ENOSYS;
}

static int64_t dispatch(struct regs *r)
{
	uint64_t a = r->di, b = r->si, c = r->dx, d = r->r10, e = r->r8;

	if (r->error >= IX_SYS_BASE)
		return dataplane_call(this_cpu(), r->error, a, b, c);

	switch (r->error) {
	case NR_read:
		return sys_read(a, b, c);
	case NR_write:
		return sys_write(a, b, c);
	case NR_open:
		return sys_openat(AT_FDCWD, a, b);
	case NR_close:
		return sys_close(a);
	case NR_stat:
	case NR_lstat:
		return sys_fstatat(AT_FDCWD, a, b, 0);
	case NR_fstat:
		return sys_fstat(a, b);
	case NR_lseek:
		return sys_lseek(a, b, c);
	case NR_mmap:
		return sys_mmap(a, b, c, d, e, r->r9);
	case NR_mprotect:
		return sys_mprotect(a, b, c);
	case NR_munmap:
		return sys_munmap(a, b);
	case NR_brk:
		return sys_brk(a);
	case NR_rt_sigaction:
		return sys_rt_sigaction(a, b, c, d);
	case NR_rt_sigprocmask:
		return sys_rt_sigprocmask(a, b, c, d);
	case NR_ioctl:
		return sys_ioctl(a, b, c);
	case NR_pread64:
		return sys_pread(a, b, c, d);
	case NR_readv:
		return sys_readv(a, b, c);
	case NR_writev:
		return sys_writev(a, b, c);
	case NR_access:
		return sys_access(AT_FDCWD, a, b);
	case NR_faccessat:
		return sys_access(a, b, c);
	case NR_pipe:
		return sys_pipe2(a, 0);
	case NR_pipe2:
		return sys_pipe2(a, b);
	case NR_mremap:
		return sys_mremap(a, b, c, d, e);
	case NR_madvise:
		return sys_madvise(a, b, c);
	case NR_dup:
		return sys_dup(a, 0, 0);
	case NR_dup2:
		return sys_dup(a, b, UINT64_MAX);
	case NR_dup3:
		return a == b ? -EINVAL : sys_dup(a, b, UINT64_MAX);
	case NR_nanosleep:
		return sys_clock_nanosleep(1, 0, a, b);
	case NR_clone:
		return process_clone(r);
	case NR_exit:
		process_thread_exit((int)a);
	case NR_exit_group:
		process_exit((int)a);
	case NR_kill:
		return a == PID || a == 0 ? send_signal(b) : -ESRCH;
	case NR_tkill:
		return send_signal(b);
	case NR_tgkill:
		return a == PID ? send_signal(c) : -ESRCH;
	case NR_uname:
		return sys_uname(a);
	case NR_fcntl:
		return sys_fcntl(a, b, c);
	case NR_getcwd:
		return sys_getcwd(a, b);
	case NR_gettimeofday:
		return sys_gettimeofday(a, b);
	case NR_getrlimit:
		return sys_prlimit(a, b);
	case NR_prlimit64:
		return c ? -EPERM : sys_prlimit(b, d);
	case NR_getrusage:
		return sys_getrusage(b);
	case NR_sysinfo:
		return sys_sysinfo(a);
	case NR_getpid:
		return PID;
	case NR_gettid:
		return this_cpu()->thread.tid;
	case NR_getuid:
	case NR_getgid:
	case NR_geteuid:
	case NR_getegid:
	case NR_getppid:
	case NR_sched_yield:
	case NR_sigaltstack: /* no handler runs, so no stack is needed for one */
	case NR_membarrier:  /* only the query is made without registering; it finds nothing */
		return 0;
	case NR_arch_prctl:
		return sys_arch_prctl(a, b);
	case NR_time:
		return sys_time(a);
	case NR_futex:
		return sys_futex(a, b, c, d, e);
	case NR_sched_getaffinity:
		return sys_sched_getaffinity(b, c);
	case NR_getdents64:
		return sys_getdents64(a, b, c);
	case NR_set_tid_address:
		this_cpu()->thread.clear_tid = a;
		return this_cpu()->thread.tid;
	case NR_clock_gettime:
		return sys_clock_gettime(a, b);
	case NR_clock_getres:
		return sys_clock_getres(a, b);
	case NR_clock_nanosleep:
		return sys_clock_nanosleep(a, b, c, d);
	case NR_openat:
		return sys_openat(a, b, c);
	case NR_newfstatat:
		return sys_fstatat(a, b, c, d);
	case NR_eventfd2:
		return sys_eventfd2(a, b);
	case NR_getrandom:
		return sys_getrandom(a, b);
	case NR_prctl:
	case NR_set_robust_list:
		return -ENOSYS;
	default:
		return unknown(r->error);
	}
}

void syscall_handle(struct regs *r)
{
	this_cpu()->syscalls++;
	r->ax = (uint64_t)dispatch(r);
	process_user_return();
}
