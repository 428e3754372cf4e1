/* SPDX-License-Identifier: MIT
 *
 * Native calls. In the dataplane they are SYSCALL instructions; in hosted mode the runner
 * (guest/hosted) sets ix_hosted_entry before it starts the application.
 */
#include <errno.h>

#include <ix/ix.h>

#ifdef IX_USER

static long native(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return ret;
}

#else

extern long (*ix_hosted_entry)(long nr, uint64_t a, uint64_t b, uint64_t c);
long (*ix_hosted_entry)(long nr, uint64_t a, uint64_t b, uint64_t c);

static long native(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	return ix_hosted_entry ? ix_hosted_entry(nr, a, b, c) : -ENOSYS;
}

#endif

long ix_run_io(struct ix_call *calls, size_t ncalls, uint64_t wait_us)
{
	return native(IX_SYS_RUN_IO, (uintptr_t)calls, ncalls, wait_us);
}

long ix_call_now(struct ix_call *calls, size_t ncalls)
{
	return native(IX_SYS_CALL, (uintptr_t)calls, ncalls, 0);
}

long ix_attach_raw(struct ix_attach *a)
{
	a->version = IX_ABI_VERSION;
	a->size = sizeof(*a);
	return native(IX_SYS_ATTACH, (uintptr_t)a, 0, 0);
}

long ix_tcp_info(uint64_t handle, struct ix_tcp_info *info)
{
	return native(IX_SYS_TCP_INFO, handle, (uintptr_t)info, sizeof(*info));
}
