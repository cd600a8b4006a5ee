/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/fold.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { WINDOW_NS = 1000000000 };

static struct fold_key key_of(const struct event *e)
{
	struct fold_key k = { .pid = e->tgid, .kind = event_kind(e) };

	if (e->type != EVENT_CALL)
		return k;
	k.error = event_call_errno(&e->call);
	for (size_t i = 0; i < event_call_depth(&e->call); i++)
		k.stack = (k.stack ^ e->call.stack[i]) * 0x9e3779b97f4a7c15u;
	return k;
}

static bool same(const struct fold_key *a, const struct fold_key *b)
{
	return a->stack == b->stack && a->pid == b->pid && a->kind == b->kind &&
	       a->error == b->error;
}

static uint64_t bytes_of(const struct watch_text *w, const struct event *e)
{
	const struct event_call *c = &e->call;

	if (e->type != EVENT_CALL || event_call_errno(c))
		return 0;
	switch (c->call) {
	case CALL_MREMAP:
		return c->args[2];
	case CALL_PRCTL:
		return c->args[0] == EVENT_PR_SET_VMA ? c->args[3] : 0;
	case CALL_SHMAT:
	case CALL_SHMDT:
		return 0;
	case CALL_BRK:
		return w->seen.brk && (uint64_t)c->ret > w->seen.brk ? c->ret - w->seen.brk : 0;
	default:
		return c->args[1];
	}
}

/* What happens seldom and matters goes first, then bytes, then numbers. */
static int weight(int kind)
{
	switch (kind) {
	case KIND_EXIT:
	case KIND_EXEC:
		return 3;
	case KIND_RSS:
	case KIND_GC:
		return 2;
	case KIND_HEAP_GROW:
	case KIND_THREAD_START:
	case KIND_THREAD_EXIT:
	case KIND_FORK:
		return 0;
	default:
		return 1;
	}
}

static struct fold_entry *find(struct fold *f, const struct fold_key *k)
{
	for (size_t i = f->v.n; i--;)
		if (same(&f->v.v[i].key, k))
			return &f->v.v[i];
	return NULL;
}

/* What is printed of later events is held against this one, too. */
static int render(struct watch_text *w, const struct event *e, const struct frame *frames, size_t n,
		  struct text *out)
{
	out->n = 0;
	return watch_text_event(w, e, frames, n, out);
}

static int keep_new(struct fold *f, const struct fold_key *k, struct watch_text *w,
		    const struct event *e, const struct frame *frames, size_t n)
{
	struct fold_entry x = { .key = *k,
				.first_ns = e->exit_ns,
				.count = 1,
				.bytes = bytes_of(w, e),
				.has_from = w->seen.has_rss,
				.from = w->seen.rss };
	int r = render(w, e, frames, n, &x.line);

	if (!r && e->type == EVENT_CALL)
		r = watch_text_caller(w, frames, n, &x.caller);
	if (!r)
		r = vec_push(&f->v, x);
	if (r) {
		text_free(&x.line);
		text_free(&x.caller);
	}
	return r;
}

static int keep_again(struct fold_entry *x, struct watch_text *w, const struct event *e,
		      const struct frame *frames, size_t n)
{
	x->count++;
	x->bytes += bytes_of(w, e);
	if (e->type == EVENT_CALL) {
		if (e->call.call == CALL_BRK && !x->key.error)
			w->seen.brk = e->call.ret;
		return 0;
	}
	if (e->type == EVENT_RSS) { /* one step for all of them */
		w->seen.has_rss = x->has_from;
		w->seen.rss = x->from;
	}
	return render(w, e, frames, n, &x->line);
}

/* Beyond what is kept: only what later events are held against. */
static int skip(struct fold *f, struct watch_text *w, const struct event *e,
		const struct frame *frames, size_t n)
{
	_text_ struct text line = { 0 };

	f->rest++;
	f->rest_bytes += bytes_of(w, e);
	return render(w, e, frames, n, &line);
}

int fold_event(struct fold *f, struct watch_text *w, const struct event *e,
	       const struct frame *frames, size_t n, uint64_t now_ns, struct text *out)
{
	struct fold_key k = key_of(e);
	struct fold_entry *x;
	int r = 0;

	if (now_ns >= f->since_ns + WINDOW_NS) {
		r = fold_flush(f, w, now_ns, out);
		f->since_ns = now_ns;
		f->direct = 0;
	}
	if (r)
		return r;
	if (!fold_due(f) && f->direct < FOLD_DIRECT && !same(&k, &f->last)) {
		f->direct++;
		f->last = k;
		return watch_text_event(w, e, frames, n, out);
	}
	x = find(f, &k);
	if (x)
		return keep_again(x, w, e, frames, n);
	if (f->v.n < (weight(k.kind) > 1 ? 2 * FOLD_KEPT : FOLD_KEPT))
		return keep_new(f, &k, w, e, frames, n);
	return skip(f, w, e, frames, n);
}

void fold_lost(struct fold *f, uint64_t n, uint64_t now_ns)
{
	if (now_ns >= f->since_ns + WINDOW_NS && !fold_due(f)) {
		f->since_ns = now_ns;
		f->direct = 0;
	}
	f->lost += n;
}

bool fold_direct(struct fold *f)
{
	bool room = !fold_due(f) && f->direct < FOLD_DIRECT;

	f->direct += room;
	f->rest += !room;
	return room;
}

uint64_t fold_due(const struct fold *f)
{
	return f->v.n || f->rest || f->lost ? f->since_ns + WINDOW_NS : 0;
}

/* ---- what is put out */

static int heavier(const void *a, const void *b)
{
	const struct fold_entry *x = a, *y = b;

	if (weight(x->key.kind) != weight(y->key.kind))
		return weight(y->key.kind) - weight(x->key.kind);
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static int earlier(const void *a, const void *b)
{
	const struct fold_entry *x = a, *y = b;

	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

static int put(struct watch_text *w, const struct fold_entry *x, struct text *out)
{
	int r;

	if (x->count == 1 || x->key.kind == KIND_RSS)
		return text_add(out, x->line.p, x->line.n);
	if (weight(x->key.kind) != 1) {
		r = text_add(out, x->line.p, x->line.n - 1);
		return r ? r : watch_text_more(x->count - 1, out);
	}
	w->pid = x->key.pid;
	return watch_text_calls(w,
				&(struct watch_calls){ .kind = x->key.kind,
						       .error = x->key.error,
						       .ns = x->first_ns,
						       .count = x->count,
						       .bytes = x->bytes,
						       .caller = x->caller.p },
				out);
}

static void drop(struct fold *f)
{
	for (size_t i = 0; i < f->v.n; i++) {
		text_free(&f->v.v[i].line);
		text_free(&f->v.v[i].caller);
	}
	f->v.n = 0;
	f->rest = f->rest_bytes = f->lost = 0;
}

/* What was told together most is likely to go on: it is kept from its first line on. */
static void remember(struct fold *f)
{
	uint64_t most = 1;

	f->last = (struct fold_key){ 0 };
	for (size_t i = 0; i < f->v.n; i++)
		if (f->v.v[i].count > most) {
			most = f->v.v[i].count;
			f->last = f->v.v[i].key;
		}
}

int fold_flush(struct fold *f, struct watch_text *w, uint64_t now_ns, struct text *out)
{
	size_t n = f->v.n;
	int r = 0;

	if (!fold_due(f))
		return 0;
	if (n > FOLD_LINES) {
		qsort(f->v.v, n, sizeof(*f->v.v), heavier);
		n = FOLD_LINES;
		for (size_t i = n; i < f->v.n; i++) {
			f->rest += f->v.v[i].count;
			f->rest_bytes += f->v.v[i].bytes;
		}
	}
	if (n)
		qsort(f->v.v, n, sizeof(*f->v.v), earlier);
	for (size_t i = 0; i < n && !r; i++)
		r = put(w, &f->v.v[i], out);
	if (!r && f->rest)
		r = watch_text_rest(w, now_ns, f->rest, f->rest_bytes, out);
	if (!r && f->lost)
		r = watch_text_gap(w, now_ns, f->lost, out);
	remember(f);
	drop(f);
	f->since_ns = now_ns;
	f->direct = 0;
	return r;
}

void fold_free(struct fold *f)
{
	drop(f);
	vec_free(&f->v);
}
