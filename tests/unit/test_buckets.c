/* SPDX-License-Identifier: BSD-2-Clause */
/* The profile's buckets, read and kept, of a process that is an array. */
#include "test.h"

#include "goruntime/regions.h"
#include "source/memsrc_impl.h"

enum {
	SLOTS = 4096,
	BASE = 0x100000,
	BUCKHASH = BASE, /* the variable */
	MEMSTATS = BASE + 64,
	TABLE = BASE + 4096,
	BUCKETS = TABLE + SLOTS * 8,
	HEADER = 48,
	RECORD = 128,
	NSTK = 3,
	BUCKET = HEADER + RECORD + 8 * NSTK,
	MASKS = 40,
};

struct process {
	struct memsrc m;
	struct go_runtime rt;
	struct go_layout l;
	struct go_regions_kept kept;
	go_region_vec v;
	uint64_t mem[4 << 17];
	size_t buckets, gathers, gathered, large;
};

static uint64_t *word(struct process *p, uint64_t addr)
{
	return &p->mem[(addr - BASE) / 8];
}

static int read_mem(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes)
{
	struct process *p = (struct process *)m;

	if (addr < BASE || addr + len > BASE + sizeof(p->mem))
		return range_append(holes, addr, addr + len, HOLE_UNMAPPED);
	p->large += len >= 1 << 20;
	memcpy(buf, (uint8_t *)p->mem + (addr - BASE), len);
	return 0;
}

static int gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		  size_t each, void *buf, bool *bad, range_vec *holes)
{
	struct process *p = (struct process *)m;

	p->gathers++;
	p->gathered += n;
	for (size_t i = 0; i < n; i++)
		bad[i] = read_mem(m, pass, 0, addr[i], (uint8_t *)buf + i * each, each, holes) != 0;
	return 0;
}

static const struct memsrc_ops ops = { .read = read_mem, .gather = gather };

/* A bucket at the front of the slot's chain, as newBucket adds it. */
static void add(struct process *p, size_t slot)
{
	uint64_t at = BUCKETS + p->buckets++ * 2 * BUCKET;

	*word(p, at) = *word(p, TABLE + slot * 8);
	*word(p, at + 16) = 1;
	*word(p, at + 40) = NSTK;
	*word(p, TABLE + slot * 8) = at;
	*word(p, MEMSTATS) += BUCKET;
}

static void begin(struct process *p)
{
	*p = (struct process){ .m = { .ops = &ops, .page_size = 4096 } };
	for (size_t i = 0; i < GO_FIELD_COUNT; i++)
		p->l.f[i] = -1;
	p->l.f[GO_CONST_BUCKHASHSIZE] = SLOTS;
	p->l.f[GO_MSTATS_BUCKHASH_SYS] = 0;
	p->l.f[GO_SIZE_BUCKET] = HEADER;
	p->l.f[GO_SIZE_MEMRECORD] = RECORD;
	p->l.f[GO_BUCKET_NEXT] = 0;
	p->l.f[GO_BUCKET_TYP] = 16;
	p->l.f[GO_BUCKET_NSTK] = 40;
	p->rt = (struct go_runtime){ .m = &p->m,
				     .l = &p->l,
				     .masks_bytes = MASKS,
				     .g = { .buckhash = BUCKHASH, .memstats = MEMSTATS } };
	*word(p, BUCKHASH) = TABLE;
	*word(p, MEMSTATS) = SLOTS * 8 + MASKS;
}

static void end(struct process *p)
{
	go_regions_kept_free(&p->kept);
	vec_free(&p->v);
}

/* As a snapshot does. Bytes of buckets. */
static uint64_t look(struct process *p)
{
	uint64_t moment, bytes = 0;
	int r;

	p->v.n = p->gathers = p->gathered = p->large = 0;
	r = buckets_again(&p->rt, &p->kept, &p->v);
	if (!r) {
		r = buckets_read(&p->rt, &p->v, &moment);
		buckets_keep(&p->rt, &p->kept, p->v.v, p->v.n);
	}
	CHECK(r >= 0 || r == -ERANGE);
	for (size_t i = 0; i < p->v.n; i++)
		bytes += p->v.v[i].kind == GO_REGION_BUCKET ? p->v.v[i].end - p->v.v[i].start : 0;
	return bytes;
}

TEST(buckets_that_are_charged_are_read_once)
{
	static struct process p;

	begin(&p);
	add(&p, 3);
	add(&p, 3);
	add(&p, 63);
	CHECK_INT(look(&p), 3 * BUCKET);
	CHECK_INT(p.gathers, 2);
	CHECK_INT(p.v.n, 4); /* the table, too */
	CHECK_INT(look(&p), 3 * BUCKET);
	CHECK_INT(p.gathers, 0);
	CHECK_INT(p.v.n, 4);
	CHECK_INT(p.v.v[0].kind, GO_REGION_BUCKHASH);
	end(&p);
}

TEST(a_new_bucket_is_seen)
{
	static struct process p;

	begin(&p);
	add(&p, 3);
	CHECK_INT(look(&p), BUCKET);
	add(&p, 3);
	add(&p, 9);
	CHECK_INT(look(&p), 3 * BUCKET);
	CHECK(p.gathers > 0);
	CHECK_INT(look(&p), 3 * BUCKET);
	CHECK_INT(p.gathers, 0);
	end(&p);
}

TEST(buckets_are_not_kept_unless_they_are_all_that_is_charged)
{
	static struct process p;

	begin(&p);
	add(&p, 5);
	*word(&p, MEMSTATS) += 8; /* charged, and not in the table yet */
	look(&p);
	look(&p);
	CHECK(p.gathers > 0);
	*word(&p, MEMSTATS) -= 8;
	p.rt.masks_bytes = 0; /* not known: nothing can be compared */
	look(&p);
	look(&p);
	CHECK(p.gathers > 0);
	end(&p);
}

/* Where memory is full of them it is read whole, with the chains that stay in it; but not of a
 * core. */
TEST(buckets_that_lie_close_together_are_read_whole)
{
	enum { N = 6000 };
	static struct process p;
	size_t live;

	begin(&p);
	for (size_t i = 0; i < N; i++)
		add(&p, i % SLOTS);
	CHECK_INT(look(&p), N * BUCKET);
	live = p.gathered;
	CHECK(p.large > 0);
	go_regions_kept_free(&p.kept);
	p.m.kind = MEMSRC_CORE;
	CHECK_INT(look(&p), N * BUCKET);
	CHECK_INT(p.gathered, N);
	CHECK_INT(p.large, 0);
	CHECK(live < N);
	end(&p);
}
