/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of include/rsscope/wire.h as values. The bytes may come from a file: all are checked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "event/stream.h"

_Static_assert(EVENT_STACK_MAX == RSC_STACK_MAX, "stack depth");
_Static_assert(CALL_COUNT == RSC_CALL_END - RSC_MMAP && KIND_MMAP == 0, "calls");
_Static_assert(EVENT_NAME_MAX == RSC_NAME_MAX, "names");
_Static_assert(EVENT_GC_STACK == RSC_GC_STACK + 1, "stack of a cycle's beginning");
_Static_assert(GCV_COUNT <= RSC_WORDS_MAX, "words of a GC record");

static int decode_call(struct cursor *c, uint16_t flags, struct event *e)
{
	struct event_call *call = &e->call;
	uint16_t no = cursor_u16(c), nname;
	const char *name;

	call->nstack = cursor_u16(c);
	call->ngo = cursor_u16(c);
	nname = cursor_u16(c);
	for (int i = 0; i < 6; i++)
		call->args[i] = cursor_u64(c);
	call->ret = cursor_u64(c);
	if (no < RSC_MMAP || no >= RSC_CALL_END || (nname && nname != RSC_NAME_MAX) ||
	    call->nstack + call->ngo + nname / 8 > EVENT_STACK_MAX)
		return -EINVAL;
	call->call = CALL_MMAP + (no - RSC_MMAP);
	name = nname ? cursor_bytes(c, nname) : NULL;
	if (name)
		snprintf(call->name, sizeof(call->name), "%.*s", RSC_NAME_MAX - 1, name);
	for (int i = 0; i < call->nstack + call->ngo; i++)
		call->stack[i] = cursor_u64(c);
	call->stack_failed = flags & RSC_F_STACK_FAILED;
	call->go_failed = flags & RSC_F_GO_FAILED;
	call->stack_cut = flags & RSC_F_STACK_CUT;
	return 0;
}

static int decode_rss(struct cursor *c, struct event *e)
{
	cursor_u64(c); /* member */
	e->rss.file = cursor_u64(c);
	e->rss.anon = cursor_u64(c);
	e->rss.swap = cursor_u64(c);
	e->rss.shmem = cursor_u64(c);
	e->rss.high = cursor_u64(c);
	return 0;
}

static int decode_gc(struct cursor *c, struct event *e)
{
	e->gc.have = cursor_u32(c) & ((1U << GCV_COUNT) - 1);
	cursor_u32(c);
	cursor_u64(c); /* ip */
	for (int i = 0; i < GCV_COUNT; i++)
		e->gc.v[i] = cursor_u64(c);
	for (int i = GCV_COUNT; i < RSC_WORDS_MAX; i++)
		cursor_u64(c);
	return 0;
}

static int decode_grow(struct cursor *c, struct event *e)
{
	e->grow.calls = cursor_u64(c);
	return 0;
}

static int decode_task(struct cursor *c, uint16_t type, uint16_t flags, struct event *e)
{
	const char *comm;

	e->task.by_tgid = cursor_u32(c);
	e->task.by_tid = cursor_u32(c);
	e->task.exit_code = cursor_u32(c);
	cursor_u32(c);
	comm = cursor_bytes(c, RSC_COMM_LEN);
	if (comm)
		memcpy(e->task.comm, comm, RSC_COMM_LEN);
	e->task.new_process = type == RSC_THREAD_START && flags & RSC_F_NEW_PROCESS;
	e->task.followed = e->task.new_process && flags & RSC_F_FOLLOWED;
	e->task.shares_memory = e->task.new_process && flags & RSC_F_SHARES_MM;
	e->task.group_dead = type == RSC_THREAD_EXIT && flags & RSC_F_GROUP_DEAD;
	return 0;
}

static int decode_body(struct cursor *c, uint16_t type, uint16_t flags, struct event *e)
{
	switch (type) {
	case RSC_CALL:
		e->type = EVENT_CALL;
		return decode_call(c, flags, e);
	case RSC_RSS:
		e->type = EVENT_RSS;
		return decode_rss(c, e);
	case RSC_GC:
		e->type = EVENT_GC;
		return decode_gc(c, e);
	case RSC_HEAP_GROW:
		e->type = EVENT_HEAP_GROW;
		return decode_grow(c, e);
	case RSC_THREAD_START:
		e->type = EVENT_THREAD_START;
		return decode_task(c, type, flags, e);
	case RSC_THREAD_EXIT:
		e->type = EVENT_THREAD_EXIT;
		return decode_task(c, type, flags, e);
	case RSC_EXEC:
		e->type = EVENT_EXEC;
		return decode_task(c, type, flags, e);
	}
	return -ENOTSUP;
}

int ev_decode_gc_start(const void *rec, size_t len, struct ev_gc_start *out)
{
	struct cursor c = cursor_make(rec, len);
	struct ev_gc_start g = { 0 };
	uint16_t type = cursor_u16(&c);
	uint64_t caller, at;
	uint32_t size, n;

	if (c.bad || type != RSC_GC_START)
		return -ENOTSUP;
	cursor_u16(&c); /* flags */
	size = cursor_u32(&c);
	g.tgid = cursor_u32(&c);
	cursor_u32(&c); /* tid */
	cursor_u64(&c); /* cpu, lost */
	g.ns = cursor_u64(&c);
	cursor_u64(&c); /* exit_ns */
	g.kind = cursor_u32(&c);
	n = cursor_u32(&c);
	caller = cursor_u64(&c);
	if (c.bad || size > len || size < sizeof(struct rsc_rec_gc_start) || n > RSC_GC_STACK)
		return -EINVAL;
	if (caller)
		g.stack[g.nstack++] = caller;
	for (uint32_t i = 0; i < n; i++) {
		at = cursor_u64(&c);
		/* the function itself; its caller, where the kernel has found it, too */
		if (i && !(i == 1 && at == caller))
			g.stack[g.nstack++] = at;
	}
	*out = g;
	return 0;
}

int ev_decode(const void *rec, size_t len, struct event *out)
{
	struct cursor c = cursor_make(rec, len);
	struct event e = { 0 };
	uint16_t type = cursor_u16(&c), flags = cursor_u16(&c);
	uint32_t size = cursor_u32(&c);
	int r;

	e.tgid = cursor_u32(&c);
	e.tid = cursor_u32(&c);
	e.cpu = cursor_u32(&c);
	e.lost = cursor_u32(&c);
	e.enter_ns = cursor_u64(&c);
	e.exit_ns = cursor_u64(&c);
	/* The ring rounds lengths up to 8; a record never claims more than there is. */
	if (c.bad || size < c.pos || size > len)
		return -EINVAL;
	c.len = size;
	r = decode_body(&c, type, flags, &e);
	if (!r && (c.bad || e.exit_ns < e.enter_ns))
		r = -EINVAL;
	if (!r)
		*out = e;
	return r;
}
