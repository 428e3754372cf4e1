/* SPDX-License-Identifier: MIT
 *
 * Formatting for the console.
 */
#include <stdbool.h>

#include "guest/kernel/console.h"
#include "guest/kernel/string.h"

struct out {
	char *buf;
	size_t size, n;
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n] = c;
	o->n++;
}

static void put_field(struct out *o, const char *s, size_t n, size_t width, char pad)
{
	for (size_t i = n; i < width; i++)
		put(o, pad);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
}

static void put_number(struct out *o, uint64_t v, unsigned base, bool minus, size_t width, char pad)
{
	char digits[24];
	size_t n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (minus && pad == '0') {
		put(o, '-');
		width -= width > 0;
	} else if (minus) {
		digits[--n] = '-';
	}
	put_field(o, digits + n, sizeof(digits) - n, width, pad);
}

int format(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		char pad = ' ';
		size_t width = 0;
		bool wide = false;

		if (*++fmt == '0')
			pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + (size_t)(*fmt++ - '0');
		while (*fmt == 'l' || *fmt == 'z') {
			wide = true;
			fmt++;
		}
		switch (*fmt) {
		case 's': {
			const char *s = va_arg(ap, const char *);

			put_field(&o, s, strlen(s), width, ' ');
			break;
		}
		case 'c':
			put(&o, (char)va_arg(ap, int));
			break;
		case 'd':
		case 'i': {
			int64_t v = wide ? va_arg(ap, int64_t) : va_arg(ap, int);

			put_number(&o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, width, pad);
			break;
		}
		case 'u':
		case 'x':
			put_number(&o, wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned),
				   *fmt == 'u' ? 10 : 16, false, width, pad);
			break;
		case 'p':
			put_number(&o, va_arg(ap, uint64_t), 16, false, 16, '0');
			break;
		case '\0':
			fmt--;
			break;
		default:
			put(&o, *fmt);
		}
	}
	if (size)
		buf[o.n < size ? o.n : size - 1] = '\0';
	return (int)o.n;
}

int format_to(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = format(buf, size, fmt, ap);

	va_end(ap);
	return n;
}
