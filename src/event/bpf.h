/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside event/: the source that is the kernel. bpf.c loads and runs it; bpf_maps.c is what the
 * programs are told through their maps, and what they leave there. */
#ifndef RSSCOPE_EVENT_BPF_H
#define RSSCOPE_EVENT_BPF_H

#include "base/vec.h"
#include "event/attach.h"
#include "event/detach.h"
#include "event/stream.h"

struct ring_buffer;
struct rsc_bpf;

/* The probes of a target's GC cycles. */
struct gc_probe {
	pid_t pid;
	struct bpf_link *link[PLAN_GC];
};

struct live {
	struct ev base;
	struct rsc_bpf *skel;
	struct ring_buffer *ring;
	struct plan plan;
	VEC(struct gc_probe) probes; /* of targets, children among them */
	size_t ntargets;	     /* that were added; their children are beside them */
	struct detacher detaching;
	uint64_t regions_ns; /* what ev_lost_regions has told of so far */
	/* one poll's */
	ev_record_fn *fn;
	void *ctx;
	int batch;
};

void live_copy_words(struct rsc_target *t, const struct ev_word *words);
void live_copy_gopath(struct rsc_target *t, const struct ev_gopath *go);

/* What the programs know of a target, changed: words, go and gc may be NULL (the words of gc are
 * given on their own). -ENOENT when it has ended. */
int live_change_target(struct live *l, pid_t pid, const struct ev_word *words,
		       const struct ev_gopath *go, const struct ev_gc *gc);

/* Puts a target into the maps, the map `targets` last. 0; -EEXIST, -ENOSPC, -errno. */
int live_put_target(struct live *l, const struct ev_target *t, bool follow, bool sees_exec);

/* Gives up all that the maps hold of a target. Whether it was one that user space had put there. */
bool live_forget_maps(struct live *l, pid_t pid);

/* Takes all targets away: the programs return at once. */
void live_forget_all(struct live *l);

/* As in struct ev_ops. */
int live_rss(const struct ev *s, pid_t pid, struct event_rss *out);
int live_losses(const struct ev *s, pid_t pid, struct ev_losses *out);
int live_set_groups(struct ev *s, pid_t pid, uint32_t groups);
int live_lost_regions(struct ev *s, struct ev_region **out, size_t *n);
int live_advice(const struct ev *s, pid_t pid, struct ev_advice **out, size_t *n);
void live_counters(const struct ev *s, uint64_t *n);
uint64_t live_not_run(const struct ev *s);

#endif
