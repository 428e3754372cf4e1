/* SPDX-License-Identifier: MIT */
#include "linux-control/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1ull << 30) /* bytes of one file */

static int read_whole(struct ix_load_bytes *out, const char *path, char why[256])
{
	struct stat st;
	char *data = NULL;
	size_t have = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;

	if (fd < 0 || fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if ((unsigned long long)st.st_size > FILE_MAX)
		err = -EFBIG;
	else if (!(data = malloc(st.st_size ? (size_t)st.st_size : 1)))
		err = -ENOMEM;
	while (!err && have < (size_t)st.st_size) {
		ssize_t n = read(fd, data + have, (size_t)st.st_size - have);

		if (n < 0 && errno != EINTR)
			err = -errno;
		else if (!n)
			err = -EIO; /* it shrank */
		else if (n > 0)
			have += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (err) {
		free(data);
		snprintf(why, 256, "%.180s: %s", path,
			 err == -EINVAL ? "not an ordinary file" : strerror(-err));
		return err;
	}
	*out = (struct ix_load_bytes){data, have};
	return 0;
}

/* Strings one after the other, each with its NUL. */
static int join(struct ix_load_bytes *out, const char *first, const struct conf_words *words)
{
	size_t size = first ? strlen(first) + 1 : 0;
	char *data, *p;

	for (unsigned int i = 0; i < words->count; i++)
		size += strlen(words->word[i]) + 1;
	data = p = malloc(size ? size : 1);
	if (!data)
		return -ENOMEM;
	if (first)
		p = stpcpy(p, first) + 1;
	for (unsigned int i = 0; i < words->count; i++)
		p = stpcpy(p, words->word[i]) + 1;
	*out = (struct ix_load_bytes){data, size};
	return 0;
}

/* The archive that the dataplane gets as its files. */
struct archive {
	char *data;
	size_t used, room;
};

/* data NULL: a directory. */
static int add(struct archive *a, const char *name, const void *data, uint64_t size)
{
	size_t room = a->used + size + strlen(name) + 1024; /* header, padding, trailer */
	char *grown = room > a->room ? realloc(a->data, room) : a->data;

	if (!grown)
		return -ENOMEM;
	a->data = grown;
	if (room > a->room)
		a->room = room;
	return ix_cpio_add(a->data, a->room, &a->used, name, data, size);
}

/* PATH of HOST=PATH, without the root directory. */
static const char *inside_of(const char *pair)
{
	const char *inside = strchr(pair, '=') + 1;

	while (*inside == '/')
		inside++;
	return inside;
}

/* The directories above file i, as far as files before it have not brought them along. */
static int add_directories(struct archive *a, const struct conf_words *files, unsigned int i)
{
	const char *path = inside_of(files->word[i]);
	int err = 0;

	for (const char *end = strchr(path, '/'); end && !err; end = strchr(end + 1, '/')) {
		size_t n = (size_t)(end - path);
		unsigned int k = 0;
		char *name;

		while (k < i && strncmp(inside_of(files->word[k]), path, n + 1) != 0)
			k++;
		if (k < i)
			continue;
		name = strndup(path, n);
		err = name ? add(a, name, NULL, 0) : -ENOMEM;
		free(name);
	}
	return err;
}

static int add_file(struct archive *a, const struct conf_words *files, unsigned int i,
		    char why[256])
{
	const char *pair = files->word[i], *inside = inside_of(pair);
	struct ix_load_bytes file;
	char host[4096];
	int err;

	snprintf(host, sizeof(host), "%.*s", (int)(strchr(pair, '=') - pair), pair);
	if (!*inside) {
		snprintf(why, 256, "file = %.180s: say what it is called in the dataplane", pair);
		return -EINVAL;
	}
	err = read_whole(&file, host, why);
	if (err)
		return err;
	err = add_directories(a, files, i);
	if (!err)
		err = add(a, inside, file.data, file.size);
	free((void *)file.data);
	if (err)
		snprintf(why, 256, "file = %.180s: %s", pair, strerror(-err));
	return err;
}

static int archive_files(struct ix_load_bytes *out, const struct conf_words *files, char why[256])
{
	struct archive a = {0};
	int err = 0;

	if (!files->count)
		return 0;
	for (unsigned int i = 0; i < files->count && !err; i++)
		err = add_file(&a, files, i, why);
	if (!err)
		err = ix_cpio_add(a.data, a.room, &a.used, NULL, NULL, 0);
	if (err)
		free(a.data);
	else
		*out = (struct ix_load_bytes){a.data, a.used};
	return err;
}

int image_read(struct image *image, const struct conf *conf, const char *kernel, char why[256])
{
	int err;

	memset(image, 0, sizeof(*image));
	snprintf(why, 256, "out of memory");
	err = read_whole(&image->kernel, conf->kernel ? conf->kernel : kernel, why);
	if (!err)
		err = read_whole(&image->app, conf->application, why);
	if (!err)
		err = join(&image->args, conf->application, &conf->arguments);
	if (!err)
		err = join(&image->env, NULL, &conf->environment);
	if (!err)
		err = archive_files(&image->files, &conf->files, why);
	if (err)
		image_free(image);
	return err;
}

void image_free(struct image *image)
{
	free((void *)image->kernel.data);
	free((void *)image->app.data);
	free((void *)image->args.data);
	free((void *)image->env.data);
	free((void *)image->files.data);
	memset(image, 0, sizeof(*image));
}
