/* SPDX-License-Identifier: MIT */
#include "linux-control/conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux-control/conf_keys.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What is being parsed: one line, or the rest of it. */
struct cursor {
	const char *line; /* start of the line */
	const char *at;
	const char *end; /* of the line, without its newline */
	unsigned int number;
	struct conf_error *error;
};

__attribute__((format(printf, 3, 4))) static int fail(struct cursor *c, const char *at,
						      const char *format, ...)
{
	va_list ap;

	c->error->line = c->number;
	c->error->column = at ? (unsigned int)(at - c->line) + 1 : 0;
	va_start(ap, format);
	vsnprintf(c->error->text, sizeof(c->error->text), format, ap);
	va_end(ap);
	return -EINVAL;
}

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r';
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && is_blank(*c->at))
		c->at++;
}

static bool at_end(struct cursor *c)
{
	skip_blanks(c);
	return c->at == c->end || *c->at == '#';
}

/*
 * Takes the next word: up to a blank or '#'; double quotes keep those, a backslash in them escapes
 * the next character. Returns 1 with *word to be freed, 0 at the end of the line, -EINVAL, -ENOMEM.
 */
static int take_word(struct cursor *c, char **word)
{
	const char *start;
	bool quoted = false;
	size_t n = 0;
	char *out;

	if (at_end(c))
		return 0;
	start = c->at;
	out = malloc((size_t)(c->end - c->at) + 1);
	if (!out)
		return -ENOMEM;
	for (; c->at < c->end && (quoted || (!is_blank(*c->at) && *c->at != '#')); c->at++) {
		if (*c->at == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *c->at == '\\' && c->at + 1 < c->end)
			c->at++;
		out[n++] = *c->at;
	}
	out[n] = '\0';
	if (quoted) {
		free(out);
		return fail(c, start, "the quote that begins here has no end");
	}
	*word = out;
	return 1;
}

/* The only word of a value; *word is NULL on failure. */
static int take_single(struct cursor *c, const char *what, char **word)
{
	const char *start;
	int got, err = 0;

	*word = NULL;
	skip_blanks(c);
	start = c->at;
	got = take_word(c, word);
	if (got < 0)
		return got;
	if (!got || !**word)
		err = fail(c, start, "write %s after '='", what);
	else if (!at_end(c))
		err = fail(c, c->at, "only one word belongs here; quote it if it has spaces");
	if (err) {
		free(*word);
		*word = NULL;
	}
	return err;
}

bool conf_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > CONF_NAME_MAX || strchr("-_.", name[0]))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	       n;
}

static int parse_name(struct conf *conf, struct cursor *c)
{
	const char *start = c->at;
	char *word;
	int err = take_single(c, "a name", &word);

	if (err)
		return err;
	if (!conf_name_ok(word))
		err = fail(c, start,
			   "a name has 1 to %d letters, digits, '-', '_' or '.', and begins with a "
			   "letter or digit",
			   CONF_NAME_MAX);
	else
		memcpy(conf->name, word, strlen(word) + 1);
	free(word);
	return err;
}

static int parse_memory(struct conf *conf, struct cursor *c)
{
	static const char units[] = "KMGT";
	const char *start = c->at, *unit;
	char *word, *end;
	int err = take_single(c, "a size such as 64M", &word);

	if (err)
		return err;
	errno = 0;
	conf->memory = strtoull(word, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		int shift = 10 * (int)(unit - units + 1);

		end++;
		if (conf->memory > UINT64_MAX >> shift)
			errno = ERANGE;
		conf->memory <<= shift;
	}
	if (errno || end == word || *end || *word < '0' || *word > '9')
		err = fail(c, start, "not a size: write a number with M or G, such as 64M");
	else if (!conf->memory || conf->memory % CONF_UNIT)
		err = fail(c, start, "memory comes in units of 2M: write a multiple, such as 64M");
	else if (conf->memory >> 46)
		err = fail(c, start, "no machine has that much memory");
	free(word);
	return err;
}

/* A number below `limit`; moves *p behind it. */
static int number(const char **p, unsigned int limit, unsigned int *value)
{
	unsigned long v = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9' && v < limit; s++)
		v = v * 10 + (unsigned long)(*s - '0');
	if (s == *p || v >= limit)
		return -EINVAL;
	*p = s;
	*value = (unsigned int)v;
	return 0;
}

static int parse_cores(struct conf *conf, struct cursor *c)
{
	const char *start = c->at, *p;
	unsigned int n = 0;
	char *word;
	int err = take_single(c, "how many cores", &word);

	if (err)
		return err;
	p = word;
	if (number(&p, CONF_CORES_MAX + 1, &n) || *p || !n)
		err =
		    fail(c, start, "not a number of cores from 1 to %d; to choose them, use 'cpus'",
			 CONF_CORES_MAX);
	else if (conf->chosen && conf->ncores != n)
		err = fail(c, start, "'cpus' already chose %u cores; leave 'cores' out",
			   conf->ncores);
	conf->ncores = n;
	free(word);
	return err;
}

static int add_cpu(struct conf *conf, struct cursor *c, const char *at, unsigned int cpu)
{
	if (!cpu)
		return fail(c, at, "CPU 0 stays with Linux: choose others");
	for (unsigned int i = 0; i < conf->ncores; i++)
		if (conf->cpu[i] == cpu)
			return fail(c, at, "CPU %u is in the list twice", cpu);
	if (conf->ncores == CONF_CORES_MAX)
		return fail(c, at, "more than %d CPUs", CONF_CORES_MAX);
	conf->cpu[conf->ncores++] = cpu;
	return 0;
}

static int parse_cpus(struct conf *conf, struct cursor *c)
{
	const char *start = c->at, *p;
	unsigned int claimed = conf->ncores, first, last;
	char *word;
	int err = take_single(c, "Linux CPU numbers such as 2-3,5", &word);

	if (err)
		return err;
	conf->ncores = 0;
	conf->chosen = true;
	for (p = word; !err; p++) {
		const char *at = start + (p - word);

		if (number(&p, 4096, &first) ||
		    (last = first, *p == '-' && (p++, 1) && number(&p, 4096, &last)) ||
		    last < first || (*p && *p != ',')) {
			err = fail(c, at, "not a list of CPU numbers such as 2-3,5");
			break;
		}
		for (unsigned int cpu = first; cpu <= last && !err; cpu++)
			err = add_cpu(conf, c, at, cpu);
		if (!*p)
			break;
	}
	if (!err && claimed && claimed != conf->ncores)
		err = fail(c, start, "'cores' says %u, this list has %u; leave 'cores' out",
			   claimed, conf->ncores);
	free(word);
	return err;
}

static int hex_field(const char **p, unsigned int digits, char stop, unsigned int *value)
{
	*value = 0;
	for (unsigned int i = 0; i < digits; i++, (*p)++) {
		const char *hex = "0123456789abcdef", *at;
		char ch = **p >= 'A' && **p <= 'F' ? (char)(**p + 32) : **p;

		if (!ch || !(at = strchr(hex, ch)))
			return -EINVAL;
		*value = *value << 4 | (unsigned int)(at - hex);
	}
	if (**p != stop)
		return -EINVAL;
	*p += stop != '\0';
	return 0;
}

int conf_pci_address(struct conf_nic *nic, const char *text)
{
	unsigned int segment = 0, bus, device, function;

	if (strlen(text) == 12 && hex_field(&text, 4, ':', &segment))
		return -EINVAL;
	if (hex_field(&text, 2, ':', &bus) || hex_field(&text, 2, '.', &device) ||
	    hex_field(&text, 1, '\0', &function) || device > 31 || function > 7)
		return -EINVAL;
	nic->virtual_function = false;
	nic->segment = (uint16_t)segment;
	nic->bdf = (uint16_t)(bus << 8 | device << 3 | function);
	return 0;
}

static int parse_nic(struct conf *conf, struct cursor *c)
{
	struct conf_nic nic = {.virtual_function = true};
	const char *start = c->at;
	char *word;
	int err = take_single(c, "a PCI address such as 0000:00:03.0, or 'vf'", &word);

	if (err)
		return err;
	if (strcmp(word, "vf") && conf_pci_address(&nic, word))
		err = fail(c, start,
			   "not a PCI address such as 0000:00:03.0 (see 'ixctl pci'), nor 'vf'");
	free(word);
	for (unsigned int i = 0; i < conf->nnics && !err; i++)
		if (!nic.virtual_function && !conf->nic[i].virtual_function &&
		    nic.bdf == conf->nic[i].bdf && nic.segment == conf->nic[i].segment)
			err = fail(c, start, "this function is given twice");
	if (!err && conf->nnics == CONF_NICS_MAX)
		err = fail(c, start, "more than %d NICs", CONF_NICS_MAX);
	if (!err)
		conf->nic[conf->nnics++] = nic;
	return err;
}

static int parse_path(struct cursor *c, char **path)
{
	const char *start = c->at;
	int err = take_single(c, "a path", path);

	if (!err && **path != '/') {
		free(*path);
		*path = NULL;
		err = fail(c, start, "write the whole path, from '/'");
	}
	return err;
}

static int parse_kernel(struct conf *conf, struct cursor *c)
{
	return parse_path(c, &conf->kernel);
}

static int parse_application(struct conf *conf, struct cursor *c)
{
	return parse_path(c, &conf->application);
}

static int add_word(struct conf_words *words, struct cursor *c, const char *at, char *word)
{
	if (words->count == CONF_WORDS_MAX) {
		free(word);
		return fail(c, at, "more than %d of these", CONF_WORDS_MAX);
	}
	words->word[words->count++] = word;
	return 0;
}

static int parse_words(struct conf_words *words, struct cursor *c, bool pairs, const char *form)
{
	const char *start;
	char *word;
	int got;

	for (;;) {
		skip_blanks(c);
		start = c->at;
		got = take_word(c, &word);
		if (got <= 0)
			return got;
		if (pairs && (!strchr(word, '=') || *word == '=')) {
			free(word);
			return fail(c, start, "write %s", form);
		}
		got = add_word(words, c, start, word);
		if (got)
			return got;
	}
}

static int parse_arguments(struct conf *conf, struct cursor *c)
{
	return parse_words(&conf->arguments, c, false, "");
}

static int parse_environment(struct conf *conf, struct cursor *c)
{
	return parse_words(&conf->environment, c, true, "NAME=value");
}

static int parse_file(struct conf *conf, struct cursor *c)
{
	return parse_words(&conf->files, c, true, "/file/of/Linux=/path/in/the/dataplane");
}

/* Values of the guest's keys are checked where a mistake is likely and its message far away. */
static int check_address(struct conf *conf, struct cursor *c)
{
	const char *start = c->at, *p;
	unsigned int bits = 32;
	struct in_addr a;
	char *word, *slash;
	int err = take_single(c, "an address such as 10.0.0.2/24", &word);

	(void)conf;
	if (err)
		return err;
	slash = strchr(word, '/');
	if (slash) {
		*slash = '\0';
		p = slash + 1;
		if (number(&p, 33, &bits) || *p)
			bits = 0;
	}
	if (inet_pton(AF_INET, word, &a) != 1 || !bits)
		err = fail(c, start, "not an IPv4 address with prefix length, such as 10.0.0.2/24");
	free(word);
	return err;
}

static int check_gateway(struct conf *conf, struct cursor *c)
{
	const char *start = c->at;
	struct in_addr a;
	char *word;
	int err = take_single(c, "an address such as 10.0.0.1", &word);

	(void)conf;
	if (err)
		return err;
	if (inet_pton(AF_INET, word, &a) != 1)
		err = fail(c, start, "not an IPv4 address such as 10.0.0.1");
	free(word);
	return err;
}

static const struct key {
	const char *name;
	int (*parse)(struct conf *conf, struct cursor *c);
	bool many;  /* may be given more than once */
	bool guest; /* its line is left in `config` */
} keys[] = {
    {"name", parse_name, false, false},
    {"memory", parse_memory, false, false},
    {"cores", parse_cores, false, false},
    {"cpus", parse_cpus, false, false},
    {"nic", parse_nic, true, false},
    {"kernel", parse_kernel, false, false},
    {"application", parse_application, false, false},
    {"arguments", parse_arguments, true, false},
    {"environment", parse_environment, true, false},
    {"file", parse_file, true, false},
    {"address", check_address, true, true},
    {"gateway", check_gateway, false, true},
};

/* Number of single-character edits between two short words. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[33], n = (unsigned int)strlen(b);

	if (n >= ARRAY_SIZE(row))
		return n;
	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned int i = 1; *a; a++, i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= n; j++) {
			unsigned int best = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static int unknown_key(struct cursor *c, const char *at, const char *name)
{
	const char *best = NULL;
	unsigned int least = 3;

	for (size_t i = 0; i < ARRAY_SIZE(keys) + ARRAY_SIZE(guest_keys); i++) {
		const char *k =
		    i < ARRAY_SIZE(keys) ? keys[i].name : guest_keys[i - ARRAY_SIZE(keys)];
		unsigned int d = distance(name, k);

		if (d < least) {
			least = d;
			best = k;
		}
	}
	if (best)
		return fail(c, at, "there is no '%s'; did you mean '%s'?", name, best);
	return fail(c, at, "there is no '%s'; see ixctl.conf(5)", name);
}

/* Blanks out what the guest must not see, the line's end excepted. */
static void blank_line(struct conf *conf, const char *text, const struct cursor *c)
{
	memset(conf->config + (c->line - text), ' ', (size_t)(c->end - c->line));
}

static int parse_line(struct conf *conf, const char *text, struct cursor *c, uint32_t *seen)
{
	const char *at;
	char name[32];
	size_t n = 0;
	int err;

	for (const char *p = c->line; p < c->end; p++)
		if ((unsigned char)*p < ' ' && !is_blank(*p))
			return fail(c, p, "a control character: this is not a text file");
	if (at_end(c))
		return 0;
	at = c->at;
	while (c->at < c->end && *c->at != '=' && !is_blank(*c->at) && n < sizeof(name) - 1)
		name[n++] = *c->at++;
	name[n] = '\0';
	skip_blanks(c);
	if (!n || c->at == c->end || *c->at != '=')
		return fail(c, at, "write lines as 'key = value'");
	c->at++;
	skip_blanks(c);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, name))
			continue;
		if (!keys[i].many && (*seen & 1u << i))
			return fail(c, at, "'%s' is given twice", name);
		*seen |= 1u << i;
		err = keys[i].parse(conf, c);
		if (!keys[i].guest)
			blank_line(conf, text, c);
		return err;
	}
	for (size_t i = 0; i < ARRAY_SIZE(guest_keys); i++)
		if (!strcmp(guest_keys[i], name))
			return 0;
	return unknown_key(c, at, name);
}

static int check_whole(struct conf *conf, struct cursor *c)
{
	c->number = 0;
	if (!conf->name[0])
		return fail(c, NULL, "the dataplane has no name: add 'name = ...'");
	if (!conf->memory)
		return fail(c, NULL, "no memory is given: add 'memory = 64M' or so");
	if (!conf->ncores)
		return fail(c, NULL, "no cores are given: add 'cores = 1' or 'cpus = 1-2'");
	if (!conf->application)
		return fail(c, NULL, "nothing to run: add 'application = /path/to/program'");
	return 0;
}

int conf_parse(struct conf *conf, const char *text, size_t size, struct conf_error *error)
{
	struct cursor c = {.error = error};
	const char *end = text + size;
	uint32_t seen = 0;
	int err = 0;

	memset(conf, 0, sizeof(*conf));
	memset(error, 0, sizeof(*error));
	if (size > CONF_SIZE_MAX)
		return fail(&c, NULL, "the file has over %u bytes", CONF_SIZE_MAX);
	conf->config = malloc(size + 1);
	if (!conf->config)
		return -ENOMEM;
	memcpy(conf->config, text, size);
	conf->config[size] = '\0';
	conf->config_size = size;
	for (const char *p = text; p < end && !err; p = c.end + 1) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		c.line = c.at = p;
		c.end = newline ? newline : end;
		c.number++;
		err = parse_line(conf, text, &c, &seen);
	}
	if (!err)
		err = check_whole(conf, &c);
	if (err)
		conf_free(conf);
	return err;
}

static void free_words(struct conf_words *words)
{
	for (unsigned int i = 0; i < words->count; i++)
		free(words->word[i]);
	words->count = 0;
}

void conf_free(struct conf *conf)
{
	free(conf->kernel);
	free(conf->application);
	free(conf->config);
	conf->kernel = conf->application = conf->config = NULL;
	free_words(&conf->arguments);
	free_words(&conf->environment);
	free_words(&conf->files);
}
