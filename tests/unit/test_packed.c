/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking for a packed program: what is read is counted. */
#include "test.h"

#include <elf.h>

#include "base/text.h"
#include "session/packed.h"
#include "memsrc_fake.h"

struct counting {
	struct memsrc_fake fake;
	unsigned int reads;
	uint64_t elf; /* where an ELF header is */
};

static int count_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		      void *buf, size_t len, range_vec *holes)
{
	struct counting *c = (struct counting *)m;

	c->reads++;
	memcpy(buf, addr == c->elf ? ELFMAG : "\0\0\0\0", len < SELFMAG ? len : SELFMAG);
	return 0;
}

static const struct memsrc_ops ops = { .text = fake_text, .read = count_read };

static void put(struct text *t, uint64_t start, const char *perms, const char *rest)
{
	REQUIRE(!text_printf(t, "%" PRIx64 "-%" PRIx64 " %s 00000000 00:00 0 %s\n", start,
			     start + 0x1000, perms, rest));
}

static bool is_packed(struct counting *c, const struct text *t)
{
	_cleanup_(maps_free) struct maps m = { 0 };

	c->fake = memsrc_fake((const struct fake_text[]){ { 0 } });
	c->fake.m.ops = &ops;
	REQUIRE(!maps_parse(t->p, &m, NULL));
	return packed_program(&c->fake.m, &m);
}

TEST(packed_reads_each_mapping_once)
{
	struct counting c = { 0 };
	_text_ struct text t = { 0 };

	for (unsigned int i = 0; i < 3000; i++)
		put(&t, 0x10000000 + 0x1000 * i, i & 1 ? "r-xp" : "r--p", "");
	CHECK(!is_packed(&c, &t));
	CHECK_INT(c.reads, 3000);
}

TEST(packed_reads_are_bounded)
{
	struct counting c = { 0 };
	_text_ struct text t = { 0 };

	for (unsigned int i = 0; i < 2 * PACKED_READS_MAX; i++)
		put(&t, 0x10000000 + 0x2000 * i, "r-xp", "");
	CHECK(!is_packed(&c, &t));
	CHECK_INT(c.reads, PACKED_READS_MAX);
}

TEST(packed_header_in_front_of_code)
{
	struct counting c = { .elf = 0x10001000 };
	_text_ struct text t = { 0 }, no_code = { 0 }, apart = { 0 };

	put(&t, 0x10000000, "r--p", "[heap]");
	put(&t, 0x10001000, "r--p", "");
	put(&t, 0x10002000, "rw-p", "");
	put(&t, 0x10003000, "r-xp", "");
	CHECK(is_packed(&c, &t));

	put(&no_code, 0x10001000, "r--p", "");
	put(&no_code, 0x10002000, "rw-p", "");
	CHECK(!is_packed(&c, &no_code));

	put(&apart, 0x10001000, "r--p", "");
	put(&apart, 0x10004000, "r-xp", "");
	CHECK(!is_packed(&c, &apart));
}
