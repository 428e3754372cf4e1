/* SPDX-License-Identifier: MIT */
#include "hv/lib/cmdline.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

#define WORD_MAX 64
#define UNIT_2M  (2ull << 20)

/* Reads a number and moves *text behind it; false when there is none or it needs over 64 bits. */
static bool take_number(const char **text, uint64_t *value)
{
	const char *s = *text;
	uint64_t base = 10, v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	*text = s;
	for (;; s++) {
		uint64_t digit;

		if (*s >= '0' && *s <= '9')
			digit = *s - '0';
		else if (base == 16 && (*s | 0x20) >= 'a' && (*s | 0x20) <= 'f')
			digit = (*s | 0x20) - 'a' + 10;
		else
			break;
		if (v > (UINT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
	}
	if (s == *text)
		return false;
	*text = s;
	*value = v;
	return true;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	uint64_t v;

	if (!take_number(&text, &v))
		return false;
	for (unsigned int i = 0; *text && units[i]; i++) {
		if ((*text & ~0x20) != units[i])
			continue;
		if (v > UINT64_MAX >> 10 * (i + 1))
			return false;
		v <<= 10 * (i + 1);
		text++;
		break;
	}
	*bytes = v;
	return !*text;
}

static const char *set_console(const char *value, struct cmdline_options *o)
{
	static const uint16_t com[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
	uint64_t port, baud = 115200;

	if (!strcmp(value, "none")) {
		o->console_port = 0;
		return NULL;
	}
	if (!strncmp(value, "com", 3) && value[3] >= '1' && value[3] <= '4') {
		port = com[value[3] - '1'];
		value += 4;
	} else if (!take_number(&value, &port)) {
		return "not com1 to com4, a port or none";
	}
	if (port < 0x100 || port > 0xfff8 || port % 8)
		return "not a serial port address";
	if (*value == ',') {
		value++;
		if (!take_number(&value, &baud))
			return "no speed after the comma";
		/* The 16550 divides 115200 by a 16-bit number. */
		if (!baud || 115200 % baud || 115200 / baud > 0xffff)
			return "speed does not divide 115200";
		if (!strcmp(value, "n8"))
			value += 2;
	}
	if (*value)
		return "only 8 data bits without parity (n8) are supported";
	o->console_port = port;
	o->console_baud = baud;
	return NULL;
}

static const char *set_ixmem(const char *value, struct cmdline_options *o)
{
	uint64_t bytes;

	if (!parse_size(value, &bytes))
		return "not a size";
	if (!is_aligned(bytes, UNIT_2M))
		return "not a multiple of 2M";
	o->ixmem = bytes;
	o->ixmem_given = true;
	return NULL;
}

static const char *set_loglevel(const char *value, struct cmdline_options *o)
{
	uint64_t level;

	if (!take_number(&value, &level) || *value || level > 7)
		return "not a number from 0 to 7";
	o->loglevel = level;
	return NULL;
}

static const char *set_preflight(const char *value, struct cmdline_options *o)
{
	(void)value;
	o->preflight = true;
	return NULL;
}

static const char *set_nox2apic(const char *value, struct cmdline_options *o)
{
	(void)value;
	o->nox2apic = true;
	return NULL;
}

static const char *set_test(const char *value, struct cmdline_options *o)
{
	static const char *const names[] = {
	    [TEST_PANIC] = "panic",         [TEST_READ] = "read",
	    [TEST_TEXT] = "text",           [TEST_RODATA] = "rodata",
	    [TEST_DIRECT] = "direct",       [TEST_EXEC] = "exec",
	    [TEST_STACK] = "stack",         [TEST_NMI] = "nmi",
	    [TEST_LAST_CORE] = "last-core", [TEST_BAD_ENTRY] = "bad-entry",
	    [TEST_ENTRIES] = "entries",
	};

	for (enum fault_test t = TEST_PANIC; t <= TEST_ENTRIES; t++) {
		if (strcmp(value, names[t]) != 0)
			continue;
		o->test = t;
		return NULL;
	}
	return "no such test";
}

static const char *set_vfs(const char *value, struct cmdline_options *o)
{
	uint64_t n;

	if (!take_number(&value, &n) || *value || n > 32)
		return "not a number from 0 to 32";
	o->vfs = n;
	return NULL;
}

static const struct option {
	const char *name;
	bool takes_value;
	const char *(*set)(const char *value,
			   struct cmdline_options *o); /* NULL, or what is wrong */
} option_table[] = {
    {"console", true, set_console},
    {"ixmem", true, set_ixmem},
    {"loglevel", true, set_loglevel},
    {"preflight", false, set_preflight},
    {"nox2apic", false, set_nox2apic},
    {"test", true, set_test},
    {"vfs", true, set_vfs},
};

static const char *set_option(char *word, struct cmdline_options *o)
{
	char *value = word;

	while (*value && *value != '=')
		value++;
	for (size_t i = 0; i < sizeof(option_table) / sizeof(option_table[0]); i++) {
		const struct option *opt = &option_table[i];

		if (strlen(opt->name) != (size_t)(value - word) ||
		    strncmp(opt->name, word, value - word))
			continue;
		if (opt->takes_value != (*value == '='))
			return opt->takes_value ? "needs a value" : "takes no value";
		return opt->set(opt->takes_value ? value + 1 : value, o);
	}
	return "unknown option";
}

/*
 * Copies the word at *line without its quotes into `word` and moves *line behind it. Returns NULL,
 * or what is wrong with it; *line has then moved all the same.
 */
static const char *take_word(const char **line, char word[WORD_MAX])
{
	const char *s = *line, *why = NULL;
	char quote = 0;
	size_t n = 0;

	for (; *s && (quote || *s != ' '); s++) {
		if (*s == quote) {
			quote = 0;
			continue;
		}
		if (!quote && (*s == '"' || *s == '\'')) {
			quote = *s;
			continue;
		}
		if (*s == '\\' && s[1])
			s++;
		if (n < WORD_MAX - 1)
			word[n++] = *s;
		else
			why = "too long";
	}
	word[n] = '\0';
	*line = s;
	return quote ? "quote not closed" : why;
}

int cmdline_parse(const char *line, struct cmdline_options *options, struct cmdline_errors *errors)
{
	const char *s = line;

	*options = (struct cmdline_options){
	    .console_port = 0x3f8,
	    .console_baud = 115200,
	    .loglevel = 6,
	};
	memset(errors, 0, sizeof(*errors));
	for (;;) {
		char word[WORD_MAX];
		const char *start, *why;

		while (*s == ' ')
			s++;
		if (!*s)
			return errors->count ? -EINVAL : 0;
		start = s;
		why = take_word(&s, word);
		if (!why)
			why = set_option(word, options);
		if (!why)
			continue;
		if (errors->count < CMDLINE_ERRORS_MAX)
			errors->error[errors->count] =
			    (struct cmdline_error){start - line, s - start, why};
		errors->count++;
	}
}
