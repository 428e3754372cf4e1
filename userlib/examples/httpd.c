/* SPDX-License-Identifier: MIT
 *
 * httpd: static files over HTTP/1.1, with keep-alive and pipelining.
 *
 *	httpd [-p PORT] DIRECTORY
 *
 * A file is read when it is first asked for and stays in memory; from there it is sent by
 * reference, so the only bytes copied per request are the header's.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ix/ixev.h>

#define REQUEST_MAX 8192
#define PATH_LEN    1024
#define FILE_LIMIT  (256u << 20)
#define NFILES      1024 /* slots of a thread's file table */

static const char *root;
static uint16_t port = 80;

/* A file in memory; each thread has its own, so that none needs a lock. */
struct file {
	char *path;
	char *data;
	uint32_t len;
	const char *type;
};

static __thread struct file files[NFILES];
static __thread struct body *free_bodies;

/* A body under way: names the file's memory to the library. */
struct body {
	struct ixev_buf buf;
};

struct conn {
	struct ixev_ctx ctx;
	char *partial; /* the beginning of a request */
	size_t len;
	bool closing; /* after this answer */
};

/* ---- files ---- */

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

static char *read_file(const char *path, uint32_t *len)
{
	char full[PATH_LEN * 2];
	struct stat st;
	char *data = NULL;
	size_t at = 0;
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT)
		data = malloc(st.st_size ? (size_t)st.st_size : 1);
	while (data && at < (size_t)st.st_size) {
		ssize_t n = read(fd, data + at, (size_t)st.st_size - at);

		if (n <= 0) {
			free(data);
			data = NULL;
		} else {
			at += (size_t)n;
		}
	}
	close(fd);
	*len = (uint32_t)at;
	return data;
}

/* NULL: there is no such file (or no memory for it). */
static const struct file *find(const char *path)
{
	uint32_t hash = 2166136261u;
	struct file *f = NULL;

	for (const char *p = path; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	for (uint32_t i = 0; i < NFILES; i++) {
		f = &files[(hash + i) % NFILES];
		if (!f->path || strcmp(f->path, path) == 0)
			break;
		f = NULL;
	}
	if (!f || f->path)
		return f;
	f->data = read_file(path, &f->len);
	if (!f->data)
		return NULL;
	f->path = strdup(path);
	f->type = type_of(path);
	if (f->path)
		return f;
	free(f->data);
	return NULL;
}

/* ---- answers ---- */

static void body_release(struct ixev_buf *buf)
{
	struct body *b = (struct body *)buf;

	b->buf.next = (struct ixev_buf *)free_bodies;
	free_bodies = b;
}

static struct body *body_get(void)
{
	struct body *b = free_bodies;

	if (!b)
		return malloc(sizeof(*b));
	free_bodies = (struct body *)b->buf.next;
	return b;
}

static bool send_header(struct conn *c, int status, const char *reason, const char *type,
			uint32_t len)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\nServer: ix\r\nContent-Type: %s\r\n"
			 "Content-Length: %u\r\n%s\r\n",
			 status, reason, type, len, c->closing ? "Connection: close\r\n" : "");

	return ixev_send(&c->ctx, head, (size_t)n) == n;
}

static bool send_error(struct conn *c, int status, const char *reason, bool head_only)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%d %s\n", status, reason);

	return send_header(c, status, reason, "text/plain", (uint32_t)n) &&
	       (head_only || ixev_send(&c->ctx, text, (size_t)n) == n);
}

static bool send_file(struct conn *c, const struct file *f, bool head_only)
{
	struct body *b;

	if (!send_header(c, 200, "OK", f->type, f->len))
		return false;
	if (head_only)
		return true;
	b = body_get();
	if (!b)
		return false;
	b->buf = (struct ixev_buf){.data = f->data, .len = f->len, .release = body_release};
	if (ixev_send_zc(&c->ctx, &b->buf) == 0)
		return true;
	body_release(&b->buf);
	return false;
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

/* Answers one request. False: the connection cannot go on. */
static bool serve(struct conn *c, const char *head)
{
	const char *target = strchr(head, ' ');
	const char *version = target ? strchr(target + 1, ' ') : NULL;
	const char *connection = field(head, "Connection");
	const char *body = field(head, "Content-Length");
	bool is_head = strncmp(head, "HEAD ", 5) == 0;
	const struct file *f;
	char path[PATH_LEN];

	if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0) {
		c->closing = true;
		return send_error(c, 400, "Bad Request", false);
	}
	/* HTTP/1.0 ends by default, 1.1 goes on (RFC 9112 9.3). */
	c->closing = version[8] == '0' ? !has_token(connection, "keep-alive")
				       : has_token(connection, "close");
	if (body || field(head, "Transfer-Encoding")) {
		c->closing = c->closing || !body || atoi(body) != 0; /* nobody reads it */
		if (c->closing)
			return send_error(c, 413, "Content Too Large", is_head);
	}
	if (!is_head && strncmp(head, "GET ", 4) != 0)
		return send_error(c, 405, "Method Not Allowed", false);
	if (!decode(path, target + 1, (size_t)(version - target - 1)))
		return send_error(c, 400, "Bad Request", is_head);
	f = find(path);
	return f ? send_file(c, f, is_head) : send_error(c, 404, "Not Found", is_head);
}

/* Keeps what is left of the input for the next time. */
static bool save(struct conn *c, const char *data, size_t len)
{
	free(c->partial);
	c->partial = len ? malloc(len) : NULL;
	c->len = len;
	if (c->partial)
		memcpy(c->partial, data, len);
	return !len || c->partial;
}

static void conn_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct conn *c = (struct conn *)ctx;
	char in[REQUEST_MAX * 2];
	size_t len = c->len, at = 0;
	ssize_t n;
	bool ok = true, full = false;

	if (events & IXEV_HUP) {
		ixev_close(ctx);
		return;
	}
	memcpy(in, c->partial ? c->partial : "", len);
	n = ixev_recv(ctx, in + len, sizeof(in) - 1 - len);
	if (n > 0)
		len += (size_t)n;
	while (ok && !c->closing) {
		char *end;

		in[len] = '\0';
		end = strstr(in + at, "\r\n\r\n");
		full = end && !(ixev_levels(ctx) & IXEV_OUT);
		if (!end || full)
			break;
		end[2] = '\0';
		ok = serve(c, in + at);
		at = (size_t)(end + 4 - in);
	}
	if (ok && !c->closing && !full && len - at > REQUEST_MAX) {
		c->closing = true;
		ok = send_error(c, 431, "Request Header Fields Too Large", false);
	}
	if (!ok || !save(c, in + at, len - at))
		ixev_abort(ctx); /* out of memory, or reset by the peer */
	else if (c->closing || (n == 0 && !full))
		ixev_close(ctx);
	else
		ixev_set_mask(ctx, full ? IXEV_OUT : IXEV_IN);
}

static void conn_release(struct ixev_ctx *ctx)
{
	struct conn *c = (struct conn *)ctx;

	free(c->partial);
	free(c);
}

static const struct ixev_ops conn_ops = {.event = conn_event, .release = conn_release};

static struct ixev_ctx *conn_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct conn *c = calloc(1, sizeof(*c));

	(void)tuple;
	if (!c)
		return NULL;
	ixev_init(l->base, &c->ctx, &conn_ops);
	return &c->ctx;
}

/* ---- threads ---- */

static void *serve_core(void *arg)
{
	struct ixev_listener listener = {.accept = conn_accept};
	struct ixev *base = arg;
	long err = base ? 0 : ixev_open(&base, NULL);

	if (err == 0)
		err = ixev_listen(base, &listener, &ix_ip_any, port, 0);
	if (err == 0) {
		printf("httpd: core %u serves %s on port %u\n", ixev_info(base)->core, root, port);
		err = ixev_loop(base);
	}
	fprintf(stderr, "httpd: %s\n", strerror((int)-err));
	exit(1);
}

int main(int argc, char **argv)
{
	static const struct option no_long[] = {{0}};
	struct ixev *base;
	pthread_t t;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "p:", no_long, NULL)) == 'p')
		port = (uint16_t)atoi(optarg);
	if (opt != -1 || optind + 1 != argc) {
		fprintf(stderr, "usage: httpd [-p PORT] DIRECTORY\n");
		return 2;
	}
	root = argv[optind];
	err = ixev_open(&base, NULL);
	if (err < 0) {
		fprintf(stderr, "httpd: attach: %s\n", strerror(-err));
		return 1;
	}
	for (uint32_t i = 1; i < ixev_info(base)->ncores; i++)
		if (pthread_create(&t, NULL, serve_core, NULL) != 0)
			return 1;
	serve_core(base);
}
