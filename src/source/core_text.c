/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts of /proc as far as a core can tell them. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "source/core_impl.h"

/* brk starts behind the executable, randomised by up to so much (arch_randomize_brk(), arm64). */
#define HEAP_REACH (1ULL << 30)

size_t core_segment_lower(const struct core *c, uint64_t addr)
{
	size_t lo = 0, hi = c->seg.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->seg.v[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

const struct core_segment *core_segment_at(const struct core *c, uint64_t addr)
{
	size_t i = core_segment_lower(c, addr);

	return i < c->seg.n && c->seg.v[i].start <= addr ? &c->seg.v[i] : NULL;
}

const struct core_file *core_file_at(const struct core *c, uint64_t addr)
{
	size_t lo = 0, hi = c->files.n;

	while (lo < hi) { /* first that starts above addr */
		size_t mid = lo + (hi - lo) / 2;

		if (c->files.v[mid].start > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo && c->files.v[lo - 1].end > addr ? &c->files.v[lo - 1] : NULL;
}

const struct core_file *core_exe(const struct core *c)
{
	static const uint64_t inside[] = { AT_PHDR, AT_ENTRY };
	uint64_t addr;

	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		if (core_auxv(c, inside[i], &addr) && core_file_at(c, addr))
			return core_file_at(c, addr);
	return NULL;
}

/* ---- maps */

/* Addresses that tell mappings without a name. */
struct landmarks {
	const struct core_segment *stack, *vdso, *heap;
};

static const struct core_segment *find_stack(const struct core *c)
{
	/* What the kernel has put there is never elsewhere; the main thread's sp may be, in Go. */
	static const uint64_t on_stack[] = { AT_RANDOM, AT_EXECFN };
	uint64_t addr;

	for (size_t i = 0; i < ARRAY_LEN(on_stack); i++)
		if (core_auxv(c, on_stack[i], &addr) && core_segment_at(c, addr))
			return core_segment_at(c, addr);
	for (size_t i = 0; i < c->threads.n; i++)
		if ((pid_t)c->threads.v[i].tid == c->m.pid)
			return core_segment_at(c, c->threads.v[i].sp);
	return NULL;
}

/* The first anonymous writable mapping behind the executable's, not counting its own bss. */
static const struct core_segment *find_heap(const struct core *c)
{
	const struct core_file *exe = core_exe(c);
	uint64_t end = 0;

	if (!exe)
		return NULL;
	for (size_t i = 0; i < c->files.n; i++)
		if (!strcmp(c->files.v[i].path, exe->path) && c->files.v[i].end > end)
			end = c->files.v[i].end;
	for (size_t i = 0; i < c->seg.n; i++) {
		const struct core_segment *s = &c->seg.v[i];

		if (s->start < end)
			continue;
		if (s->start == end && !core_file_at(c, s->start)) {
			end = s->end; /* bss */
			continue;
		}
		if (s->start - end > HEAP_REACH || core_file_at(c, s->start))
			return NULL;
		return s->flags == (PF_R | PF_W) ? s : NULL;
	}
	return NULL;
}

static struct landmarks find_landmarks(const struct core *c)
{
	struct landmarks l = { .stack = find_stack(c), .heap = find_heap(c) };
	uint64_t addr;

	if (core_auxv(c, AT_SYSINFO_EHDR, &addr))
		l.vdso = core_segment_at(c, addr);
	return l;
}

static int add_name(const char *name, struct text *out)
{
	int rc = 0;

	for (; *name && !rc; name++)
		rc = *name == '\n' ? text_add(out, "\\012", 4) : text_add(out, name, 1);
	return rc;
}

static int maps_line(const struct core *c, const struct core_segment *s, const struct landmarks *l,
		     struct text *out)
{
	const struct core_file *f = core_file_at(c, s->start);
	const char *name = f		    ? f->path
			   : s == l->stack  ? "[stack]"
			   : s == l->vdso   ? "[vdso]"
			   : s == l->heap   ? "[heap]"
			   : s->start >> 63 ? "[vsyscall]"
					    : "";
	int rc = text_printf(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%cp %08" PRIx64 " 00:00 %d ",
			     s->start, s->end, s->flags & PF_R ? 'r' : '-',
			     s->flags & PF_W ? 'w' : '-', s->flags & PF_X ? 'x' : '-',
			     f ? f->offset + (s->start - f->start) : 0, f ? 1 : 0);

	if (!rc)
		rc = add_name(name, out);
	return rc ? rc : text_add(out, "\n", 1);
}

static int maps_text(const struct core *c, struct text *out)
{
	struct landmarks l = find_landmarks(c);
	int rc = 0;

	for (size_t i = 0; i < c->seg.n && !rc; i++)
		rc = maps_line(c, &c->seg.v[i], &l, out);
	return rc;
}

/* ---- the rest */

static int status_text(const struct core *c, struct text *out)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < c->seg.n; i++)
		bytes += c->seg.v[i].end - c->seg.v[i].start;
	return text_printf(
		out, "Name:\t%.*s\nTgid:\t%d\nPid:\t%d\nVmSize:\t%8" PRIu64 " kB\nThreads:\t%zu\n",
		(int)strcspn(c->comm, "\n"), c->comm, (int)c->m.pid, (int)c->m.pid, bytes / 1024,
		c->threads.n);
}

static int by_tid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int task_text(const struct core *c, struct text *out)
{
	_free_ uint32_t *tid = calloc(c->threads.n + 1, sizeof(*tid));
	int rc = tid ? 0 : -ENOMEM;

	for (size_t i = 0; i < c->threads.n && !rc; i++)
		tid[i] = c->threads.v[i].tid;
	if (!rc)
		qsort(tid, c->threads.n, sizeof(*tid), by_tid);
	for (size_t i = 0; i < c->threads.n && !rc; i++)
		rc = text_printf(out, "%u\n", tid[i]);
	return rc;
}

/* "task/TID/NAME" */
static int thread_text(const struct core *c, const char *key, struct text *out)
{
	char name[16];
	unsigned int tid;

	if (sscanf(key, "task/%u/%15s", &tid, name) != 2)
		return -ENOENT;
	for (size_t i = 0; i < c->threads.n; i++) {
		const struct core_thread *t = &c->threads.v[i];

		if (t->tid != tid)
			continue;
		/* fs/proc/base.c proc_pid_syscall(): the form of a thread outside of any */
		if (!strcmp(name, "syscall"))
			return text_printf(out, "-1 0x%" PRIx64 " 0x%" PRIx64 "\n", t->sp, t->pc);
		if (!strcmp(name, "comm") && (pid_t)tid == c->m.pid)
			return text_printf(out, "%s\n", c->comm);
		break;
	}
	return -ENOENT;
}

/* psargs has blanks between the arguments, and 80 bytes of them at most. */
static int cmdline_text(const struct core *c, struct text *out)
{
	size_t n = strlen(c->args), start = out->n;
	int rc = text_add(out, c->args, n + 1);

	while (n && c->args[n - 1] == ' ')
		n--;
	if (rc)
		return rc;
	out->n = start + n + 1;
	for (size_t i = 0; i <= n; i++)
		if (i == n || out->p[start + i] == ' ')
			out->p[start + i] = 0;
	return 0;
}

static int proc_text(const struct core *c, const char *name, struct text *out)
{
	if (!strcmp(name, "maps"))
		return maps_text(c, out);
	if (!strcmp(name, "status"))
		return status_text(c, out);
	if (!strcmp(name, "task"))
		return task_text(c, out);
	if (!strncmp(name, "task/", 5))
		return thread_text(c, name, out);
	if (!strcmp(name, "comm") && c->comm[0])
		return text_printf(out, "%s\n", c->comm);
	if (!strcmp(name, "cmdline") && c->args[0])
		return cmdline_text(c, out);
	if (!strcmp(name, "auxv") && c->auxv.n)
		return text_add(out, c->auxv.p, c->auxv.n);
	if (!strcmp(name, "exe") && core_exe(c))
		return text_printf(out, "%s", core_exe(c)->path);
	return -ENOENT;
}

int core_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	const struct core *c = (struct core *)m;

	if (!strncmp(key, "proc/", 5))
		return proc_text(c, key + 5, out);
	if (!strcmp(key, "host/page_size"))
		return text_printf(out, "%u\n", c->m.page_size);
	if (!strcmp(key, "host/uname")) /* the release is not in a core */
		return text_printf(out, "\n%s\n", c->machine == EM_X86_64 ? "x86_64" : "aarch64");
	return -ENOENT;
}
