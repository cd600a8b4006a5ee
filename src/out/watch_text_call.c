/* SPDX-License-Identifier: BSD-2-Clause */
/* A system call for people: what it asked for and got, and who called. */
#include <inttypes.h>
#include <string.h>

#include "out/watch_text.h"

/* From include/uapi/asm-generic/mman-common.h; not from sys/mman.h, which is about our own memory.
 */
enum {
	PROT_R = 1,
	PROT_W = 2,
	PROT_X = 4,
	FLAG_SHARED = 1,
	FLAG_FIXED = 0x10,
	FLAG_ANON = 0x20,
	REMAP_FIXED = 2,
};

static int put_frame(const struct watch_text *w, const struct frame *f, struct text *out)
{
	const char *name = f->func ? f->func : f->module, *base;
	int r;

	if (!name)
		return text_printf(out, "0x%" PRIx64, f->addr);
	/* Of a function the package's folder matters, of a file only its name. */
	base = f->func ? NULL : strrchr(name, '/');
	r = watch_text_name(w, base ? base + 1 : name, out);
	if (r || !f->file)
		return r;
	base = strrchr(f->file, '/');
	r = text_printf(out, " ");
	if (!r)
		r = watch_text_name(w, base ? base + 1 : f->file, out);
	return r ? r : text_printf(out, ":%" PRIu32, f->line);
}

/* The caller with its place, and the functions that led to it. */
static int put_chain(const struct watch_text *w, const struct frame *f, size_t n, int caller,
		     struct text *out)
{
	int at[EVENT_CHAIN];
	size_t k = event_chain(f, n, caller, at, EVENT_CHAIN);
	int r = put_frame(w, &f[caller], out);

	for (size_t i = 1; i < k && !r; i++) {
		r = text_printf(out, w->style.utf8 ? " \u2190 " : " <- ");
		if (!r)
			r = watch_text_name(w, f[at[i]].func, out);
	}
	return r;
}

int watch_text_caller(const struct watch_text *w, const struct frame *f, size_t n, struct text *out)
{
	int caller = event_caller(f, n), maker = event_maker(f, n);
	int r = caller < 0 ? 0 : text_printf(out, "  ");

	if (caller < 0 || r)
		return r;
	if (maker < 0)
		return put_chain(w, f, n, caller, out);
	r = put_frame(w, &f[maker], out);
	if (r || f[caller].addr == f[maker].addr)
		return r;
	r = text_printf(out, ", for ");
	return r ? r : put_chain(w, f, n, caller, out);
}

static int put_mmap(const struct watch_text *w, const struct event_call *c, struct text *out)
{
	uint64_t prot = c->args[2], flags = c->args[3];
	char buf[32];

	return text_printf(out, "%10s at 0x%" PRIx64 "  %c%c%c %s%s%s",
			   watch_text_size(w, buf, sizeof(buf), c->args[1]), (uint64_t)c->ret,
			   prot & PROT_R ? 'r' : '-', prot & PROT_W ? 'w' : '-',
			   prot & PROT_X ? 'x' : '-', flags & FLAG_SHARED ? "shared" : "private",
			   flags & FLAG_ANON ? "" : " file", flags & FLAG_FIXED ? " fixed" : "");
}

static int put_mremap(const struct watch_text *w, const struct event_call *c, struct text *out)
{
	char old[32], new[32];

	return text_printf(out, "%10s at 0x%" PRIx64 " -> %s at 0x%" PRIx64 "%s",
			   watch_text_size(w, old, sizeof(old), c->args[1]), c->args[0],
			   watch_text_size(w, new, sizeof(new), c->args[2]), (uint64_t)c->ret,
			   c->args[3] & REMAP_FIXED ? " fixed" : "");
}

static int put_brk(struct watch_text *w, const struct event_call *c, struct text *out)
{
	uint64_t now = c->ret, before = w->seen.brk;
	char buf[32];

	w->seen.brk = now;
	if (!c->args[0] || !before || now == before)
		return text_printf(out, "%10s at 0x%" PRIx64, c->args[0] ? "set" : "asked", now);
	return text_printf(
		out, "%10s at 0x%" PRIx64 "  %s",
		watch_text_size(w, buf, sizeof(buf), now > before ? now - before : before - now),
		now, now > before ? "more" : "less");
}

static int put_prctl(const struct watch_text *w, const struct event_call *c, struct text *out)
{
	char buf[32];
	int r;

	switch (c->args[0]) {
	case EVENT_PR_SET_VMA:
		r = text_printf(out, "%10s at 0x%" PRIx64 "  named ",
				watch_text_size(w, buf, sizeof(buf), c->args[3]), c->args[2]);
		return r ? r : watch_text_name(w, c->name[0] ? c->name : "no more", out);
	case EVENT_PR_SET_THP_DISABLE:
		return text_printf(out, "%10s huge pages %s", "",
				   c->args[1] ? "disabled" : "allowed");
	default:
		return text_printf(out, "%10s PR_SET_MM %" PRIu64 " 0x%" PRIx64, "", c->args[1],
				   c->args[2]);
	}
}

/* The calls whose first two arguments are an address and a length. */
static int put_range(const struct watch_text *w, const struct event_call *c, struct text *out)
{
	uint64_t prot = c->args[2];
	const char *advice = event_advice_name(c->args[2]);
	char buf[32];
	int r = text_printf(out, "%10s at 0x%" PRIx64,
			    watch_text_size(w, buf, sizeof(buf), c->args[1]), c->args[0]);

	if (!r && (c->call == CALL_MPROTECT || c->call == CALL_PKEY_MPROTECT))
		r = text_printf(out, "  %c%c%c", prot & PROT_R ? 'r' : '-',
				prot & PROT_W ? 'w' : '-', prot & PROT_X ? 'x' : '-');
	if (!r && c->call == CALL_MADVISE)
		r = advice ? text_printf(out, "  %s", advice)
			   : text_printf(out, "  advice %" PRIu64, c->args[2]);
	return r;
}

static int put_failed(const struct watch_text *w, const struct event_call *c, int err,
		      struct text *out)
{
	const char *name = strerrorname_np(err);
	uint64_t length = c->args[1], at = c->args[0];
	char buf[32] = "";

	if (c->call == CALL_MREMAP)
		length = c->args[2];
	if (c->call == CALL_PRCTL) {
		length = c->args[3];
		at = c->args[2];
	}
	if (c->call == CALL_SHMAT)
		at = c->args[1];
	if (c->call != CALL_BRK && c->call != CALL_SHMAT && c->call != CALL_SHMDT)
		watch_text_size(w, buf, sizeof(buf), length);
	return text_printf(out, "%10s failed: %s (at 0x%" PRIx64 ")", buf, name ? name : "?", at);
}

int watch_text_call(struct watch_text *w, const struct event_call *c, struct text *out)
{
	int err = event_call_errno(c);

	if (err)
		return put_failed(w, c, err, out);
	switch (c->call) {
	case CALL_MMAP:
		return put_mmap(w, c, out);
	case CALL_MREMAP:
		return put_mremap(w, c, out);
	case CALL_BRK:
		return put_brk(w, c, out);
	case CALL_PRCTL:
		return put_prctl(w, c, out);
	case CALL_SHMAT:
		return text_printf(out, "%10s at 0x%" PRIx64 "  segment %" PRId32, "",
				   (uint64_t)c->ret, (int32_t)c->args[0]);
	case CALL_SHMDT:
		return text_printf(out, "%10s at 0x%" PRIx64, "", c->args[0]);
	default:
		return put_range(w, c, out);
	}
}
