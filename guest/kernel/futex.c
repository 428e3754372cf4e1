/* SPDX-License-Identifier: MIT
 *
 * Futexes (futex(2)). There is one thread on each core, so the cores are the wait queue.
 */
#include <errno.h>

#include "guest/kernel/clock.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/futex.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/process.h"
#include "guest/kernel/uaccess.h"

#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_REQUEUE     3
#define FUTEX_WAIT_BITSET 9
#define FUTEX_PRIVATE     128
#define FUTEX_REALTIME    256

static struct lock futex_lock;

static void wake(struct cpu *c)
{
	c->futex_key = 0;
	__atomic_store_n(&c->futex_woken, 1, __ATOMIC_RELEASE);
}

static int64_t wait(uint64_t addr, uint32_t val, uint64_t until)
{
	struct cpu *c = this_cpu();
	uint32_t now;

	lock(&futex_lock);
	int err = load_user32(addr, &now);

	if (!err && now != val)
		err = -EAGAIN;
	if (!err) {
		c->futex_key = addr;
		c->futex_woken = 0;
	}
	unlock(&futex_lock);
	if (err)
		return err;
	while (!__atomic_load_n(&c->futex_woken, __ATOMIC_ACQUIRE)) {
		if (rdtsc() >= until) {
			lock(&futex_lock);
			err = c->futex_woken ? 0 : -ETIMEDOUT;
			c->futex_key = 0;
			unlock(&futex_lock);
			return err;
		}
		process_wait(&c->futex_woken, 0, until);
	}
	return 0;
}

/* Wakes up to n waiters of addr, moves up to m others to addr2. Under the lock. */
static int wake_or_move(uint64_t addr, unsigned n, uint64_t addr2, unsigned m)
{
	unsigned woken = 0, moved = 0;

	for (unsigned i = 0; i < ncpus; i++) {
		struct cpu *c = cpu_of(i);

		if (c->futex_key != addr)
			continue;
		if (woken < n) {
			wake(c);
			woken++;
		} else if (moved < m) {
			c->futex_key = addr2;
			moved++;
		}
	}
	return (int)(woken + moved);
}

int futex_wake(uint64_t addr, unsigned n)
{
	lock(&futex_lock);
	int woken = wake_or_move(addr, n, 0, 0);

	unlock(&futex_lock);
	if (woken)
		process_notify();
	return woken;
}

int64_t sys_futex(uint64_t addr, uint64_t op, uint64_t val, uint64_t timeout, uint64_t addr2)
{
	uint64_t cmd = op & ~(uint64_t)(FUTEX_PRIVATE | FUTEX_REALTIME), until = UINT64_MAX;
	int64_t ret;

	if (addr == 0 || addr % 4 || !user_range_ok(addr, 4))
		return addr % 4 ? -EINVAL : -EFAULT;
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		/* WAIT has a span of time, WAIT_BITSET a point in time. */
		ret = timeout ? clock_deadline(timeout, cmd == FUTEX_WAIT_BITSET,
					       op & FUTEX_REALTIME, &until)
			      : 0;
		return ret ? ret : wait(addr, (uint32_t)val, until);
	case FUTEX_WAKE:
		return futex_wake(addr, (unsigned)val);
	case FUTEX_REQUEUE:
		if (addr2 == 0 || addr2 % 4 || !user_range_ok(addr2, 4))
			return -EINVAL;
		lock(&futex_lock);
		ret = wake_or_move(addr, (unsigned)val, addr2, (unsigned)timeout);
		unlock(&futex_lock);
		process_notify();
		return ret;
	default:
		return -ENOSYS;
	}
}
