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

size_t ix_word(const char **p, const char **word)
{
	while (**p == ' ' || **p == '\t')
		++*p;
	*word = *p;
	while (**p && !strchr(" \t\r\n", **p))
		++*p;
	return (size_t)(*p - *word);
}

bool ix_word_is(const char *word, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(word, text, len) == 0;
}
