/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside `watch`: the stream from its start to its end, what its events change of what is known,
 * and what is put out. Functions return 0 or -errno.
 */
#ifndef RSSCOPE_CLI_WATCH_STREAM_H
#define RSSCOPE_CLI_WATCH_STREAM_H

#include "cli/cli.h"
#include "cli/follow.h"
#include "cli/watch.h"
#include "session/mapbook.h"
#include "out/watch.h"

struct watch_args {
	struct cli_help help;
	struct cli_targets targets;
	struct report_opts report;
	struct cli_probes probes;
	struct cli_cache cache;
	bool no_report;
	double duration, interval; /* seconds; 0: none */
	bool gctrace, schema;
	bool follow; /* children, too */
	bool live;   /* print what is known to be mapped at the end */
};

/* What --events can name. */
struct watch_group {
	const char *name;
	enum ev_group group;
};
enum { WATCH_GROUPS = 5 };
extern const struct watch_group watch_groups[WATCH_GROUPS];

struct watch {
	const struct watch_args *a;
	struct watch_target t;
	struct memsrc *own; /* of what the target has become by an exec; t.m is it then */
	struct ev *ev;
	struct watch_text text;
	struct watch_sampler sampler;
	struct watch_looks looks;
	struct text out; /* of one poll: written at its end */
	struct watch_end end;
	bool has_book;
	struct mapbook book;
	struct follow follow;
	VEC(struct watch_advice) advice;
	VEC(uint32_t) lost; /* by CPU: what its last record said */
	uint64_t next_sample_ns;
	int write_rc; /* of standard output: 0 or -errno */
	bool ended, partial;
	bool told; /* why figures of a cycle are missing */
};

/* ---- the loop (watch_stream.c) */

/* Opens the probes of m's process, and puts out all from the start to the end; w->a is set. */
int watch_stream(struct watch *w, struct memsrc *m, struct err *e);
void watch_free(struct watch *w); /* after any of it */

/* ---- events (watch_event.c) */

/* As ev_poll's function; ctx: the struct watch. */
int watch_event(void *ctx, const struct event *e);

/* ---- what is put out beside events (watch_put.c) */

int watch_put_start(struct watch *w);
int watch_put_sample(struct watch *w, uint64_t now_ns);
int watch_put_end(struct watch *w);

/* Writes what has been put out so far. */
int watch_flush(struct watch *w);

/* ---- reports at the end (watch_report.c). They return an exit code. */

int watch_report(struct watch *w);
int watch_report_children(struct watch *w); /* those that are still there */

#endif
