/* SPDX-License-Identifier: BSD-2-Clause */
/* The source that is the kernel: BPF programs, their maps, the ring buffer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "event/bpflog.h"
#include "event/bpf.h"
#include "event/pidns.h"
#include "rsscope.skel.h"

enum {
	RING_DEFAULT = 8 << 20,
	/* Records handed over by one ev_poll at most, so that a storm can't keep the caller from
	 * its other duties. */
	BATCH_MAX = 65536,
};

static int sample(void *ctx, void *data, size_t len)
{
	struct live *l = ctx;

	/* Negative ends ring_buffer__consume after this record. */
	if (l->fn(l->ctx, data, len) || ++l->batch == BATCH_MAX)
		return -ECANCELED;
	return 0;
}

static int live_poll(struct ev *s, int timeout_ms, ev_record_fn *fn, void *ctx)
{
	struct live *l = (struct live *)s;
	struct epoll_event ev;
	int r;

	/* Frequent records do not wake us: what is there is taken whether or not we were woken. */
	if (timeout_ms && epoll_wait(s->fd, &ev, 1, timeout_ms) < 0 && errno != EINTR)
		return -errno;
	l->fn = fn;
	l->ctx = ctx;
	l->batch = 0;
	r = ring_buffer__consume(l->ring);
	if (r >= 0) /* the ring was empty: every target has its share of it again */
		l->skel->bss->ring_epoch++;
	return r < 0 && r != -ECANCELED ? r : 0;
}

static void live_stop(struct ev *s)
{
	/* The programs know no target any more; calls under way end unseen. */
	live_forget_all((struct live *)s);
}

static void detach_links(struct live *l, const struct gc_probe *p)
{
	for (int i = 0; i < PLAN_GC; i++)
		detach_link(&l->detaching, p->link[i]);
}

static void live_close(struct ev *s)
{
	struct live *l = (struct live *)s;

	for (size_t i = 0; i < l->probes.n; i++)
		detach_links(l, &l->probes.v[i]);
	vec_free(&l->probes);
	plan_detach(&l->plan, &l->detaching);
	detach_wait(&l->detaching);
	ring_buffer__free(l->ring);
	rsc_bpf__destroy(l->skel);
	free(l);
}

static size_t ring_size(size_t want)
{
	size_t n = sysconf(_SC_PAGESIZE);

	if (!want)
		want = RING_DEFAULT;
	while (n < want && n < 1UL << 30)
		n <<= 1;
	return n;
}

static int set_sizes(struct rsc_bpf *skel, const struct ev_options *o, uint32_t groups)
{
	size_t ring = ring_size(o->ring_bytes);
	int cpus = libbpf_num_possible_cpus();
	/* An LRU map keeps up to 128 free entries for each CPU aside (LOCAL_FREE_TARGET in
	 * kernel/bpf/bpf_lru_list.c); threads to come are allowed for. */
	uint32_t calls = 1024 + 2 * o->threads + 256 * (cpus > 0 ? cpus : 1);
	int r;

	if (!(groups & EV_MAPPINGS))
		calls = 1;
	skel->rodata->cfg_wake_bytes = ring / 4;
	/* More than wakes the reader, so that who is over it is soon under it again. */
	skel->bss->ring_share = ring / 8 * 3;
	skel->rodata->cfg_pidns = pidns_ours();
	r = bpf_map__set_max_entries(skel->maps.events, ring);
	return r ? r : bpf_map__set_max_entries(skel->maps.calls, calls);
}

/* One attempt with the plan's choices. On -EAGAIN the plan has learnt something. */
static int load(struct live *l, const struct ev_options *o, struct err *e)
{
	int r;

	l->skel = rsc_bpf__open();
	if (!l->skel)
		return bpflog_load_error(-errno, e);
	r = set_sizes(l->skel, o, l->plan.groups);
	if (!r)
		r = plan_autoload(&l->plan, l->skel->obj);
	if (!r)
		r = rsc_bpf__load(l->skel);
	if (r) {
		bpflog_load_error(r, e);
		/* A verifier's no may concern one program only: the base may load. */
		return r != -EPERM && plan_retreat(&l->plan, strerror(-r)) ? -EAGAIN : e->code;
	}
	r = plan_attach(&l->plan, l->skel->obj, e);
	return r ? -EAGAIN : 0;
}

static int nothing_works(const struct live *l, const struct ev_options *o,
			 const struct ev_features *f, struct err *e)
{
	bool loads = f->have >> EVF_LOAD & 1, mounted = f->have >> EVF_TRACEFS & 1;
	const char *why = loads ? plan_reason(&l->plan, o->groups) : f->reason[EVF_LOAD];
	bool denied = f->have >> EVF_BTF & 1 && (!loads || !mounted);

	return err_set(e, denied ? -EPERM : -ENOTSUP, "no probe can be attached: %s",
		       *why ? why : "nothing was asked for");
}

static int load_retrying(struct live *l, const struct ev_options *o, const struct ev_features *f,
			 struct err *e)
{
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		plan_detach(&l->plan, &l->detaching);
		detach_wait(&l->detaching);
		rsc_bpf__destroy(l->skel);
		l->skel = NULL;
		plan_choose(&l->plan, f, o->groups, o->fallbacks);
		if (!l->plan.groups)
			return nothing_works(l, o, f, e);
		r = load(l, o, e);
	}
	return r;
}

static int live_set_words(struct ev *s, pid_t pid, const struct ev_word *words)
{
	return live_change_target((struct live *)s, pid, words, NULL, NULL);
}

static int live_set_gopath(struct ev *s, pid_t pid, const struct ev_gopath *go)
{
	return live_change_target((struct live *)s, pid, NULL, go, NULL);
}

/* Aside: while it was waited for, another process's first cycles would be missed. */
static void drop_probe(struct live *l, pid_t pid)
{
	for (size_t i = 0; i < l->probes.n; i++)
		if (l->probes.v[i].pid == pid) {
			detach_links(l, &l->probes.v[i]);
			l->probes.v[i] = l->probes.v[--l->probes.n];
			return;
		}
}

/* Puts the probes of a target's cycles where gc says, instead of where they are. */
static int move_gc(struct live *l, pid_t pid, const struct ev_gc *gc, struct err *e)
{
	struct gc_probe p = { .pid = pid };
	int r;

	drop_probe(l, pid);
	if (!gc->offset)
		return 0;
	r = plan_attach_gc(&l->plan, l->skel->obj, pid, gc, p.link, e);
	if (!r && vec_push(&l->probes, p))
		r = err_set(e, -ENOMEM, "out of memory");
	if (r)
		detach_links(l, &p);
	plan_describe(&l->plan);
	return r;
}

static int live_set_gc(struct ev *s, pid_t pid, const struct ev_gc *gc, struct err *e)
{
	struct live *l = (struct live *)s;
	/* first, so that no cycle comes before the words that are read at it */
	int r = live_change_target(l, pid, gc->words, NULL, gc);

	if (r)
		return err_set(e, r, "process %d: %s", (int)pid, strerror(-r));
	return move_gc(l, pid, gc, e);
}

/* With one target all of the ring is its own. */
static void share_ring(struct live *l)
{
	l->skel->bss->ring_many = l->ntargets > 1;
}

static void live_drop(struct ev *s, pid_t pid)
{
	struct live *l = (struct live *)s;

	drop_probe(l, pid);
	if (live_forget_maps(l, pid) && l->ntargets)
		l->ntargets--;
	share_ring(l);
}

/* Whether a program is attached whose name begins so. */
static bool sees(const struct live *l, const char *name)
{
	for (size_t i = 0; i < l->plan.n; i++)
		if (l->plan.program[i].attached &&
		    !strncmp(l->plan.program[i].name, name, strlen(name)))
			return true;
	return false;
}

/* Its probes first: from the entry in the maps on the programs know the target, before that they
 * return at once. */
static int live_add(struct ev *s, const struct ev_target *t, uint32_t *groups, struct err *why)
{
	struct live *l = (struct live *)s;
	bool follow = t->follow && sees(l, "fork_btf");
	uint32_t have = t->groups & l->plan.groups;
	int r;

	for (size_t i = 0; i < l->probes.n; i++)
		if (l->probes.v[i].pid == t->pid)
			return err_set(why, -EEXIST, "process %d is a target already", (int)t->pid);
	if (have & EV_GC && t->gc.offset && move_gc(l, t->pid, &t->gc, why))
		have &= ~EV_GC;
	r = live_put_target(l, t, follow, sees(l, "exec_"));
	if (r) {
		drop_probe(l, t->pid);
		return err_set(why, r == -E2BIG ? -ENOSPC : r, "process %d: %s", (int)t->pid,
			       r == -EEXIST ? "is a target already" : strerror(-r));
	}
	l->ntargets++;
	share_ring(l);
	l->base.follows |= follow;
	if (groups)
		*groups = have;
	return 0;
}

static const struct ev_ops live_ops = {
	.poll = live_poll,
	.stop = live_stop,
	.set_words = live_set_words,
	.set_gc = live_set_gc,
	.set_gopath = live_set_gopath,
	.add = live_add,
	.drop = live_drop,
	.set_groups = live_set_groups,
	.losses = live_losses,
	.rss = live_rss,
	.lost_regions = live_lost_regions,
	.advice = live_advice,
	.counters = live_counters,
	.not_run = live_not_run,
	.close = live_close,
};

/* What one system call costs here, ns: the best of some short rounds. */
static double syscall_ns(long nr)
{
	enum { ROUNDS = 100, CALLS = 50 };
	double best = 0;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t began = mono_ns();
		double ns;

		for (int k = 0; k < CALLS; k++)
			syscall(nr, 0);
		ns = (double)(mono_ns() - began) / CALLS;
		best = !i || ns < best ? ns : best;
	}
	return best;
}

static double greater(double a, double b)
{
	return a > b ? a : b;
}

struct call_costs {
	double any, mapping; /* ns, the best of all passes */
	double spread;	     /* by how much the passes differ at most */
};

/* The speed of a CPU changes while we measure: passes tell by how much. brk(0) changes nothing,
 * and is hooked. */
static struct call_costs call_costs(void)
{
	enum { PASSES = 3 };
	struct call_costs low = { 0 }, high = { 0 };

	for (int i = 0; i < PASSES; i++) {
		double any = syscall_ns(SYS_getppid), mapping = syscall_ns(SYS_brk);

		low.any = !i || any < low.any ? any : low.any;
		low.mapping = !i || mapping < low.mapping ? mapping : low.mapping;
		high.any = greater(any, high.any);
		high.mapping = greater(mapping, high.mapping);
	}
	low.spread = greater(high.any - low.any, high.mapping - low.mapping);
	return low;
}

static struct ev_overhead overhead_between(const struct call_costs *before,
					   const struct call_costs *after)
{
	return (struct ev_overhead){
		.any = greater(after->any - before->any, 0),
		.mapping = greater(after->mapping - before->mapping, 0),
		.noise = greater(before->spread, after->spread),
	};
}

/* A group without its probes is none; nothing else is lost with it. */
static int add_first(struct live *l, const struct ev_options *o, struct err *e)
{
	struct ev_target t = {
		.pid = o->pid,
		.groups = o->groups,
		.rss_step = o->rss_step,
		.rss = o->rss,
		.gc = o->gc,
		.go = o->go,
		.at_exec = o->at_exec,
		.follow = o->follow,
	};
	uint32_t have = l->plan.groups;
	struct err why = { 0 };
	int r = o->pid ? live_add(&l->base, &t, &have, &why) : 0;

	if (r)
		return err_set(e, r, "telling the probes their target: %s", why.text);
	if (l->plan.groups & EV_GC && !(have & EV_GC)) {
		plan_break_gc(&l->plan, why.text);
		l->base.groups = l->plan.groups;
		if (!l->plan.groups)
			return err_set(e, why.code, "no probe can be attached: %s", why.text);
	}
	return 0;
}

static int open_live(struct live *l, const struct ev_options *o, struct err *e)
{
	struct ev_features f;
	struct call_costs before = { 0 };
	int r = ev_probe(&f);

	if (r)
		return err_set(e, r, "probing the kernel: %s", strerror(-r));
	if (o->groups & EV_MAPPINGS)
		before = call_costs();
	r = load_retrying(l, o, &f, e);
	if (r)
		return r;
	l->ring = ring_buffer__new(bpf_map__fd(l->skel->maps.events), sample, l, NULL);
	if (!l->ring)
		return err_set(e, -errno, "mapping the ring buffer: %s", strerror(errno));
	l->base.fd = ring_buffer__epoll_fd(l->ring);
	l->base.groups = l->plan.groups;
	plan_describe(&l->plan);
	l->base.programs = l->plan.program;
	l->base.nprograms = l->plan.n;
	if (l->base.groups & EV_MAPPINGS) {
		struct call_costs after = call_costs();

		l->base.has_overhead = true;
		l->base.overhead = overhead_between(&before, &after);
	}
	return add_first(l, o, e);
}

int ev_open(const struct ev_options *o, struct ev **out, struct err *e)
{
	struct ev_options opt = *o;
	struct live *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->base.ops = &live_ops;
	l->base.fd = -1;
	plan_init(&l->plan);
	if (!opt.gc.offset && !opt.gc_later)
		opt.groups &= ~EV_GC;
	r = open_live(l, &opt, e);
	if (r) {
		live_close(&l->base);
		return r;
	}
	*out = &l->base;
	return 0;
}
