/* SPDX-License-Identifier: MIT
 *
 * httpd: static files over HTTP/1.1, with keep-alive and pipelining.
 *
 *	httpd [-p PORT] [-m MEGABYTES] DIRECTORY
 *
 * A file is read when it is first asked for and stays in memory while there is room (-m, per core);
 * from there it is sent by reference, so the only bytes copied per request are the header's.
 */
#define _GNU_SOURCE /* memmem() */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ix/cache.h>
#include <ix/server.h>

#define REQUEST_MAX 8192
#define PATH_LEN    1024
#define FILE_LIMIT  (256u << 20)

static const char *root;
static uint64_t megabytes = 64;

/* ---- files ---- */

struct file {
	struct ix_cache_item in; /* its key is the path */
	const char *type;
	uint32_t len;
	char *data;
};

static __thread struct ix_cache files; /* each core has its own, so that none needs a lock */

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {
	    {".html", "text/html"},     {".txt", "text/plain"},        {".css", "text/css"},
	    {".js", "text/javascript"}, {".png", "image/png"},         {".jpg", "image/jpeg"},
	    {".svg", "image/svg+xml"},  {".json", "application/json"},
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

/* Reads a file into memory. NULL: there is none, or no memory for it. */
static struct file *read_file(const char *path)
{
	char full[PATH_LEN * 2];
	struct file *f = NULL;
	size_t size, head, at = 0;
	struct stat st;
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT) {
		size = (size_t)st.st_size;
		head = sizeof(*f) + strlen(path) + 1;
		f = malloc(head + size);
	}
	if (f) {
		*f = (struct file){.type = type_of(path), .len = (uint32_t)size};
		f->in = (struct ix_cache_item){.key = strcpy((char *)(f + 1), path),
					       .klen = (uint32_t)strlen(path),
					       .size = head + size};
		f->data = (char *)f + head;
	}
	while (f && at < size) {
		ssize_t n = read(fd, f->data + at, size - at);

		if (n <= 0) {
			free(f);
			f = NULL;
		} else {
			at += (size_t)n;
		}
	}
	close(fd);
	return f;
}

static struct file *find(const char *path)
{
	struct file *f = (struct file *)ix_cache_find(&files, path, strlen(path));

	if (!f) {
		f = read_file(path);
		if (f)
			ix_cache_insert(&files, &f->in);
	}
	return f;
}

/* ---- answers ---- */

struct request {
	struct ixev_ctx *ctx;
	const char *head; /* a copy, to be a string */
	bool no_body;     /* HEAD */
	bool last;        /* the connection ends with it */
};

/* An answer with a hole is worse than none: without memory the connection ends. */
static void say(struct request *r, const char *data, size_t len)
{
	if (ixev_send(r->ctx, data, len) != (ssize_t)len)
		ixev_abort(r->ctx);
}

static void say_head(struct request *r, int status, const char *reason, const char *type,
		     size_t len)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\nServer: ix\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\n%s\r\n",
			 status, reason, type, len, r->last ? "Connection: close\r\n" : "");

	say(r, head, (size_t)n);
}

static void say_error(struct request *r, int status, const char *reason)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%d %s\n", status, reason);

	say_head(r, status, reason, "text/plain", (size_t)n);
	if (!r->no_body)
		say(r, text, (size_t)n);
}

static void say_file(struct request *r, struct file *f)
{
	say_head(r, 200, "OK", f->type, f->len);
	if (r->no_body)
		return;
	ix_cache_hold(&f->in);
	if (ixev_send_ref(r->ctx, f->data, f->len, ix_cache_drop, f) < 0) {
		ix_cache_drop(f);
		ixev_abort(r->ctx);
	}
}

/* ---- requests ---- */

static int hex(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Decodes a request target into a path below the root. False: not acceptable. */
static bool decode(char path[PATH_LEN], const char *s, size_t len)
{
	size_t n = 0;

	if (!len || *s != '/')
		return false;
	for (size_t i = 0; i < len && s[i] != '?' && s[i] != '#'; i++) {
		char ch = s[i];

		if (ch == '%') {
			if (i + 2 >= len || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				return false;
			ch = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		}
		if (!ch || n + sizeof("index.html") >= PATH_LEN)
			return false;
		path[n++] = ch;
	}
	path[n] = '\0';
	if (strstr(path, "/../") || (n >= 3 && strcmp(path + n - 3, "/..") == 0))
		return false;
	if (path[n - 1] == '/')
		strcpy(path + n, "index.html");
	return true;
}

/* The value of a header field, or NULL. The head is NUL-terminated. */
static const char *field(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

static bool has_token(const char *value, const char *token)
{
	return value && strncasecmp(value, token, strlen(token)) == 0;
}

static void answer(struct request *r)
{
	const char *p = r->head, *method, *target, *version;
	size_t nmethod = ix_word(&p, &method), ntarget = ix_word(&p, &target);
	bool http = ix_word(&p, &version) == 8 && memcmp(version, "HTTP/1.", 7) == 0;
	const char *connection = field(r->head, "Connection");
	const char *length = field(r->head, "Content-Length");
	char path[PATH_LEN];
	struct file *f;

	if (!http) {
		r->last = true;
		say_error(r, 400, "Bad Request");
		return;
	}
	r->no_body = ix_word_is(method, nmethod, "HEAD");
	/* HTTP/1.0 ends by default, 1.1 goes on (RFC 9112 9.3). */
	r->last = version[7] == '0' ? !has_token(connection, "keep-alive")
				    : has_token(connection, "close");
	if (field(r->head, "Transfer-Encoding") || (length && strtoull(length, NULL, 10) != 0)) {
		r->last = true; /* nobody reads the body */
		say_error(r, 413, "Content Too Large");
	} else if (!r->no_body && !ix_word_is(method, nmethod, "GET")) {
		say_error(r, 405, "Method Not Allowed");
	} else if (!decode(path, target, ntarget)) {
		say_error(r, 400, "Bad Request");
	} else {
		f = find(path);
		if (f)
			say_file(r, f);
		else
			say_error(r, 404, "Not Found");
	}
}

static size_t request(struct ixev_ctx *ctx, const char *data, size_t len, size_t *want)
{
	const char *end = memmem(data, len < REQUEST_MAX ? len : REQUEST_MAX, "\r\n\r\n", 4);
	size_t used = end ? (size_t)(end - data) + 4 : len;
	char head[REQUEST_MAX + 1];
	struct request r = {.ctx = ctx, .head = head};

	(void)want; /* one byte more, until there is an end */
	if (!end && len < REQUEST_MAX)
		return 0;
	if (end) {
		memcpy(head, data, used);
		head[used] = '\0';
		answer(&r);
	} else {
		r.last = true;
		say_error(&r, 431, "Request Header Fields Too Large");
	}
	if (r.last)
		ixev_shutdown(ctx);
	return used;
}

/* ---- the server ---- */

static int start(const struct ix_server *s, struct ixev *base)
{
	printf("httpd: core %u serves %s on port %u\n", ixev_info(base)->core, root, s->port);
	return ix_cache_init(&files, 1024, megabytes << 20);
}

int main(int argc, char **argv)
{
	struct ix_server server = {.start = start, .request = request};
	uint64_t port = 80;
	int opt;

	while ((opt = getopt(argc, argv, "p:m:")) != -1) {
		if (!(opt == 'p' && ix_number_parse(&port, optarg, 1, 65535) == 0) &&
		    !(opt == 'm' && ix_number_parse(&megabytes, optarg, 1, 1 << 20) == 0))
			break;
	}
	if (opt != -1 || optind + 1 != argc) {
		fprintf(stderr, "usage: httpd [-p PORT] [-m MEGABYTES] DIRECTORY\n");
		return 2;
	}
	root = argv[optind];
	server.port = (uint16_t)port;
	fprintf(stderr, "httpd: %s\n", ix_attach_error((int)ix_serve(&server)));
	return 1;
}
