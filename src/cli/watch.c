/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope watch: events of a process as they come, a report at the end. */
#include "cli/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "collect/mapbook.h"
#include "out/watch.h"

struct args {
	struct cli_help help;
	struct cli_targets targets;
	struct report_opts report;
	struct cli_probes probes;
	bool no_report;
	double duration, interval; /* seconds; 0: none */
	bool gctrace, schema;
	bool follow; /* children, too */
	bool live;   /* print what is known to be mapped at the end */
};

enum { KEY_EVENTS = 256, KEY_NO_REPORT, KEY_LIVE, KEY_GCTRACE, KEY_SCHEMA };

#define EVENT_NAMES "mappings, madvise, rss, gc, threads"

static const struct argp_option options[] = {
	{ "duration", 'd', "SEC", 0, "End after that long (default: when the process ends, or ^C)",
	  0 },
	{ "interval", 'i', "SEC", 0,
	  "Print a sample of the sizes that often (default 10; 0: never)", 0 },
	{ "events", KEY_EVENTS, "LIST", 0, "Only these: " EVENT_NAMES, 0 },
	{ "follow", 'f', NULL, 0, "Processes that it forks, too, and those that they fork", 0 },
	{ "gctrace", KEY_GCTRACE, NULL, 0, "GC cycles only, as gctrace=1 prints them", 0 },
	{ "no-report", KEY_NO_REPORT, NULL, 0, "No report at the end", 0 },
	{ "json-schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of --json and end", 0 },
	{ "live", KEY_LIVE, NULL, OPTION_HIDDEN, "With --json: the mappings as events left them",
	  0 },
	{ 0 },
};

static const struct {
	const char *name;
	enum ev_group group;
} group_names[] = {
	{ "mappings", EV_MAPPINGS }, { "madvise", EV_MAPPINGS | EV_MADVISE },
	{ "rss", EV_RSS },	     { "gc", EV_GC },
	{ "threads", EV_THREADS },
};

static void parse_events(struct args *a, char *list, struct argp_state *st)
{
	char *save = NULL;

	a->probes.groups = 0;
	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < ARRAY_LEN(group_names) && strcmp(group_names[i].name, w))
			i++;
		if (i == ARRAY_LEN(group_names))
			argp_error(st, "no events '%s'; there are " EVENT_NAMES, w);
		else
			a->probes.groups |= group_names[i].group;
	}
	if (!a->probes.groups)
		argp_error(st, "--events needs a list of " EVENT_NAMES);
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->report.print;
		st->child_inputs[2] = &a->probes;
		st->child_inputs[3] = &a->help;
		return 0;
	case 'd':
		a->duration = cli_parse_seconds(arg, "duration", st);
		return 0;
	case 'i':
		a->interval = cli_parse_seconds(arg, "interval", st);
		return 0;
	case 'f':
		a->follow = true;
		return 0;
	case KEY_EVENTS:
		parse_events(a, arg, st);
		return 0;
	case KEY_NO_REPORT:
		a->no_report = true;
		return 0;
	case KEY_GCTRACE:
		a->gctrace = a->no_report = true;
		a->probes.groups = EV_GC;
		a->interval = 0;
		return 0;
	case KEY_SCHEMA:
		a->schema = true;
		return 0;
	case KEY_LIVE:
		a->live = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "What happens to a process's memory, live: GC cycles, calls that change mappings, "
	       "with "
	       "their callers, steps of the resident set, threads. Ends with the process, after "
	       "--duration or at ^C, and prints a report. Needs root, or CAP_BPF and CAP_PERFMON.\v"
	       "Examples:\n"
	       "  rsscope watch 4242\n"
	       "  rsscope watch 4242 --duration 60 --json >events.jsonl\n"
	       "  rsscope watch --name etcd --events gc,rss\n"
	       "  rsscope watch 4242 --no-mappings\n"
	       "\n"
	       "Exit: 0 done, 1 failed, 3 no such process, 4 not permitted, 5 partial (no\n"
	       "report: the process has ended; or a part could not be watched).",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_probes_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

/* ---- the stream */

struct watch {
	const struct args *a;
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

/* Says where records of a CPU are missing. */
static int note_lost(struct watch *w, const struct event *e)
{
	enum { CPUS_MAX = 65536 };
	uint32_t n;

	if (e->cpu >= CPUS_MAX)
		return 0;
	while (w->lost.n <= e->cpu)
		if (vec_push(&w->lost, 0))
			return -ENOMEM;
	n = e->lost - w->lost.v[e->cpu];
	w->lost.v[e->cpu] = e->lost;
	if (!n)
		return 0;
	return w->a->report.print.json ? watch_json_lost(&w->text.seen.clock, e, n, &w->out)
				       : watch_text_lost(&w->text, e, n, &w->out);
}

/* The target is another program, in another memory. Where it has ended since, names are missing. */
static void take_exec(struct watch *w)
{
	struct memsrc *m = NULL, *old = w->own;
	pid_t pid = memsrc_pid(w->t.m);

	if (memsrc_open_live(pid, &m, NULL)) {
		symbolizer_reset(w->t.names);
		return;
	}
	w->own = m;
	watch_target_exec(&w->t, m, w->ev);
	w->book.m = m;
	w->book.names = w->t.names;
	w->has_book &= w->t.names != NULL;
	memsrc_close(old);
}

static void count(struct watch *w, const struct event *e)
{
	enum event_kind k = event_kind(e);

	w->end.events[k]++;
	if (e->tgid == (uint32_t)memsrc_pid(w->t.m))
		watch_sample_count(&w->sampler, e);
	if (e->type == EVENT_CALL && event_call_errno(&e->call))
		w->end.failed++;
	if (k == KIND_EXIT && e->tgid == (uint32_t)memsrc_pid(w->t.m))
		w->ended = true;
	if (e->tgid != (uint32_t)memsrc_pid(w->t.m))
		return;
	if (k == KIND_EXEC) {
		take_exec(w);
		watch_look_free(&w->looks); /* of another program */
		w->text.seen.gc = (struct gc_track){ 0 };
		w->text.seen.brk = 0;
	}
	if (k == KIND_GC) {
		watch_look_cycle(&w->looks, &e->gc);
		watch_target_tick(&w->t, w->ev);
	}
}

static int write_out(struct watch *w)
{
	if (w->out.n && !w->write_rc)
		w->write_rc = cli_put(w->out.p, w->out.n);
	w->out.n = 0;
	return w->write_rc;
}

/* What is not known is told once, with the first question mark. */
static int put_gctrace(struct watch *w, const struct event_gc *g)
{
	bool scans = w->t.has_go && go_has(w->t.rt.l, GO_GCC_GLOBALSSCAN);
	size_t at = w->out.n;
	int r = watch_gctrace(g, scans, &w->out);

	if (!r && !w->told && w->t.has_go && memchr(w->out.p + at, '?', w->out.n - at)) {
		w->told = true;
		log_warn("what is not known of a cycle is a question mark: %s",
			 w->t.no_words[0] ? w->t.no_words : "it has only now been found");
	}
	return r;
}

/* What it is now, after an exec. */
static int put_program(struct watch *w, const struct watch_target *t, const struct event *e)
{
	struct watch_exec x = {
		.pid = e->tgid,
		.now_ns = e->exit_ns,
		.comm = t->status.comm,
		.exe = t->exe,
		.go_version = t->go.bin ? bin_go(t->go.bin)->version : "",
		.no_gc = t->go.bin && w->a->probes.groups & EV_GC ? t->no_gc : "",
	};

	return w->a->report.print.json ? watch_json_exec(&w->text.seen.clock, &x, &w->out)
				       : watch_text_exec(&w->text, &x, &w->out);
}

/* `t` may be NULL: nothing is known of the process. */
static int put_event(struct watch *w, const struct event *e, const struct watch_target *t)
{
	struct frame frames[EVENT_STACK_MAX];
	size_t n = 0;
	int r = note_lost(w, e);

	if (e->type == EVENT_CALL && t && t->names)
		n = symbolizer_stack(t->names, &e->call, frames);
	if (!r)
		r = w->a->report.print.json ? watch_json_event(&w->text.seen, e, frames, n, &w->out)
					    : watch_text_event(&w->text, e, frames, n, &w->out);
	if (!r && event_kind(e) == KIND_EXEC && t)
		r = put_program(w, t, e);
	return r;
}

static int on_child(struct watch *w, const struct event *e)
{
	struct follow_proc *p = follow_event(&w->follow, e);
	struct watch_seen of_target = w->text.seen;
	int r;

	if (w->a->gctrace)
		return 0;
	if (p)
		w->text.seen = p->seen;
	r = put_event(w, e, p && p->m ? &p->t : NULL);
	if (p)
		p->seen = w->text.seen;
	w->text.seen = of_target;
	follow_done(&w->follow);
	return r;
}

static int on_event(void *ctx, const struct event *e)
{
	struct watch *w = ctx;
	int r;

	count(w, e);
	r = w->has_book ? mapbook_event(&w->book, e) : 0;
	if (r)
		return r;
	if (e->tgid != (uint32_t)memsrc_pid(w->t.m))
		r = on_child(w, e);
	else if (w->a->gctrace)
		r = e->type == EVENT_GC ? put_gctrace(w, &e->gc) : 0;
	else
		r = put_event(w, e, &w->t);
	if (!r && w->out.n > 1 << 16)
		r = write_out(w);
	return r;
}

static int put_start(struct watch *w)
{
	struct watch_program p[EV_PROGRAMS_MAX];
	const struct ev_program *programs;
	const char *missing[5];
	char text[4][400];
	struct watch_start s = {
		.pid = memsrc_pid(w->t.m),
		.comm = w->t.status.comm,
		.exe = w->t.exe,
		.go_version = w->t.go.bin ? bin_go(w->t.go.bin)->version : "",
		.now_ns = w->end.start_ns,
		.programs = p,
		.missing = missing,
	};
	size_t n = ev_programs(w->ev, &programs);
	uint32_t gone = w->a->probes.groups & ~ev_groups(w->ev);
	const struct watch_target *t = &w->t;
	struct ev_tax tax = { 0 };

	if (t->no_gc[0])
		gone |= w->a->probes.groups & EV_GC;
	for (size_t i = 0; i < n && i < ARRAY_LEN(p); i++)
		p[s.nprograms++] =
			(struct watch_program){ programs[i].name, programs[i].target,
						programs[i].reason, programs[i].attached };
	for (size_t g = 0; g < ARRAY_LEN(group_names); g++) {
		const char *why = w->t.no_gc;

		if (!(gone & group_names[g].group) || group_names[g].group & EV_MADVISE)
			continue;
		for (size_t i = 0; i < n && (group_names[g].group != EV_GC || !*why); i++)
			if (programs[i].group == group_names[g].group && *programs[i].reason)
				why = programs[i].reason;
		snprintf(text[s.nmissing], sizeof(text[0]), "%s: %s", group_names[g].name, why);
		missing[s.nmissing] = text[s.nmissing];
		s.nmissing++;
		/* No GC in a program that is not Go is nothing missing. */
		w->partial |= group_names[g].group != EV_GC || w->t.go.bin;
	}
	if (w->a->follow && !w->follow.ev) {
		missing[s.nmissing++] = "children: following them needs the BTF tracepoints of "
					"sched_process_fork, exec and exit";
		w->partial = true;
	}
	s.has_tax = ev_syscall_tax(w->ev, &tax);
	s.tax_ns = tax.any;
	s.mapping_tax_ns = tax.mapping;
	if (w->a->gctrace)
		return 0;
	return w->a->report.print.json ? watch_json_start(&w->text.seen.clock, &s, &w->out)
				       : watch_text_start(&w->text, &s, &w->out);
}

static int put_sample(struct watch *w, uint64_t now)
{
	struct watch_sample s;

	if (watch_sample_take(&w->sampler, &w->t, now, &s))
		return 0; /* it ends */
	w->text.pid = memsrc_pid(w->t.m);
	return w->a->report.print.json ? watch_json_sample(&w->text.seen.clock, &s, &w->out)
				       : watch_text_sample(&w->text, &s, &w->out);
}

/* ---- the loop */

struct waiting {
	int signals, pidfd;
	uint64_t end_ns; /* 0: none */
};

/* Until when: the next thing that is due, at most EV_POLL_MS away. ms. */
static int due_in(const struct watch *w, const struct waiting *q, uint64_t now)
{
	uint64_t at = now + EV_POLL_MS * 1000000ULL;

	if (w->next_sample_ns && w->next_sample_ns < at)
		at = w->next_sample_ns;
	if (q->end_ns && q->end_ns < at)
		at = q->end_ns;
	return at <= now ? 0 : (at - now + 999999) / 1000000;
}

/* Why the stream ends, or NULL. */
static const char *wait_for(struct watch *w, const struct waiting *q)
{
	struct pollfd p[] = {
		{ ev_fd(w->ev), POLLIN, 0 },
		{ q->signals, POLLIN, 0 },
		{ q->pidfd, POLLIN, 0 },
		{ STDOUT_FILENO, 0, 0 }, /* POLLERR: nobody reads any more */
	};
	uint64_t now = mono_ns();

	if (poll(p, ARRAY_LEN(p), due_in(w, q, now)) < 0 && errno != EINTR)
		return "poll failed";
	if (p[1].revents)
		return "signal";
	if (p[2].revents || w->ended)
		return "exit";
	if (p[3].revents & (POLLERR | POLLNVAL))
		return "output closed";
	now = mono_ns();
	if (q->end_ns && now >= q->end_ns)
		return "duration";
	return NULL;
}

static int sample_if_due(struct watch *w)
{
	uint64_t now = mono_ns(), step = w->a->interval * 1e9;

	if (!w->next_sample_ns || now < w->next_sample_ns)
		return 0;
	w->next_sample_ns = now + step;
	return put_sample(w, now);
}

/* ---- mappings */

static int book_losses(struct watch *w)
{
	_free_ struct ev_region *g = NULL;
	size_t n = 0;
	int r = w->has_book || w->follow.v.n ? ev_lost_regions(w->ev, &g, &n) : 0;

	for (size_t i = 0; i < n && !r && w->has_book; i++)
		if (g[i].pid == memsrc_pid(w->t.m))
			r = mapbook_lost(&w->book, g[i].start, g[i].end, g[i].ns);
	return r ? r : follow_losses(&w->follow, g, n);
}

static int end_advice(struct watch *w)
{
	_free_ struct ev_advice *a = NULL;
	size_t n;
	int r = ev_advice(w->ev, memsrc_pid(w->t.m), &a, &n);

	for (size_t i = 0; i < n && !r; i++)
		r = vec_push(&w->advice, (struct watch_advice){ a[i].advice, a[i].calls,
								a[i].failed, a[i].bytes });
	w->end.advice = w->advice.v;
	w->end.nadvice = w->advice.n;
	return r;
}

/* A child that is still there. */
static int put_child(struct watch *w, struct follow_proc *p, bool live)
{
	struct watch_child c = {
		.pid = p->pid, .now_ns = mono_ns(), .comm = p->t.status.comm, .exe = p->t.exe
	};
	int r = 0;

	if (!p->m || memsrc_alive(p->m))
		return 0;
	if (p->has_book && live)
		r = watch_book_live(&p->book, &w->out);
	if (p->has_book && !r)
		r = watch_book_end(&p->book, &c.mappings);
	if (r || w->a->gctrace)
		return r;
	return w->a->report.print.json ? watch_json_child(&w->text.seen.clock, &c, &w->out)
				       : watch_text_child(&w->text, &c, &w->out);
}

static int end_book(struct watch *w)
{
	bool live = w->a->live && w->a->report.print.json;
	int r = 0;

	if (w->has_book && live)
		r = watch_book_live(&w->book, &w->out);
	if (w->has_book && !r)
		r = watch_book_end(&w->book, &w->end.mappings);
	w->end.followed = w->follow.followed;
	w->end.children_ended = w->follow.ended;
	for (size_t i = 0; i < w->follow.v.n && !r; i++)
		r = put_child(w, w->follow.v.v[i], live);
	return r;
}

static int put_end(struct watch *w)
{
	struct ev_counter c[EV_COUNTERS_MAX];
	size_t n = ev_counters(w->ev, c, EV_COUNTERS_MAX);

	int r = end_book(w);

	if (r)
		return r;
	r = end_advice(w);
	if (r)
		return r;
	w->end.now_ns = mono_ns();
	for (size_t i = 0; i < n; i++) {
		if (named_add(&w->end.losses, c[i].name, c[i].n))
			return -ENOMEM;
		w->end.lost += c[i].lost ? c[i].n : 0;
	}
	if (w->a->gctrace) {
		if (w->end.lost)
			log_warn("%" PRIu64 " events were lost", w->end.lost);
		return 0;
	}
	return w->a->report.print.json ? watch_json_end(&w->text.seen.clock, &w->end, &w->out)
				       : watch_text_end(&w->text, &w->end, &w->out);
}

/* All that is in the ring; more than one batch after the stop. */
static int drain(struct watch *w)
{
	int n, r;

	do {
		if (w->t.names)
			symbolizer_tick(w->t.names);
		if (!w->t.has_go)
			watch_target_tick(&w->t, w->ev);
		follow_turn(&w->follow);
		n = ev_poll(w->ev, 0, on_event, w);
		r = book_losses(w);
	} while (!r && n >= 1 << 15 && !w->end.why);
	return n < 0 ? n : r;
}

/* 0 or -errno; w->end.why is set. */
static int stream(struct watch *w, const struct waiting *q)
{
	const char *why = NULL;
	int r = 0;

	while (!r && !why) {
		why = wait_for(w, q);
		if (why)
			ev_stop(w->ev);
		r = drain(w);
		if (!r && !why)
			r = sample_if_due(w);
		if (!r)
			r = write_out(w);
	}
	ev_stop(w->ev);
	w->end.why = why ? why : r == -EPIPE ? "output closed" : "error";
	return r;
}

static int wait_open(struct watch *w, struct waiting *q, struct err *e)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return err_set(e, -errno, "blocking signals: %s", strerror(errno));
	q->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (q->signals < 0)
		return err_set(e, -errno, "signalfd: %s", strerror(errno));
	q->pidfd = syscall(SYS_pidfd_open, memsrc_pid(w->t.m), 0);
	r = memsrc_alive(w->t.m); /* of the process that was opened, not of a successor */
	return r ? err_set(e, r, "process %d has ended", (int)memsrc_pid(w->t.m)) : 0;
}

static int open_events(struct watch *w, struct err *e)
{
	const struct proc_status *st = &w->t.status;
	struct ev_options o = {
		.pid = memsrc_pid(w->t.m),
		.groups = w->a->probes.groups,
		.ring_bytes = w->a->probes.ring,
		/* a sixty-fourth of what there is: some lines, not thousands, until it doubles */
		.rss_step = st->vm_rss / 64 > 1 << 20 ? st->vm_rss / 64 : 1 << 20,
		.rss = { .file = st->rss_file,
			 .anon = st->rss_anon,
			 .swap = st->vm_swap,
			 .shmem = st->rss_shmem },
		.threads = st->threads,
		.gc = w->t.gc,
		.gc_later = true, /* it may exec a Go program */
		.follow = w->a->follow,
		.fallbacks = w->a->probes.fallbacks,
	};

	watch_target_gopath(&w->t, &o.go);
	if (w->t.no_gc[0] && w->a->probes.groups == EV_GC)
		return err_set(e, -ENOTSUP, "GC cycles can't be watched: %s", w->t.no_gc);
	return ev_open(&o, &w->ev, e);
}

/* 0 or -errno with a text. */
static int watch_all(struct watch *w, struct memsrc *m, struct err *e)
{
	_close_ int signals = -1, pidfd = -1;
	struct waiting q = { .signals = -1, .pidfd = -1 };
	uint64_t now;
	int r = watch_target_open(m, &w->t, e);

	if (!r && !w->a->no_report)
		watch_look_first(&w->looks, memsrc_pid(m));
	if (!r)
		r = wait_open(w, &q, e);
	signals = q.signals;
	pidfd = q.pidfd;
	if (!r)
		r = open_events(w, e);
	if (r)
		return r;
	if (ev_groups(w->ev) & EV_MAPPINGS) {
		r = mapbook_open(m, w->t.names, &w->book, e);
		w->has_book = true;
	}
	if (r)
		return r;
	now = mono_ns();
	w->text = (struct watch_text){
		.seen = { .clock.offset_ns = clock_ns(CLOCK_REALTIME) - now,
			  .has_rss = true,
			  .rss = { .file = w->t.status.rss_file,
				   .anon = w->t.status.rss_anon,
				   .swap = w->t.status.vm_swap,
				   .shmem = w->t.status.rss_shmem } },
		.style = cli_style(&w->a->report.print),
	};
	watch_words_track(&w->t, &w->text.seen.gc);
	follow_open(&w->follow, w->ev, &w->text.seen.clock);
	w->text.pids = w->follow.ev;
	w->end.start_ns = now;
	if (w->a->interval)
		w->next_sample_ns = now + w->a->interval * 1e9;
	if (w->a->duration)
		q.end_ns = now + w->a->duration * 1e9;
	r = put_start(w);
	if (!r)
		r = write_out(w);
	if (!r)
		r = stream(w, &q);
	if (!r)
		r = put_end(w);
	return r ? r : write_out(w);
}

static int report_at_end(struct watch *w)
{
	struct collect_opts co = { .pss = w->a->report.pss };
	struct report last;
	struct err e = { 0 };
	int r, code;

	if (w->a->no_report)
		return CLI_OK;
	if (memsrc_alive(w->t.m)) {
		log_warn("no report at the end: the process has ended, and its memory with it");
		return CLI_PARTIAL;
	}
	if (w->has_book && mapbook_give(&w->book, &co))
		return cli_fail(-ENOMEM, NULL);
	r = watch_look_last(&w->looks, w->t.m, &co, &last, &e);
	code = r ? cli_fail(r, &e) : cli_print_report(&last, &w->a->report);
	report_free(&last);
	return code;
}

/* Of those that it has forked and that are still there. */
static int report_children(struct watch *w)
{
	int worst = CLI_OK;

	for (size_t i = 0; i < w->follow.v.n && !w->a->no_report; i++) {
		struct follow_proc *p = w->follow.v.v[i];
		struct collect_opts co = { .pss = w->a->report.pss };
		struct report rep;
		int code;

		if (!p->m || memsrc_alive(p->m))
			continue;
		if (p->has_book && mapbook_give(&p->book, &co))
			return cli_fail(-ENOMEM, NULL);
		memsrc_flush(p->m);
		if (collect_report(p->m, &co, &rep, NULL)) {
			report_free(&rep);
			continue; /* it ends */
		}
		code = cli_print_report(&rep, &w->a->report);
		worst = code ? code : worst;
		report_free(&rep);
	}
	return worst;
}

static int watch_one(const struct args *a, struct memsrc *m)
{
	struct watch w = { .a = a };
	struct err e = { 0 };
	int r = watch_all(&w, m, &e), code;

	if (w.write_rc)
		code = cli_put_code(w.write_rc);
	else if (r)
		code = cli_fail(r, &e);
	else if (!strcmp(w.end.why, "output closed"))
		code = CLI_OK;
	else
		code = report_at_end(&w);
	if (!r && !w.write_rc && strcmp(w.end.why, "output closed")) {
		int children = report_children(&w);

		code = code ? code : children;
	}
	follow_close(&w.follow);
	ev_close(w.ev);
	mapbook_close(&w.book);
	watch_look_free(&w.looks);
	watch_target_close(&w.t);
	memsrc_close(w.own);
	text_free(&w.out);
	vec_free(&w.lost);
	vec_free(&w.advice);
	vec_free(&w.end.losses);
	return code ? code : w.partial ? CLI_PARTIAL : CLI_OK;
}

int cmd_watch(int argc, char **argv)
{
	struct args a = { .targets.live_only = true,
			  .report.line = true,
			  .probes.groups = EV_ALL,
			  .interval = 10 };
	struct memsrc *m = NULL;
	struct err e = { 0 };
	int code, r;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		goto out;
	if (a.schema) {
		code = cli_put_code(cli_put(watch_json_schema(), strlen(watch_json_schema())));
		goto out;
	}
	if (a.follow)
		a.probes.groups |= EV_THREADS;
	code = cli_targets_check(&a.targets, "watch");
	if (code)
		goto out;
	if (a.targets.v.n > 1) {
		log_error("watch takes one process, not %zu; choose one by its id", a.targets.v.n);
		code = CLI_USAGE;
		goto out;
	}
	r = cli_target_open(&a.targets.v.v[0], &m, &e);
	code = r ? cli_fail(r, &e) : watch_one(&a, m);
	memsrc_close(m);
out:
	cli_targets_free(&a.targets);
	return code;
}
