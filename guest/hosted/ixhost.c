/* SPDX-License-Identifier: MIT
 *
 * ixhost: runs an application of the dataplane as a Linux process (docs/hosted.md).
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/hosted/host.h"

static const char usage[] =
    "usage: ixhost [options] -- APP ARGS...\n"
    "       ixhost --wire memory [options] -- APP ARGS... --peer APP ARGS...\n"
    "\n"
    "APP is a shared object made by `ix-cc --hosted`, or the name of one in apps/.\n"
    "  --tap NAME        frames to and from a TAP device\n"
    "  --wire memory     two dataplanes back to back; ends when the peer does\n"
    "  --ip A/P          address (default 10.0.0.1/24; the peer's: 10.0.0.2/24)\n"
    "  --gw A            default gateway\n"
    "  --mac M           Ethernet address\n"
    "  --cores N         cores, a thread each (default 1)\n"
    "  --batch B         packets taken per cycle (default 64)\n"
    "  --config FILE     more configuration: lines key = value\n"
    "  --set KEY=VALUE   one line of it\n"
    "  --pcap FILE       what crossed the wire (the peer's: FILE.peer)\n"
    "  --loss P --reorder P --dup P --corrupt P   harm, in percent of the frames each way\n"
    "  --delay US --jitter US                     added each way, microseconds\n"
    "  --rate KBPS       of the wire, each way\n"
    "  --seed N          makes harm and secrets repeatable\n"
    "  --stats           counters to stderr at the end (and at SIGUSR1)\n";

struct options {
	struct link_config link;
	const char *tap, *ip, *peer_ip, *pcap;
	bool memory, stats, seeded;
	uint32_t cores;
	char *text; /* configuration */
	size_t len;
};

static struct host *host;
static struct pcap *capture;
static bool want_stats;
static struct host_signals signals;

static _Noreturn void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("ixhost: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static void add_text(struct options *o, const char *text, size_t n)
{
	o->text = realloc(o->text, o->len + n + 2);
	if (!o->text)
		die("out of memory");
	memcpy(o->text + o->len, text, n);
	o->len += n;
	o->text[o->len++] = '\n';
}

static void add_line(struct options *o, const char *key, const char *value)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s = %s", key, value);

	if (n >= (int)sizeof(line))
		die("value of %s too long", key);
	add_text(o, line, (size_t)n);
}

static void add_file(struct options *o, const char *path)
{
	FILE *f = fopen(path, "r");
	char buf[4096];
	size_t n;

	if (!f)
		die("%s: %s", path, strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
		add_text(o, buf, n);
		o->len--; /* no line ends where a block does */
	}
	add_text(o, "", 0);
	fclose(f);
}

static double percent(const char *name, const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (*end || end == s || v < 0 || v > 100)
		die("--%s: not a percentage: %s", name, s);
	return v / 100;
}

static uint64_t number(const char *name, const char *s, uint64_t min, uint64_t max)
{
	uint64_t v;

	if (core_parse_number(&v, s) < 0 || v < min || v > max)
		die("--%s: not a number from %llu to %llu: %s", name, (unsigned long long)min,
		    (unsigned long long)max, s);
	return v;
}

enum {
	TAP = 256,
	WIRE,
	IP,
	GW,
	MAC,
	CORES,
	BATCH,
	CONFIG,
	SET,
	PCAP,
	LOSS,
	REORDER,
	DUP,
	CORRUPT,
	DELAY,
	JITTER,
	RATE,
	SEED,
	STATS,
	HELP
};

static const struct option longopts[] = {
    {"tap", 1, NULL, TAP},       {"wire", 1, NULL, WIRE},       {"ip", 1, NULL, IP},
    {"gw", 1, NULL, GW},         {"mac", 1, NULL, MAC},         {"cores", 1, NULL, CORES},
    {"batch", 1, NULL, BATCH},   {"config", 1, NULL, CONFIG},   {"set", 1, NULL, SET},
    {"pcap", 1, NULL, PCAP},     {"loss", 1, NULL, LOSS},       {"reorder", 1, NULL, REORDER},
    {"dup", 1, NULL, DUP},       {"corrupt", 1, NULL, CORRUPT}, {"delay", 1, NULL, DELAY},
    {"jitter", 1, NULL, JITTER}, {"rate", 1, NULL, RATE},       {"seed", 1, NULL, SEED},
    {"stats", 0, NULL, STATS},   {"help", 0, NULL, HELP},       {NULL, 0, NULL, 0}};

static void set(struct options *o, const char *pair)
{
	const char *eq = strchr(pair, '=');
	char key[64];

	if (!eq || eq - pair >= (int)sizeof(key))
		die("--set: not KEY=VALUE: %s", pair);
	snprintf(key, sizeof(key), "%.*s", (int)(eq - pair), pair);
	add_line(o, key, eq + 1);
}

static void one_option(struct options *o, int c, const char *name)
{
	switch (c) {
	case TAP:
		o->tap = optarg;
		break;
	case WIRE:
		if (strcmp(optarg, "memory") != 0)
			die("--wire: only `memory` is known");
		o->memory = true;
		break;
	case IP:
		o->ip = optarg;
		break;
	case GW:
		add_line(o, "gateway", optarg);
		break;
	case MAC:
	case BATCH:
		add_line(o, name, optarg);
		break;
	case CORES:
		o->cores = (uint32_t)number(name, optarg, 1, 16);
		break;
	case CONFIG:
		add_file(o, optarg);
		break;
	case SET:
		set(o, optarg);
		break;
	case PCAP:
		o->pcap = optarg;
		break;
	case LOSS:
		o->link.loss = percent(name, optarg);
		break;
	case REORDER:
		o->link.reorder = percent(name, optarg);
		break;
	case DUP:
		o->link.dup = percent(name, optarg);
		break;
	case CORRUPT:
		o->link.corrupt = percent(name, optarg);
		break;
	case DELAY:
		o->link.delay_us = number(name, optarg, 0, 10000000);
		break;
	case JITTER:
		o->link.jitter_us = number(name, optarg, 0, 10000000);
		break;
	case RATE:
		o->link.rate_kbps = number(name, optarg, 1, 100000000);
		break;
	case SEED:
		o->link.seed = number(name, optarg, 0, INT64_MAX);
		o->seeded = true;
		break;
	case STATS:
		o->stats = true;
		break;
	default:
		fputs(usage, c == HELP ? stdout : stderr);
		exit(c == HELP ? 0 : 2);
	}
}

static void options(struct options *o, int argc, char **argv)
{
	int index = 0, c;

	add_line(o, "arp-announce", "off"); /* an address is usable at once */
	while ((c = getopt_long(argc, argv, "+", longopts, &index)) != -1)
		one_option(o, c, c >= 256 ? longopts[index].name : "");
	if (!o->tap == !o->memory)
		die("give either --tap NAME or --wire memory");
}

static void secrets(struct core_config *cfg, const struct options *o, uint64_t who)
{
	if (o->seeded) {
		for (int i = 0; i < 4; i++)
			cfg->net.secret[i] =
			    (o->link.seed + who * 77 + (uint64_t)i + 1) * 0x9e3779b97f4a7c15ull;
	} else if (getrandom(cfg->net.secret, sizeof(cfg->net.secret), 0) < 0) {
		die("getrandom: %s", strerror(errno));
	}
}

static void configure(struct core_config *cfg, const struct options *o, const char *ip,
		      uint64_t who)
{
	struct core_config_error err;
	char line[64];
	const uint8_t *a;

	core_config_default(cfg);
	snprintf(line, sizeof(line), "address = %s", ip);
	if (core_config_parse(cfg, line, strlen(line), NULL, NULL, &err) < 0)
		die("--ip: not an address: %s", ip);
	a = cfg->addr[0].addr.b + 12;
	memcpy(cfg->net.mac, (uint8_t[]){0x02, 0x49, a[0], a[1], a[2], a[3]}, 6);
	if (core_config_parse(cfg, o->text, o->len, NULL, NULL, &err) < 0)
		die("configuration line %u: %s", err.line, err.what);
	secrets(cfg, o, who);
}

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		signals.report = 1;
	else
		signals.stop = signal;
}

static long entry(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	return host_call(host, (uint64_t)nr, a, b, c);
}

static void at_end(void)
{
	host_end(host);
	if (want_stats)
		host_print_stats(host);
	pcap_close(capture);
}

/* A bare name is looked for where the build and where the installation puts applications. */
static void *load(const char *name)
{
	static const char *const places[] = {"apps", "../lib/ironix/apps"};
	char self[3072], path[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	void *so = NULL;

	self[n > 0 ? n : 0] = '\0';
	*(strrchr(self, '/') ? strrchr(self, '/') : self) = '\0';
	snprintf(path, sizeof(path), "%s", name);
	for (int i = 0; i < 2 && !strchr(name, '/'); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s.so", self, places[i], name);
		if (access(path, R_OK) == 0)
			break;
	}
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		die("%s", dlerror());
	return so;
}

/* Becomes the application; exits with its status. */
static _Noreturn void run(const struct options *o, struct wire *wire, const char *ip, uint64_t who,
			  int argc, char **argv)
{
	struct core_config *cfg = malloc(sizeof(*cfg));
	struct host_params p = {.cfg = cfg, .ncores = o->cores, .wire = wire};
	struct sigaction sa = {.sa_handler = on_signal};
	const char *err;
	void *so;
	long (**gate)(long, uint64_t, uint64_t, uint64_t);
	int (*app)(int, char **);
	char path[4096];

	if (!cfg)
		die("out of memory");
	configure(cfg, o, ip, who);
	/* Each of two dataplanes harms what it sends; a TAP's peer does not, so both ways here. */
	p.tx_link = o->link;
	p.tx_link.seed = o->link.seed * 4 + who;
	if (!o->memory) {
		p.rx_link = o->link;
		p.rx_link.seed = o->link.seed * 4 + 2;
	}
	if (o->pcap) {
		snprintf(path, sizeof(path), "%s%s", o->pcap, who ? ".peer" : "");
		capture = p.pcap = pcap_open(path);
		if (!capture)
			die("%s: %s", path, strerror(errno));
	}
	want_stats = o->stats;
	host = host_new(&p, &err);
	if (!host)
		die("%s", err);
	host_watch(host, &signals, who ? "peer" : "app");
	free(cfg);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	so = load(argv[0]);
	gate = dlsym(so, "ix_hosted_entry");
	app = (int (*)(int, char **))dlsym(so, "main");
	if (!gate || !app)
		die("%s is no application made by ix-cc --hosted", argv[0]);
	*gate = entry;
	atexit(at_end);
	optind = 0; /* the application parses options of its own (glibc: start anew) */
	setvbuf(stdout, NULL, _IOLBF, 0);
	exit(app(argc, argv));
}

/* Waits for the peer, then ends the other. */
static int supervise(pid_t app, pid_t peer)
{
	int status = 0, other;

	while (waitpid(peer, &status, 0) < 0 && errno == EINTR)
		if (signals.stop)
			kill(peer, signals.stop);
	kill(app, SIGTERM);
	while (waitpid(app, &other, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int two(const struct options *o, int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct wire *end[2];
	pid_t app, peer;
	int k = 0;

	while (k < argc && strcmp(argv[k], "--peer") != 0)
		k++;
	if (k == 0 || k + 1 >= argc)
		die("--wire memory needs APP ARGS... --peer APP ARGS...");
	if (!wire_pair(end))
		die("wire: %s", strerror(errno));
	argv[k] = NULL;
	app = fork();
	if (app == 0)
		run(o, end[0], o->ip ? o->ip : "10.0.0.1/24", 0, k, argv);
	peer = app < 0 ? -1 : fork();
	if (peer == 0)
		run(o, end[1], "10.0.0.2/24", 1, argc - k - 1, argv + k + 1);
	if (peer < 0)
		die("fork: %s", strerror(errno));
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return supervise(app, peer);
}

int main(int argc, char **argv)
{
	struct options o = {.cores = 1};
	struct wire *wire;

	options(&o, argc, argv);
	if (optind == argc)
		die("no application; --help tells more");
	if (o.memory)
		return two(&o, argc - optind, argv + optind);
	wire = wire_tap(o.tap);
	if (!wire)
		die("%s: %s", o.tap, strerror(errno));
	run(&o, wire, o.ip ? o.ip : "10.0.0.1/24", 0, argc - optind, argv + optind);
}
