/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of files that are mapped more than once. */
#include "base/cleanup.h"
#include "collect/repeated.h"
#include "source/memsrc.h"
#include "test.h"

enum { FILE_PAGE = PAGE_PRESENT | PAGE_FILE, COPY = PAGE_PRESENT };

static uint64_t repeated(const char *text, const struct range *v, size_t n)
{
	_cleanup_(maps_free) struct maps m = { 0 };
	range_vec pages = { 0 };
	uint64_t out = 1;

	REQUIRE(!maps_parse(text, &m, NULL));
	for (size_t i = 0; i < n; i++)
		REQUIRE(!vec_push(&pages, v[i]));
	REQUIRE(!repeated_bytes(&m, &pages, &out));
	vec_free(&pages);
	return out;
}
#define REPEATED(text, ...)                                                                        \
	repeated(text, (const struct range[]){ __VA_ARGS__ },                                      \
		 sizeof((const struct range[]){ __VA_ARGS__ }) / sizeof(struct range))

TEST(repeated_is_a_page_of_a_file_at_the_same_place)
{
	/* whole, all but the first page, behind each other */
	static const char three[] = "10000-14000 r--s 00000000 fe:01 7 /a\n"
				    "20000-23000 r--s 00001000 fe:01 7 /a\n"
				    "30000-32000 r--p 00000000 fe:01 7 /a\n"
				    "40000-44000 r--p 00008000 fe:01 7 /a\n";

	CHECK_INT(REPEATED(three, { 0x10000, 0x14000, FILE_PAGE }, { 0x20000, 0x23000, FILE_PAGE },
			   { 0x30000, 0x32000, FILE_PAGE }, { 0x40000, 0x44000, FILE_PAGE }),
		  0x3000 + 0x2000);
	/* what is not in memory, or was copied, is no second time */
	CHECK_INT(REPEATED(three, { 0x10000, 0x11000, FILE_PAGE }, { 0x20000, 0x23000, FILE_PAGE },
			   { 0x30000, 0x31000, COPY }, { 0x31000, 0x32000, PAGE_SWAPPED }),
		  0);
	/* in one range of pages, across mappings that touch */
	CHECK_INT(REPEATED("10000-12000 r--s 00000000 fe:01 7 /a\n"
			   "12000-14000 r-xs 00000000 fe:01 7 /a\n",
			   { 0x10000, 0x14000, FILE_PAGE }),
		  0x2000);
}

TEST(repeated_asks_for_device_inode_and_name)
{
	static const char *const other[] = {
		"20000-22000 r--s 00000000 fe:02 7 /a\n", /* of two file systems */
		"20000-22000 r--s 00000000 fd:01 7 /a\n",
		"20000-22000 r--s 00000000 fe:01 8 /a\n",
		"20000-22000 r--s 00000000 fe:01 7 /SYSV00000000 (deleted)\n",
		"20000-22000 r--s 00002000 fe:01 7 /a\n",
		"20000-22000 r--s fffffffffffff000 fe:01 7 /a\n", /* beyond all files */
		"20000-22000 r--s 00000000 00:00 0 \n",
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		char text[256];

		snprintf(text, sizeof(text), "10000-12000 r--s 00000000 fe:01 7 /a\n%s", other[i]);
		CHECK_INT(REPEATED(text, { 0x10000, 0x12000, FILE_PAGE },
				   { 0x20000, 0x22000, FILE_PAGE }),
			  0);
	}
	/* all files of anon_inodefs have one inode */
	CHECK_INT(REPEATED("10000-12000 rw-s 00000000 00:0e 9 anon_inode:[perf_event]\n"
			   "20000-22000 rw-s 00000000 00:0e 9 anon_inode:[perf_event]\n",
			   { 0x10000, 0x12000, FILE_PAGE }, { 0x20000, 0x22000, FILE_PAGE }),
		  0);
}
