/* SPDX-License-Identifier: MIT */
#include "linux-control/lines.h"

#include <stdlib.h>
#include <string.h>

#include "linux-control/json.h"

/* The next word, which may be empty; what follows its space is left in *text. */
static char *word(char **text)
{
	char *at = *text, *space = strchr(at, ' ');

	*text = space ? space + 1 : at + strlen(at);
	if (space)
		*space = '\0';
	return at;
}

static void put(struct lines *l)
{
	struct json j = {0};
	char *text = l->text;

	l->text[l->size] = '\0';
	l->size = 0;
	json_object(&j, NULL);
	if (l->events) {
		json_number(&j, "sequence", strtoull(word(&text), NULL, 10));
		json_string(&j, "dataplane", word(&text));
		json_string(&j, "kind", word(&text));
		json_string(&j, "text", text);
	} else {
		json_string(&j, "line", text);
	}
	json_end(&j);
	if (l->follow)
		fprintf(l->out, "%s\n", j.text ? j.text : "null");
	else
		fprintf(l->out, "%s%s", l->any ? ",\n" : "[", j.text ? j.text : "null");
	l->any = true;
	free(j.text);
}

void lines_add(struct lines *l, const char *text, size_t size)
{
	for (; size; text++, size--) {
		if (*text != '\n')
			l->text[l->size++] = *text;
		if (*text == '\n' || l->size == sizeof(l->text) - 1)
			put(l);
	}
	if (l->follow)
		fflush(l->out);
}

void lines_end(struct lines *l)
{
	if (l->size)
		put(l);
	if (!l->follow)
		fputs(l->any ? "]\n" : "[]\n", l->out);
}
