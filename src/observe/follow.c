/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/follow.h"

#include <string.h>

#include "base/log.h"

enum { PROCS_MAX = 4 * EV_CHILDREN_MAX, LOSSES_MAX = 256 };

void follow_open(struct follow *f, struct ev *ev, struct shelf *shelf, struct go_cache *cache,
		 const struct watch_clock *clock)
{
	*f = (struct follow){
		.ev = ev_follows(ev) ? ev : NULL, .shelf = shelf, .cache = cache, .clock = *clock
	};
}

static void proc_free(struct follow_proc *p)
{
	session_close(&p->s);
	free(p);
}

void follow_close(struct follow *f)
{
	for (size_t i = 0; i < f->v.n; i++)
		proc_free(f->v.v[i]);
	vec_free(&f->v);
	vec_free(&f->losses);
	f->ev = NULL;
}

static void drop(struct follow *f, size_t i)
{
	proc_free(f->v.v[i]);
	f->v.v[i] = f->v.v[--f->v.n];
}

static long find(const struct follow *f, uint32_t pid)
{
	for (size_t i = 0; i < f->v.n; i++)
		if ((uint32_t)f->v.v[i]->pid == pid)
			return i;
	return -1;
}

/* Those whose end was lost. */
static void drop_gone(struct follow *f)
{
	for (size_t i = f->v.n; i--;)
		if (!f->v.v[i]->s.m || memsrc_alive(f->v.v[i]->s.m))
			drop(f, i);
}

static struct follow_proc *add(struct follow *f, uint32_t pid)
{
	long old = find(f, pid);
	struct follow_proc *p;

	if (old >= 0) /* its end was lost, and its number used again */
		drop(f, old);
	if (f->v.n >= PROCS_MAX)
		drop_gone(f);
	p = f->v.n < PROCS_MAX ? calloc(1, sizeof(*p)) : NULL;
	if (!p || vec_push(&f->v, p)) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	p->seen.clock = f->clock;
	session_init(&p->s, f->shelf, f->cache);
	f->followed++;
	return p;
}

static void open_book(struct follow *f, struct follow_proc *p)
{
	if (p->s.m && ev_groups(f->ev) & EV_MAPPINGS)
		(void)session_open_book(&p->s, NULL); /* without memory for it there is none */
}

/* Its memory is another one, or it is seen for the first time. */
static void take_exec(struct follow *f, struct follow_proc *p)
{
	session_close_book(&p->s);
	p->seen = (struct watch_seen){ .clock = f->clock };
	if (session_exec(&p->s, p->pid, f->ev))
		session_close(&p->s);
	else
		open_book(f, p);
}

struct follow_proc *follow_event(struct follow *f, const struct event *e)
{
	enum event_kind k = event_kind(e);
	struct follow_proc *p;
	long i;

	if (!f->ev)
		return NULL;
	if (k == KIND_FORK && e->task.followed) {
		p = add(f, e->tgid);
		if (p && !e->task.shares_memory) {
			session_open_forked(&p->s, p->pid);
			open_book(f, p);
		}
		return p;
	}
	if (k == KIND_FORK)
		return NULL;
	i = find(f, e->tgid);
	if (i < 0 && k == KIND_THREAD_EXIT) /* beside the last one, whose end was told */
		return NULL;
	p = i >= 0 ? f->v.v[i] : add(f, e->tgid);
	if (!p)
		return NULL;
	if (i < 0 && k != KIND_EXEC && k != KIND_EXIT) /* its fork was lost */
		take_exec(f, p);
	if (k == KIND_EXEC)
		take_exec(f, p);
	else if (k == KIND_GC && p->s.m)
		session_gc_tick(&p->s, f->ev);
	else if (e->type == EVENT_CALL && session_book(&p->s) && mapbook_event(p->s.book, e))
		session_close_book(&p->s); /* out of memory: the rest would be wrong without it */
	if (k == KIND_EXIT) {
		p->ended = true;
		f->ended++;
	}
	return p;
}

int follow_note_losses(struct follow *f, pid_t pid)
{
	struct ev_losses n;

	if (!f->ev || ev_losses(f->ev, pid, &n) || !n.lost)
		return 0;
	if (f->losses.n < LOSSES_MAX)
		return vec_push(&f->losses, (struct watch_loss){ pid, n.lost, n.over_share });
	if (f->losses.n == LOSSES_MAX && vec_push(&f->losses, (struct watch_loss){ 0 }))
		return -ENOMEM;
	f->losses.v[LOSSES_MAX].lost += n.lost;
	f->losses.v[LOSSES_MAX].over_share += n.over_share;
	return 0;
}

void follow_done(struct follow *f)
{
	for (size_t i = f->v.n; i--;) {
		if (!f->v.v[i]->ended)
			continue;
		/* without memory for it they are in the sum of all losses only */
		(void)follow_note_losses(f, f->v.v[i]->pid);
		ev_drop(f->ev, f->v.v[i]->pid);
		drop(f, i);
	}
}

int follow_losses(struct follow *f, const struct ev_region *g, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r && f->v.n; i++) {
		long k = find(f, g[i].pid);

		if (k >= 0 && session_book(&f->v.v[k]->s))
			r = mapbook_lost(f->v.v[k]->s.book, g[i].start, g[i].end, g[i].ns);
	}
	return r;
}

void follow_turn(struct follow *f)
{
	for (size_t i = 0; i < f->v.n; i++)
		if (f->v.v[i]->s.m)
			session_turn(&f->v.v[i]->s, f->ev);
}

int follow_report(struct follow_proc *p, struct collect_opts *co, struct report *out)
{
	struct mapbook *b = session_book(&p->s);
	int r;

	if (!p->s.m || memsrc_alive(p->s.m))
		return -ESRCH;
	if (b && (mapbook_settle(b, NULL) || mapbook_give(b, &co->known)))
		co->known = (struct mappings_known){ 0 };
	r = collect_report(&p->s, co, out, NULL);
	if (r)
		report_free(out);
	return r;
}
