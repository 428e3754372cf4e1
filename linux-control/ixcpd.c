/* SPDX-License-Identifier: MIT
 *
 * ixcpd: the daemon that talks to the hypervisor. See ixcpd(8).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux-control/channel.h"
#include "linux-control/confine.h"
#include "linux-control/control.h"
#include "linux-control/wire.h"

#define STATE_DIR      "/run/ixcpd"
#define EXIT_NO_IRONIX 3
#define DEFAULT_KERNEL "/usr/local/lib/ironix/kernel.elf"

static volatile int stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int usage(FILE *out, int status)
{
	fputs("usage: ixcpd [--socket PATH] [--kernel GUEST.elf] [--state DIR] [--unconfined]\n",
	      out);
	return status;
}

static void catch_signals(void)
{
	struct sigaction end = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

int main(int argc, char **argv)
{
	const char *path = WIRE_SOCKET, *kernel = DEFAULT_KERNEL, *state = STATE_DIR, *what;
	static struct control control;
	static struct channel channel;
	static struct hv hv;
	bool confined = true;
	int fd, err;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--socket") && i + 1 < argc)
			path = argv[++i];
		else if (!strcmp(argv[i], "--kernel") && i + 1 < argc)
			kernel = argv[++i];
		else if (!strcmp(argv[i], "--state") && i + 1 < argc)
			state = argv[++i];
		else if (!strcmp(argv[i], "--unconfined"))
			confined = false;
		else if (!strcmp(argv[i], "--help"))
			return usage(stdout, 0);
		else
			return usage(stderr, 2);
	}
	err = channel_open(&hv, &channel, "");
	if (err == -ENODEV) {
		fprintf(stderr, "ixcpd: this Linux does not run under Ironix\n");
		return EXIT_NO_IRONIX;
	}
	if (err) {
		fprintf(stderr, "ixcpd: the control channel: %s\n",
			hv.problem[0] ? hv.problem : strerror(-err));
		return 1;
	}
	if (mkdir(state, 0700) && errno != EEXIST) {
		fprintf(stderr, "ixcpd: %s: %s\n", state, strerror(errno));
		return 1;
	}
	err = control_init(&control, &hv, "", kernel, state);
	if (err) {
		fprintf(stderr, "ixcpd: learning the CPUs: %s\n", strerror(-err));
		return 1;
	}
	fd = server_listen(path);
	if (fd < 0) {
		fprintf(stderr, "ixcpd: %s: %s\n", path, strerror(-fd));
		return 1;
	}
	catch_signals();
	err = confined ? confine(&what) : 0;
	if (err) {
		fprintf(stderr, "ixcpd: %s: %s\n", what, strerror(-err));
		return 1;
	}
	printf("ixcpd: serving on %s\n", path);
	fflush(stdout);
	err = server_run(fd, &control_server, &control, &stop);
	unlink(path);
	return err ? 1 : 0;
}
