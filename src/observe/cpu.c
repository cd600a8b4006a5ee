/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples for so long, and makes the profile of what was counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "binary/binary.h"
#include "observe/cpu_impl.h"

enum { LOOK_NS = 100000000, LOOKS = 10 /* between two moments */ };

/* ---- counters beside the samples */

/* Of a process that has ended the last ones stay. */
static void take_moment(struct observe_cpu *c, struct cpu_moment *out)
{
	struct cpu_moment m = { .at_ns = mono_ns() };

	if (handle_check(memsrc_handle(c->s->m)) != HANDLE_SAME)
		return;
	if (handle_cpu_time(memsrc_handle(c->s->m), &m.cpu_ns))
		m.cpu_ns = UINT64_MAX;
	memsrc_again(c->s->m, READER_COUNTERS);
	if (c->g && go_counters_read(&c->g->rt, &m.go, NULL)) {
		go_metrics_free(&m.go);
		m.go = (struct go_metrics){ 0 };
	}
	if (handle_check(memsrc_handle(c->s->m)) != HANDLE_SAME) {
		go_metrics_free(&m.go);
		return;
	}
	go_metrics_free(&out->go);
	*out = m;
}

/* ---- the loop */

static void stop(struct observe_cpu *c, const char *why)
{
	if (c->l.over)
		return;
	ev_cpu_stop(c->ev);
	c->ended_ns = mono_ns();
	c->why = why;
	c->l.over = true;
}

static int on_signal(void *ctx, short revents)
{
	struct observe_cpu *c = ctx;
	struct signalfd_siginfo one;

	while (read(c->l.signals.fd, &one, sizeof(one)) == sizeof(one))
		stop(c, "it was interrupted");
	return 0;
}

static int on_end(void *ctx, short revents)
{
	struct observe_cpu *c = ctx;

	c->l.end.fd = -1; /* the handle's: it stays readable */
	stop(c, "the process ended");
	return 0;
}

static int on_deadline(void *ctx, uint64_t now)
{
	stop(ctx, NULL);
	return 0;
}

static int on_look(void *ctx, uint64_t now)
{
	struct observe_cpu *c = ctx;

	if (handle_check(memsrc_handle(c->s->m)) == HANDLE_EXECED)
		stop(c, "the process called exec");
	else if (++c->l.looks % LOOKS == 0)
		take_moment(c, &c->after);
	c->l.look.at_ns = now + LOOK_NS;
	return 0;
}

static int block_signals(struct cpu_loop *l, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, &l->before))
		return err_set(e, -errno, "blocking signals: %s", strerror(errno));
	l->blocked = true;
	l->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals.fd < 0 ? err_set(e, -errno, "signalfd: %s", strerror(errno)) : 0;
}

static int open_loop(struct observe_cpu *c, struct err *e)
{
	struct cpu_loop *l = &c->l;
	int r = block_signals(l, e);

	if (r)
		return r;
	l->end.fd = handle_pidfd(memsrc_handle(c->s->m));
	r = loop_add_fd(&l->loop, &l->signals);
	if (!r)
		r = loop_add_fd(&l->loop, &l->end);
	if (!r)
		r = loop_add_timer(&l->loop, &l->deadline);
	if (!r)
		r = loop_add_timer(&l->loop, &l->look);
	return r ? err_set(e, r, "%s", strerror(-r)) : 0;
}

/* A second ^C ends what comes after. */
static void close_loop(struct cpu_loop *l)
{
	loop_close(&l->loop);
	close_fd(&l->signals.fd);
	if (l->blocked)
		sigprocmask(SIG_SETMASK, &l->before, NULL);
	l->blocked = false;
}

static int sample(struct observe_cpu *c, struct err *e)
{
	struct cpu_loop *l = &c->l;
	int r = 0;

	take_moment(c, &c->before);
	c->began_ns = mono_ns();
	l->deadline.at_ns = c->began_ns + (uint64_t)(c->seconds * 1e9);
	l->look.at_ns = c->began_ns + LOOK_NS;
	c->k.p->time_unix_ns = clock_ns(CLOCK_REALTIME);
	ev_cpu_start(c->ev);
	while (!r && !l->over)
		r = loop_turn(&l->loop);
	stop(c, NULL);
	close_loop(l);
	take_moment(c, &c->after);
	c->k.p->duration_ns = c->ended_ns - c->began_ns;
	ev_cpu_counts(c->ev, &c->n);
	if (!c->why && handle_check(memsrc_handle(c->s->m)) == HANDLE_EXECED)
		c->why = "the process called exec";
	return r ? err_set(e, r, "waiting for samples: %s", strerror(-r)) : 0;
}

/* ---- the profile */

/* So many samples of k->stack; that few are seen of a rare one is chance. */
static int put(struct observe_cpu *c, uint64_t count)
{
	double period = (double)c->n.period_ns;
	struct profile_sample s = { .value = { count, count * c->n.period_ns },
				    .variance = (double)count * period * period };

	return profile_put_counted(&c->k, &s);
}

static int put_named(struct observe_cpu *c, const char *name, uint64_t count)
{
	int r;

	c->k.n = 0;
	r = profile_push_name(&c->k, name);
	return r ? r : put(c, count);
}

static int add_stack(void *ctx, const struct ev_cpu_stack *s)
{
	struct observe_cpu *c = ctx;
	uint64_t addr[CPU_JOINED];
	bool is_c_only;
	size_t n = cpu_stack_join(c, s, addr, &is_c_only);
	int r;

	c->unread += n ? 0 : s->count;
	c->c_only += is_c_only ? s->count : 0;
	c->cut += s->cut ? s->count : 0;
	c->class[cpu_stack_class(c, addr, n)] += s->count;
	r = profile_take_stack(&c->k, ADDRESSES_PHYSICAL, addr, n);
	if (r)
		return r;
	return c->k.n ? put(c, s->count) : put_named(c, "[stack not readable]", s->count);
}

static int make(struct observe_cpu *c, struct err *e)
{
	int r;

	symbolizer_tick(c->k.names);
	c->k.p->period = c->n.period_ns;
	c->k.p->sampled = c->n.seen;
	r = ev_cpu_stacks(c->ev, add_stack, c);
	if (!r && c->n.lost) /* they have their time all the same */
		r = put_named(c, "[stack not kept]", c->n.lost);
	if (r)
		return err_set(e, r, "naming the samples' stacks: %s", strerror(-r));
	cpu_say(c);
	return 0;
}

/* ---- opening */

/* The bounds of the file's code that holds Go's, as they are in the process. */
static void find_text(const struct session_go *g, struct ev_cpu_options *o)
{
	const struct bin_segment *seg;
	size_t n = bin_segments(g->bin, &seg);
	uint64_t text = g->rt.g.text - g->bias;

	for (size_t i = 0; i < n; i++)
		if (seg[i].flags & BIN_SEG_X && text >= seg[i].vaddr &&
		    text - seg[i].vaddr < seg[i].memsz) {
			o->text = g->rt.g.text;
			o->etext = g->bias + seg[i].vaddr + seg[i].memsz;
		}
}

static void find_goroutines(const struct session_go *g, struct ev_cpu_options *o)
{
	const struct go_layout *l = g->rt.l;

	session_go_path(g, &o->go);
	if (!go_has(l, GO_M_G0) || !go_has(l, GO_GOBUF_SP))
		o->go.on = false;
	if (!o->go.on)
		return;
	o->m_g0 = go_off(l, GO_M_G0);
	o->g_sched_sp = go_off(l, GO_G_SCHED) + go_off(l, GO_GOBUF_SP);
}

static int open_all(struct observe_cpu *c, unsigned int hz, struct err *e)
{
	struct ev_cpu_options o = { .pid = memsrc_pid(c->s->m), .hz = hz ? hz : OBSERVE_CPU_HZ };
	int r = session_names(c->s, e);

	if (r)
		return r;
	c->k.names = c->s->names;
	if (c->g) {
		find_text(c->g, &o);
		find_goroutines(c->g, &o);
	}
	return ev_cpu_open(&o, &c->ev, e);
}

int observe_cpu_open(struct session *s, unsigned int hz, struct observe_cpu **out, struct err *e)
{
	struct observe_cpu *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->s = c->k.s = s;
	c->g = c->k.g = session_main_go(s);
	c->l.signals = (struct loop_fd){ -1, POLLIN, on_signal, c };
	c->l.end = (struct loop_fd){ -1, POLLIN, on_end, c };
	c->l.deadline = (struct loop_timer){ 0, on_deadline, c };
	c->l.look = (struct loop_timer){ 0, on_look, c };
	r = open_all(c, hz, e);
	if (!r)
		r = open_loop(c, e);
	if (r)
		observe_cpu_close(c);
	else
		*out = c;
	return r;
}

void observe_cpu_close(struct observe_cpu *c)
{
	if (!c)
		return;
	close_loop(&c->l);
	ev_cpu_close(c->ev);
	go_metrics_free(&c->before.go);
	go_metrics_free(&c->after.go);
	free(c);
}

int observe_cpu_run(struct observe_cpu *c, double seconds, struct profile *out, struct err *e)
{
	int r;

	c->k.p = out;
	c->seconds = seconds;
	out->most_wanted = 1;
	out->period_type = out->type[1];
	r = sample(c, e);
	return r ? r : make(c, e);
}
