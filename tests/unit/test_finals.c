/* SPDX-License-Identifier: BSD-2-Clause */
/* Histograms, and queues of finalizers and cleanups, of a process that is an array: as they are,
 * torn, hostile. */
#include "test.h"

#include "goruntime/finals.h"
#include "goruntime/histograms.h"
#include "source/memsrc_impl.h"

enum {
	BASE = 0x100000,
	ALLFIN = BASE,
	FINQUEUED = BASE + 8,
	FINEXECUTED = BASE + 16,
	ALLP = BASE + 24,
	CLEANUPS = BASE + 64,
	PS = BASE + 1024, /* the array, then each P */
	SCHED = BASE + 4096,
	BLOCKS = BASE + 8192,
	BLOCK = 4096,
	NPS = 3,
	COUNTS = 160,
};

struct process {
	struct memsrc m;
	struct go_runtime rt;
	struct go_layout l;
	uint64_t mem[1 << 16];
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
	return 0;
}

static const struct memsrc_ops ops = { .read = read_mem };

/* As Go 1.26 has it. */
static void set_layout(struct go_layout *l)
{
	static const struct {
		enum go_field f;
		int64_t v;
	} set[] = {
		{ GO_SIZE_FINBLOCK, 4064 },
		{ GO_FINBLOCK_ALLLINK, 0 },
		{ GO_FINBLOCK_NEXT, 8 },
		{ GO_FINBLOCK_CNT, 16 },
		{ GO_FINBLOCK_FIN, 24 },
		{ GO_CONST_FINBLOCKSIZE, BLOCK },
		{ GO_SIZE_CLEANUPQUEUE, 248 },
		{ GO_CLEANUPQUEUE_ALL, 128 },
		{ GO_CLEANUPQUEUE_QUEUED, 232 },
		{ GO_CLEANUPQUEUE_EXECUTED, 240 },
		{ GO_SIZE_CLEANUPBLOCK, 512 },
		{ GO_CLEANUPBLOCK_ALLLINK, 16 },
		{ GO_CLEANUPBLOCK_N, 24 },
		{ GO_CONST_CLEANUPBLOCKSIZE, 512 },
		{ GO_P_CLEANUPSQUEUED, 8 },
		{ GO_SIZE_TIMEHIST, 8 * COUNTS + 16 },
		{ GO_TIMEHIST_COUNTS, 0 },
		{ GO_TIMEHIST_COUNTS_WIDTH, 8 * COUNTS },
		{ GO_TIMEHIST_UNDERFLOW, 8 * COUNTS },
		{ GO_TIMEHIST_OVERFLOW, 8 * COUNTS + 8 },
		{ GO_CONST_TIMEHIST_SUBBUCKETBITS, 2 },
		{ GO_CONST_TIMEHIST_MINBUCKETBITS, 9 },
		{ GO_CONST_TIMEHIST_MAXBUCKETBITS, 48 },
		{ GO_CONST_TIMEHIST_NUMBUCKETS, 40 },
		{ GO_SCHED_TIMETORUN, 64 },
	};

	for (size_t i = 0; i < GO_FIELD_COUNT; i++)
		l->f[i] = GO_ABSENT;
	for (size_t i = 0; i < sizeof(set) / sizeof(*set); i++)
		l->f[set[i].f] = set[i].v;
}

static void begin(struct process *p)
{
	*p = (struct process){ .m = { .ops = &ops, .page_size = 4096 } };
	set_layout(&p->l);
	p->rt = (struct go_runtime){ .m = &p->m,
				     .l = &p->l,
				     .g = { .allfin = ALLFIN,
					    .finqueued = FINQUEUED,
					    .finexecuted = FINEXECUTED,
					    .allp = ALLP,
					    .cleanups = CLEANUPS,
					    .sched = SCHED,
					    .hist = { [GO_HIST_LATENCIES] = SCHED + 64 } } };
	*word(p, ALLP) = PS;
	*word(p, ALLP + 8) = *word(p, ALLP + 16) = NPS;
	for (uint64_t i = 0; i < NPS; i++)
		*word(p, PS + 8 * i) = PS + 64 * (i + 1);
}

static void end(struct process *p)
{
	memsrc_flush(&p->m);
}

/* The i-th block of finalizers, which leads to the one before. */
static uint64_t add_fins(struct process *p, uint64_t i, uint32_t n)
{
	uint64_t at = BLOCKS + i * BLOCK;

	*word(p, at) = *word(p, ALLFIN);
	*word(p, at + 16) = n;
	*word(p, ALLFIN) = at;
	*word(p, FINQUEUED) += n;
	return at;
}

static uint64_t add_cleanups(struct process *p, uint64_t i, uint32_t n)
{
	uint64_t at = BLOCKS + i * BLOCK, head = CLEANUPS + 128;

	*word(p, at + 16) = *word(p, head);
	*word(p, at + 24) = n;
	*word(p, head) = at;
	*word(p, PS + 64 * (1 + i % NPS) + 8) += n;
	return at;
}

static struct go_finals read_all(struct process *p, bool walk)
{
	struct go_finals f;

	memsrc_flush(&p->m);
	CHECK_INT(go_finals_read(&p->rt, walk, &f), 0);
	return f;
}

TEST(finals_are_counted_and_agree)
{
	static struct process p;
	struct go_finals f;

	begin(&p);
	f = read_all(&p, true);
	CHECK(f.finalizers.has_waiting && f.finalizers.has_counts && f.cleanups.has_waiting);
	CHECK_INT(f.finalizers.waiting, 0);
	add_fins(&p, 0, 101);
	add_fins(&p, 1, 0);
	add_fins(&p, 2, 60);
	add_cleanups(&p, 3, 20);
	add_cleanups(&p, 4, 7);
	*word(&p, CLEANUPS + 232) = *word(&p, CLEANUPS + 240) = 1000; /* of Ps that are gone */
	f = read_all(&p, true);
	CHECK_INT(f.finalizers.waiting, 161);
	CHECK_INT(f.finalizers.queued, 161);
	CHECK_INT(f.cleanups.waiting, 27);
	CHECK_INT(f.cleanups.queued, 1027);
	CHECK_INT(f.cleanups.executed, 1000);
	/* 40 of a block are done, and count as executed with the rest of it */
	*word(&p, BLOCKS + 16) -= 40;
	f = read_all(&p, true);
	CHECK_INT(f.finalizers.waiting, 121);
	CHECK_INT(f.finalizers.executed, 0);
	f = read_all(&p, false);
	CHECK(f.finalizers.has_counts && !f.finalizers.has_waiting && f.cleanups.has_counts);
	end(&p);
}

/* What does not agree is not known. */
TEST(finals_that_contradict_are_absent)
{
	static struct process p;
	struct go_finals f;

	begin(&p);
	add_fins(&p, 0, 50);
	*word(&p, FINQUEUED) = 49;
	f = read_all(&p, true);
	CHECK(!f.finalizers.has_waiting && !f.finalizers.has_counts && f.finalizers.wanted);
	CHECK(f.cleanups.has_waiting);
	*word(&p, FINQUEUED) = 50 + 101;
	CHECK(!read_all(&p, true).finalizers.has_waiting);
	*word(&p, FINQUEUED) = 50 + 100;
	CHECK(read_all(&p, true).finalizers.has_waiting);
	*word(&p, FINEXECUTED) = 151;
	CHECK(!read_all(&p, true).finalizers.has_counts);
	add_cleanups(&p, 3, 5);
	*word(&p, CLEANUPS + 232) = 1;
	f = read_all(&p, true);
	CHECK(!f.cleanups.has_waiting && !f.cleanups.has_counts && f.cleanups.wanted);
	end(&p);
}

TEST(finals_of_hostile_memory)
{
	static struct process p;
	uint64_t a, b;

	begin(&p);
	a = add_fins(&p, 0, 10);
	b = add_fins(&p, 1, 10);
	*word(&p, a) = b; /* back into itself */
	CHECK(!read_all(&p, true).finalizers.has_waiting);
	*word(&p, a) = a;
	CHECK(!read_all(&p, true).finalizers.has_waiting);
	*word(&p, a) = 0;
	CHECK(read_all(&p, true).finalizers.has_waiting);
	*word(&p, a + 16) = 102; /* more than a block has room for */
	CHECK(!read_all(&p, true).finalizers.has_waiting);
	*word(&p, a + 16) = 10;
	*word(&p, a) = BASE + 4; /* no address of a block */
	CHECK(!read_all(&p, true).finalizers.has_waiting);
	*word(&p, a) = 8; /* nothing is there */
	CHECK(!read_all(&p, true).finalizers.has_waiting);
	*word(&p, ALLP + 8) = *word(&p, ALLP + 16) = UINT64_MAX; /* Ps */
	CHECK(!read_all(&p, true).cleanups.has_counts);
	end(&p);
}

TEST(finals_layout_is_held_against_itself)
{
	static const enum go_field fins[] = { GO_SIZE_FINBLOCK, GO_FINBLOCK_ALLLINK,
					      GO_FINBLOCK_NEXT, GO_FINBLOCK_CNT, GO_FINBLOCK_FIN };
	static const enum go_field cleans[] = { GO_SIZE_CLEANUPBLOCK, GO_CLEANUPBLOCK_ALLLINK,
						GO_CLEANUPBLOCK_N, GO_CONST_CLEANUPBLOCKSIZE };
	static struct process p;

	begin(&p);
	for (size_t i = 0; i < sizeof(fins) / sizeof(*fins); i++) {
		p.l.f[fins[i]] += 8;
		CHECK(!read_all(&p, true).finalizers.has_waiting);
		p.l.f[fins[i]] -= 8;
	}
	for (size_t i = 0; i < sizeof(cleans) / sizeof(*cleans); i++) {
		p.l.f[cleans[i]] += 8;
		CHECK(!read_all(&p, true).cleanups.has_waiting);
		p.l.f[cleans[i]] -= 8;
	}
	CHECK(read_all(&p, true).cleanups.has_waiting);
	end(&p);
}

/* ---- histograms */

static uint64_t *count(struct process *p, uint64_t i)
{
	return word(p, SCHED + 64 + 8 * i);
}

TEST(histogram_buckets_of_the_runtime)
{
	static struct process p;
	struct go_histograms h;

	begin(&p);
	*count(&p, 0) = 1;	    /* [0, 64) */
	*count(&p, 3) = 2;	    /* [192, 256) */
	*count(&p, 4) = 3;	    /* [256, 320) */
	*count(&p, 159) = 4;	    /* up to 2^47 */
	*count(&p, COUNTS) = 5;	    /* underflow */
	*count(&p, COUNTS + 1) = 6; /* overflow */
	REQUIRE(!go_histograms_read(&p.rt, &h) && h.n == 1 && !h.absent[0]);
	CHECK_STR(h.h[0].name, "/sched/latencies:seconds");
	CHECK_INT(h.h[0].count, 21);
	REQUIRE(h.h[0].v.n == 6);
	CHECK(h.h[0].v.v[0].below && h.h[0].v.v[0].count == 5 && h.h[0].v.v[0].to_ns == 0);
	CHECK(h.h[0].v.v[1].from_ns == 0 && h.h[0].v.v[1].to_ns == 64);
	CHECK(h.h[0].v.v[2].from_ns == 192 && h.h[0].v.v[2].to_ns == 256);
	CHECK(h.h[0].v.v[3].from_ns == 256 && h.h[0].v.v[3].to_ns == 320);
	CHECK(h.h[0].v.v[4].to_ns == 1ULL << 47 && !h.h[0].v.v[4].beyond);
	CHECK(h.h[0].v.v[5].from_ns == 1ULL << 47 && h.h[0].v.v[5].beyond);
	go_histograms_free(&h);
	*count(&p, 0) = *count(&p, 3) = UINT64_MAX;
	memsrc_flush(&p.m);
	REQUIRE(!go_histograms_read(&p.rt, &h));
	CHECK(h.h[0].count == UINT64_MAX);
	go_histograms_free(&h);
	/* the code names another place */
	p.rt.g.hist[GO_HIST_LATENCIES] += 8;
	REQUIRE(!go_histograms_read(&p.rt, &h) && !h.n);
	CHECK_STR(h.absent, "/sched/latencies:seconds");
	go_histograms_free(&h);
	end(&p);
}
