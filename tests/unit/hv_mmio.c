/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/lib/errno.h"
#include "hv/lib/mmio.h"

static struct mmio_insn insn;

/* Decodes from a block of exactly that size. */
static int decode(const char *bytes, uint32_t n, enum mmio_mode mode)
{
	uint8_t *exact = malloc(n + !n);
	int error;

	memcpy(exact, bytes, n);
	error = mmio_decode(exact, n, mode, &insn);
	free(exact);
	return error;
}

#define DECODE(s, mode) decode(s, sizeof(s) - 1, mode)

static void common_forms(void **state)
{
	(void)state;
	/* mov %eax, 0x300(%rdi): what Linux writes to the ICR with */
	assert_int_equal(DECODE("\x89\x87\x00\x03\x00\x00\x90", MMIO_64), 0);
	assert_true(insn.write && insn.length == 6 && insn.size == 4 && insn.reg == 0);
	/* mov %eax, 0xffffffffff5fd300 */
	assert_int_equal(DECODE("\x89\x04\x25\x00\xd3\x5f\xff", MMIO_64), 0);
	assert_int_equal(insn.length, 7);
	/* movl $0x12345678, (%r12) */
	assert_int_equal(DECODE("\x41\xc7\x04\x24\x78\x56\x34\x12", MMIO_64), 0);
	assert_true(insn.has_immediate && insn.immediate == 0x12345678 && insn.length == 8);
	/* movq $-1, (%rax) */
	assert_int_equal(DECODE("\x48\xc7\x00\xff\xff\xff\xff", MMIO_64), 0);
	assert_true(insn.size == 8 && insn.immediate == UINT64_MAX);
	/* mov 0x10(%rax), %r9d */
	assert_int_equal(DECODE("\x44\x8b\x48\x10", MMIO_64), 0);
	assert_true(!insn.write && insn.reg == 9 && insn.length == 4 && insn.reg_size == 4);
	/* movzbl 1(%rcx), %edx */
	assert_int_equal(DECODE("\x0f\xb6\x51\x01", MMIO_64), 0);
	assert_true(insn.size == 1 && insn.reg_size == 4 && insn.reg == 2 && !insn.sign_extend);
	/* mov %ah, (%rax) and mov %spl, (%rax) */
	assert_int_equal(DECODE("\x88\x20", MMIO_64), 0);
	assert_true(insn.high_byte && insn.reg == 0);
	assert_int_equal(DECODE("\x40\x88\x20", MMIO_64), 0);
	assert_true(!insn.high_byte && insn.reg == 4);
	/* 32-bit: mov %eax, 0xfee00300; and 16-bit addressing */
	assert_int_equal(DECODE("\xa3\x00\x03\xe0\xfe", MMIO_32), 0);
	assert_true(insn.write && insn.length == 5);
	assert_int_equal(DECODE("\x67\x89\x46\x10", MMIO_32), 0);
	assert_int_equal(insn.length, 4);
	assert_int_equal(DECODE("\x67\x89\x06\x10\x20", MMIO_32), 0);
	assert_int_equal(insn.length, 5);
}

static void everything_else_is_refused(void **state)
{
	static const char *const bad[] = {
	    "\x89\xc0",                 /* register to register */
	    "\xc7\x08\x01\x01\x01\x01", /* C7 /1 */
	    "\xf0\x89\x08",             /* LOCK */
	    "\xf3\x89\x08",             /* REP */
	    "\x87\x08",                 /* XCHG */
	    "\x01\x08",                 /* ADD */
	    "\x0f\x6f\x08",             /* MOVQ mm */
	    "\x48\x66\x89\x08",         /* REX that is not last */
	    "\xa4",                     /* MOVSB */
	    "\x8c\x08",                 /* MOV from a segment register */
	    "\xc4\xe1\x7b\x10\x08",     /* VEX */
	};
	char longest[16] = "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89\x80\x01\x01\x01\x01\x01";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(decode(bad[i], strlen(bad[i]), MMIO_64), -EINVAL);
	assert_int_equal(decode(longest, 16, MMIO_64), 0);
	assert_int_equal(insn.length, 15);
	memmove(longest + 1, longest, 15); /* 16 bytes are too many for the processor */
	assert_int_equal(decode(longest, 16, MMIO_64), -EINVAL);
	/* cut off anywhere */
	for (uint32_t n = 0; n < 9; n++)
		assert_int_equal(decode("\x66\x41\xc7\x84\x24\x00\x03\x00\x00\x01\x02", n, MMIO_64),
				 -EINVAL);
	assert_int_equal(DECODE("\x66\x41\xc7\x84\x24\x00\x03\x00\x00\x01\x02", MMIO_64), 0);
	assert_int_equal(insn.immediate, 0x201);
	assert_int_equal(DECODE("\x40\x89\x08", MMIO_32), -EINVAL); /* INC EAX there */
}

static void values(void **state)
{
	uint64_t regs[16] = {0x1122334455667788, 0xffffffffffffffff};

	(void)state;
	assert_int_equal(DECODE("\x88\x20", MMIO_64), 0); /* mov %ah, (%rax) */
	assert_int_equal(mmio_write_value(&insn, regs), 0x77);
	assert_int_equal(DECODE("\x66\x89\x00", MMIO_64), 0);
	assert_int_equal(mmio_write_value(&insn, regs), 0x7788);
	assert_int_equal(DECODE("\x48\x89\x00", MMIO_64), 0);
	assert_int_equal(mmio_write_value(&insn, regs), 0x1122334455667788);
	assert_int_equal(DECODE("\xc6\x00\xfe", MMIO_64), 0);
	assert_int_equal(mmio_write_value(&insn, regs), 0xfe);

	assert_int_equal(DECODE("\x8a\x20", MMIO_64), 0); /* mov (%rax), %ah */
	mmio_read_value(&insn, 0xabcd, regs);
	assert_int_equal(regs[0], 0x112233445566cd88);
	assert_int_equal(DECODE("\x8a\x00", MMIO_64), 0);
	mmio_read_value(&insn, 0xabef, regs);
	assert_int_equal(regs[0], 0x112233445566cdef);
	assert_int_equal(DECODE("\x66\x8b\x08", MMIO_64), 0);
	mmio_read_value(&insn, 0x11112222, regs);
	assert_int_equal(regs[1], 0xffffffffffff2222);
	assert_int_equal(DECODE("\x8b\x08", MMIO_64), 0);
	mmio_read_value(&insn, 0x9999999988887777, regs);
	assert_int_equal(regs[1], 0x88887777);
	assert_int_equal(DECODE("\x48\x0f\xbe\x08", MMIO_64), 0); /* movsbq */
	mmio_read_value(&insn, 0x1180, regs);
	assert_int_equal(regs[1], 0xffffffffffffff80);
	assert_int_equal(DECODE("\x0f\xbf\x08", MMIO_64), 0); /* movswl */
	mmio_read_value(&insn, 0x8000, regs);
	assert_int_equal(regs[1], 0xffff8000);
	assert_int_equal(DECODE("\x66\x0f\xb6\x08", MMIO_64), 0); /* movzbw */
	mmio_read_value(&insn, 0xfff1, regs);
	assert_int_equal(regs[1], 0xffff00f1);
}

/* Random instructions, each in a slot of its own, as objdump reads them. */
enum {
	SLOT = 32,
	SLOTS = 20000
};

static uint32_t random_insn(uint8_t *p, enum mmio_mode mode)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	static const uint8_t opcodes[] = {0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3,
					  0xc6, 0xc7, 0x8c, 0x8e, 0x63, 0x8d, 0x00, 0xff};
	uint32_t n = 0;

	if (rand() % 4 == 0)
		p[n++] = 0x66;
	if (rand() % 4 == 0)
		p[n++] = 0x67;
	if (rand() % 4 == 0)
		p[n++] = prefixes[rand() % 6];
	if (mode == MMIO_64 && rand() % 2)
		p[n++] = 0x40 | rand() % 16;
	if (rand() % 3 == 0) {
		p[n++] = 0x0f;
		p[n++] = (uint8_t[]){0xb6, 0xb7, 0xbe, 0xbf, 0xb0, 0x22}[rand() % 6];
	} else {
		p[n++] = rand() % 8 ? opcodes[rand() % sizeof(opcodes)] : rand();
	}
	p[n++] = rand() % 4 ? rand() & 0xc7 : rand();
	for (int i = 0; i < 9; i++)
		p[n++] = rand();
	return n;
}

struct operand {
	bool memory;
	bool reg;
	uint8_t index, size;
	bool high;
};

static struct operand parse_operand(const char *s)
{
	static const char *const names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
	struct operand o = {0};
	char name[8] = "";

	if (strstr(s, "PTR") || (isalpha(s[0]) && s[1] == 's' && s[2] == ':')) {
		o.memory = true;
		o.size = !strncmp(s, "BYTE", 4)    ? 1
			 : !strncmp(s, "WORD", 4)  ? 2
			 : !strncmp(s, "DWORD", 5) ? 4
			 : !strncmp(s, "QWORD", 5) ? 8
						   : 0;
		return o;
	}
	snprintf(name, sizeof(name), "%s", s);
	if (name[0] == 'r' && isdigit(name[1])) {
		char *end;

		o.reg = true;
		o.index = strtoul(name + 1, &end, 10);
		o.size = *end == 'd' ? 4 : *end == 'w' ? 2 : *end == 'b' ? 1 : 8;
		return o;
	}
	for (int i = 0; i < 8; i++) {
		char low[8], high[8];

		snprintf(low, sizeof(low), i < 4 ? "%.1sl" : "%sl", names[i]);
		snprintf(high, sizeof(high), "%.1sh", names[i]);
		o.index = i;
		o.reg = true;
		o.high = i < 4 && !strcmp(name, high);
		o.size = o.high || !strcmp(name, low)                    ? 1
			 : !strcmp(name, names[i])                       ? 2
			 : name[0] == 'e' && !strcmp(name + 1, names[i]) ? 4
			 : name[0] == 'r' && !strcmp(name + 1, names[i]) ? 8
									 : 0;
		if (o.size)
			return o;
	}
	return (struct operand){0};
}

/* Compares our reading with a line of objdump; returns whether the instruction is one of ours. */
static bool compare(const uint8_t *slot, enum mmio_mode mode, uint32_t length, char *text)
{
	bool ours = false, taken;
	struct operand dst, src;
	char *word, *first, *second, *rest;

	for (word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
		ours = !strcmp(word, "mov") || !strcmp(word, "movabs") || !strcmp(word, "movzx") ||
		       !strcmp(word, "movsx");
		if (ours)
			break;
	}
	taken = !mmio_decode(slot, SLOT, mode, &insn);
	first = strtok_r(NULL, ",", &rest);
	second = strtok_r(NULL, "#\n", &rest);
	if (!ours || !first || !second) {
		assert_false(taken);
		return false;
	}
	while (*first == ' ')
		first++;
	for (char *end = second + strlen(second); end > second && end[-1] == ' '; end--)
		end[-1] = '\0';
	dst = parse_operand(first);
	src = parse_operand(second);
	ours = (dst.memory || src.memory) && (dst.reg || src.reg || !strncmp(second, "0x", 2));
	if (!ours) {
		assert_false(taken);
		return false;
	}
	assert_true(taken);
	assert_int_equal(insn.length, length);
	assert_int_equal(insn.write, dst.memory);
	assert_int_equal(insn.has_immediate, !dst.reg && !src.reg);
	if (dst.size && src.size && dst.memory)
		assert_int_equal(insn.size, dst.size);
	if (src.memory && src.size)
		assert_int_equal(insn.size, src.size);
	if (dst.reg)
		assert_true(insn.reg == dst.index && insn.reg_size == dst.size &&
			    insn.high_byte == dst.high);
	if (src.reg)
		assert_true(insn.reg == src.index && insn.size == src.size &&
			    insn.high_byte == src.high);
	if (insn.has_immediate) {
		uint64_t mask = insn.size == 8 ? ~0ull : (1ull << 8 * insn.size) - 1;

		assert_int_equal(insn.immediate & mask, strtoull(second, NULL, 16) & mask);
	}
	return true;
}

static void agrees_with_objdump(void **state)
{
	static uint8_t image[SLOT * SLOTS];

	(void)state;
	for (int mode = MMIO_32; mode <= MMIO_64; mode++) {
		char name[128], command[256], line[256];
		int fd, lines = 0, ours = 0;
		FILE *f;

		snprintf(name, sizeof(name), "%s/hv_mmio.XXXXXX", getenv("TMPDIR") ?: "/tmp");
		fd = mkstemp(name);

		assert_true(fd >= 0);
		memset(image, 0x90, sizeof(image));
		srand(5 + mode);
		for (uint32_t i = 0; i < SLOTS; i++)
			random_insn(image + i * SLOT, mode);
		assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
		close(fd);
		snprintf(command, sizeof(command),
			 "objdump -D -b binary -m i386%s -M intel -w --insn-width=16 %s",
			 mode == MMIO_64 ? ":x86-64" : "", name);
		f = popen(command, "r");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			char *tab = strchr(line, '\t'), *text;
			unsigned long at = strtoul(line, NULL, 16);
			uint32_t length = 0;

			if (!tab || at % SLOT)
				continue;
			text = strchr(tab + 1, '\t');
			if (!text)
				continue;
			for (char *p = tab + 1; p < text && isxdigit(*p); p += 3)
				length++;
			ours += compare(image + at, mode, length, text + 1);
			lines++;
		}
		pclose(f);
		unlink(name);
		if (!lines)
			skip();
		assert_in_range(lines, SLOTS * 9 / 10, SLOTS);
		assert_in_range(ours, SLOTS / 3, SLOTS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(common_forms),
	    cmocka_unit_test(everything_else_is_refused),
	    cmocka_unit_test(values),
	    cmocka_unit_test(agrees_with_objdump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
