/* SPDX-License-Identifier: MIT
 *
 * Words and numbers.
 */
#include <errno.h>

#include <ix/server.h>

int ix_number_parse(uint64_t *value, const char *text, uint64_t min, uint64_t max)
{
	uint64_t v = 0;

	if (!*text)
		return -EINVAL;
	for (const char *s = text; *s; s++) {
		unsigned int digit = (unsigned int)(*s - '0');

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return -EINVAL;
	*value = v;
	return 0;
}

static bool ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || !c;
}

size_t ix_word(const char **p, const char **word)
{
	const char *s = *p;

	while (*s == ' ' || *s == '\t')
		s++;
	*word = s;
	while (!ends_word(*s))
		s++;
	*p = s;
	return (size_t)(s - *word);
}

bool ix_word_is(const char *word, size_t len, const char *text)
{
	for (; len && *text && *word == *text; len--)
		word++, text++;
	return !len && !*text;
}
