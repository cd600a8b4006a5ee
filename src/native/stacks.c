/* SPDX-License-Identifier: BSD-2-Clause */
/* Thread stacks: a guard mapping without access, and above it the stack. */
#include "native/native.h"

#include <stdio.h>
#include <string.h>

#include "native/arena.h"
#include "proc/status.h"

enum { GUARD_MAX = 1 << 20, MAX_THREADS = 1 << 16 };

/* The stack pointer from "/proc/PID/task/TID/syscall": its last but one field; 0 when the thread
 * runs just now. */
static uint64_t thread_sp(struct memsrc *m, const char *tid)
{
	_text_ struct text t = { 0 };
	char key[64];
	const char *last, *prev;

	snprintf(key, sizeof(key), "proc/task/%s/syscall", tid);
	if (memsrc_text(m, key, 0, &t) || !t.p)
		return 0;
	last = strrchr(t.p, ' ');
	for (prev = last ? last - 1 : NULL; prev && prev > t.p && *prev != ' ';)
		prev--;
	return prev && *prev == ' ' ? strtoull(prev + 1, NULL, 0) : 0;
}

static const struct vma *guard_of(const struct maps *maps, const struct vma *v)
{
	const struct vma *g = v > maps->vma.v ? v - 1 : NULL;

	return g && g->end == v->start && !(g->flags & (VMA_R | VMA_W | VMA_X)) && !g->inode &&
			       g->end - g->start <= GUARD_MAX
		       ? g
		       : NULL;
}

static struct native_extent *find(struct native *n, uint64_t start)
{
	for (size_t i = 0; i < n->v.n; i++)
		if (n->v.v[i].kind == NATIVE_STACK && n->v.v[i].start == start)
			return &n->v.v[i];
	return NULL;
}

/* A stack is exactly the default size when its mapping has merged with what lies above it. */
static int put_stack(const struct maps *maps, const struct vma *v, uint64_t limit,
		     struct native *out, struct native_extent **slot)
{
	uint64_t end = v->end - v->start > limit ? v->start + limit : v->end;
	struct native_extent *x = find(out, v->start);

	*slot = x;
	if (x)
		return 0;
	if (vec_push(&out->v,
		     (struct native_extent){ .start = v->start, .end = end, .kind = NATIVE_STACK }))
		return -ENOMEM;
	*slot = &out->v.v[out->v.n - 1];
	return 0;
}

static bool may_be_stack(const struct maps *maps, const struct vma *v)
{
	return v && !v->inode && !v->name[0] && (v->flags & (VMA_R | VMA_W)) == (VMA_R | VMA_W) &&
	       !(v->flags & VMA_SHARED) && guard_of(maps, v);
}

static int put_thread(struct memsrc *m, const struct maps *maps, const char *tid, uint64_t limit,
		      struct native *out)
{
	uint64_t sp = thread_sp(m, tid);
	const struct vma *v = sp ? maps_find(maps, sp) : NULL;
	_text_ struct text comm = { 0 };
	struct native_extent *x;
	char key[64];

	if (!may_be_stack(maps, v) || (v->end - v->start > limit && sp >= v->start + limit))
		return 0;
	if (put_stack(maps, v, limit, out, &x))
		return -ENOMEM;
	x->tid = atoi(tid);
	x->sp = sp;
	snprintf(key, sizeof(key), "proc/task/%s/comm", tid);
	if (!memsrc_text(m, key, 0, &comm) && comm.p)
		snprintf(x->comm, sizeof(x->comm), "%.*s", (int)strcspn(comm.p, "\n"), comm.p);
	return 0;
}

/* Whether all threads are those of Go's runtimes, on stacks that lie in their heaps: then none has
 * to be asked where its stack is. Also counts the threads. */
static bool are_all_known(const struct maps *maps, const char *tasks, const uint64_t *stack_hints,
			  size_t nhints, struct native *out)
{
	for (const char *t = tasks; (t = strchr(t, '\n')); t++)
		out->threads++;
	for (size_t i = 0; i < nhints; i++)
		if (may_be_stack(maps, maps_find(maps, stack_hints[i])))
			return false;
	return out->threads == nhints;
}

int native_read(struct memsrc *m, const struct maps *maps, const uint64_t *stack_hints,
		size_t nhints, const range_vec *others, struct native *out, struct err *e)
{
	uint64_t limit = proc_stack_limit(memsrc_texts(m));
	_text_ struct text tasks = { 0 };
	struct native_extent *x;
	char *save = NULL;
	int r;

	*out = (struct native){ 0 };
	/* Stacks of the default size are known by shape, whosoever's they are: glibc keeps those of
	 * dead threads for the next one. */
	for (size_t i = 0; i < maps->vma.n; i++) {
		const struct vma *v = &maps->vma.v[i];

		if (may_be_stack(maps, v) && v->end - v->start >= limit &&
		    put_stack(maps, v, limit, out, &x))
			goto nomem;
	}
	for (size_t i = 0; i < nhints; i++) {
		const struct vma *v = maps_find(maps, stack_hints[i]);

		if (may_be_stack(maps, v) && put_stack(maps, v, limit, out, &x))
			goto nomem;
	}
	r = memsrc_text(m, "proc/task", 0, &tasks);
	if (!r && tasks.p && !are_all_known(maps, tasks.p, stack_hints, nhints, out)) {
		char *t = strtok_r(tasks.p, "\n", &save);

		for (size_t i = 0; t && i < MAX_THREADS; i++, t = strtok_r(NULL, "\n", &save))
			if (put_thread(m, maps, t, limit, out))
				goto nomem;
	}
	r = native_read_arenas(m, maps, others, out);
	if (r)
		goto fail;
	return 0;
nomem:
	r = -ENOMEM;
fail:
	native_free(out);
	return err_set(e, r, "reading thread stacks and malloc's arenas: %s", strerror(-r));
}

void native_free(struct native *n)
{
	vec_free(&n->v);
}
