/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as values; sources; what is lost. */
#include <errno.h>

#include "event/stream.h"
#include "event_records.h"
#include "test.h"

TEST(event_call_is_decoded)
{
	struct rsc_rec_call r = rec_mmap(2, 1);
	struct event e;

	REQUIRE(!ev_decode(&r, r.hdr.size, &e));
	CHECK_INT(e.type, EVENT_CALL);
	CHECK_INT(e.call.call, CALL_MMAP);
	CHECK_INT(e.tgid, 4242);
	CHECK_INT(e.tid, 4243);
	CHECK_INT(e.cpu, 3);
	CHECK_INT(e.enter_ns, 1000);
	CHECK_INT(e.exit_ns, 2500);
	CHECK_INT(e.call.args[1], 8192);
	CHECK_INT(e.call.args[4], -1);
	CHECK_INT(e.call.ret, 0x7f0000000000);
	CHECK_INT(e.call.nstack, 2);
	CHECK_INT(e.call.ngo, 1);
	CHECK_INT(e.call.stack[2], 0x400020);
	CHECK(!e.call.stack_failed && !e.call.go_failed && !e.call.stack_cut);
	CHECK_INT(event_kind(&e), KIND_MMAP);
}

TEST(event_name_is_decoded)
{
	struct rsc_rec_call r = rec_mmap(RSC_NAME_MAX / 8 + 2, 0);
	struct event e;

	r.call = RSC_PRCTL;
	r.nname = RSC_NAME_MAX;
	r.nstack = 2;
	memset(r.stack, 'x', RSC_NAME_MAX); /* not ended: by its length then */
	REQUIRE(!ev_decode(&r, r.hdr.size, &e));
	CHECK_INT(strlen(e.call.name), RSC_NAME_MAX - 1);
	CHECK_INT(e.call.stack[0], 0x400000 + 16 * 10);
	CHECK_INT(event_kind(&e), KIND_PRCTL);
	strcpy((char *)r.stack, "Go: heap");
	REQUIRE(!ev_decode(&r, r.hdr.size, &e));
	CHECK(!strcmp(e.call.name, "Go: heap"));
	r.nname = 8;
	CHECK_INT(ev_decode(&r, r.hdr.size, &e), -EINVAL);
}

TEST(event_record_may_be_followed_by_padding)
{
	struct rsc_rec_call r = rec_mmap(2, 0);
	struct event e;

	CHECK_INT(ev_decode(&r, sizeof(r), &e), 0);
}

TEST(event_every_cut_is_refused)
{
	struct rsc_rec_call call = rec_mmap(RSC_KSTACK, RSC_STACK_MAX - RSC_KSTACK);
	struct rsc_rec_gc gc = rec_gc(1);
	struct event e = { .tgid = 77 };

	for (size_t n = 0; n < sizeof(call); n++)
		CHECK_INT(ev_decode(&call, n, &e), -EINVAL);
	for (size_t n = 0; n < sizeof(gc); n++)
		CHECK_INT(ev_decode(&gc, n, &e), -EINVAL);
	/* a record that says itself that it is shorter than its type */
	for (call.hdr.size = 0; call.hdr.size < sizeof(call); call.hdr.size++)
		CHECK_INT(ev_decode(&call, sizeof(call), &e), -EINVAL);
	CHECK_INT(e.tgid, 77); /* untouched */
}

TEST(event_hostile_counts_are_refused)
{
	struct rsc_rec_call r = rec_mmap(2, 0);
	struct event e;

	r.nstack = RSC_STACK_MAX + 1;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
	r.nstack = RSC_STACK_MAX;
	r.ngo = 1;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
	r.nstack = r.ngo = 0xffff;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
	r = rec_mmap(2, 0);
	r.call = 0;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
	r.call = RSC_CALL_END;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
	r = rec_mmap(2, 0);
	r.hdr.exit_ns = 999; /* before its entry */
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
	r = rec_mmap(2, 0);
	r.hdr.size = sizeof(r) + 8;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
}

TEST(event_unknown_type_is_told_apart)
{
	struct rsc_rec_task r = { .hdr = rec_header(99, sizeof(r)) };
	struct event e;

	CHECK_INT(ev_decode(&r, sizeof(r), &e), -ENOTSUP);
}

TEST(event_record_needs_no_alignment)
{
	struct rsc_rec_call r = rec_mmap(1, 0);
	char buf[sizeof(r) + 1];
	struct event e;

	memcpy(buf + 1, &r, sizeof(r));
	REQUIRE(!ev_decode(buf + 1, sizeof(r), &e));
	CHECK_INT(e.call.ret, 0x7f0000000000);
}

TEST(event_task_comm_is_terminated)
{
	struct rsc_rec_task r = { .hdr = rec_header(RSC_THREAD_START, sizeof(r)), .by_tid = 7 };
	struct event e;

	memset(r.comm, 'x', sizeof(r.comm));
	r.hdr.flags = RSC_F_NEW_PROCESS | RSC_F_GROUP_DEAD;
	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	CHECK_STR(e.task.comm, "xxxxxxxxxxxxxxxx");
	CHECK(e.task.new_process);
	CHECK(!e.task.group_dead); /* a flag of exits only */
	CHECK_INT(event_kind(&e), KIND_FORK);
	r.hdr.type = RSC_THREAD_EXIT;
	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	CHECK_INT(event_kind(&e), KIND_EXIT);
}

TEST(event_gc_values_beyond_ours_are_dropped)
{
	struct rsc_rec_gc r = rec_gc(12);
	struct event e;

	r.have = 0xffffffff;
	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	CHECK(gc_has(&e.gc, GCV_CYCLE) && gc_has(&e.gc, GCV_COUNT - 1));
	CHECK(!gc_has(&e.gc, GCV_COUNT));
	CHECK_INT(e.gc.v[GCV_CYCLE], 12);
}

struct seen {
	unsigned int n, stop_at;
	uint64_t cycles[8];
};

static int see(void *ctx, const struct event *e)
{
	struct seen *s = ctx;

	if (s->n < 8)
		s->cycles[s->n] = e->type == EVENT_GC ? e->gc.v[GCV_CYCLE] : 0;
	return ++s->n == s->stop_at ? 33 : 0;
}

TEST(event_source_drops_repeated_cycles_and_counts_garbage)
{
	struct rsc_rec_gc a = rec_gc(1), b = rec_gc(2);
	struct rsc_rec_task t = { .hdr = rec_header(RSC_EXEC, sizeof(t)) };
	struct ev_synth_record r[] = {
		{ &a, sizeof(a) }, { &a, sizeof(a) }, { &t, sizeof(t) }, { &a, sizeof(a) },
		{ "garbage", 7 },  { &b, sizeof(b) }, { &a, sizeof(a) },
	};
	struct ev_counter c[EV_COUNTERS_MAX];
	struct seen s = { 0 };
	struct ev *ev;
	size_t n;

	REQUIRE(!ev_open_synthetic(r, 7, NULL, &ev));
	/* 1, exec, 2, and 1 again after another: not a repetition */
	CHECK_INT(ev_poll(ev, 0, see, &s), 4);
	CHECK_INT(s.cycles[0], 1);
	CHECK_INT(s.cycles[1], 0);
	CHECK_INT(s.cycles[2], 2);
	CHECK_INT(s.cycles[3], 1);
	CHECK_INT(ev_poll(ev, 0, see, &s), -ENODATA);
	n = ev_counters(ev, c, EV_COUNTERS_MAX);
	REQUIRE(n);
	CHECK_STR(c[n - 1].name, "undecoded");
	CHECK_INT(c[n - 1].n, 1);
	CHECK_INT(ev_lost(ev), 1);
	CHECK_INT(ev_fd(ev), -1);
	CHECK_INT(ev_set_words(ev, 1, NULL), -ENOTSUP);
	ev_stop(ev);
	ev_close(ev);
}

/* Before the words are known a cycle has no number: time and thread tell. */
TEST(event_source_drops_repeated_cycles_without_a_number)
{
	static const struct {
		__u64 ns;
		__u32 tid;
		__u32 have; /* the number */
		unsigned int told;
	} at[] = {
		{ 1000000, 7, 0, 1 }, { 1040000, 7, 0, 1 }, /* its stack has grown */
		{ 1041000, 8, 0, 2 },			    /* another thread's */
		{ 1100000, 8, 0, 3 }, /* no cycle is so short as what would be one */
		{ 1110000, 8, 1, 3 }, /* its number became known between the two */
		{ 1400000, 8, 1, 3 }, /* by its number */
	};
	struct seen s = { 0 };

	for (size_t n = 1; n <= sizeof(at) / sizeof(*at); n++) {
		struct rsc_rec_gc gc[sizeof(at) / sizeof(*at)];
		struct ev_synth_record r[sizeof(at) / sizeof(*at)];
		struct ev *ev;

		for (size_t i = 0; i < n; i++) {
			gc[i] = rec_gc(5);
			gc[i].have = at[i].have;
			gc[i].hdr.tid = at[i].tid;
			gc[i].hdr.enter_ns = gc[i].hdr.exit_ns = at[i].ns;
			r[i] = (struct ev_synth_record){ &gc[i], sizeof(gc[i]) };
		}
		s = (struct seen){ 0 };
		REQUIRE(!ev_open_synthetic(r, n, NULL, &ev));
		ev_poll(ev, 0, see, &s);
		CHECK_INT(s.n, at[n - 1].told);
		ev_close(ev);
	}
}

static struct rsc_rec_gc_start rec_start(__u64 ns, __u32 kind)
{
	struct rsc_rec_gc_start r = { .hdr = rec_header(RSC_GC_START, sizeof(r)), .kind = kind };

	r.hdr.enter_ns = r.hdr.exit_ns = ns;
	r.caller = 0x500000 + ns;
	r.nstack = 3;
	r.stack[0] = 0x400100; /* gcStart itself */
	r.stack[1] = kind ? r.caller : 0x600000;
	r.stack[2] = 0x700000;
	return r;
}

TEST(event_growth_of_the_heap)
{
	struct rsc_rec_grow r = { .hdr = rec_header(RSC_HEAP_GROW, sizeof(r)), .calls = 12 };
	struct event e;

	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	CHECK_INT(e.type, EVENT_HEAP_GROW);
	CHECK_INT(event_kind(&e), KIND_HEAP_GROW);
	CHECK_STR(event_kind_name(KIND_HEAP_GROW), "heap_growth");
	CHECK_INT(e.grow.calls, 12);
	CHECK_INT(ev_decode(&r, sizeof(r) - 8, &e), -EINVAL);
	r.hdr.size -= 8;
	CHECK_INT(ev_decode(&r, sizeof(r), &e), -EINVAL);
}

static int keep(void *ctx, const struct event *e)
{
	struct event **at = ctx;

	*(*at)++ = *e;
	return 0;
}

/* A cycle that began at 1000 and ended at 2000, and the next, at 3000: who asked before it began,
 * by the reasons; who came between is nobody's. */
TEST(event_source_joins_cycles_with_who_began_them)
{
	struct rsc_rec_gc a = rec_gc(1), b = rec_gc(2), c = rec_gc(3);
	struct rsc_rec_gc_start heap = rec_start(900, 0), forced = rec_start(950, 2),
				late = rec_start(1100, 0), time = rec_start(2500, 1),
				other = rec_start(2600, 2), bad = rec_start(2700, 2),
				odd = rec_start(2800, 7);
	struct ev_synth_record r[] = {
		{ &heap, sizeof(heap) }, { &forced, sizeof(forced) }, { &late, sizeof(late) },
		{ &time, sizeof(time) }, /* before the record of the cycle before */
		{ &a, sizeof(a) },	 { &other, sizeof(other) },   { &bad, sizeof(bad) },
		{ &odd, sizeof(odd) },	 { &b, sizeof(b) },	      { &c, sizeof(c) },
	};
	struct event e[8] = { 0 }, *at = e;
	struct ev *ev;

	a.have = b.have = c.have = 1U << GCV_CYCLE | 1U << GCV_SWEEP_TERM | 1U << GCV_END;
	a.words[GCV_SWEEP_TERM] = 1000, a.words[GCV_END] = 2000;
	b.words[GCV_SWEEP_TERM] = 3000, b.words[GCV_END] = 4000;
	c.words[GCV_SWEEP_TERM] = 5000, c.words[GCV_END] = 6000;
	other.hdr.tgid = 1;
	bad.nstack = RSC_GC_STACK + 1;
	REQUIRE(!ev_open_synthetic(r, ARRAY_LEN(r), NULL, &ev));
	CHECK_INT(ev_poll(ev, 0, keep, &at), 3);
	CHECK_INT(e[0].gc.asked, 1U << GC_KIND_HEAP | 1U << GC_KIND_CYCLE);
	/* of the forced one: its caller once */
	CHECK_INT(e[0].gc.nstack, 2);
	CHECK_INT(e[0].gc.stack[0], 0x500000 + 950);
	CHECK_INT(e[0].gc.stack[1], 0x700000);
	CHECK_INT(e[1].gc.asked, 1U << GC_KIND_TIME);
	CHECK_INT(e[1].gc.nstack, 0);
	CHECK_INT(e[2].gc.asked, 0);
	CHECK_INT(ev_lost(ev), 1); /* the bad one */
	ev_close(ev);
}

TEST(event_source_stops_when_told)
{
	struct rsc_rec_gc a = rec_gc(1), b = rec_gc(2), c = rec_gc(3);
	struct ev_synth_record r[] = { { &a, sizeof(a) }, { &b, sizeof(b) }, { &c, sizeof(c) } };
	struct seen s = { .stop_at = 2 };
	struct ev *ev;

	REQUIRE(!ev_open_synthetic(r, 3, NULL, &ev));
	CHECK_INT(ev_poll(ev, 0, see, &s), 33);
	CHECK_INT(s.n, 2);
	CHECK_INT(ev_poll(ev, 0, see, &s), 1); /* the rest is still there */
	ev_close(ev);
}

TEST(event_only_missing_events_are_lost)
{
	uint64_t counters[RSC_N_COUNT] = { 0 };
	struct ev_counter c[EV_COUNTERS_MAX];
	struct ev *ev;
	size_t n;

	counters[RSC_N_RING_CALL] = 5;
	counters[RSC_N_EXIT_ALONE] = 2;
	counters[RSC_N_STACK] = 100;
	counters[RSC_N_LOST] = 7;
	REQUIRE(!ev_open_synthetic(NULL, 0, counters, &ev));
	CHECK_INT(ev_lost(ev), 7);
	n = ev_counters(ev, c, EV_COUNTERS_MAX);
	for (size_t i = 0; i < n; i++) {
		CHECK(c[i].name && c[i].what);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(c[i].name, c[k].name));
	}
	CHECK_INT(ev_counters(ev, c, 2), 2);
	ev_close(ev);
}
