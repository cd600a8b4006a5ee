/* SPDX-License-Identifier: BSD-2-Clause */
/* The profiler's buckets of a process that is an array: which counts are published, which are torn.
 */
#include <errno.h>

#include "test.h"

#include "goruntime/profile.h"
#include "source/memsrc_impl.h"

enum {
	SLOTS = 16,
	BASE = 0x100000,
	BUCKHASH = BASE,
	MEMSTATS = BASE + 8,
	TABLE = BASE + 4096,
	BUCKETS = TABLE + 4096,
	WORDS = 1 << 17,
};

struct process {
	struct memsrc m;
	struct go_layout l;
	struct go_runtime rt;
	uint64_t at;   /* where the next bucket goes */
	uint64_t heal; /* reads of this word make it what is behind it: it was torn */
	bool ends;     /* a GC cycle, when the first bucket is read whole */
	uint64_t mem[WORDS];
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
	memcpy(buf, (uint8_t *)p->mem + (addr - BASE), len);
	if (p->ends && len > 48 && addr >= BUCKETS) {
		*word(p, MEMSTATS) += 1;
		p->ends = false;
	}
	if (p->heal && addr <= p->heal && p->heal < addr + len && len > 48) {
		*word(p, p->heal) += 1;
		p->heal = 0;
	}
	return 0;
}

static int gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		  size_t each, void *buf, bool *bad, range_vec *holes)
{
	for (size_t i = 0; i < n; i++)
		bad[i] = read_mem(m, pass, 0, addr[i], (uint8_t *)buf + i * each, each, holes) != 0;
	return 0;
}

static const struct memsrc_ops ops = { .read = read_mem, .gather = gather };

static void begin(struct process *p, const char *release, uint32_t cycle)
{
	memset(p, 0, sizeof(*p));
	p->m = (struct memsrc){ .ops = &ops, .page_size = 4096, .kind = MEMSRC_CORE };
	p->l = *go_layout_find(release, "amd64");
	p->l.f[GO_CONST_BUCKHASHSIZE] = SLOTS;
	p->l.f[GO_MSTATS_NUMGC] = 0;
	p->l.f[GO_MSTATS_BUCKHASH_SYS] = 8;
	p->rt = (struct go_runtime){ .m = &p->m,
				     .l = &p->l,
				     .g = { .buckhash = BUCKHASH, .memstats = MEMSTATS } };
	p->at = BUCKETS;
	*word(p, BUCKHASH) = TABLE;
	*word(p, MEMSTATS) = cycle;
}

/* A bucket of one kind at the front of a slot's chain; its record's first word. */
static uint64_t add(struct process *p, uint64_t kind, uint64_t size, size_t nstk)
{
	const struct go_layout *l = &p->l;
	uint64_t at = p->at, slot = TABLE + p->at / 8 % SLOTS * 8;
	uint64_t record = at + l->f[GO_SIZE_BUCKET] + 8 * nstk;

	*word(p, at + l->f[GO_BUCKET_NEXT]) = *word(p, slot);
	*word(p, at + l->f[GO_BUCKET_TYP]) = kind;
	*word(p, at + l->f[GO_BUCKET_SIZE]) = size;
	*word(p, at + l->f[GO_BUCKET_NSTK]) = nstk;
	for (size_t i = 0; i < nstk; i++)
		*word(p, at + l->f[GO_SIZE_BUCKET] + 8 * i) = 0x400000 + 16 * i;
	*word(p, slot) = at;
	p->at = record + (kind == 1 ? l->f[GO_SIZE_MEMRECORD] : 16);
	return record;
}

/* Counts of one cycle: −1 is what is active, else the future. */
static void set(struct process *p, uint64_t record, int future, uint64_t allocs, uint64_t frees,
		uint64_t size)
{
	const struct go_layout *l = &p->l;
	uint64_t at = record + (future < 0 ? l->f[GO_MEMRECORD_ACTIVE]
					   : l->f[GO_MEMRECORD_FUTURE] +
						     future * l->f[GO_SIZE_MEMRECORDCYCLE]);

	*word(p, at) = allocs;
	*word(p, at + 8) = frees;
	if (l->f[GO_SIZE_MEMRECORDCYCLE] == 16)
		return;
	*word(p, at + 16) = allocs * size;
	*word(p, at + 24) = frees * size;
}

struct got {
	size_t n;
	struct go_bucket b[8];
	uint64_t pcs;
};

static int take(void *ctx, const struct go_bucket *b)
{
	struct got *g = ctx;

	REQUIRE(g->n < ARRAY_LEN(g->b));
	g->b[g->n++] = *b;
	for (size_t i = 0; i < b->npc; i++)
		g->pcs += b->pc[i] == 0x400000 + 16 * i;
	return 0;
}

/* Before 1.27 records hold bytes, too. */
TEST(go_profile_counts)
{
	static const char *const releases[] = { "go1.15.15", "go1.22.1", "go1.26.8", "go1.27.1" };
	struct process *p = malloc(sizeof(*p));

	REQUIRE(p);
	for (size_t i = 0; i < ARRAY_LEN(releases); i++)
		for (uint32_t cycle = 7; cycle < 10; cycle++) {
			struct go_profile_info info;
			struct got g = { 0 };
			uint64_t r;

			begin(p, releases[i], cycle);
			r = add(p, 1, 48, 5);
			set(p, r, -1, 100, 60, 48);
			set(p, r, cycle % 3, 10, 5, 48);
			set(p, r, (cycle + 1) % 3, 20, 7, 48);
			set(p, r, (cycle + 2) % 3, 40, 0, 48);
			add(p, 2, 0, 3);
			r = add(p, 1, 16, 0);
			set(p, r, -1, 1, 0, 16);
			REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_MEMORY, take, &g, &info));
			REQUIRE(g.n == 2);
			CHECK_INT(info.buckets, 2);
			CHECK_INT(info.torn, 0);
			CHECK_INT(info.gc_cycle, cycle);
			CHECK(!info.moved);
			CHECK_INT(g.pcs, 5);
			CHECK_INT(g.b[0].published.allocs, 110);
			CHECK_INT(g.b[0].published.frees, 65);
			CHECK_INT(g.b[0].published.alloc_bytes, 110 * 48);
			CHECK_INT(g.b[0].published.free_bytes, 65 * 48);
			CHECK_INT(g.b[0].next.frees, 7);
			CHECK_INT(g.b[0].all.allocs, 170);
			CHECK_INT(g.b[0].all.frees, 72);
			CHECK_INT(g.b[1].npc, 0);
			CHECK_INT(g.b[1].published.allocs, 1);
			vec_free(&p->m.holes);
		}
	free(p);
}

TEST(go_profile_blocking)
{
	struct process *p = malloc(sizeof(*p));
	struct go_profile_info info;
	struct got g = { 0 };
	double count = 2.5;
	uint64_t r;

	REQUIRE(p);
	begin(p, "go1.26.8", 1);
	CHECK_INT(
		go_profile_read(&(struct go_runtime){ .m = &p->m, .l = &p->l }, 1, take, &g, &info),
		-ENOENT);
	add(p, 1, 16, 2);
	r = add(p, 3, 0, 2);
	memcpy(word(p, r), &count, 8);
	*word(p, r + 8) = 777;
	REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_MUTEX, take, &g, &info));
	REQUIRE(g.n == 1);
	CHECK(g.b[0].count == 2.5 && g.b[0].cycles == 777);
	g.n = 0;
	REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_BLOCK, take, &g, &info));
	CHECK_INT(g.n, 0);
	vec_free(&p->m.holes);
	free(p);
}

/* Bytes are the number times the size: one that is in the middle of a change says something else.
 */
TEST(go_profile_torn)
{
	struct process *p = malloc(sizeof(*p));
	struct go_profile_info info;
	struct got g = { 0 };
	uint64_t r;

	REQUIRE(p);
	begin(p, "go1.26.8", 3);
	r = add(p, 1, 64, 1);
	set(p, r, -1, 10, 2, 64);
	*word(p, r + p->l.f[GO_MEMRECORD_ACTIVE]) -= 1;
	p->heal = r + p->l.f[GO_MEMRECORD_ACTIVE];
	REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_MEMORY, take, &g, &info));
	CHECK_INT(info.torn, 0);
	REQUIRE(g.n == 1);
	CHECK_INT(g.b[0].published.allocs, 10);
	/* and stays so */
	*word(p, r + p->l.f[GO_MEMRECORD_ACTIVE]) = 9;
	g.n = 0;
	REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_MEMORY, take, &g, &info));
	CHECK_INT(info.torn, 1);
	CHECK_INT(g.n, 0);
	vec_free(&p->m.holes);
	free(p);
}

/* A cycle that ends in the middle is told. */
TEST(go_profile_of_two_cycles)
{
	struct process *p = malloc(sizeof(*p));
	struct go_profile_info info;
	struct got g = { 0 };

	REQUIRE(p);
	begin(p, "go1.26.8", 3);
	set(p, add(p, 1, 64, 1), -1, 10, 2, 64);
	p->ends = true;
	REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_MEMORY, take, &g, &info));
	CHECK(info.moved);
	CHECK_INT(info.gc_cycle, 3);
	REQUIRE(!go_profile_read(&p->rt, GO_PROFILE_MEMORY, take, &g, &info));
	CHECK(!info.moved);
	CHECK_INT(info.gc_cycle, 4);
	vec_free(&p->m.holes);
	free(p);
}

/* A chain that leads back to itself ends, soon. */
TEST(go_profile_of_a_ring)
{
	struct process *p = malloc(sizeof(*p));
	struct go_profile_info info;
	struct got g = { 0 };
	uint64_t at;

	REQUIRE(p);
	begin(p, "go1.26.8", 3);
	at = p->at;
	add(p, 1, 64, 1);
	*word(p, at + p->l.f[GO_BUCKET_NEXT]) = at;
	CHECK_INT(go_profile_read(&p->rt, GO_PROFILE_MEMORY, take, &g, &info), -ELOOP);
	CHECK_INT(g.n, 0);
	vec_free(&p->m.holes);
	free(p);
}
