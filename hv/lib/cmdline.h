/* SPDX-License-Identifier: MIT
 *
 * The hypervisor's command line.
 *
 *   console=PORT[,BAUD[n8]]  com1..com4, an I/O port as 0x3f8, or none; default com1,115200n8
 *   ixmem=SIZE               memory kept for dataplanes, multiple of 2M, with K, M, G or T
 *   loglevel=N               0 (errors only) to 7 (everything), default 6
 *   preflight                print the feature table, then halt
 *   nox2apic                 stay in xAPIC mode
 *   test=FAULT               for tests of the hypervisor: make a mistake on purpose (enum fault_test)
 *   vfs=N                    software 82599 VFs for Linux, 0 to 32, default 0
 *
 * Words are separated by spaces; double or single quotes keep spaces, backslash escapes a character.
 */
#ifndef HV_LIB_CMDLINE_H
#define HV_LIB_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMDLINE_ERRORS_MAX 8

/* test=: what goes wrong while the hypervisor starts. */
enum fault_test {
	TEST_NONE,
	TEST_PANIC,     /* panic: a panic */
	TEST_READ,      /* read: of an address that is not mapped */
	TEST_TEXT,      /* text: a write to the hypervisor's code */
	TEST_RODATA,    /* rodata: a write to its constants */
	TEST_DIRECT,    /* direct: a write to memory that is not the hypervisor's */
	TEST_EXEC,      /* exec: execution of its data */
	TEST_STACK,     /* stack: an overflow */
	TEST_NMI,       /* nmi: one to itself */
	TEST_LAST_CORE, /* last-core: a panic on the last core, all being up */
	TEST_BAD_ENTRY, /* bad-entry: Linux starts with a state that VM entry refuses */
	TEST_ENTRIES,   /* entries: no mistake; each VM entry is judged by vmentry_check() first */
};

struct cmdline_options {
	uint16_t console_port; /* 0: none */
	uint32_t console_baud;
	bool ixmem_given;
	uint64_t ixmem; /* bytes */
	uint32_t loglevel;
	bool preflight;
	bool nox2apic;
	enum fault_test test;
	uint32_t vfs;
};

/* A word of the command line that was refused: line[at .. at + length). */
struct cmdline_error {
	size_t at;
	size_t length;
	const char *why;
};

struct cmdline_errors {
	uint32_t count; /* of all errors; only the first CMDLINE_ERRORS_MAX are kept */
	struct cmdline_error error[CMDLINE_ERRORS_MAX];
};

/*
 * Sets every option, from `line` or to its default; a word that is refused changes nothing and is
 * reported. Returns 0, or -EINVAL when there were errors.
 */
int cmdline_parse(const char *line, struct cmdline_options *options, struct cmdline_errors *errors);

/* Decimal or 0x number with an optional K, M, G or T (powers of 1024); false when it is not one. */
bool parse_size(const char *text, uint64_t *bytes);

#endif
