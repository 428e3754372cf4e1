/* SPDX-License-Identifier: MIT
 *
 * POSIX threads on the dataplane kernel: one for each core.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define ROUNDS 20000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned counter, once_count, turn;
static _Thread_local unsigned tls = 17;
static unsigned nthreads;

static void count_once(void)
{
	once_count++;
}

static void *worker(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	double x = me;

	tls += me;
	pthread_once(&once, count_once);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		x += 0.5;
	}
	/* In turns, by a condition variable. */
	for (int i = 0; i < 50; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % nthreads != me)
			pthread_cond_wait(&cond, &mutex);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	for (int i = 0; i < 300; i++) {
		char *p = malloc(1000 + 500 * (unsigned)i);

		memset(p, (int)me, 1000);
		if (p[999] != (char)me)
			return NULL;
		free(p);
	}
	return tls == 17 + me && x == me + ROUNDS * 0.5 ? (void *)(uintptr_t)(me + 1) : NULL;
}

/* Mappings of one thread, made and removed while the others do the same. */
static void *mapper(void *arg)
{
	enum {
		N = 12
	};
	unsigned char *p[N] = {NULL};
	size_t len[N] = {0};
	uint64_t x = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15ull;
	bool good = true;

	for (unsigned round = getenv("SMALL") ? 130 : 0; round < 150 && good; round++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		unsigned i = x % N;
		unsigned char tag = (unsigned char)(i * 16 + (uintptr_t)arg);

		for (size_t at = 0; at < len[i]; at += 4096)
			good &= p[i][at] == tag && p[i][at + 4095] == tag;
		if (p[i] && (x >> 20) % 4 == 0 && len[i] <= 2 << 20) {
			unsigned char *q = mremap(p[i], len[i], len[i] * 2, MREMAP_MAYMOVE);

			if (q == MAP_FAILED)
				continue;
			for (size_t at = 0; at < len[i]; at += 4096) {
				good &= q[at] == tag && q[at + 4095] == tag;
				good &= q[len[i] + at] == 0 && q[len[i] + at + 4095] == 0;
			}
			p[i] = q;
			len[i] *= 2;
		} else {
			if (p[i])
				munmap(p[i], len[i]);
			len[i] = 4096 * (1 + ((x >> 30) % 8 ? (x >> 40) % 20 : (x >> 40) % 700));
			p[i] = mmap(NULL, len[i], PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (p[i] == MAP_FAILED) {
				p[i] = NULL;
				len[i] = 0;
			}
			for (size_t at = 0; at < len[i]; at += 4096)
				good &= p[i][at] == 0 && p[i][at + 4095] == 0;
		}
		for (size_t at = 0; at < len[i]; at += 4096)
			p[i][at] = p[i][at + 4095] = tag;
	}
	for (unsigned i = 0; i < N; i++)
		if (p[i])
			munmap(p[i], len[i]);
	return good ? arg : NULL;
}

static void *quick(void *arg)
{
	return arg;
}

static void *sleeper(void *arg)
{
	sem_wait(arg);
	return arg;
}

int main(void)
{
	pthread_t t[64];
	cpu_set_t set;
	bool good = true;

	sched_getaffinity(0, sizeof(set), &set);
	nthreads = (unsigned)CPU_COUNT(&set);
	printf("%u cores\n", nthreads);
	pthread_barrier_init(&barrier, NULL, nthreads);
	for (unsigned i = 1; i < nthreads; i++)
		good &= pthread_create(&t[i], NULL, worker, (void *)(uintptr_t)i) == 0;
	check(good, "pthread_create on each core");
	check(pthread_create(&t[0], NULL, quick, NULL) == EAGAIN, "one too many is refused");
	good = worker(NULL) == (void *)1;
	for (unsigned i = 1; i < nthreads; i++) {
		void *r = NULL;

		good &= pthread_join(t[i], &r) == 0 && r == (void *)(uintptr_t)(i + 1);
	}
	check(good, "thread-local data, floating point, malloc");
	check(counter == nthreads * ROUNDS, "mutex");
	check(turn == nthreads * 50, "condition variable");
	check(once_count == 1, "pthread_once");

	good = true;
	for (unsigned i = 1; i < nthreads; i++)
		good &= pthread_create(&t[i], NULL, mapper, (void *)(uintptr_t)(i + 1)) == 0;
	good &= mapper((void *)1) != NULL;
	for (unsigned i = 1; i < nthreads; i++) {
		void *r = NULL;

		good &= pthread_join(t[i], &r) == 0 && r;
	}
	check(good, "mmap, mremap, munmap on all cores at once");

	good = true;
	for (int i = 0; i < 200 && good; i++) {
		void *r = NULL;

		good = pthread_create(&t[1], NULL, quick, &t[i % 50]) == 0 &&
		       pthread_join(t[1], &r) == 0 && r == &t[i % 50];
	}
	check(good, "200 threads one after the other");

	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 3 << 20);
	check(pthread_create(&t[1], &attr, quick, NULL) == 0, "a detached thread, a big stack");

	struct timespec until;
	sem_t sem;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 5000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	check(pthread_cond_timedwait(&cond, &mutex, &until) == ETIMEDOUT, "timed wait");
	pthread_mutex_unlock(&mutex);
	sem_init(&sem, 0, 0);
	for (int tries = 0; pthread_create(&t[1], NULL, sleeper, &sem) && tries < 1000000; tries++)
		sched_yield();
	check(sem_post(&sem) == 0 && pthread_join(t[1], NULL) == 0, "semaphore");
	return checks_end();
}
