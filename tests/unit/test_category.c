/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/category.h"
#include "test.h"

TEST(category_names_are_a_contract)
{
	/* DESIGN §2: the table of the ledger, in order, with the parents that stand as leaves. */
	static const char *const want[] = {
		"go/heap",
		"go/heap/objects",
		"go/heap/live",
		"go/heap/new-or-dead",
		"go/heap/unused",
		"go/heap/free",
		"go/heap/released",
		"go/stacks",
		"go/thread-stacks",
		"go/gc",
		"go/allocator",
		"go/profiler",
		"go/runtime",
		"binary/text",
		"binary/rodata",
		"binary/data",
		"binary/bss",
		"native",
		"native/malloc",
		"native/malloc/live",
		"native/malloc/retained",
		"native/stacks",
		"native/mmap",
		"native/copies",
		"libs",
		"files",
		"shm",
		"device",
		"observer",
		"unknown",
	};

	REQUIRE(sizeof(want) / sizeof(*want) == CAT_COUNT);
	for (int i = 0; i < CAT_COUNT; i++) {
		CHECK_STR(category_name(i), want[i]);
		CHECK_INT(category_by_name(want[i]), i);
		CHECK(category_text(i)[0]);
	}
	CHECK_INT(category_by_name("go"), -1);
	CHECK_INT(category_by_name(""), -1);
	CHECK_INT(category_by_name("go/heap/"), -1);
}
