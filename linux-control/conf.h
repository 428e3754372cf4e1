/* SPDX-License-Identifier: MIT
 *
 * The description of a dataplane: a text file of lines `key = value` (ixctl.conf(5)).
 */
#ifndef LINUX_CONTROL_CONF_H
#define LINUX_CONTROL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_SIZE_MAX  (64u << 10) /* bytes of a file */
#define CONF_NAME_MAX  31
#define CONF_CORES_MAX 64
#define CONF_NICS_MAX  8
#define CONF_WORDS_MAX 128          /* arguments, environment entries, files: each */
#define CONF_UNIT      (2ull << 20) /* memory comes in units of this */

/* Where a file is wrong and what to do about it. line and column count from 1; line 0: all of it. */
struct conf_error {
	unsigned int line, column;
	char text[200];
};

struct conf_nic {
	bool virtual_function; /* a software VF that the hypervisor makes; else a PCI function: */
	uint16_t segment;
	uint16_t bdf; /* bus << 8 | device << 3 | function */
};

struct conf_words {
	unsigned int count;
	char *word[CONF_WORDS_MAX];
};

struct conf {
	char name[CONF_NAME_MAX + 1];
	uint64_t memory;     /* bytes, multiple of CONF_UNIT */
	unsigned int ncores; /* how many */
	bool chosen;         /* cpu[] says which Linux CPUs; else any but CPU 0 */
	unsigned int cpu[CONF_CORES_MAX];
	unsigned int nnics;
	struct conf_nic nic[CONF_NICS_MAX];
	char *kernel; /* path, NULL: the installed one */
	char *application;
	struct conf_words arguments;   /* without the program's name */
	struct conf_words environment; /* NAME=value */
	struct conf_words files;       /* HOST=PATH: file of Linux, its path in the dataplane */
	char *config;       /* for the guest: the file with the lines above made empty, so */
	size_t config_size; /* that line numbers in the guest's messages are the file's */
};

/*
 * Parses `size` bytes of text. Returns 0, with *conf to be freed by conf_free(), or -EINVAL with
 * *error filled in, or -ENOMEM; then nothing is to be freed.
 */
int conf_parse(struct conf *conf, const char *text, size_t size, struct conf_error *error);
void conf_free(struct conf *conf);

/* "DDDD:BB:DD.F" or "BB:DD.F". Returns 0 or -EINVAL. */
int conf_pci_address(struct conf_nic *nic, const char *text);

/* Is `name` fit to name a dataplane: letters, digits, '-', '_', '.', a letter or digit first? */
bool conf_name_ok(const char *name);

#endif
