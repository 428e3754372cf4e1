/* SPDX-License-Identifier: MIT */
#include "linux-control/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct json *j, const char *bytes, size_t size)
{
	if (j->failed)
		return;
	if (j->size + size + 1 > j->capacity) {
		size_t capacity = (j->size + size + 1) * 2;
		char *text = realloc(j->text, capacity);

		if (!text) {
			free(j->text);
			j->text = NULL;
			j->failed = true;
			return;
		}
		j->text = text;
		j->capacity = capacity;
	}
	memcpy(j->text + j->size, bytes, size);
	j->size += size;
	j->text[j->size] = '\0';
}

/* Length of the well-formed UTF-8 sequence at s, 0 if it is none. RFC 3629 section 4 */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t length;
	} forms[] = {
	    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (forms[i].length > size)
			return 0;
		if (forms[i].length > 1 && (s[1] < forms[i].low || s[1] > forms[i].high))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* A string; what is not UTF-8 becomes U+FFFD, so the text stays valid. */
static void put_string(struct json *j, const char *s, size_t size)
{
	put(j, "\"", 1);
	for (size_t i = 0; i < size;) {
		size_t n = utf8_length((const unsigned char *)s + i, size - i);
		unsigned char ch = (unsigned char)s[i];
		char escape[8];

		if (!n) {
			put(j, "\xef\xbf\xbd", 3);
			n = 1;
		} else if (ch == '"' || ch == '\\') {
			escape[0] = '\\';
			escape[1] = (char)ch;
			put(j, escape, 2);
		} else if (ch < 0x20 || ch == 0x7f) {
			put(j, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", ch));
		} else {
			put(j, s + i, n);
		}
		i += n;
	}
	put(j, "\"", 1);
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
	if (key) {
		put_string(j, key, strlen(key));
		put(j, ":", 1);
	}
}

static void open_group(struct json *j, const char *key, const char *opener, char closer)
{
	begin(j, key);
	if (j->depth == JSON_DEPTH_MAX) {
		free(j->text);
		j->text = NULL;
		j->failed = true;
		return;
	}
	put(j, opener, 1);
	j->closer[j->depth++] = closer;
	j->comma = false;
}

void json_object(struct json *j, const char *key)
{
	open_group(j, key, "{", '}');
}

void json_array(struct json *j, const char *key)
{
	open_group(j, key, "[", ']');
}

void json_end(struct json *j)
{
	if (!j->depth)
		return;
	put(j, &j->closer[--j->depth], 1);
	j->comma = true;
}

void json_bytes(struct json *j, const char *key, const char *value, size_t size)
{
	begin(j, key);
	put_string(j, value, size);
}

void json_string(struct json *j, const char *key, const char *value)
{
	json_bytes(j, key, value, strlen(value));
}

void json_format(struct json *j, const char *key, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_string(j, key, text);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	begin(j, key);
	put(j, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	put(j, value ? "true" : "false", value ? 4 : 5);
}

struct reader {
	const char *at, *end;
	unsigned int depth;
};

static void skip_space(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

static bool take(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n))
		return false;
	r->at += n;
	return true;
}

/* Four hexadecimal digits, -1 if they are none. */
static int hex4(struct reader *r)
{
	int v = 0;

	if (r->end - r->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char ch = *r->at++;
		int digit = ch >= '0' && ch <= '9'   ? ch - '0'
			    : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
			    : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
						     : -1;

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* UTF-8 of a code point of the basic plane. A surrogate, which ixcpd never sends, is refused. */
static size_t encode(char *out, int code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | code >> 12);
	out[1] = (char)(0x80 | (code >> 6 & 0x3f));
	out[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

static bool take_escape(struct reader *r, char *out, size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	int code;

	if (r->at == r->end)
		return false;
	found = *r->at ? strchr(from, *r->at) : NULL;
	if (found) {
		r->at++;
		out[(*n)++] = to[found - from];
		return true;
	}
	if (*r->at++ != 'u')
		return false;
	code = hex4(r);
	if (code <= 0 || (code >= 0xd800 && code <= 0xdfff))
		return false;
	*n += encode(out + *n, code);
	return true;
}

/* The string behind an opening quote, decoded; NULL if malformed. */
static char *take_string(struct reader *r)
{
	char *out = malloc((size_t)(r->end - r->at) + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	while (r->at < r->end) {
		char ch = *r->at++;

		if (ch == '"') {
			out[n] = '\0';
			return out;
		}
		if ((unsigned char)ch < 0x20 || (ch == '\\' && !take_escape(r, out, &n)))
			break;
		if (ch != '\\')
			out[n++] = ch;
	}
	free(out);
	return NULL;
}

static size_t digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return (size_t)(r->at - start);
}

static bool take_number(struct reader *r, struct json_value *v)
{
	const char *start = r->at;

	take(r, "-");
	if (!digits(r))
		return false;
	if (take(r, ".") && !digits(r))
		return false;
	if (take(r, "e") || take(r, "E")) {
		if (!take(r, "-"))
			take(r, "+");
		if (!digits(r))
			return false;
	}
	v->type = JSON_NUMBER;
	v->text = strndup(start, (size_t)(r->at - start));
	return v->text;
}

static bool take_value(struct reader *r, struct json_value *v);

static bool take_members(struct reader *r, struct json_value *v, bool object)
{
	const char *closer = object ? "}" : "]";
	struct json_value **last = &v->child;

	v->type = object ? JSON_OBJECT : JSON_ARRAY;
	if (r->depth++ == JSON_DEPTH_MAX)
		return false;
	skip_space(r);
	if (!take(r, closer)) {
		do {
			struct json_value *member = calloc(1, sizeof(*member));

			if (!member)
				return false;
			*last = member;
			last = &member->next;
			skip_space(r);
			if (object) {
				if (!take(r, "\"") || !(member->key = take_string(r)))
					return false;
				skip_space(r);
				if (!take(r, ":"))
					return false;
			}
			if (!take_value(r, member))
				return false;
			skip_space(r);
		} while (take(r, ","));
		if (!take(r, closer))
			return false;
	}
	r->depth--;
	return true;
}

static bool take_value(struct reader *r, struct json_value *v)
{
	skip_space(r);
	if (take(r, "{"))
		return take_members(r, v, true);
	if (take(r, "["))
		return take_members(r, v, false);
	if (take(r, "\"")) {
		v->type = JSON_STRING;
		v->text = take_string(r);
		return v->text;
	}
	if (take(r, "true"))
		v->type = JSON_TRUE;
	else if (take(r, "false"))
		v->type = JSON_FALSE;
	else if (!take(r, "null"))
		return take_number(r, v);
	return true;
}

struct json_value *json_parse(const char *text, size_t size)
{
	struct reader r = {text, text + size, 0};
	struct json_value *v = calloc(1, sizeof(*v));
	bool ok;

	if (!v)
		return NULL;
	ok = take_value(&r, v);
	skip_space(&r);
	if (ok && r.at == r.end)
		return v;
	json_free(v);
	return NULL;
}

void json_free(struct json_value *value)
{
	while (value) {
		struct json_value *next = value->next;

		json_free(value->child);
		free(value->key);
		free(value->text);
		free(value);
		value = next;
	}
}

const struct json_value *json_member(const struct json_value *object, const char *key)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json_value *v = object->child; v; v = v->next)
		if (!strcmp(v->key, key))
			return v;
	return NULL;
}
