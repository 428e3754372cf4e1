/* SPDX-License-Identifier: MIT
 *
 * The files of a dataplane, read into memory and laid out by the loader (<ix/loader.h>).
 */
#ifndef LINUX_CONTROL_IMAGE_H
#define LINUX_CONTROL_IMAGE_H

#include <ix/loader.h>

#include "linux-control/conf.h"

struct image {
	struct ix_load_bytes kernel, app, args, env, files; /* all malloc'ed */
};

/* Reads what `conf` names. 0, or -errno with why[] set to a sentence for people. */
int image_read(struct image *image, const struct conf *conf, const char *kernel, char why[256]);
void image_free(struct image *image);

#endif
