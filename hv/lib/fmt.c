/* SPDX-License-Identifier: MIT */
#include "hv/lib/fmt.h"

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/string.h"

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len++] = c;
}

static void put_field(struct out *o, const char *s, size_t len, size_t width, bool left, char pad)
{
	size_t fill = width > len ? width - len : 0;

	for (; !left && fill; fill--)
		put(o, pad);
	for (; len; len--)
		put(o, *s++);
	for (; fill; fill--)
		put(o, ' ');
}

struct spec {
	bool left, zero, alternate, has_precision;
	size_t width, precision;
	int longs; /* number of 'l'; 'z' counts as one */
};

static void put_number(struct out *o, const struct spec *s, uint64_t value, unsigned int base,
		       bool negative, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t i = sizeof(text);

	do {
		text[--i] = digits[value % base];
		value /= base;
	} while (value);
	if (negative && s->zero && !s->left) {
		/* The sign comes before the zeros. */
		put(o, '-');
		put_field(o, text + i, sizeof(text) - i, s->width ? s->width - 1 : 0, false, '0');
		return;
	}
	if (negative)
		text[--i] = '-';
	if (s->alternate && base == 16) {
		text[--i] = upper ? 'X' : 'x';
		text[--i] = '0';
	}
	put_field(o, text + i, sizeof(text) - i, s->width, s->left, s->zero ? '0' : ' ');
}

static size_t number(const char **f)
{
	size_t n = 0;

	for (; **f >= '0' && **f <= '9'; (*f)++)
		n = n * 10 + (size_t)(**f - '0');
	return n < 4096 ? n : 4096;
}

/* Parses what stands between '%' and the conversion character. */
static struct spec parse_spec(const char **f, va_list *args)
{
	struct spec s = {0};

	for (;; (*f)++) {
		if (**f == '-')
			s.left = true;
		else if (**f == '0')
			s.zero = true;
		else if (**f == '#')
			s.alternate = true;
		else
			break;
	}
	if (**f == '*') {
		int w = va_arg(*args, int);

		s.width = w > 0 ? (size_t)w : 0;
		(*f)++;
	} else {
		s.width = number(f);
	}
	if (**f == '.') {
		(*f)++;
		s.has_precision = true;
		if (**f == '*') {
			int p = va_arg(*args, int);

			s.precision = p > 0 ? (size_t)p : 0;
			(*f)++;
		} else {
			s.precision = number(f);
		}
	}
	for (; **f == 'l' || **f == 'z'; (*f)++)
		s.longs++;
	return s;
}

size_t vfmt(char *buf, size_t size, const char *format, va_list ap)
{
	struct out o = {buf, size, 0};
	va_list args;

	va_copy(args, ap);
	for (const char *f = format; *f; f++) {
		const char *start = f;
		struct spec s;
		const char *str;
		int64_t value;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f++;
		s = parse_spec(&f, &args);
		switch (*f) {
		case 'c':
			put(&o, (char)va_arg(args, int));
			break;
		case 's':
			str = va_arg(args, const char *);
			if (!str)
				str = "(null)";
			put_field(&o, str,
				  s.has_precision ? strnlen(str, s.precision) : strlen(str),
				  s.width, s.left, ' ');
			break;
		case 'd':
		case 'i':
			value = s.longs ? va_arg(args, long) : va_arg(args, int);
			put_number(&o, &s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10,
				   value < 0, false);
			break;
		case 'u':
			put_number(&o, &s,
				   s.longs ? va_arg(args, unsigned long)
					   : va_arg(args, unsigned int),
				   10, false, false);
			break;
		case 'x':
		case 'X':
			put_number(&o, &s,
				   s.longs ? va_arg(args, unsigned long)
					   : va_arg(args, unsigned int),
				   16, false, *f == 'X');
			break;
		case 'p':
			put(&o, '0');
			put(&o, 'x');
			put_number(&o, &s, (uintptr_t)va_arg(args, void *), 16, false, false);
			break;
		case '%':
			put(&o, '%');
			break;
		default:
			for (; start <= f && *start; start++)
				put(&o, *start);
			if (!*f)
				f--;
			break;
		}
	}
	va_end(args);
	if (size)
		buf[o.len] = '\0';
	return o.len;
}

size_t fmt(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	len = vfmt(buf, size, format, args);
	va_end(args);
	return len;
}
