/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that has ended before its mappings could be read: its file names its code. */
#include <unistd.h>

#include "base/cleanup.h"
#include "symbol/symbolize.h"
#include "bytes.h"
#include "elf_writer.h"
#include "test.h"

static struct symbolizer *open_program(bool pie, struct gow_place *place)
{
	struct gow g = { .magic = 0xfffffff1,
			 .machine = EM_X86_64,
			 .pie = pie,
			 .sections = true,
			 .version = "go1.26.1" };
	struct symbolizer *s = NULL;
	_text_ struct text file = { 0 };
	_close_ int fd = -1;

	gow_make(&g, &file, place);
	fd = bytes_fd(file.p, file.n);
	CHECK_INT(symbolizer_open_new(NULL, NULL, fd, &s), 0);
	return s;
}

TEST(symbolizer_without_mappings)
{
	struct gow_place place;
	struct symbolizer *s = open_program(false, &place);
	struct frame f;

	REQUIRE(s != NULL);
	/* gow_funcs: the second one begins 0x20 bytes after the first; a return address there is
	 * behind the call */
	symbolizer_frame(s, place.text + 0x20, &f);
	CHECK_STR(f.func, "internal/cpu.Initialize");
	CHECK(f.go && f.module);
	symbolizer_frame(s, place.text + 0x21, &f);
	CHECK_STR(f.func, "runtime.main");
	CHECK_INT(f.line, 145);
	symbolizer_tick(s);
	symbolizer_frame(s, 0x7f0000001234, &f);
	CHECK(!f.func && !f.module);
	symbolizer_close(s);
}

/* Where a PIE was loaded its file does not say; and there may be no file. */
TEST(symbolizer_without_a_place)
{
	struct gow_place place;
	struct symbolizer *s = open_program(true, &place);
	struct frame f;

	REQUIRE(s != NULL);
	symbolizer_frame(s, place.text + 0x20, &f);
	CHECK(!f.func && !f.module);
	symbolizer_close(s);

	CHECK_INT(symbolizer_open_new(NULL, NULL, -1, &s), 0);
	symbolizer_frame(s, place.text + 0x20, &f);
	CHECK(!f.func && !f.module);
	symbolizer_close(s);
}
