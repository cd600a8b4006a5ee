/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The attach table: every BPF program with what it needs and what takes its place. A plan is the
 * table with the choices of one attempt. An attempt that fails at a program marks it and is made
 * anew without it: a program that did not load can't be added to an object that did.
 */
#ifndef RSSCOPE_EVENT_ATTACH_H
#define RSSCOPE_EVENT_ATTACH_H

#include <bpf/libbpf.h>

#include "base/err.h"
#include "event/detach.h"
#include "event/ev.h"

enum { PLAN_MAX = EV_PROGRAMS_MAX, PLAN_GC = 3 /* probes that are attached by target */ };

struct plan_row {
	bool chosen; /* loaded and attached by this attempt */
	bool broken; /* tried and failed: `reason` tells */
	char reason[160];
	struct bpf_link *link; /* NULL: of programs that are attached by target, too */
	bool probing;	       /* one of those, and some target has had it */
};

struct plan {
	struct plan_row row[PLAN_MAX];
	struct ev_program program[PLAN_MAX]; /* what ev_programs shows */
	size_t n;
	uint32_t groups; /* that work with these choices */
};

void plan_init(struct plan *p);

/* Chooses programs for the groups that are asked for: one whose feature is missing gives way to
 * its fallback; a group without a required one is dropped. p->groups tells what is left. */
void plan_choose(struct plan *p, const struct ev_features *f, uint32_t groups, bool fallbacks);

/* After an object did not load: marks as broken the programs of one feature that have fallbacks.
 * false when nothing was left to give up. */
bool plan_retreat(struct plan *p, const char *why);

/* Sets what the object loads. -ENOENT when a program is not in it. */
int plan_autoload(struct plan *p, struct bpf_object *obj);

/* Attaches what is chosen, but for the probes of GC cycles, which are attached by target. A failing
 * program is marked broken, with all that have fallbacks and need the same; returns its -errno. */
int plan_attach(struct plan *p, struct bpf_object *obj, struct err *e);

/* The probes of one target's GC cycles: the links, some of which may be NULL, are the caller's. */
int plan_attach_gc(struct plan *p, struct bpf_object *obj, pid_t pid, const struct ev_gc *gc,
		   struct bpf_link *out[PLAN_GC], struct err *e);

/* They can't be attached: the group is none, for the reason given. */
void plan_break_gc(struct plan *p, const char *why);

/* Gives the links to d. Idempotent. */
void plan_detach(struct plan *p, struct detacher *d);

/* Why nothing works: the first reason, of a program without fallback if there is one. "" when there
 * is none. */
const char *plan_reason(const struct plan *p, uint32_t groups);

/* Brings p->program up to date. */
void plan_describe(struct plan *p);

#endif
