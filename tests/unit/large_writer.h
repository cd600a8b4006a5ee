/* SPDX-License-Identifier: BSD-2-Clause */
/* A program with a function table of 144 MB, as the largest ones have: to be read, not to be run.
 */
#ifndef RSSCOPE_TEST_LARGE_WRITER_H
#define RSSCOPE_TEST_LARGE_WRITER_H

enum {
	FUNCS = 1650000,
	CODE = 32, /* bytes of each */
	FUNC = 44, /* sizeof(_func) of Go 1.20 */
	LINE = 42,
	NAME = 40, /* bytes of each name, its end included */
	FTAB = 8 * FUNCS + 4,
	AT_ONCE = 8192,
	TEXT = 0x400000,
	RO = 0x10000000,
	DATA = 0x20000000,
	RO_OFF = 0x2000,
};

/* Parts of the table, by offset: header, names, units, files, programs of lines, functions. */
enum {
	NAMES = 72,
	UNITS = NAMES + FUNCS * NAME,
	FILES = UNITS + 8,
	PROGRAMS = FILES + 8,
	FUNCTIONS = PROGRAMS + 64,
	TABLE = FUNCTIONS + FTAB + FUNCS * FUNC,
	DATA_OFF = (RO_OFF + TABLE + 0xfff) & ~0xfff,
	SECTIONS_OFF = DATA_OFF + 0x1000,
};
_Static_assert(TABLE >= 144 << 20, "as large as those that are meant");

/* "example.org/module/p0000007.(*T).Method", of function i. */
void large_name(unsigned int i, char out[NAME]);

/* The executable, in memory: for the caller to close. Aborts when that can't be had. */
int large_program(void);

#endif
