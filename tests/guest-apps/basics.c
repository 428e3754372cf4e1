/* SPDX-License-Identifier: MIT
 *
 * The C library's basics on the dataplane kernel: formatting, memory, numbers, sorting, time, files,
 * pipes, signals' minimum.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void formatting(void)
{
	char buf[200];
	volatile double x = 1.0;

	snprintf(buf, sizeof(buf), "%d %5.2f %s %-4c| %#x %lld %e", -42, 3.14159, "text", 'x', 255,
		 1LL << 62, 6.02214076e23);
	check(!strcmp(buf, "-42  3.14 text x   | 0xff 4611686018427387904 6.022141e+23"), "printf");
	check(strtod("0x1.8p1", NULL) == 3.0 && strtod("1e-310", NULL) > 0 &&
		  strtol("-77zz", NULL, 8) == -077,
	      "strtod, strtol");
	check(fabs(sin(x) * sin(x) + cos(x) * cos(x) - 1.0) < 1e-15, "libm");
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sorting(void)
{
	enum {
		N = 20000
	};
	uint32_t *v = malloc(N * sizeof(*v));
	bool sorted = true;

	for (int i = 0; i < N; i++)
		v[i] = (uint32_t)rnd();
	qsort(v, N, sizeof(*v), compare);
	for (int i = 1; i < N; i++)
		sorted &= v[i - 1] <= v[i];
	check(sorted, "qsort");
	free(v);
}

/* Blocks of all sizes, each with a pattern that is checked before it is changed or freed. */
static void allocation(void)
{
	enum {
		BLOCKS = 400
	};
	int rounds = getenv("SMALL") ? 2000 : 20000;
	static struct {
		unsigned char *p;
		size_t n;
		unsigned char fill;
	} b[BLOCKS];
	bool good = true;

	for (int round = 0; round < rounds && good; round++) {
		unsigned i = rnd() % BLOCKS;
		size_t n = rnd() % 64 == 0 ? rnd() % 300000 : rnd() % 2000;

		if (rnd() % 4000 == 0)
			n = 3 << 20;
		for (size_t j = 0; b[i].p && j<b[i].n; j += b[i].n> 5000 ? 997 : 61)
			good &= b[i].p[j] == b[i].fill;
		if (b[i].p && rnd() % 3) {
			free(b[i].p);
			b[i].p = NULL;
			continue;
		}
		unsigned char *p = realloc(b[i].p, n ? n : 1);

		if (!p) {
			good = false;
			break;
		}
		b[i].p = p;
		b[i].n = n;
		b[i].fill = (unsigned char)round;
		memset(p, b[i].fill, n);
	}
	for (int i = 0; i < BLOCKS; i++)
		free(b[i].p);
	check(good, "malloc, realloc, free");
	unsigned char *z = calloc(1, 5 << 20);
	bool zero = z;

	for (size_t j = 0; z && j < 5 << 20; j++)
		zero &= z[j] == 0;
	free(z);
	check(zero, "calloc gives zeroes");
	void *too_much = malloc((size_t)1 << 40);

	check(!too_much && errno == ENOMEM, "malloc of too much fails");
	free(too_much);
}

static void mappings(void)
{
	size_t big = (size_t)5 << 20;
	char *p = mmap(NULL, big, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED && p[0] == 0 && p[big - 1] == 0, "mmap");
	memset(p, 'a', big);
	char *q = mremap(p, big, 2 * big, MREMAP_MAYMOVE);
	bool same = q != MAP_FAILED;

	for (size_t i = 0; same && i < big; i++)
		same &= q[i] == 'a';
	check(same && q[big + 5] == 0, "mremap to twice the size");
	check(mremap(q, 2 * big, 4096, 0) == q && q[4095] == 'a', "mremap to less");
	check(munmap(q, 4096) == 0, "munmap");
	check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
		  errno == EINVAL,
	      "mmap of nothing");
	check(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) == MAP_FAILED &&
		  errno == EACCES,
	      "mmap writable and executable is refused");
	p = mmap(NULL, (size_t)1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(p != MAP_FAILED && mprotect(p + (4 << 20), 2 << 20, PROT_READ | PROT_WRITE) == 0 &&
		  (p[4 << 20] = 1),
	      "PROT_NONE reserves, mprotect provides");
	check(munmap(p, (size_t)1 << 30) == 0, "munmap of a reservation");
	/* All of memory, again and again: nothing is lost. */
	bool good = true;

	for (int i = getenv("SMALL") ? 190 : 0; i < 200 && good; i++) {
		p = mmap(NULL, 10 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
		good = p != MAP_FAILED && p[3 << 20] == 0;
		if (good)
			p[3 << 20] = 1;
		munmap(p, 10 << 20);
	}
	check(good, "mmap and munmap, again and again");
	char *brk0 = sbrk(0);

	check(sbrk(0) == brk0 && (long)brk0 != -1, "sbrk");
}

static void times(void)
{
	struct timespec a, b, wait = {0, 3000000};

	clock_gettime(CLOCK_MONOTONIC, &a);
	check(nanosleep(&wait, NULL) == 0, "nanosleep");
	clock_gettime(CLOCK_MONOTONIC, &b);
	long ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;

	check(ns >= 3000000 && ns < 2000000000, "it takes its time");
	struct tm tm = {0};
	time_t t = 1700000000;

	gmtime_r(&t, &tm);
	check(tm.tm_year == 123 && tm.tm_hour == 22, "gmtime");
	check(time(NULL) >= 0 && clock() >= 0, "time, clock");
	check(clock_gettime(77, &a) == -1 && errno == EINVAL, "an unknown clock");
}

static void files(void)
{
	char line[100] = "", buf[20] = "";
	struct stat st;
	FILE *f = fopen("/etc/motd", "r");

	check(f && fgets(line, sizeof(line), f) && !strcmp(line, "first line\n"), "fopen, fgets");
	check(f && fseek(f, -5, SEEK_END) == 0 && fgets(line, sizeof(line), f) &&
		  !strcmp(line, "last\n"),
	      "fseek");
	if (f)
		fclose(f);
	check(stat("/etc/motd", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 16, "stat");
	check(stat("/etc", &st) == 0 && S_ISDIR(st.st_mode), "stat of a directory");
	check(open("/etc/none", O_RDONLY) == -1 && errno == ENOENT, "a missing file");
	check(open("/etc/motd", O_WRONLY) == -1 && errno == EROFS, "writing is refused");
	check(open("/etc/new", O_WRONLY | O_CREAT, 0600) == -1 && errno == EROFS, "creating too");
	check(access("/etc//./motd", R_OK) == 0 && access("/etc/motd", W_OK) == -1, "access");
	int fd = open("/etc/motd", O_RDONLY), copy = dup(fd);
	struct iovec v[2] = {{buf, 5}, {buf + 5, 5}};

	check(readv(fd, v, 2) == 10 && !memcmp(buf, "first line", 10), "readv");
	check(pread(copy, buf, 5, 11) == 5 && !memcmp(buf, "last\n", 5), "dup, pread");
	const char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	check(map != MAP_FAILED && !memcmp(map, "first line\nlast\n", 17), "mmap of a file");
	check(close(fd) == 0 && close(fd) == -1 && errno == EBADF && close(copy) == 0, "close");
	DIR *d = opendir("/");
	unsigned seen = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		seen |= !strcmp(e->d_name, "etc")   ? 1
			: !strcmp(e->d_name, "big") ? 2
			: !strcmp(e->d_name, ".")   ? 4
						    : 8 * (e->d_name[0] != '.');
	check(seen == 7, "readdir");
	if (d)
		closedir(d);
	f = fopen("/big", "r");
	unsigned long sum = 0;

	for (int c; f && (c = getc(f)) != EOF;)
		sum = sum * 31 + (unsigned)c;
	printf("sum of /big: %lx\n", sum);
	if (f)
		fclose(f);
}

static void pipes(void)
{
	int p[2], e;
	char buf[8000] = "";
	uint64_t v = 5;

	check(pipe(p) == 0 && write(p[1], "through", 8) == 8 && read(p[0], buf, 100) == 8 &&
		  !strcmp(buf, "through"),
	      "pipe");
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	check(read(p[0], buf, 1) == -1 && errno == EAGAIN, "an empty pipe, not waiting");
	check(write(p[1], buf, 4096) == 4096 && read(p[0], buf, 8000) == 4096, "a full pipe");
	close(p[1]);
	check(read(p[0], buf, 1) == 0, "end of a pipe");
	e = eventfd(3, EFD_NONBLOCK);
	check(write(e, &v, 8) == 8 && read(e, &v, 8) == 8 && v == 8 && read(e, &v, 8) == -1,
	      "eventfd");
	close(e);
	close(p[0]);
}

static void rest(void)
{
	struct utsname u;
	struct sysinfo si;
	struct rlimit rl;
	unsigned char r[64] = {0};
	jmp_buf env;
	sigset_t set, old;

	check(uname(&u) == 0 && !strcmp(u.machine, "x86_64") && getpid() == 1 && getuid() == 0,
	      "identity");
	check(sysinfo(&si) == 0 && si.totalram >= 64 << 20 && sysconf(_SC_NPROCESSORS_ONLN) == 1,
	      "sysinfo, number of processors");
	check(getrlimit(RLIMIT_STACK, &rl) == 0 && rl.rlim_cur == 8 << 20, "getrlimit");
	unsigned different = 0;

	check(getrandom(r, sizeof(r), 0) == sizeof(r), "getrandom");
	for (unsigned i = 1; i < sizeof(r); i++)
		different += r[i] != r[0];
	check(different > 40, "it is random");
	if (!setjmp(env))
		longjmp(env, 1);
	check(signal(SIGTERM, SIG_IGN) == SIG_DFL && raise(SIGTERM) == 0, "an ignored signal");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && sigprocmask(SIG_BLOCK, NULL, &old) == 0 &&
		  sigismember(&old, SIGUSR1) == 1,
	      "sigprocmask");
	check(syscall(499) == -1 && errno == ENOSYS && syscall(499) == -1, "an unknown call");
	check(fork() == -1 && errno == ENOSYS, "fork is refused");
	check(getenv("COLOUR") && !strcmp(getenv("COLOUR"), "blue"), "getenv");
}

int main(void)
{
	formatting();
	sorting();
	allocation();
	mappings();
	times();
	files();
	pipes();
	rest();
	return checks_end();
}
