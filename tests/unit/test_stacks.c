/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks by id: one for all processes of a binary, wherever it is loaded. */
#include "test.h"

#include <unistd.h>

#include "bytes.h"
#include "elf_writer.h"
#include "memsrc_fake.h"
#include "symbol/stacks.h"

enum { SIZE = 0x100000 };

/* A process that maps the Go program in `fd`. */
struct process {
	struct memsrc_fake fake;
	struct fake_text texts[3];
	char maps[512];
	struct symbolizer *names;
	uint64_t base;
};

static int file_fd; /* of the test: each runs in a process of its own */

static int open_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	*fd = dup(file_fd);
	return *fd < 0 ? -errno : 0;
}

static const struct memsrc_ops ops = { .text = fake_text, .file = open_file };

static void start(struct process *p, uint64_t base, unsigned int inode, struct shelf *shelf)
{
	snprintf(p->maps, sizeof(p->maps),
		 "%" PRIx64 "-%" PRIx64 " r-xp 00000000 fe:01 %u /opt/prog\n"
		 "7f0000000000-7f0000010000 r-xp 00000000 00:00 0 \n",
		 base, base + SIZE, inode);
	p->base = base;
	p->texts[0] = (struct fake_text){ "proc/maps", p->maps };
	p->texts[1] = (struct fake_text){ "proc/exe", "/opt/prog\n" };
	p->fake = memsrc_fake(p->texts);
	p->fake.m.ops = &ops;
	REQUIRE(!symbolizer_open(&p->fake.m, shelf, &p->names, NULL));
}

static uint64_t make_program(void)
{
	struct gow g = { .magic = 0xfffffff1,
			 .machine = EM_X86_64,
			 .pie = true,
			 .sections = true,
			 .version = "go1.26.1" };
	struct gow_place place;
	_text_ struct text file = { 0 };

	gow_make(&g, &file, &place);
	file_fd = bytes_fd(file.p, file.n);
	return place.text;
}

TEST(stacks_of_processes_of_a_binary)
{
	uint64_t text = make_program();
	struct process a, b, other;
	struct shelf *shelf = NULL;
	struct shelf_stats shelved;
	struct stacks *t = NULL;
	struct frame f;
	size_t ngo = 9;
	uint32_t id;

	REQUIRE(!shelf_create(0, &shelf) && !stacks_create(0, &t));
	start(&a, 0x10000000, 7, shelf);
	start(&b, 0x555500000000, 7, shelf);
	start(&other, 0x10000000, 8, shelf);
	{
		uint64_t in_a[] = { a.base + text + 0x21, a.base + text + 0x30 };
		uint64_t in_b[] = { b.base + text + 0x21, b.base + text + 0x30 };

		id = stacks_intern(t, a.names, in_a, 2, 1);
		CHECK(id != STACKS_NONE);
		CHECK_INT(stacks_intern(t, a.names, in_a, 2, 1), id);
		CHECK_INT(stacks_intern(t, b.names, in_b, 2, 1), id);
		/* what differs is another one */
		CHECK(stacks_intern(t, other.names, in_a, 2, 1) != id);
		CHECK(stacks_intern(t, a.names, in_a, 2, 0) != id);
		CHECK(stacks_intern(t, a.names, in_a, 1, 1) != id);
		/* each process has it where its binary is */
		CHECK_INT(stacks_depth(t, id, &ngo), 2);
		CHECK_INT(ngo, 1);
		CHECK_INT(stacks_address(t, a.names, id, 0), in_a[0]);
		CHECK_INT(stacks_address(t, b.names, id, 1), in_b[1]);
		CHECK_INT(stacks_address(t, b.names, id, 2), 0);
		CHECK_INT(stacks_address(t, other.names, id, 0), in_a[0]);
	}
	symbolizer_frame(b.names, stacks_address(t, b.names, id, 0), &f);
	CHECK_STR(f.func, "runtime.main");
	/* and all of them one function table */
	shelf_stats(shelf, &shelved);
	CHECK_INT(shelved.images, 1);
	CHECK_INT(shelved.open, 1);
	symbolizer_close(a.names);
	symbolizer_close(b.names);
	symbolizer_close(other.names);
	shelf_destroy(shelf);
	stacks_destroy(t);
	close(file_fd);
}

TEST(stacks_without_a_file)
{
	struct process a, b;
	struct stacks *t = NULL;
	uint64_t anon[] = { 0x7f0000000123 }, nowhere[] = { 0x1234 };
	size_t ngo;

	make_program();
	REQUIRE(!stacks_create(0, &t));
	start(&a, 0x10000000, 7, NULL);
	start(&b, 0x20000000, 7, NULL);
	CHECK_INT(stacks_intern(t, a.names, anon, 1, 0), stacks_intern(t, b.names, anon, 1, 0));
	CHECK(stacks_intern(t, a.names, anon, 1, 0) != stacks_intern(t, a.names, nowhere, 1, 0));
	CHECK_INT(stacks_address(t, a.names, stacks_intern(t, a.names, nowhere, 1, 0), 0), 0x1234);
	CHECK_INT(stacks_intern(t, a.names, anon, 0, 0), STACKS_NONE);
	CHECK_INT(stacks_depth(t, STACKS_NONE, &ngo), 0);
	CHECK_INT(stacks_depth(t, 77, &ngo), 0);
	symbolizer_close(a.names);
	symbolizer_close(b.names);
	stacks_destroy(t);
	close(file_fd);
}

/* Who keeps the ids from lo to hi. */
struct keeper {
	uint32_t lo, hi;
};

static void keep(void *ctx, struct stacks *t)
{
	const struct keeper *k = ctx;

	for (uint32_t id = k->lo; id <= k->hi; id++)
		stacks_keep(t, id);
}

TEST(stacks_are_bounded)
{
	enum { MAX = 8 };
	struct keeper first = { 1, 2 }, second = { 3, 4 }, all = { 1, MAX };
	struct stacks *t = NULL;
	struct process p;
	uint64_t addr[1];
	size_t ngo;

	make_program();
	REQUIRE(!stacks_create(MAX, &t));
	start(&p, 0x10000000, 7, NULL);
	REQUIRE(!stacks_join(t, keep, &first) && !stacks_join(t, keep, &second));
	for (uint32_t i = 0; i < 100; i++) {
		addr[0] = p.base + 1 + i;
		CHECK(stacks_intern(t, p.names, addr, 1, 0) <= MAX);
		CHECK(stacks_intern(t, p.names, addr, 1, 0) != STACKS_NONE);
	}
	CHECK_INT(stacks_refused(t), 0);
	/* those of either are still what they were, and found */
	for (uint32_t i = 0; i < 4; i++) {
		addr[0] = p.base + 1 + i;
		CHECK_INT(stacks_address(t, p.names, i + 1, 0), addr[0]);
		CHECK_INT(stacks_intern(t, p.names, addr, 1, 0), i + 1);
	}
	/* with all kept there is none left; with one who left there is */
	REQUIRE(!stacks_join(t, keep, &all));
	for (uint32_t i = 0; i < MAX * 3; i++) {
		addr[0] = p.base + 0x1000 + i;
		stacks_intern(t, p.names, addr, 1, 0);
	}
	CHECK(stacks_refused(t) > 0);
	addr[0] = p.base + 0x2000;
	CHECK_INT(stacks_intern(t, p.names, addr, 1, 0), STACKS_NONE);
	stacks_leave(t, &all);
	for (uint32_t i = 0; i < MAX; i++)
		if (stacks_intern(t, p.names, addr, 1, 0))
			break;
	CHECK(stacks_intern(t, p.names, addr, 1, 0) > 4);
	CHECK_INT(stacks_depth(t, 1, &ngo), 1);
	symbolizer_close(p.names);
	stacks_destroy(t);
	close(file_fd);
}
