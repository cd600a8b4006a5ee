/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harm CYCLES PID…: watches these processes, all on one BPF object, and leaves them, CYCLES times
 * in all, with everything that `watch` puts there: mapping calls, RSS, threads, and the probes of
 * GC cycles. After each round the code at the probes has to be the file's again, and while they are
 * watched it must not be: otherwise nothing was tried. In every fourth round they are left and
 * watched again at once, while the kernel is still at work on what was. Every 20 rounds
 * have a BPF object of their own. At the end all code that is in the processes' memory is compared
 * with the files.
 *
 * harm code PID…: only that.
 *
 * Prints what went wrong; exit 1 if anything did. Runs as root, linked with the library.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../self.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "event/ev.h"
#include "session/cache_store.h"
#include "session/session.h"

enum {
	TARGETS_MAX = 64,
	PLACES = 2,
	PATIENCE_S = 300, /* on a busy machine each of the kernel's waits takes seconds */
	OBJECT_ROUNDS = 20,
	AT_ONCE = 4,
	PAGE_MAX = 65536
};

/* Where a probe is: an address in the target, and what the file has there, as much of it as the
 * shortest instruction that a breakpoint takes the place of. */
struct place {
	uint64_t addr;
	uint8_t code[4];
};

struct target {
	pid_t pid;
	struct memsrc *m;
	struct session s;
	struct place place[PLACES];
	int nplaces, mem;
	unsigned long cycles, gc, calls, others;
};

static struct target target[TARGETS_MAX];
static size_t ntargets;
static int bad;

static void fail(const struct target *t, const char *what, long got, long want)
{
	printf("FAIL %d (%s): %s: %ld, want %ld\n", (int)t->pid, t->s.id.comm, what, got, want);
	bad++;
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* ---- code */

static FILE *open_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	return fopen(path, "re");
}

/* The next executable mapping of a file; its inode is that of `like` unless that is 0. */
static bool next_code(FILE *f, ino_t like, struct range *at, uint64_t *offset)
{
	char line[4600];

	while (fgets(line, sizeof(line), f)) {
		unsigned long inode = 0;
		char perms[8] = "";

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %lu", &at->start,
			   &at->end, perms, offset, &inode) == 5 &&
		    perms[2] == 'x' && inode && (!like || inode == like))
			return true;
	}
	return false;
}

struct compared {
	unsigned long pages, differ; /* pages that are present; bytes that are not the file's */
};

static void compare_mapping(const struct target *t, const struct range *at, uint64_t offset,
			    struct compared *out)
{
	static uint8_t here[PAGE_MAX], there[PAGE_MAX];
	size_t page = sysconf(_SC_PAGESIZE);
	_close_ int pagemap = -1, file = -1;
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)t->pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)t->pid,
		 at->start, at->end);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0 || file < 0) {
		fail(t, "opening what is mapped", errno, 0);
		return;
	}
	for (uint64_t a = at->start; a < at->end; a += page) {
		uint64_t entry = 0;
		ssize_t n;

		if (pread(pagemap, &entry, sizeof(entry), (off_t)(a / page * 8)) != 8 ||
		    !(entry >> 63))
			continue;
		n = pread(file, there, page, (off_t)(offset + a - at->start));
		if (n <= 0 || pread(t->mem, here, page, (off_t)a) != (ssize_t)page) {
			fail(t, "reading a page of code", n, (long)page);
			continue;
		}
		out->pages++;
		for (ssize_t i = 0; i < n; i++)
			out->differ += here[i] != there[i];
	}
}

static void compare_code(const struct target *t)
{
	struct compared c = { 0 };
	_cleanup_(close_file) FILE *f = open_maps(t->pid);
	uint64_t offset;
	struct range at;

	while (f && next_code(f, 0, &at, &offset))
		compare_mapping(t, &at, offset, &c);
	if (!c.pages)
		fail(t, "pages of code", 0, 1);
	if (c.differ)
		fail(t, "bytes of code that are not the file's", (long)c.differ, 0);
	printf("%d %s: %lu pages of code, %lu bytes differ from their files\n", (int)t->pid,
	       t->s.id.comm, c.pages, c.differ);
}

/* The address of an offset of the probed file, and the byte there. */
static int find_place(struct target *t, int file, uint64_t offset)
{
	_cleanup_(close_file) FILE *f = open_maps(t->pid);
	struct place *p = &t->place[t->nplaces];
	struct range at;
	struct stat st;
	uint64_t o;

	if (file < 0 || fstat(file, &st) ||
	    pread(file, p->code, sizeof(p->code), (off_t)offset) != sizeof(p->code))
		return -errno;
	while (f && next_code(f, st.st_ino, &at, &o))
		if (offset >= o && offset - o < at.end - at.start) {
			p->addr = at.start + (offset - o);
			t->nplaces++;
			return 0;
		}
	return -ENOENT;
}

/* At how many places of probes the target's code is not the file's. */
static int probed(const struct target *t)
{
	int n = 0;

	for (int i = 0; i < t->nplaces; i++) {
		const struct place *p = &t->place[i];
		uint8_t code[sizeof(p->code)];

		if (pread(t->mem, code, sizeof(code), (off_t)p->addr) != sizeof(code))
			fail(t, "reading the place of a probe", -errno, 0);
		else
			n += memcmp(code, p->code, sizeof(code)) != 0;
	}
	return n;
}

/* ---- targets */

static int open_target(pid_t pid, struct go_cache *cache)
{
	struct target *t = &target[ntargets];
	struct ev_gc gc = { .fd = -1 };
	struct err e = { 0 };
	char path[64];
	int r;

	t->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	t->mem = open(path, O_RDONLY | O_CLOEXEC);
	r = t->mem < 0 ? -errno : memsrc_open_live(pid, &t->m, &e);
	if (!r)
		r = session_open(t->m, NULL, cache, &t->s, &e);
	if (!r) {
		session_gc_find(&t->s);
		session_gc_probe(&t->s, &gc);
	}
	if (!r && gc.offset)
		r = find_place(t, gc.fd, gc.offset);
	if (!r && gc.start_offset)
		r = find_place(t, gc.fd, gc.start_offset);
	if (r || !t->nplaces) {
		printf("FAIL %d: %s %s\n", (int)pid, r ? strerror(-r) : "no place for a probe:",
		       e.text[0] ? e.text : t->s.gc.no_gc);
		return -1;
	}
	ntargets++;
	return 0;
}

static void close_targets(void)
{
	for (size_t i = 0; i < ntargets; i++) {
		session_close(&target[i].s);
		memsrc_close(target[i].m);
		close_fd(&target[i].mem);
	}
}

static int on_event(void *ctx, const struct event *e)
{
	for (size_t i = 0; i < ntargets; i++) {
		struct target *t = &target[i];

		if ((uint32_t)t->pid != e->tgid)
			continue;
		t->gc += e->type == EVENT_GC;
		t->calls += e->type == EVENT_CALL;
		t->others += e->type != EVENT_GC && e->type != EVENT_CALL;
	}
	return 0;
}

static void add(struct ev *s, struct target *t)
{
	struct ev_target like = { .pid = t->pid, .groups = EV_ALL };
	uint32_t groups = 0;
	struct err why = { 0 };
	int r;

	session_gc_probe(&t->s, &like.gc);
	session_gopath(&t->s, &like.go);
	r = ev_add(s, &like, &groups, &why);
	if (r || !(groups & EV_GC)) {
		printf("FAIL %d (%s): watching it: %s\n", (int)t->pid, t->s.id.comm, why.text);
		bad++;
		return;
	}
	t->cycles++;
	if (probed(t) != t->nplaces)
		fail(t, "breakpoints while it is watched", probed(t), t->nplaces);
}

static void drop_all(struct ev *s)
{
	for (size_t i = 0; i < ntargets; i++)
		ev_drop(s, target[i].pid);
}

/* Links are closed aside. */
static void wait_detached(struct ev *s, int fds)
{
	uint64_t until = mono_ns() + PATIENCE_S * 1000000000ULL;
	int left = 1;

	while (left && mono_ns() < until) {
		usleep(5000);
		ev_poll(s, 0, on_event, NULL);
		left = self_fds() > fds;
		for (size_t i = 0; i < ntargets && !left; i++)
			left = probed(&target[i]);
	}
	for (size_t i = 0; i < ntargets && left; i++)
		if (probed(&target[i]))
			fail(&target[i], "breakpoints when it is left", probed(&target[i]), 0);
	if (self_fds() > fds)
		fail(&target[0], "descriptors of ours", self_fds(), fds);
}

static void one_round(struct ev *s, unsigned long i, int fds)
{
	static const int hold_ms[] = { 0, 1, 10, 150 };

	/* The first is watched while the others are attached to: that is each of them in turn. */
	for (size_t k = 0; k < ntargets; k++)
		add(s, &target[(i + k) % ntargets]);
	usleep(hold_ms[i % ARRAY_LEN(hold_ms)] * 1000);
	ev_poll(s, 0, on_event, NULL);
	drop_all(s);
	if (i % AT_ONCE != AT_ONCE - 1)
		wait_detached(s, fds);
}

static int alive(void)
{
	for (size_t i = 0; i < ntargets; i++)
		if (memsrc_alive(target[i].m)) {
			fail(&target[i], "it is alive", 0, 1);
			return 0;
		}
	return 1;
}

static int rounds(unsigned long cycles)
{
	struct ev_options o = { .groups = EV_ALL, .gc_later = true };
	unsigned long done = 0, lost = 0;
	uint64_t began = mono_ns();
	int fds = self_fds();

	for (unsigned long i = 0; done < cycles && !bad && alive();) {
		struct err e = { 0 };
		struct ev *s = NULL;
		int with;

		if (ev_open(&o, &s, &e)) {
			printf("FAIL opening: %s\n", e.text);
			return 1;
		}
		with = self_fds();
		for (int k = 0; k < OBJECT_ROUNDS && done < cycles && !bad; k++, i++) {
			one_round(s, i, with);
			done += ntargets;
		}
		wait_detached(s, with);
		lost += ev_lost(s);
		ev_close(s);
		if (self_fds() != fds)
			fail(&target[0], "descriptors of ours at the end", self_fds(), fds);
		printf("%lu times, %.0f s\n", done, (double)(mono_ns() - began) / 1e9);
	}
	for (size_t i = 0; i < ntargets; i++) {
		struct target *t = &target[i];

		printf("%d %s: watched %lu times: %lu GC cycles, %lu mapping calls, %lu others\n",
		       (int)t->pid, t->s.id.comm, t->cycles, t->gc, t->calls, t->others);
		/* One that no probe was hit in was not tried. */
		if (cycles > 50 * ntargets && (!t->gc || !t->calls))
			fail(t, "GC cycles or mapping calls seen", 0, 1);
	}
	printf("%lu times watched and left, %.0f s; %lu events lost\n", done,
	       (double)(mono_ns() - began) / 1e9, lost);
	return 0;
}

int main(int argc, char **argv)
{
	bool only_code = argc > 2 && !strcmp(argv[1], "code");
	struct rlimit files = { 65536, 65536 };
	struct cache_store cache = { 0 };
	unsigned long cycles = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	int r = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if ((!cycles && !only_code) || argc - 2 > TARGETS_MAX)
		return 2;
	setrlimit(RLIMIT_NOFILE, &files);
	cache_store_open(&cache);
	for (int i = 2; i < argc && !r; i++)
		r = open_target(atoi(argv[i]), cache.go);
	if (!r && !only_code)
		r = rounds(cycles);
	for (size_t i = 0; i < ntargets && !r; i++)
		compare_code(&target[i]);
	close_targets();
	cache_store_close(&cache);
	return r || bad;
}
