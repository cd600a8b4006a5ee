/* SPDX-License-Identifier: BSD-2-Clause */
#include "event/cpu.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <rsscope/wire.h>

#include "base/vec.h"
#include "event/bpflog.h"
#include "event/pidns.h"
#include "cpu.skel.h"

struct ev_cpu {
	struct rsc_cpu *skel;
	VEC(struct bpf_link *) links; /* one a CPU */
	uint64_t period_ns;
	pid_t pid;
};

_Static_assert(EV_CPU_STACKS == RSC_CPU_STACKS && EV_CPU_DEPTH > RSC_CPU_NATIVE &&
		       EV_CPU_DEPTH > RSC_CPU_GO,
	       "as the program has it");

/* A perf event of that CPU, for whatever runs there; not running yet. Its descriptor or -errno. */
static int open_clock(int cpu, uint64_t period_ns)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(a),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = period_ns,
		.disabled = 1,
	};
	int fd = syscall(SYS_perf_event_open, &a, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int ev_cpu_probe(void)
{
	int fd = -ENODEV;

	for (int i = 0, n = libbpf_num_possible_cpus(); i < n && fd == -ENODEV; i++)
		fd = open_clock(i, 1000000000);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int clock_error(int r, struct err *e)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return err_set(
			e, -EPERM,
			"opening the CPUs' clocks (perf_event_open): %s; run as root, or give "
			"CAP_PERFMON",
			strerror(-r));
	case -EMFILE:
		return err_set(e, r,
			       "too many open files: there are %d CPUs, and each needs two "
			       "descriptors; raise the limit (ulimit -n)",
			       libbpf_num_possible_cpus());
	case -ENOSYS:
	case -ENOENT:
	case -EOPNOTSUPP:
		return err_set(e, -ENOTSUP,
			       "this kernel has no perf events of the CPU's clock (%s); needs "
			       "CONFIG_PERF_EVENTS=y",
			       strerror(-r));
	}
	return err_set(e, r, "opening the CPUs' clocks (perf_event_open): %s", strerror(-r));
}

/* One that is offline has no clock, and runs nothing. */
static int attach(struct ev_cpu *s, struct err *e)
{
	int n = libbpf_num_possible_cpus(), r = 0;

	for (int i = 0; i < n && !r; i++) {
		int fd = open_clock(i, s->period_ns);
		struct bpf_link *link;

		if (fd == -ENODEV)
			continue;
		if (fd < 0)
			return clock_error(fd, e);
		link = bpf_program__attach_perf_event(s->skel->progs.cpu_clock, fd);
		if (!link) {
			r = -errno;
			close(fd);
			return clock_error(r, e);
		}
		r = vec_push(&s->links, link);
		if (r)
			bpf_link__destroy(link);
	}
	if (r)
		return err_set(e, r, "out of memory");
	return s->links.n ? 0 : clock_error(-ENODEV, e);
}

static void set_target(struct ev_cpu *s, const struct ev_cpu_options *o)
{
	struct rsc_cpu_target *t = &s->skel->bss->cpu_target;

	t->text = o->text;
	t->etext = o->etext;
	t->m_g0 = o->m_g0;
	t->g_sched_sp = o->g_sched_sp;
	t->go = (struct rsc_gopath){
		.tls_g = o->go.tls_g,
		.g_m = o->go.g_m,
		.m_curg = o->go.m_curg,
		.g_sched_pc = o->go.g_sched_pc,
		.g_sched_bp = o->go.g_sched_bp,
		.on = o->go.on,
	};
}

static int open_all(struct ev_cpu *s, const struct ev_cpu_options *o, struct err *e)
{
	struct ev_features f; /* it also makes libbpf quiet */
	int r = ev_probe(&f);

	if (r)
		return err_set(e, r, "probing the kernel: %s", strerror(-r));
	s->skel = rsc_cpu__open();
	if (!s->skel)
		return bpflog_load_error(-errno, e);
	s->skel->rodata->cfg_pidns = pidns_ours();
	r = rsc_cpu__load(s->skel);
	if (r)
		return bpflog_load_error(r, e);
	set_target(s, o);
	return attach(s, e);
}

int ev_cpu_open(const struct ev_cpu_options *o, struct ev_cpu **out, struct err *e)
{
	struct ev_cpu *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->pid = o->pid;
	s->period_ns = 1000000000 / o->hz;
	r = open_all(s, o, e);
	if (r)
		ev_cpu_close(s);
	else
		*out = s;
	return r;
}

void ev_cpu_close(struct ev_cpu *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->links.n; i++)
		bpf_link__destroy(s->links.v[i]);
	vec_free(&s->links);
	rsc_cpu__destroy(s->skel);
	free(s);
}

void ev_cpu_start(struct ev_cpu *s)
{
	__atomic_store_n(&s->skel->bss->cpu_target.tgid, s->pid, __ATOMIC_SEQ_CST);
}

void ev_cpu_stop(struct ev_cpu *s)
{
	__atomic_store_n(&s->skel->bss->cpu_target.tgid, 0, __ATOMIC_SEQ_CST);
}

void ev_cpu_counts(const struct ev_cpu *s, struct ev_cpu_counts *out)
{
	const struct rsc_cpu_count *c = &s->skel->bss->cpu_count;

	*out = (struct ev_cpu_counts){
		.period_ns = s->period_ns,
		.seen = c->seen,
		.lost = c->lost,
		.other = c->other,
		.spent_ns = c->ns,
		.cpus = s->links.n,
		.bytes = (RSC_CPU_STACKS + s->links.n) * sizeof(struct rsc_cpu_stack),
	};
}

static int give(const struct rsc_cpu_stack *k, ev_cpu_fn *fn, void *ctx)
{
	struct ev_cpu_stack s = {
		.count = k->count,
		.native = (const uint64_t *)k->native,
		.nnative = k->nnative < RSC_CPU_NATIVE ? k->nnative : RSC_CPU_NATIVE,
		.go = (const uint64_t *)k->go,
		.ngo = k->ngo < RSC_CPU_GO ? k->ngo : RSC_CPU_GO,
		.caller = k->caller,
		.pushed = k->flags & RSC_CPU_PUSHED,
		.cut = k->nnative >= RSC_CPU_NATIVE || k->ngo >= RSC_CPU_GO - 1,
	};

	return fn(ctx, &s);
}

int ev_cpu_stacks(const struct ev_cpu *s, ev_cpu_fn *fn, void *ctx)
{
	int fd = bpf_map__fd(s->skel->maps.cpu_stacks), r = 0;
	struct rsc_cpu_stack k;
	uint64_t at, next;

	for (void *prev = NULL; !r && !bpf_map_get_next_key(fd, prev, &next); prev = &at) {
		at = next;
		if (!bpf_map_lookup_elem(fd, &at, &k))
			r = give(&k, fn, ctx);
	}
	return r;
}
