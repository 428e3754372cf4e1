/* SPDX-License-Identifier: MIT */
#include "linux-control/wire.h"

#include <errno.h>
#include <string.h>

int wire_words(char *text, size_t size, char *words[WIRE_WORDS_MAX])
{
	int n = 0;

	if (!size || text[size - 1])
		return -EINVAL;
	for (char *p = text; p < text + size; p += strlen(p) + 1) {
		if (n == WIRE_WORDS_MAX)
			return -EINVAL;
		words[n++] = p;
	}
	return n;
}
