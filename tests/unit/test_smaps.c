/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "proc/smaps.h"

static const char sample[] = "Pss: 7 kB\n" /* of no mapping */
			     "1000-3000 r-xp 00000000 fe:01 7 /a Pss: 9 kB\n"
			     "Rss:                   8 kB\n"
			     "Pss:                   4 kB\n"
			     "Pss_Dirty:             1 kB\n"
			     "VmFlags: rd ex mr pfx io \n"
			     "9000-8000 r-xp 00000000 fe:01 7 /no-range\n"
			     "Pss:                   1 kB\n"
			     "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 Abc-def r\n"
			     "Pss:                  12 kB\n"
			     "VmFlags: rd pf";

static struct smaps_walk walk(const char *text)
{
	return (struct smaps_walk){ .next = text, .last = text + strlen(text) };
}

TEST(smaps_one_field_of_all_mappings)
{
	struct smaps_walk w = walk(sample);

	REQUIRE(smaps_next(&w, "Pss:"));
	CHECK_INT(w.start, 0x1000);
	CHECK_INT(w.end, 0x3000);
	CHECK_INT(smaps_bytes(&w), 4096);
	/* what is no range changes nothing */
	REQUIRE(smaps_next(&w, "Pss:"));
	CHECK_INT(w.start, 0x1000);
	CHECK_INT(smaps_bytes(&w), 1024);
	REQUIRE(smaps_next(&w, "Pss:"));
	CHECK_INT(w.start, 0x7f0000000000);
	CHECK_INT(smaps_bytes(&w), 12288);
	CHECK(!smaps_next(&w, "Pss:"));
	CHECK(!smaps_next(&w, "Pss:"));
	w = walk("");
	CHECK(!smaps_next(&w, "Pss:"));
	w = walk("1000-2000 rw-p 0 0:0 0\nPss: 99999999999999999999 kB\nPss: kB\n");
	REQUIRE(smaps_next(&w, "Pss:"));
	CHECK_INT(smaps_bytes(&w), 0);
	REQUIRE(smaps_next(&w, "Pss:"));
	CHECK_INT(smaps_bytes(&w), 0);
	w = (struct smaps_walk){ 0 };
	CHECK(!smaps_next(&w, "Pss:"));
}

TEST(smaps_flags_are_words)
{
	static const char pf[][3] = { "ht", "pf" }, ex[][3] = { "ex" };
	struct smaps_walk w = walk(sample);

	REQUIRE(smaps_next(&w, "VmFlags:"));
	CHECK(!smaps_has_flag(w.value, w.stop, pf, 2));
	CHECK(smaps_has_flag(w.value, w.stop, ex, 1));
	REQUIRE(smaps_next(&w, "VmFlags:"));
	CHECK(smaps_has_flag(w.value, w.stop, pf, 2));
	CHECK(!smaps_has_flag(w.value, w.stop, ex, 1));
	CHECK(!smaps_next(&w, "VmFlags:"));
}
