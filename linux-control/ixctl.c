/* SPDX-License-Identifier: MIT
 *
 * ixctl: asks ixcpd and shows the answer. See ixctl(1).
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "linux-control/json.h"
#include "linux-control/lines.h"
#include "linux-control/show.h"
#include "linux-control/wire.h"

static const char usage[] =
    "usage: ixctl [--json] [--socket PATH] COMMAND [ARGUMENT]...\n"
    "\n"
    "the machine:\n"
    "  version              versions of hypervisor and interface\n"
    "  preflight            features: found, needed, consequence\n"
    "  cores                every core and whose it is\n"
    "  memory               memory of hypervisor and dataplanes\n"
    "  pci                  PCI functions, who has them, what DMA can reach\n"
    "  exits                VM exits per core and reason\n"
    "  log [-f]             the hypervisor's log; -f: go on\n"
    "  events [-f]          events of dataplanes\n"
    "  cpu give|take N      give CPU N to the hypervisor, take it back into Linux\n"
    "dataplanes:\n"
    "  create FILE.conf     make a dataplane and load it\n"
    "  start FILE.conf|NAME make it if need be, then run it\n"
    "  stop NAME            stop it; its cores go back to Linux\n"
    "  destroy NAME         stop it and give back memory and devices\n"
    "  list                 all dataplanes and their state\n"
    "  console NAME [-f]    what it printed; -f: go on\n"
    "  stats NAME           its counters\n"
    "  check FILE.conf      look for mistakes in a description\n";

static int fail(const char *what)
{
	fprintf(stderr, "ixctl: %s: %s\n", what, strerror(errno));
	return 1;
}

static int dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool send_all(int fd, const void *bytes, size_t size)
{
	for (const char *p = bytes; size;) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

static bool receive_all(int fd, void *bytes, size_t size)
{
	for (char *p = bytes; size;) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ECONNRESET;
			return false;
		}
		p += n;
		size -= (size_t)n;
	}
	return true;
}

/* The request's bytes. A description file is named by its whole path: ixcpd's folder is another. */
static size_t make_request(char *out, size_t size, int argc, char **argv)
{
	size_t n = 0;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		size_t length = strlen(word);
		char whole[PATH_MAX];
		bool file =
		    i == 1 &&
		    (!strcmp(argv[0], "create") || !strcmp(argv[0], "check") ||
		     (!strcmp(argv[0], "start") &&
		      (strchr(word, '/') || (length > 5 && !strcmp(word + length - 5, ".conf")))));

		if (file && realpath(word, whole))
			word = whole;
		length = strlen(word) + 1;
		if (length > size - n)
			return 0;
		memcpy(out + n, word, length);
		n += length;
	}
	return n;
}

/* Shows a result; 0, or 1 when ixcpd's answer is not JSON. */
static int show_result(const char *text, size_t size, bool json)
{
	struct json_value *v;

	if (json) {
		fwrite(text, 1, size, stdout);
		putchar('\n');
		return 0;
	}
	v = json_parse(text, size);
	if (!v) {
		fprintf(stderr, "ixctl: ixcpd's answer is malformed\n");
		return 1;
	}
	show(stdout, v);
	json_free(v);
	return 0;
}

/* lines: of a command that answers with lines, which are to be JSON; else NULL. */
static int take_answer(int fd, bool json, struct lines *lines)
{
	struct wire_header header;
	char *text;
	int status = -1;

	while (status < 0) {
		if (!receive_all(fd, &header, sizeof(header)))
			return fail("ixcpd went away");
		if (header.size > WIRE_ANSWER_MAX || !(text = malloc(header.size + 1ul))) {
			fprintf(stderr, "ixctl: ixcpd's answer is too long\n");
			return 1;
		}
		if (!receive_all(fd, text, header.size)) {
			free(text);
			return fail("ixcpd went away");
		}
		if (header.kind == WIRE_OUTPUT && lines) {
			lines_add(lines, text, header.size);
		} else if (header.kind == WIRE_OUTPUT) {
			fwrite(text, 1, header.size, stdout);
			fflush(stdout);
		} else if (header.kind == WIRE_RESULT && lines) {
			lines_end(lines);
			status = 0;
		} else if (header.kind == WIRE_RESULT) {
			status = show_result(text, header.size, json);
		} else {
			fprintf(stderr, "ixctl: %.*s\n", (int)header.size, text);
			status = 1;
		}
		free(text);
	}
	return status;
}

int main(int argc, char **argv)
{
	const char *path = getenv("IXCPD_SOCKET");
	static char request[WIRE_REQUEST_MAX];
	struct wire_header header = {.kind = WIRE_REQUEST};
	static struct lines lines;
	bool json = false, in_lines;
	int fd, kept = 0;

	path = path ? path : WIRE_SOCKET;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--socket") && i + 1 < argc) {
			path = argv[++i];
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			fputs(usage, stdout);
			return 0;
		} else {
			argv[kept++] = argv[i];
		}
	}
	if (!kept) {
		fputs(usage, stderr);
		return 2;
	}
	header.size = (uint32_t)make_request(request, sizeof(request), kept, argv);
	if (!header.size) {
		fprintf(stderr, "ixctl: the command is too long\n");
		return 2;
	}
	fd = dial(path);
	if (fd < 0) {
		fprintf(stderr, "ixctl: %s: %s; %s\n", path, strerror(errno),
			errno == EACCES ? "only root may ask" : "is ixcpd running?");
		return 1;
	}
	if (!send_all(fd, &header, sizeof(header)) || !send_all(fd, request, header.size))
		return fail(path);
	lines.out = stdout;
	lines.events = !strcmp(argv[0], "events");
	lines.follow = !strcmp(argv[kept - 1], "-f");
	in_lines = lines.events || !strcmp(argv[0], "log") || !strcmp(argv[0], "console");
	return take_answer(fd, json, json && in_lines ? &lines : NULL);
}
