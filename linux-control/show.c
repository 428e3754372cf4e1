/* SPDX-License-Identifier: MIT */
#include "linux-control/show.h"

#include <ctype.h>
#include <string.h>

#define COLUMNS_MAX 16

/* Text of a value in one cell or line; lists are joined by commas. */
static int cell(FILE *out, const struct json_value *v)
{
	static const char *const words[] = {
	    [JSON_NULL] = "-", [JSON_FALSE] = "no", [JSON_TRUE] = "yes"};
	int width = 0;

	if (!v)
		return out ? fputs("-", out) < 0 ? 0 : 1 : 1;
	switch (v->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		if (out)
			fputs(words[v->type], out);
		return (int)strlen(words[v->type]);
	case JSON_NUMBER:
	case JSON_STRING:
		/* What a terminal would obey is not passed on. */
		for (const char *p = v->text; *p; p++) {
			if (out)
				fputc((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p, out);
			width += (*p & 0xc0) != 0x80; /* UTF-8: count first bytes */
		}
		return width;
	case JSON_ARRAY:
	case JSON_OBJECT:
		for (const struct json_value *c = v->child; c; c = c->next) {
			width += cell(out, c) + (c->next ? 1 : 0);
			if (out && c->next)
				fputc(',', out);
		}
		return width;
	}
	return width;
}

static void pad(FILE *out, int n)
{
	while (n-- > 0)
		fputc(' ', out);
}

static void upper(FILE *out, const char *key)
{
	for (; *key; key++)
		fputc(*key == '_' ? ' ' : toupper((unsigned char)*key), out);
}

/* Columns are the members of the first row. */
static void table(FILE *out, const struct json_value *rows)
{
	const struct json_value *column[COLUMNS_MAX];
	int width[COLUMNS_MAX];
	unsigned int n = 0;

	for (const struct json_value *c = rows->child->child; c && n < COLUMNS_MAX; c = c->next) {
		width[n] = (int)strlen(c->key);
		for (const struct json_value *row = rows->child; row; row = row->next) {
			int w = cell(NULL, json_member(row, c->key));

			if (w > width[n])
				width[n] = w;
		}
		column[n++] = c;
	}
	for (unsigned int i = 0; i < n; i++) {
		bool right = column[i]->type == JSON_NUMBER;
		int space = width[i] - (int)strlen(column[i]->key);

		pad(out, right ? space : 0);
		upper(out, column[i]->key);
		pad(out, (right ? 0 : i + 1 < n ? space : 0) + (i + 1 < n ? 2 : 0));
	}
	fputc('\n', out);
	for (const struct json_value *row = rows->child; row; row = row->next) {
		for (unsigned int i = 0; i < n; i++) {
			const struct json_value *v = json_member(row, column[i]->key);
			bool right = column[i]->type == JSON_NUMBER;
			int space = width[i] - cell(NULL, v);

			pad(out, right ? space : 0);
			cell(out, v);
			pad(out, (right ? 0 : i + 1 < n ? space : 0) + (i + 1 < n ? 2 : 0));
		}
		fputc('\n', out);
	}
}

static bool is_table(const struct json_value *v)
{
	return v->type == JSON_ARRAY && v->child && v->child->type == JSON_OBJECT;
}

static void object(FILE *out, const struct json_value *v)
{
	int width = 0;

	for (const struct json_value *c = v->child; c; c = c->next)
		if (!is_table(c) && (int)strlen(c->key) > width)
			width = (int)strlen(c->key);
	for (const struct json_value *c = v->child; c; c = c->next) {
		if (is_table(c))
			continue;
		for (const char *p = c->key; *p; p++)
			fputc(*p == '_' ? ' ' : *p, out);
		fputc(':', out);
		pad(out, width - (int)strlen(c->key) + 1);
		cell(out, c);
		fputc('\n', out);
	}
	for (const struct json_value *c = v->child; c; c = c->next) {
		if (!is_table(c))
			continue;
		fputc('\n', out);
		table(out, c);
	}
}

void show(FILE *out, const struct json_value *value)
{
	if (is_table(value)) {
		table(out, value);
	} else if (value->type == JSON_OBJECT) {
		object(out, value);
	} else if (value->type == JSON_ARRAY) {
		for (const struct json_value *c = value->child; c; c = c->next) {
			cell(out, c);
			fputc('\n', out);
		}
	} else {
		cell(out, value);
		fputc('\n', out);
	}
}
