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

/* Adds one HOST=PATH to the archive, growing it. */
static int add_file(char **archive, size_t *used, size_t *room, const char *pair, char why[256])
{
	struct ix_load_bytes file;
	const char *inside = strchr(pair, '=');
	char host[4096];
	char *grown;
	int err;

	snprintf(host, sizeof(host), "%.*s", (int)(inside - pair), pair);
	for (inside++; *inside == '/'; inside++)
		;
	if (!*inside) {
		snprintf(why, 256, "file = %.180s: say what it is called in the dataplane", pair);
		return -EINVAL;
	}
	err = read_whole(&file, host, why);
	if (err)
		return err;
	grown = realloc(*archive, *room + file.size + strlen(inside) + 1024);
	if (grown) {
		*archive = grown;
		*room += file.size + strlen(inside) + 1024;
		err = ix_cpio_add(*archive, *room, used, inside, file.data, file.size);
	} else {
		err = -ENOMEM;
	}
	free((void *)file.data);
	if (err)
		snprintf(why, 256, "file = %.180s: %s", pair, strerror(-err));
	return err;
}

static int archive_files(struct ix_load_bytes *out, const struct conf_words *files, char why[256])
{
	size_t used = 0, room = 1024;
	char *archive;
	int err = 0;

	if (!files->count)
		return 0;
	archive = malloc(room);
	if (!archive)
		return -ENOMEM;
	for (unsigned int i = 0; i < files->count && !err; i++)
		err = add_file(&archive, &used, &room, files->word[i], why);
	if (!err)
		err = ix_cpio_add(archive, room, &used, NULL, NULL, 0);
	if (err)
		free(archive);
	else
		*out = (struct ix_load_bytes){archive, used};
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
