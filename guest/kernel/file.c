/* SPDX-License-Identifier: MIT
 *
 * File descriptors.
 */
#include <errno.h>
#include <stdbool.h>

#include "guest/kernel/console.h"
#include "guest/kernel/cpio.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/file.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"
#include "guest/kernel/string.h"
#include "guest/kernel/uaccess.h"
#include "guest/kernel/uvm.h"

#define MAX_FD    64
#define MAX_FILES 1024
#define MAX_PIPES 16
#define PIPE_SIZE 4096
#define MAX_PATH  256
#define MAX_IOV   1024

/* As Linux has them. */
#define AT_FDCWD        -100
#define AT_EMPTY_PATH   0x1000
#define O_ACCMODE       3
#define O_CREAT         0100
#define O_NONBLOCK      04000
#define O_DIRECTORY     0200000
#define O_CLOEXEC       02000000
#define EFD_SEMAPHORE   1
#define S_IFMT          0170000
#define S_IFDIR         0040000
#define S_IFCHR         0020000
#define S_IFREG         0100000
#define S_IFIFO         0010000
#define DT_DIR          4
#define DT_REG          8
#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_DUPFD_CLOEXEC 1030
#define TIOCGWINSZ      0x5413
#define FIONBIO         0x5421
#define W_OK            2

enum kind {
	KIND_NONE,
	KIND_CONSOLE,
	KIND_FILE,
	KIND_PIPE_READ,
	KIND_PIPE_WRITE,
	KIND_EVENT
};

/* A pipe, or the counter of an eventfd. */
struct pipe {
	unsigned readers, writers; /* descriptors; both 0: free */
	uint64_t count;            /* bytes in data, or the counter */
	uint32_t head;
	int changes; /* atomic: who waits, waits for this to change */
	bool semaphore;
	char data[PIPE_SIZE];
};

struct fd {
	enum kind kind;
	uint32_t flags; /* O_NONBLOCK */
	uint32_t file;  /* KIND_FILE: index in files[] */
	uint64_t pos;
	struct pipe *pipe;
};

static struct cpio_file files[MAX_FILES]; /* [0] is the root directory */
static unsigned nfiles;
static struct fd fds[MAX_FD] = {
    {KIND_CONSOLE, 0, 0, 0, NULL}, {KIND_CONSOLE, 0, 0, 0, NULL}, {KIND_CONSOLE, 0, 0, 0, NULL}};
static struct pipe pipes[MAX_PIPES];
static struct lock file_lock; /* all of the above; never held while waiting */

void files_init(const void *archive, size_t size)
{
	size_t at = 0;
	int more = 0;

	files[0] = (struct cpio_file){.name = "", .mode = S_IFDIR | 0555, .ino = 1};
	nfiles = 1;
	while (size && nfiles < MAX_FILES &&
	       (more = cpio_next(archive, size, &at, &files[nfiles])) > 0)
		nfiles += strcmp(files[nfiles].name, ".") != 0;
	if (more < 0)
		say("file image: damaged at byte %zu; %u files are usable", at, nfiles - 1);
	else if (more > 0)
		say("file image: only the first %u files are usable", nfiles - 1);
}

/* ---- names ---- */

/* Brings "/a//b/./c/" to "a/b/c". ".." is not followed. */
static int clean_path(char *path)
{
	char *out = path, *in = path;

	while (*in) {
		while (*in == '/')
			in++;
		size_t n = 0;

		while (in[n] && in[n] != '/')
			n++;
		if (n == 2 && in[0] == '.' && in[1] == '.')
			return -ENOENT;
		if (n && !(n == 1 && in[0] == '.')) {
			if (out != path)
				*out++ = '/';
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	*out = '\0';
	return 0;
}

/* Index of the file that a user's path names, or an error. */
static int64_t find(uint64_t dir, uint64_t upath, char path[MAX_PATH])
{
	size_t n = 0;

	for (;; n++) {
		if (n == MAX_PATH)
			return -ENAMETOOLONG;
		int err = copy_from_user(&path[n], upath + n, 1);

		if (err)
			return err;
		if (!path[n])
			break;
	}
	if (n == 0)
		return -ENOENT;
	if (path[0] != '/' && (int)dir != AT_FDCWD)
		return -ENOTDIR;
	if (clean_path(path))
		return -ENOENT;
	for (unsigned i = 0; i < nfiles; i++)
		if (strcmp(files[i].name, path) == 0)
			return i;
	return -ENOENT;
}

/* ---- descriptors ---- */

static int64_t new_fd(struct fd fd, uint64_t lowest)
{
	for (uint64_t i = lowest; i < MAX_FD; i++) {
		if (fds[i].kind == KIND_NONE) {
			fds[i] = fd;
			return (int64_t)i;
		}
	}
	return -EMFILE;
}

static struct fd *get_fd(uint64_t fd)
{
	return fd < MAX_FD && fds[fd].kind != KIND_NONE ? &fds[fd] : NULL;
}

static struct pipe *new_pipe(void)
{
	for (unsigned i = 0; i < MAX_PIPES; i++) {
		struct pipe *p = &pipes[i];

		if (p->readers == 0 && p->writers == 0) {
			p->count = 0;
			p->head = 0;
			p->semaphore = false;
			return p;
		}
	}
	return NULL;
}

static void hold(const struct fd *f, int by)
{
	if (f->kind == KIND_PIPE_READ || f->kind == KIND_EVENT)
		f->pipe->readers += (unsigned)by;
	if (f->kind == KIND_PIPE_WRITE || f->kind == KIND_EVENT)
		f->pipe->writers += (unsigned)by;
	if (f->pipe)
		f->pipe->changes++;
}

int64_t sys_openat(uint64_t dir, uint64_t upath, uint64_t flags)
{
	char path[MAX_PATH];
	int64_t i = find(dir, upath, path);

	if (i < 0)
		return i == -ENOENT && (flags & O_CREAT) ? -EROFS : i;
	bool is_dir = (files[i].mode & S_IFMT) == S_IFDIR;

	if (flags & O_ACCMODE)
		return is_dir ? -EISDIR : -EROFS;
	if ((flags & O_DIRECTORY) && !is_dir)
		return -ENOTDIR;
	lock(&file_lock);
	i = new_fd((struct fd){KIND_FILE, (uint32_t)flags & O_NONBLOCK, (uint32_t)i, 0, NULL}, 0);
	unlock(&file_lock);
	return i;
}

int64_t sys_close(uint64_t fd)
{
	int64_t err = -EBADF;

	lock(&file_lock);
	struct fd *f = get_fd(fd);

	if (f) {
		hold(f, -1);
		*f = (struct fd){0};
		err = 0;
	}
	unlock(&file_lock);
	process_notify(); /* the other end of a pipe may have waited */
	return err;
}

int64_t sys_dup(uint64_t from, uint64_t to, uint64_t lowest)
{
	int64_t ret = -EBADF;

	lock(&file_lock);
	struct fd *f = get_fd(from);

	if (f && lowest != UINT64_MAX) {
		ret = new_fd(*f, lowest);
		if (ret >= 0)
			hold(f, 1);
	} else if (f && to < MAX_FD) {
		if (to != from) {
			struct fd copy = *f;

			hold(&copy, 1);
			if (fds[to].kind != KIND_NONE)
				hold(&fds[to], -1);
			fds[to] = copy;
		}
		ret = (int64_t)to;
	}
	unlock(&file_lock);
	return ret;
}

int64_t sys_fcntl(uint64_t fd, uint64_t what, uint64_t arg)
{
	int64_t ret = -EINVAL;

	if (what == F_DUPFD || what == F_DUPFD_CLOEXEC)
		return arg < MAX_FD ? sys_dup(fd, 0, arg) : -EINVAL;
	lock(&file_lock);
	struct fd *f = get_fd(fd);

	if (!f)
		ret = -EBADF;
	else if (what == F_GETFD || what == F_SETFD)
		ret = 0; /* there is no exec */
	else if (what == F_GETFL)
		ret = f->flags | (f->kind == KIND_PIPE_WRITE                         ? 1
				  : f->kind == KIND_CONSOLE || f->kind == KIND_EVENT ? 2
										     : 0);
	else if (what == F_SETFL) {
		f->flags = (uint32_t)arg & O_NONBLOCK;
		ret = 0;
	}
	unlock(&file_lock);
	return ret;
}

int64_t sys_ioctl(uint64_t fd, uint64_t what, uint64_t arg)
{
	static const uint16_t winsize[4] = {25, 80, 0, 0};

	lock(&file_lock);
	struct fd *f = get_fd(fd);
	enum kind kind = f ? f->kind : KIND_NONE;

	unlock(&file_lock);
	if (kind == KIND_NONE)
		return -EBADF;
	/* C libraries ask this to learn whether to buffer by lines. */
	if (kind == KIND_CONSOLE && what == TIOCGWINSZ)
		return copy_to_user(arg, winsize, sizeof(winsize));
	if (what == FIONBIO) {
		int on;

		if (get_user(on, arg))
			return -EFAULT;
		return sys_fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0);
	}
	return -ENOTTY;
}

/* ---- reading and writing ---- */

static int64_t read_file(const struct cpio_file *file, uint64_t pos, uint64_t buf, uint64_t n)
{
	if ((file->mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	if (pos >= file->size)
		return 0;
	n = n < file->size - pos ? n : file->size - pos;
	return copy_to_user(buf, file->data + pos, n) ? -EFAULT : (int64_t)n;
}

int64_t file_read_at(uint64_t fd, uint64_t off, uint64_t to, uint64_t len)
{
	lock(&file_lock);
	struct fd *f = get_fd(fd);
	const struct cpio_file *file = f && f->kind == KIND_FILE ? &files[f->file] : NULL;

	unlock(&file_lock);
	if (!file || (file->mode & S_IFMT) != S_IFREG)
		return f ? -EACCES : -EBADF;
	if (off >= file->size)
		return 0;
	len = len < file->size - off ? len : file->size - off;
	for (uint64_t done = 0, part; done < len; done += part) {
		uint64_t room = PAGE_SIZE - ((to + done) & (PAGE_SIZE - 1));
		void *p = uvm_kernel_address(to + done, false);

		part = len - done < room ? len - done : room;
		if (!p)
			return -EFAULT;
		memcpy(p, file->data + off + done, part);
	}
	return (int64_t)len;
}

/* One try under the lock; -EAGAIN: nothing there yet. */
static int64_t pipe_read(struct pipe *p, uint64_t buf, uint64_t n)
{
	if (n == 0)
		return 0;
	if (p->count == 0)
		return p->writers ? -EAGAIN : 0;
	n = n < p->count ? n : p->count;
	uint64_t first = n < PIPE_SIZE - p->head ? n : PIPE_SIZE - p->head;

	if (copy_to_user(buf, p->data + p->head, first) ||
	    copy_to_user(buf + first, p->data, n - first))
		return -EFAULT;
	p->head = (uint32_t)((p->head + n) % PIPE_SIZE);
	p->count -= n;
	return (int64_t)n;
}

static int64_t pipe_write(struct pipe *p, uint64_t buf, uint64_t n)
{
	uint32_t tail = (uint32_t)((p->head + p->count) % PIPE_SIZE);
	uint64_t room = PIPE_SIZE - p->count;

	if (p->readers == 0)
		return -EPIPE;
	/* A write of up to PIPE_BUF bytes is not split (POSIX write()). */
	if (n == 0)
		return 0;
	if (room == 0 || (n <= PIPE_SIZE && room < n))
		return -EAGAIN;
	n = n < room ? n : room;
	uint64_t first = n < PIPE_SIZE - tail ? n : PIPE_SIZE - tail;

	if (copy_from_user(p->data + tail, buf, first) ||
	    copy_from_user(p->data, buf + first, n - first))
		return -EFAULT;
	p->count += n;
	return (int64_t)n;
}

static int64_t event_read(struct pipe *p, uint64_t buf, uint64_t n)
{
	uint64_t v = p->semaphore ? 1 : p->count;

	if (n < sizeof(v))
		return -EINVAL;
	if (p->count == 0)
		return -EAGAIN;
	if (put_user(buf, v))
		return -EFAULT;
	p->count -= v;
	return sizeof(v);
}

static int64_t event_write(struct pipe *p, uint64_t buf, uint64_t n)
{
	uint64_t v;

	if (n < sizeof(v))
		return -EINVAL;
	if (get_user(v, buf))
		return -EFAULT;
	if (v == UINT64_MAX)
		return -EINVAL;
	if (v > UINT64_MAX - 1 - p->count)
		return -EAGAIN;
	p->count += v;
	return sizeof(v);
}

/* Does it, and waits where it must. */
static int64_t pipe_io(uint64_t fd, uint64_t buf, uint64_t n, bool write)
{
	for (;;) {
		int64_t ret;
		const int *changes = NULL;
		int seen = 0;

		lock(&file_lock);
		struct fd *f = get_fd(fd);

		if (!f)
			ret = -EBADF;
		else if (f->kind == KIND_EVENT)
			ret = (write ? event_write : event_read)(f->pipe, buf, n);
		else if (f->kind == (write ? KIND_PIPE_WRITE : KIND_PIPE_READ))
			ret = (write ? pipe_write : pipe_read)(f->pipe, buf, n);
		else
			ret = -EBADF;
		if (ret >= 0)
			f->pipe->changes++;
		if (ret == -EAGAIN && !(f->flags & O_NONBLOCK)) {
			changes = &f->pipe->changes;
			seen = *changes;
		}
		unlock(&file_lock);
		if (ret >= 0)
			process_notify();
		if (!changes)
			return ret;
		process_wait(changes, seen, UINT64_MAX);
	}
}

int64_t sys_read(uint64_t fd, uint64_t buf, uint64_t n)
{
	int64_t ret;

	lock(&file_lock);
	struct fd *f = get_fd(fd);
	enum kind kind = f ? f->kind : KIND_NONE;

	if (kind == KIND_FILE) {
		ret = read_file(&files[f->file], f->pos, buf, n);
		if (ret > 0)
			f->pos += (uint64_t)ret;
	} else {
		ret = kind == KIND_NONE ? -EBADF : 0; /* the console has no input: end of file */
	}
	unlock(&file_lock);
	return kind == KIND_FILE || kind == KIND_CONSOLE || kind == KIND_NONE
		   ? ret
		   : pipe_io(fd, buf, n, false);
}

int64_t sys_pread(uint64_t fd, uint64_t buf, uint64_t n, uint64_t off)
{
	lock(&file_lock);
	struct fd *f = get_fd(fd);
	int64_t ret = !f                     ? -EBADF
		      : (int64_t)off < 0     ? -EINVAL
		      : f->kind == KIND_FILE ? read_file(&files[f->file], off, buf, n)
					     : -ESPIPE;

	unlock(&file_lock);
	return ret;
}

static int64_t console_from_user(uint64_t buf, uint64_t n)
{
	struct cpu *c = this_cpu();
	uint64_t done = 0;

	while (done < n) {
		uint64_t part = n - done < sizeof(c->bounce) ? n - done : sizeof(c->bounce);

		if (copy_from_user(c->bounce, buf + done, part))
			return done ? (int64_t)done : -EFAULT;
		console_write(c->bounce, part);
		done += part;
	}
	return (int64_t)n;
}

int64_t sys_write(uint64_t fd, uint64_t buf, uint64_t n)
{
	lock(&file_lock);
	struct fd *f = get_fd(fd);
	enum kind kind = f ? f->kind : KIND_NONE;

	unlock(&file_lock);
	if (!user_range_ok(buf, n))
		return kind == KIND_NONE ? -EBADF : -EFAULT;
	if (kind == KIND_CONSOLE)
		return console_from_user(buf, n);
	if (kind == KIND_NONE || kind == KIND_FILE || kind == KIND_PIPE_READ)
		return -EBADF;
	return pipe_io(fd, buf, n, true);
}

static int64_t vector_io(uint64_t fd, uint64_t iov, uint64_t n, bool write)
{
	int64_t total = 0;

	if (n > MAX_IOV)
		return -EINVAL;
	for (uint64_t i = 0; i < n; i++) {
		struct {
			uint64_t base, len;
		} v;

		if (get_user(v, iov + i * sizeof(v)))
			return total ? total : -EFAULT;
		if (v.len == 0)
			continue;
		if ((int64_t)v.len < 0)
			return total ? total : -EINVAL;
		int64_t ret = (write ? sys_write : sys_read)(fd, v.base, v.len);

		if (ret < 0)
			return total ? total : ret;
		total += ret;
		if ((uint64_t)ret < v.len)
			break;
	}
	return total;
}

int64_t sys_readv(uint64_t fd, uint64_t iov, uint64_t n)
{
	return vector_io(fd, iov, n, false);
}

int64_t sys_writev(uint64_t fd, uint64_t iov, uint64_t n)
{
	return vector_io(fd, iov, n, true);
}

int64_t sys_lseek(uint64_t fd, uint64_t off, uint64_t whence)
{
	int64_t ret = -EBADF;

	lock(&file_lock);
	struct fd *f = get_fd(fd);

	if (f && f->kind != KIND_FILE) {
		ret = -ESPIPE;
	} else if (f) {
		uint64_t size = files[f->file].size;
		uint64_t from = whence == 0 ? 0 : whence == 1 ? f->pos : size;

		if (whence > 2 || (int64_t)(from + off) < 0) {
			ret = -EINVAL;
		} else {
			f->pos = from + off;
			ret = (int64_t)f->pos;
		}
	}
	unlock(&file_lock);
	return ret;
}

/* ---- attributes ---- */

/* struct stat of Linux on x86-64 */
struct linux_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	uint64_t atime[2], mtime[2], ctime[2];
	uint64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "Linux' struct stat");

static int64_t put_stat(uint64_t to, const struct cpio_file *file, uint32_t mode)
{
	struct linux_stat st = {.nlink = 1, .mode = mode, .blksize = SMALL_PAGE};

	if (file) {
		st.dev = 1;
		st.ino = file->ino;
		st.size = file->size;
		st.blocks = (file->size + 511) / 512;
		st.atime[0] = st.mtime[0] = st.ctime[0] = file->mtime;
	} else if ((mode & S_IFMT) == S_IFCHR) {
		st.rdev = 0x501; /* /dev/console */
	}
	return put_user(to, st);
}

int64_t sys_fstat(uint64_t fd, uint64_t to)
{
	lock(&file_lock);
	const struct fd *f = get_fd(fd);
	enum kind kind = f ? f->kind : KIND_NONE;
	const struct cpio_file *file = kind == KIND_FILE ? &files[f->file] : NULL;

	unlock(&file_lock);
	if (kind == KIND_NONE)
		return -EBADF;
	return put_stat(to, file,
			file                   ? file->mode
			: kind == KIND_CONSOLE ? S_IFCHR | 0620
					       : S_IFIFO | 0600);
}

int64_t sys_fstatat(uint64_t dir, uint64_t upath, uint64_t to, uint64_t flags)
{
	char path[MAX_PATH];
	char first;

	if (flags & AT_EMPTY_PATH) {
		if (get_user(first, upath))
			return -EFAULT;
		if (!first)
			return sys_fstat(dir, to);
	}
	int64_t i = find(dir, upath, path);

	return i < 0 ? i : put_stat(to, &files[i], files[i].mode);
}

int64_t sys_access(uint64_t dir, uint64_t upath, uint64_t mode)
{
	char path[MAX_PATH];
	int64_t i = find(dir, upath, path);

	if (i < 0)
		return i;
	return mode & W_OK ? -EROFS : 0;
}

/* What `name` is within directory `dir`, or NULL if it is not directly in it. */
static const char *child_of(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	if (n) {
		if (strlen(name) <= n || memcmp(dir, name, n) || name[n] != '/')
			return NULL;
		name += n + 1;
	}
	for (const char *p = name; *p; p++)
		if (*p == '/')
			return NULL;
	return *name ? name : NULL;
}

int64_t sys_getdents64(uint64_t fd, uint64_t buf, uint64_t n)
{
	struct {
		uint64_t ino;
		int64_t off;
		uint16_t reclen;
		uint8_t type;
		char name[MAX_PATH + 5];
	} __attribute__((packed)) d;
	const size_t head = 19;
	int64_t done = 0;

	lock(&file_lock);
	struct fd *f = get_fd(fd);

	if (!f || f->kind != KIND_FILE || (files[f->file].mode & S_IFMT) != S_IFDIR) {
		unlock(&file_lock);
		return f ? -ENOTDIR : -EBADF;
	}
	/* Position 0 and 1: "." and ".."; 1 + i: file i. */
	for (uint64_t pos = f->pos; pos < nfiles + 1; f->pos = ++pos) {
		const struct cpio_file *file = pos < 2 ? &files[f->file] : &files[pos - 1];
		const char *s = pos == 0   ? "."
				: pos == 1 ? ".."
					   : child_of(files[f->file].name, file->name);
		size_t len = s ? strlen(s) : 0;

		if (!s || len >= MAX_PATH)
			continue;
		memset(&d, 0, sizeof(d));
		d.ino = file->ino;
		d.off = (int64_t)pos + 1;
		d.reclen = (uint16_t)((head + len + 1 + 7) & ~(size_t)7);
		d.type = (file->mode & S_IFMT) == S_IFDIR ? DT_DIR : DT_REG;
		memcpy(d.name, s, len + 1);
		if ((uint64_t)done + d.reclen > n) {
			done = done ? done : -EINVAL;
			break;
		}
		if (copy_to_user(buf + (uint64_t)done, &d, d.reclen)) {
			done = done ? done : -EFAULT;
			break;
		}
		done += d.reclen;
	}
	unlock(&file_lock);
	return done;
}

int64_t sys_getcwd(uint64_t buf, uint64_t n)
{
	if (n < 2)
		return -ERANGE;
	return copy_to_user(buf, "/", 2) ? -EFAULT : 2;
}

/* ---- pipes and event counters ---- */

int64_t sys_pipe2(uint64_t ufds, uint64_t flags)
{
	int64_t r = -EMFILE, w = -EMFILE;
	uint32_t mode = (uint32_t)flags & O_NONBLOCK;

	if (flags & ~(uint64_t)(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	lock(&file_lock);
	struct pipe *p = new_pipe();

	if (p) {
		r = new_fd((struct fd){KIND_PIPE_READ, mode, 0, 0, p}, 0);
		w = r < 0 ? r : new_fd((struct fd){KIND_PIPE_WRITE, mode, 0, 0, p}, 0);
	}
	if (r >= 0 && w < 0)
		fds[r] = (struct fd){0};
	if (w >= 0)
		p->readers = p->writers = 1;
	unlock(&file_lock);
	if (w < 0)
		return -EMFILE;
	int pair[2] = {(int)r, (int)w};

	if (put_user(ufds, pair)) {
		sys_close((uint64_t)r);
		sys_close((uint64_t)w);
		return -EFAULT;
	}
	return 0;
}

int64_t sys_eventfd2(uint64_t initial, uint64_t flags)
{
	int64_t fd = -EMFILE;

	if (flags & ~(uint64_t)(O_NONBLOCK | O_CLOEXEC | EFD_SEMAPHORE))
		return -EINVAL;
	lock(&file_lock);
	struct pipe *p = new_pipe();

	if (p)
		fd = new_fd((struct fd){KIND_EVENT, (uint32_t)flags & O_NONBLOCK, 0, 0, p}, 0);
	if (fd >= 0) {
		p->readers = p->writers = 1;
		p->count = (uint32_t)initial;
		p->semaphore = flags & EFD_SEMAPHORE;
	}
	unlock(&file_lock);
	return fd;
}
