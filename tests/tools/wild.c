/* SPDX-License-Identifier: MIT
 *
 * A root process in Linux that rings the hypervisor's doorbell with wild calls, as sysfs lets it, and
 * executes VMCALL. usage: wild FOLDER-OF-CONTROL-FUNCTION RUNS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <ix/hypercall.h>

static uint64_t seed = 88172645463325252u;
static sigjmp_buf back;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void *map(const char *folder, const char *name, size_t size)
{
	char path[256];
	void *at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR);
	at = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	return at;
}

/* Not the calls by which root, as is its right, takes cores and devices from Linux. */
static uint32_t operation(void)
{
	uint64_t r = rnd();
	uint32_t op = r & 15 ? (r >> 8) % 48 : (uint32_t)(r >> 8);

	if (op == IX_CALL_CORE_GIVE || op == IX_CALL_CORE_TAKE || op == IX_CALL_ASSIGN)
		return IX_CALL_INFO;
	return op == IX_CALL_PCI && r >> 52 ? IX_CALL_CORE : op;
}

static uint64_t doorbells(volatile uint8_t *shared, volatile uint8_t *doorbell, uint64_t runs)
{
	uint64_t refused = 0;

	for (uint64_t n = 0; n < runs; n++) {
		uint64_t r = rnd();
		volatile struct ix_slot *slot =
		    (volatile struct ix_slot *)(shared + IX_SLOTS_OFFSET + (r & 15) * IX_SLOT_SIZE);

		slot->op = operation();
		for (int i = 0; i < 4; i++)
			slot->arg[i] = rnd() >> (rnd() & 63);
		for (int i = 0; i < 32; i++)
			slot->data[i] = (uint8_t)rnd();
		if (r >> 60)
			*(volatile uint32_t *)doorbell = r & 15;
		else
			*(volatile uint32_t *)(doorbell + (r >> 16 & 0xffc)) = (uint32_t)(r >> 32);
		refused += slot->status < 0;
	}
	return refused;
}

static void on_sigill(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static uint64_t vmcalls(uint64_t runs)
{
	static volatile uint64_t n, refused;

	signal(SIGILL, on_sigill);
	for (n = 0; n < runs; n++) {
		if (sigsetjmp(back, 1)) {
			refused++;
			continue;
		}
		asm volatile("vmcall"
			     :
			     : "a"(n & 1 ? 0x100 + n % 9 : rnd()), "D"(rnd()), "S"(rnd() & 4095),
			       "d"(rnd()), "c"(rnd())
			     : "memory");
	}
	return refused;
}

int main(int argc, char **argv)
{
	uint64_t runs = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, refused;
	volatile uint8_t *shared, *doorbell;

	if (!runs)
		return 2;
	shared = map(argv[1], "resource0", IX_BAR0_SIZE);
	doorbell = map(argv[1], "resource1", IX_BAR1_SIZE);
	refused = doorbells(shared, doorbell, runs);
	printf("%" PRIu64 " doorbells, %" PRIu64 " calls refused\n", runs, refused);
	refused = vmcalls(runs);
	printf("%" PRIu64 " VMCALLs, %" PRIu64 " were SIGILL\n", runs, refused);
	return refused == runs ? 0 : 1;
}
