/* SPDX-License-Identifier: MIT
 *
 * JSON (RFC 8259): a writer that cannot make a malformed text, and a reader for texts from ixcpd.
 */
#ifndef LINUX_CONTROL_JSON_H
#define LINUX_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 16

/* Zero it, write one value, take `text`. After a lack of memory `text` is NULL. */
struct json {
	char *text; /* NUL-terminated; belongs to the writer: free() it */
	size_t size, capacity;
	bool failed, comma;
	unsigned int depth;
	char closer[JSON_DEPTH_MAX];
};

/* key: of the value inside an object, NULL inside an array or for the whole text. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* of the innermost object or array */
void json_string(struct json *j, const char *key, const char *value);
void json_bytes(struct json *j, const char *key, const char *value, size_t size);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
__attribute__((format(printf, 3, 4))) void json_format(struct json *j, const char *key,
						       const char *format, ...);

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json_value {
	enum json_type type;
	char *key;                /* NULL outside objects */
	char *text;               /* of a number as written, of a string decoded; else NULL */
	struct json_value *child; /* first of an array or object */
	struct json_value *next;
};

/* The value that `size` bytes hold, to be freed by json_free(); NULL if malformed or no memory. */
struct json_value *json_parse(const char *text, size_t size);
void json_free(struct json_value *value);
const struct json_value *json_member(const struct json_value *object, const char *key);

#endif
