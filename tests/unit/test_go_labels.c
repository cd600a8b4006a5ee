/* SPDX-License-Identifier: BSD-2-Clause */
/* A goroutine's labels and state, of a process that is an array. */
#include "test.h"

#include <string.h>

#include "goruntime/labels.h"
#include "goruntime/stacks.h"
#include "source/memsrc_impl.h"

enum { BASE = 0x100000, BUCKET = 272, KEYS = 8, VALUES = 136, OVERFLOW = 264 };

struct process {
	struct memsrc m;
	struct go_runtime rt;
	uint8_t mem[1 << 16];
	uint64_t used; /* of mem */
};

static int read_mem(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes)
{
	struct process *p = (struct process *)m;

	if (addr < BASE || addr + len > BASE + sizeof(p->mem))
		return range_append(holes, addr, addr + len, HOLE_UNMAPPED);
	memcpy(buf, p->mem + (addr - BASE), len);
	return 0;
}

static const struct memsrc_ops ops = { .read = read_mem };

static void begin(struct process *p, const char *release)
{
	*p = (struct process){ .m = { .ops = &ops, .page_size = 4096 }, .used = 64 };
	p->rt = (struct go_runtime){ .m = &p->m, .l = go_layout_find(release, "amd64") };
	REQUIRE(p->rt.l);
}

static uint64_t take(struct process *p, size_t n)
{
	uint64_t at = BASE + p->used;

	p->used += (n + 7) / 8 * 8;
	REQUIRE(p->used <= sizeof(p->mem));
	return at;
}

static void put(struct process *p, uint64_t at, uint64_t v)
{
	memcpy(p->mem + (at - BASE), &v, 8);
}

static void put_text(struct process *p, uint64_t at, const char *s)
{
	uint64_t to = take(p, strlen(s) + 1);

	memcpy(p->mem + (to - BASE), s, strlen(s));
	put(p, at, to);
	put(p, at + 8, strlen(s));
}

/* From 1.24: {ptr, len, cap} of {key, value}. */
static uint64_t list(struct process *p, const char *const (*kv)[2], size_t n)
{
	uint64_t set = take(p, 24), at = take(p, n * 32);

	put(p, set, at);
	put(p, set + 8, n);
	put(p, set + 16, n);
	for (size_t i = 0; i < n; i++) {
		put_text(p, at + i * 32, kv[i][0]);
		put_text(p, at + i * 32 + 16, kv[i][1]);
	}
	return set;
}

static void cell(struct process *p, uint64_t bucket, size_t i, uint8_t top, const char *key,
		 const char *value)
{
	p->mem[bucket - BASE + i] = top;
	put_text(p, bucket + KEYS + i * 16, key);
	put_text(p, bucket + VALUES + i * 16, value);
}

/* Up to 1.23: a pointer to hmap. */
static uint64_t map(struct process *p, uint8_t b, uint64_t buckets, uint64_t old)
{
	uint64_t var = take(p, 8), h = take(p, 48);

	put(p, var, h);
	p->mem[h - BASE + 9] = b;
	put(p, h + 16, buckets);
	put(p, h + 24, old);
	return var;
}

TEST(labels_of_a_list)
{
	static const char *const kv[][2] = { { "tenant", "acme" }, { "route", "/v1/put" } };
	struct process p;
	struct go_labels l;
	uint64_t at;

	begin(&p, "go1.26.8");
	at = list(&p, kv, 2);
	REQUIRE(!go_labels_read(&p.rt, at, &l));
	CHECK_INT(l.n, 2);
	CHECK(!l.cut);
	CHECK_STR(l.v[0].key, "route");
	CHECK_STR(l.v[0].value, "/v1/put");
	CHECK_STR(l.v[1].key, "tenant");
	CHECK_STR(l.v[1].value, "acme");
	CHECK(!go_labels_read(&p.rt, 0, &l) && !l.n);
	/* what can't be is none */
	put(&p, at + 8, 3);
	CHECK_INT(go_labels_read(&p.rt, at, &l), -EINVAL);
	CHECK_INT(l.n, 0);
	put(&p, at + 8, 2);
	put(&p, at, 8);
	CHECK(go_labels_read(&p.rt, at, &l) < 0);
	vec_free(&p.m.holes);
}

TEST(labels_that_are_many_or_long)
{
	const char *kv[GO_LABELS_MAX + 1][2];
	char key[GO_LABELS_MAX + 1][8], large[GO_LABEL_MAX + 2];
	struct process p;
	struct go_labels l;
	uint64_t at;

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	begin(&p, "go1.24.4");
	for (size_t i = 0; i <= GO_LABELS_MAX; i++) {
		snprintf(key[i], sizeof(key[i]), "k%02zu", i);
		kv[i][0] = key[i];
		kv[i][1] = "v";
	}
	at = list(&p, (const char *const(*)[2])kv, GO_LABELS_MAX + 1);
	REQUIRE(!go_labels_read(&p.rt, at, &l));
	CHECK(l.cut);
	CHECK_INT(l.n, GO_LABELS_MAX);
	put(&p, at + 16, 1ULL << 60);
	put(&p, at + 8, 1ULL << 60);
	REQUIRE(!go_labels_read(&p.rt, at, &l));
	CHECK_INT(l.n, GO_LABELS_MAX);
	kv[0][1] = large;
	REQUIRE(!go_labels_read(&p.rt, list(&p, (const char *const(*)[2])kv, 1), &l));
	CHECK(l.cut);
	CHECK_INT(strlen(l.v[0].value), GO_LABEL_MAX);
	for (size_t i = 0; i <= GO_LABELS_MAX; i++)
		kv[i][1] = large;
	REQUIRE(!go_labels_read(&p.rt, list(&p, (const char *const(*)[2])kv, GO_LABELS_MAX), &l));
	CHECK(l.cut && l.n > 10 && l.n < GO_LABELS_MAX);
	vec_free(&p.m.holes);
}

TEST(labels_of_a_map)
{
	struct process p;
	struct go_labels l;
	uint64_t b, old, more, at;

	begin(&p, "go1.21.13");
	CHECK(!go_labels_read(&p.rt, take(&p, 8), &l) && !l.n); /* a nil map */
	b = take(&p, 2 * BUCKET);
	old = take(&p, BUCKET);
	more = take(&p, BUCKET);
	at = map(&p, 1, b, old);
	cell(&p, b, 0, 77, "b", "1");
	cell(&p, b, 3, 1, "gone", "!");
	cell(&p, b + BUCKET, 7, 255, "a", "2");
	cell(&p, old, 0, 2, "moved", "!"); /* evacuated */
	cell(&p, old, 1, 9, "d", "3");
	cell(&p, more, 2, 5, "c", "4");
	put(&p, b + OVERFLOW, more);
	REQUIRE(!go_labels_read(&p.rt, at, &l));
	REQUIRE(l.n == 4);
	CHECK(!l.cut);
	CHECK_STR(l.v[0].key, "a");
	CHECK_STR(l.v[2].key, "c");
	CHECK_STR(l.v[2].value, "4");
	CHECK_STR(l.v[3].value, "3");
	/* a chain that leads back to itself ends */
	put(&p, more + OVERFLOW, b);
	REQUIRE(!go_labels_read(&p.rt, at, &l));
	CHECK(l.cut);
	vec_free(&p.m.holes);
}

static const char *state(const char *release, uint32_t status, uint8_t reason)
{
	static char buf[64];
	struct go_stack s = { .status = status, .reason = reason };

	return go_stack_state(go_layout_find(release, "amd64"), &s, buf, sizeof(buf));
}

/* runtime/runtime2.go, waitReasonStrings. */
TEST(states_of_goroutines)
{
	CHECK_STR(state("go1.26.8", 2, 19), "running");
	CHECK_STR(state("go1.26.8", 3, 0), "syscall");
	CHECK_STR(state("go1.26.8", 4, 0), "waiting");
	CHECK_STR(state("go1.26.8", 4, 2), "IO wait");
	CHECK_STR(state("go1.26.8", 4, 17), "select (no cases)");
	CHECK_STR(state("go1.26.8", 4, 19), "chan receive");
	CHECK_STR(state("go1.26.8", 10, 19), "chan receive");
	CHECK_STR(state("go1.26.8", 4, 255), "waiting");
	CHECK_STR(state("go1.15.15", 4, 14), "chan receive");
	CHECK_STR(state("go1.15.15", 4, 2), "IO wait");
	CHECK_STR(state("go1.26.8", 250, 0), "?");
	for (size_t i = 0; i < go_nlayouts; i++) {
		size_t n = 0;

		for (const char *p = go_layouts[i].reasons; *p; p++)
			n += *p == '\n';
		CHECK(n > 20 && n < 256);
	}
}
