/* SPDX-License-Identifier: BSD-2-Clause */
/* What the BPF programs know of their targets, what they count, and what they leave in maps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "event/bpf.h"
#include "rsscope.skel.h"

void live_copy_words(struct rsc_target *t, const struct ev_word *words)
{
	for (int i = 0; i < GCV_COUNT; i++) {
		t->words[i].addr = words[i].addr;
		t->words[i].size = words[i].size;
	}
}

void live_copy_gopath(struct rsc_target *t, const struct ev_gopath *go)
{
	t->go = (struct rsc_gopath){ .on = go->on,
				     .tls_g = go->tls_g,
				     .g_m = go->g_m,
				     .m_curg = go->m_curg,
				     .g_sched_pc = go->g_sched_pc,
				     .g_sched_bp = go->g_sched_bp };
}

/* The programs change it at an exec; what is lost between two such changes is set again after it.
 */
int live_change_target(struct live *l, pid_t pid, const struct ev_word *words,
		       const struct ev_gopath *go, const struct ev_gc *gc)
{
	int fd = bpf_map__fd(l->skel->maps.targets);
	struct rsc_target t;
	uint32_t key = pid;

	if (bpf_map_lookup_elem(fd, &key, &t))
		return -errno;
	if (words)
		live_copy_words(&t, words);
	if (go)
		live_copy_gopath(&t, go);
	if (gc)
		t.gc_arg = gc->start_arg;
	return bpf_map_update_elem(fd, &key, &t, BPF_EXIST) ? -errno : 0;
}

static int set(struct bpf_map *map, const void *key, const void *value, uint64_t flags)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, flags) ? -errno : 0;
}

int live_put_target(struct live *l, const struct ev_target *t, bool follow, bool sees_exec)
{
	enum { RSS_STEP_DEFAULT = 1 << 20 };
	struct rsc_rss_state rss = {
		.sizes = { t->rss.file, t->rss.anon, t->rss.swap, t->rss.shmem },
		.swap_sent = t->rss.swap,
		.on = !t->at_exec || !sees_exec,
	};
	struct rsc_region all = { .tgid = t->pid, .region = RSC_REGION_ALL };
	struct rsc_target target = { 0 };
	struct rsc_tally fresh = { 0 };
	uint32_t key = t->pid;
	uint64_t none = 0;
	int r;

	_Static_assert(EV_MAPPINGS == RSC_GROUP_MAPPINGS && EV_RSS == RSC_GROUP_RSS &&
			       EV_GC == RSC_GROUP_GC && EV_THREADS == RSC_GROUP_THREADS &&
			       EV_MADVISE == RSC_GROUP_MADVISE &&
			       EV_CHILDREN_MAX == RSC_FOLLOW_MAX &&
			       EV_TARGETS_MAX == RSC_TARGETS_MAX,
		       "groups are the programs' own");
	rss.sent = rss.high = rss.sizes[0] + rss.sizes[1] + rss.sizes[3];
	target.groups = (t->groups & l->plan.groups) | (follow ? RSC_FOLLOW : 0);
	target.page_size = sysconf(_SC_PAGESIZE);
	target.rss_step = t->rss_step ? t->rss_step : RSS_STEP_DEFAULT;
	live_copy_gopath(&target, &t->go);
	live_copy_words(&target, t->gc.words);
	target.gc_arg = t->gc.start_arg;
	bpf_map_delete_elem(bpf_map__fd(l->skel->maps.ended), &key); /* of another with its id */
	r = set(l->skel->maps.rss_state, &key, &rss, BPF_ANY);
	if (!r)
		r = set(l->skel->maps.tally, &key, &fresh, BPF_ANY);
	if (!r)
		r = set(l->skel->maps.lost_regions, &all, &none, BPF_ANY);
	return r ? r : set(l->skel->maps.targets, &key, &target, BPF_NOEXIST);
}

/* Where mapping calls of a target were lost. Without losses there is but one entry of it, so that
 * not all have to be walked. */
static void forget_regions(struct live *l, uint32_t tgid, bool lost)
{
	int fd = bpf_map__fd(l->skel->maps.lost_regions);
	struct rsc_region at = { .tgid = tgid, .region = RSC_REGION_ALL }, next;

	bpf_map_delete_elem(fd, &at);
	/* The next one is asked for before this one goes. */
	for (bool more = lost && !bpf_map_get_next_key(fd, NULL, &at); more; at = next) {
		more = !bpf_map_get_next_key(fd, &at, &next);
		if (at.tgid == tgid)
			bpf_map_delete_elem(fd, &at);
	}
}

static void forget_advice(struct live *l, uint32_t tgid)
{
	int fd = bpf_map__fd(l->skel->maps.advice);
	struct rsc_advice_key at, next;

	for (bool more = !bpf_map_get_next_key(fd, NULL, &at); more; at = next) {
		more = !bpf_map_get_next_key(fd, &at, &next);
		if (at.tgid == tgid)
			bpf_map_delete_elem(fd, &at);
	}
}

bool live_forget_maps(struct live *l, pid_t pid)
{
	struct rsc_target t = { 0 };
	struct ev_losses n = { 0 };
	uint32_t key = pid;
	int targets = bpf_map__fd(l->skel->maps.targets);
	bool mine = !bpf_map_lookup_elem(targets, &key, &t) && !t.forked;

	bpf_map_delete_elem(targets, &key);
	live_losses(&l->base, pid, &n);
	forget_regions(l, key, n.lost);
	forget_advice(l, key);
	bpf_map_delete_elem(bpf_map__fd(l->skel->maps.rss_state), &key);
	bpf_map_delete_elem(bpf_map__fd(l->skel->maps.tally), &key);
	bpf_map_delete_elem(bpf_map__fd(l->skel->maps.ended), &key);
	return mine;
}

void live_forget_all(struct live *l)
{
	int fd = bpf_map__fd(l->skel->maps.targets);
	uint32_t key;

	/* Children may come while they go. */
	for (int i = 0; i < 2 * RSC_TARGETS_MAX && !bpf_map_get_next_key(fd, NULL, &key); i++)
		bpf_map_delete_elem(fd, &key);
}

int live_set_groups(struct ev *s, pid_t pid, uint32_t groups)
{
	struct live *l = (struct live *)s;
	int fd = bpf_map__fd(l->skel->maps.targets);
	struct rsc_target t;
	uint32_t key = pid;

	if (bpf_map_lookup_elem(fd, &key, &t))
		return -errno;
	t.groups = (t.groups & RSC_FOLLOW) | (groups & l->plan.groups);
	return bpf_map_update_elem(fd, &key, &t, BPF_EXIST) ? -errno : 0;
}

int live_losses(const struct ev *s, pid_t pid, struct ev_losses *out)
{
	const struct live *l = (const struct live *)s;
	struct rsc_tally y;
	uint32_t key = pid;

	if (bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.tally), &key, &y))
		return -errno;
	*out = (struct ev_losses){ y.lost, y.over_share };
	return 0;
}

int live_rss(const struct ev *s, pid_t pid, struct event_rss *out)
{
	const struct live *l = (const struct live *)s;
	struct rsc_rss_state rss;
	uint32_t key = pid;
	int r = bpf_map__lookup_elem(l->skel->maps.rss_state, &key, sizeof(key), &rss, sizeof(rss),
				     0);

	if (r)
		return r;
	if (!rss.on)
		return -EAGAIN;
	*out = (struct event_rss){
		.file = rss.sizes[0],
		.anon = rss.sizes[1],
		.swap = rss.sizes[2],
		.shmem = rss.sizes[3],
		.high = rss.high,
	};
	return 0;
}

/* Whether anybody has still to be told what is in the maps of a process: it is a target, or it was
 * one and has not been dropped. A child whose end was lost is neither. */
static bool is_known(const struct live *l, uint32_t tgid)
{
	struct rsc_target t;
	struct rsc_tally y;

	return !bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.targets), &tgid, &t) ||
	       !bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.tally), &tgid, &y);
}

/* Entries stay in the map: only what is newer is told again, with some time for those that were put
 * there late. Those of processes that nobody will drop are taken away. */
int live_lost_regions(struct ev *s, struct ev_region **out, size_t *n)
{
	struct live *l = (struct live *)s;
	int fd = bpf_map__fd(l->skel->maps.lost_regions);
	const uint64_t late = 1000000000;
	struct rsc_region at, next;
	uint64_t newest = l->regions_ns, ns;
	VEC(struct ev_region) v = { 0 };
	uint32_t known = 0;
	int r = 0, i = 0;

	/* The walk begins anew where an entry goes that it stands on. */
	for (bool more = !bpf_map_get_next_key(fd, NULL, &at); !r && more; at = next) {
		struct ev_region g;

		more = ++i < 2 * RSC_REGIONS_MAX && !bpf_map_get_next_key(fd, &at, &next);
		if (at.tgid != known && !is_known(l, at.tgid)) {
			bpf_map_delete_elem(fd, &at);
			continue;
		}
		known = at.tgid;
		if (bpf_map_lookup_elem(fd, &at, &ns) || ns + late <= l->regions_ns || !ns)
			continue;
		g = (struct ev_region){ (uint64_t)at.region << RSC_REGION_SHIFT,
					(at.region + 1ULL) << RSC_REGION_SHIFT, ns, at.tgid };
		if (at.region == RSC_REGION_ALL)
			g = (struct ev_region){ 0, UINT64_MAX, ns, at.tgid };
		if (ns > newest)
			newest = ns;
		r = vec_push(&v, g);
	}
	if (r) {
		vec_free(&v);
		return r;
	}
	l->regions_ns = newest;
	*out = v.v;
	*n = v.n;
	return 0;
}

int live_advice(const struct ev *s, pid_t pid, struct ev_advice **out, size_t *n)
{
	const struct live *l = (const struct live *)s;
	int fd = bpf_map__fd(l->skel->maps.advice);
	struct rsc_advice_key at, next;
	VEC(struct ev_advice) v = { 0 };
	struct rsc_advice a;
	int r = 0;

	for (void *prev = NULL; !r && !bpf_map_get_next_key(fd, prev, &next); prev = &at) {
		at = next;
		if (at.tgid == (uint32_t)pid && !bpf_map_lookup_elem(fd, &at, &a))
			r = vec_push(&v,
				     (struct ev_advice){ at.advice, a.calls, a.failed, a.bytes });
	}
	if (r) {
		vec_free(&v);
		return r;
	}
	*out = v.v;
	*n = v.n;
	return 0;
}

void live_counters(const struct ev *s, uint64_t *n)
{
	const struct live *l = (const struct live *)s;
	int cpus = libbpf_num_possible_cpus();
	_free_ uint64_t *per = cpus > 0 ? calloc(cpus, sizeof(*per)) : NULL;

	memset(n, 0, RSC_N_COUNT * sizeof(*n));
	for (uint32_t i = 0; per && i < RSC_N_COUNT; i++) {
		if (bpf_map__lookup_elem(l->skel->maps.counters, &i, sizeof(i), per,
					 cpus * sizeof(*per), 0))
			continue;
		for (int c = 0; c < cpus; c++)
			n[i] += per[c];
	}
}

/*
 * A program does not run while the same CPU is in the midst of it. With Linux 7 one at a BTF
 * tracepoint can be preempted there, and the next task's event is left out: seen on 7.2 when
 * threads end together. Whose event it was is not told. Linux 5.12 counts it (9ed9e9ba2337), older
 * ones say 0.
 */
uint64_t live_not_run(const struct ev *s)
{
	const struct live *l = (const struct live *)s;
	uint64_t sum = 0;

	for (size_t i = 0; i < l->plan.n; i++) {
		const struct ev_program *p = &l->plan.program[i];
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);
		const struct bpf_program *prog;

		/* Of a mapping call the other half tells (call_exit_alone, call_exit_lost): and
		 * most of what these programs miss is other processes'. */
		if (!p->attached || p->group == EV_MAPPINGS)
			continue;
		prog = bpf_object__find_program_by_name(l->skel->obj, p->name);
		if (!bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			sum += info.recursion_misses;
	}
	return sum;
}
