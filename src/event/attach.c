/* SPDX-License-Identifier: BSD-2-Clause */
#include "event/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "base/log.h"
#include "event/place.h"

struct row {
	const char *name, *target;
	enum ev_group group;
	enum ev_feature needs;
	bool required;	      /* its group is worth nothing without it */
	const char *fallback; /* the row that takes its place; that row is otherwise off */
	bool is_fallback;
};

/* A mapping call: its function in the kernel, else its tracepoints, which all system calls of the
 * host pay for. Not kprobes: the return of a call that sleeps beside many others is not seen
 * (maxactive in Documentation/trace/kprobes.rst), and a trap at each call costs more than it saves.
 */
#define FN(name, call, at, tp, must)                                                               \
	{                                                                                          \
		name "_f" at, "f" at " sys_" call, EV_MAPPINGS, EVF_FENTRY, must, name tp, false   \
	}
#define TP(name, call, at, must)                                                                   \
	{                                                                                          \
		name at, "tracepoint syscalls:sys" at "_" call, EV_MAPPINGS, EVF_SYSCALLS, must,   \
			NULL, true                                                                 \
	}
#define CALL(name, call, must)                                                                     \
	FN(name, call, "entry", "_enter", must), FN(name, call, "exit", "_exit", must),            \
		TP(name, call, "_enter", must), TP(name, call, "_exit", must)

static const struct row table[] = {
	CALL("mmap", "mmap", true),
	CALL("munmap", "munmap", true),
	CALL("mremap", "mremap", true),
	CALL("brk", "brk", true),
	CALL("mprotect", "mprotect", true),
	CALL("madvise", "madvise", true),
	CALL("prctl", "prctl", true),
	/* not in all kernels: CONFIG_SYSVIPC, CONFIG_ARCH_HAS_PKEYS */
	CALL("shmat", "shmat", false),
	CALL("shmdt", "shmdt", false),
	CALL("remap", "remap_file_pages", false),
	CALL("pkey", "pkey_mprotect", false),
	{ "rss_btf", "tp_btf rss_stat", EV_RSS, EVF_RSS_BTF, true, "rss_tp", false },
	{ "rss_tp", "tracepoint kmem:rss_stat", EV_RSS, EVF_RSS_TP, true, NULL, true },
	{ "gc_end", "uprobe runtime.prepareFreeWorkbufs", EV_GC, EVF_UPROBE, true, NULL, false },
	{ "gc_start", "uprobe runtime.gcStart", EV_GC, EVF_UPROBE, false, NULL, false },
	{ "heap_grow", "uprobe runtime.(*mheap).grow", EV_GC, EVF_UPROBE, false, NULL, false },
	{ "fork_btf", "tp_btf sched_process_fork", EV_THREADS, EVF_SCHED_BTF, true, "fork_tp",
	  false },
	{ "fork_tp", "tracepoint sched:sched_process_fork", EV_THREADS, EVF_SCHED_TP, true, NULL,
	  true },
	{ "exit_btf", "tp_btf sched_process_exit", EV_THREADS, EVF_SCHED_BTF, true, "exit_tp",
	  false },
	{ "exit_tp", "tracepoint sched:sched_process_exit", EV_THREADS, EVF_SCHED_TP, true, NULL,
	  true },
	{ "exec_btf", "tp_btf sched_process_exec", EV_THREADS, EVF_SCHED_BTF, false, "exec_tp",
	  false },
	{ "exec_tp", "tracepoint sched:sched_process_exec", EV_THREADS, EVF_SCHED_TP, false, NULL,
	  true },
};
enum { ROWS = ARRAY_LEN(table) };
_Static_assert(ARRAY_LEN(table) <= (size_t)PLAN_MAX, "the plan has a row for each program");

static int row_index(const char *name)
{
	for (int i = 0; i < ROWS; i++)
		if (!strcmp(table[i].name, name))
			return i;
	return -1;
}

void plan_init(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	p->n = ROWS;
}

/* Whether a row can be used, with the reason when not. */
static bool usable(struct plan *p, int i, const struct ev_features *f)
{
	if (p->row[i].broken)
		return false;
	if (f->have >> table[i].needs & 1)
		return true;
	snprintf(p->row[i].reason, sizeof(p->row[i].reason), "%s", f->reason[table[i].needs]);
	return false;
}

void plan_choose(struct plan *p, const struct ev_features *f, uint32_t groups, bool fallbacks)
{
	p->groups = groups;
	for (int i = 0; i < ROWS; i++)
		p->row[i].chosen = false;
	for (int i = 0; i < ROWS; i++) {
		const struct row *r = &table[i];
		int other = r->fallback ? row_index(r->fallback) : -1;
		bool skip = fallbacks && other >= 0;

		if (r->is_fallback || !(groups & r->group))
			continue;
		if (skip)
			snprintf(p->row[i].reason, sizeof(p->row[i].reason),
				 "the fallback was asked for");
		if (!skip && usable(p, i, f))
			p->row[i].chosen = true;
		else if (other >= 0 && usable(p, other, f))
			p->row[other].chosen = true;
		else if (r->required)
			p->groups &= ~r->group;
	}
	if (!(p->groups & EV_MAPPINGS)) /* it adds to these, and has no programs of its own */
		p->groups &= ~EV_MADVISE;
	for (int i = 0; i < ROWS; i++)
		if (!(p->groups & table[i].group))
			p->row[i].chosen = false;
}

/* What one program of a feature can't do, the others with fallbacks can't either; and half of them
 * would be paid for twice. */
static void give_up(struct plan *p, enum ev_feature f, const char *what, const char *why)
{
	for (int i = 0; i < ROWS; i++) {
		if (table[i].needs != f || !table[i].fallback)
			continue;
		p->row[i].broken = true;
		snprintf(p->row[i].reason, sizeof(p->row[i].reason), "%s: %s", what, why);
	}
}

bool plan_retreat(struct plan *p, const char *why)
{
	for (int i = 0; i < ROWS; i++) {
		if (!p->row[i].chosen || !table[i].fallback)
			continue;
		give_up(p, table[i].needs, "did not load", why);
		return true;
	}
	return false;
}

/* Whether the kernel has the function of a program at an entry or an exit. A program that asks for
 * one that is not there keeps the others from loading. */
static bool has_function(const struct btf *btf, const struct bpf_program *prog)
{
	const char *name = strrchr(bpf_program__section_name(prog), '/');

	return btf && name && btf__find_by_name_kind(btf, name + 1, BTF_KIND_FUNC) > 0;
}

/* Of calls that not every kernel has, leaves out those that this one has not. */
static void leave_out(struct plan *p, struct bpf_object *obj)
{
	struct btf *btf = NULL;

	for (int i = 0; i < ROWS; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, table[i].name);

		if (!p->row[i].chosen || table[i].required || table[i].needs != EVF_FENTRY)
			continue;
		if (!btf)
			btf = btf__load_vmlinux_btf();
		if (prog && has_function(btf, prog))
			continue;
		p->row[i].chosen = false;
		p->row[i].broken = p->row[row_index(table[i].fallback)].broken = true;
		snprintf(p->row[i].reason, sizeof(p->row[i].reason),
			 "this kernel has no such system call");
	}
	btf__free(btf);
}

int plan_autoload(struct plan *p, struct bpf_object *obj)
{
	leave_out(p, obj);
	for (int i = 0; i < ROWS; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, table[i].name);

		if (!prog)
			return -ENOENT;
		bpf_program__set_autoload(prog, p->row[i].chosen);
	}
	return 0;
}

/* Where a probe of one target goes, with the code that is there; 0: nowhere. What began a cycle is
 * told with its end, and the heap's growth beside it. */
static uint64_t gc_place(int i, const struct ev_gc *gc, const uint8_t **code)
{
	bool grow = !strcmp(table[i].name, "heap_grow");

	*code = table[i].required ? gc->code : grow ? gc->grow_code : gc->start_code;
	if (table[i].required || !gc->offset)
		return gc->offset;
	return grow ? gc->grow_offset : gc->start_offset;
}

/* The pid limits the breakpoint to the target's memory; -1 would put it into every process that
 * runs this file. Never a return probe: it rewrites return addresses, which Go's stack moves and
 * unwinding do not survive. */
static struct bpf_link *attach_gc(int i, struct bpf_object *obj, pid_t pid, int fd, uint64_t at)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, table[i].name);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return bpf_program__attach_uprobe(prog, false, pid, path, at);
}

/* What a refusal asks for: perf_uprobe_event_init() in kernel/events/core.c wants more than the
 * tracepoints do. */
static const char *needs(const struct row *r, int rc)
{
	if (rc != -EACCES && rc != -EPERM)
		return "";
	return r->needs == EVF_UPROBE ? "; uprobes need CAP_SYS_ADMIN" : "; needs CAP_PERFMON";
}

int plan_attach(struct plan *p, struct bpf_object *obj, struct err *e)
{
	for (int i = 0; i < ROWS; i++) {
		struct plan_row *row = &p->row[i];
		int r;

		if (!row->chosen || table[i].group == EV_GC) /* that is attached by target */
			continue;
		row->link =
			bpf_program__attach(bpf_object__find_program_by_name(obj, table[i].name));
		if (row->link)
			continue;
		r = -errno;
		row->broken = true;
		snprintf(row->reason, sizeof(row->reason), "did not attach: %s%s", strerror(-r),
			 needs(&table[i], r));
		if (table[i].fallback)
			give_up(p, table[i].needs, "did not attach", strerror(-r));
		log_debug("%s (%s) %s", table[i].name, table[i].target, row->reason);
		if (!table[i].required && !table[i].fallback)
			continue;
		return err_set(e, r, "%s %s", table[i].target, row->reason);
	}
	return 0;
}

int plan_attach_gc(struct plan *p, struct bpf_object *obj, pid_t pid, const struct ev_gc *gc,
		   struct bpf_link *out[PLAN_GC], struct err *e)
{
	int n = 0, r;

	memset(out, 0, PLAN_GC * sizeof(*out));
	for (int i = 0; i < ROWS; i++) {
		struct bpf_link **link = &out[n];
		const uint8_t *code;
		uint64_t at;

		if (table[i].group != EV_GC)
			continue;
		n++;
		at = gc_place(i, gc, &code);
		if (!p->row[i].chosen || !at)
			continue;
		r = place_check(gc->fd, at, code, e);
		if (r && table[i].required)
			return r;
		if (r)
			continue;
		*link = attach_gc(i, obj, pid, gc->fd, at);
		r = *link ? 0 : -errno;
		if (r && table[i].required)
			return err_set(e, r, "%s did not attach: %s%s", table[i].target,
				       strerror(-r), needs(&table[i], r));
		p->row[i].probing |= *link != NULL;
	}
	return 0;
}

void plan_break_gc(struct plan *p, const char *why)
{
	p->groups &= ~EV_GC;
	for (int i = 0; i < ROWS; i++)
		if (table[i].group == EV_GC) {
			p->row[i].broken = true;
			snprintf(p->row[i].reason, sizeof(p->row[i].reason), "%s", why);
		}
	plan_describe(p);
}

void plan_detach(struct plan *p, struct detacher *d)
{
	for (int i = 0; i < ROWS; i++) {
		detach_link(d, p->row[i].link);
		p->row[i].link = NULL;
	}
}

const char *plan_reason(const struct plan *p, uint32_t groups)
{
	const char *other = "";

	for (int i = 0; i < ROWS; i++) {
		if (!(groups & table[i].group) || !p->row[i].reason[0])
			continue;
		if (!table[i].fallback)
			return p->row[i].reason;
		if (!*other)
			other = p->row[i].reason;
	}
	return other;
}

void plan_describe(struct plan *p)
{
	for (int i = 0; i < ROWS; i++) {
		const struct row *r = &table[i];

		p->program[i] = (struct ev_program){
			.name = r->name,
			.target = r->target,
			.group = r->group,
			.required = r->required,
			.attached = p->row[i].link || p->row[i].probing,
			.is_fallback = r->is_fallback,
			.reason = p->row[i].reason,
		};
	}
}
