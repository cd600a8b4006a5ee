/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * many maps N ROUNDS    N targets on one BPF object, added and dropped ROUNDS times; in every 50th
 *                       round each makes mappings of a size that only it has
 * many probes N ROUNDS  the same with probes of GC cycles: the cycle's number is the target's own
 * many vforks N         a target that nobody follows starts N programs, as Go's os/exec does
 * many storm CALLS      one target calls as fast as it can from two threads, four make CALLS calls
 *                       at their leisure: of these none is lost
 *
 * Each event must be its own target's, by what is in it; nothing may be left, in the kernel's maps
 * or here. Prints what went wrong; exit 1 if anything did. Runs as root, linked with the library.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../self.h"
#include "base/clock.h"
#include "event/ev.h"

enum { MAX = 256, PAGES = 16 /* of the smallest mapping */, CALM = 4 };

static volatile uint64_t cycle;

/* Stands for runtime.prepareFreeWorkbufs. */
__attribute__((noinline)) static void gc_stand_in(void)
{
	__asm__ volatile("" ::: "memory");
}

struct child {
	pid_t pid;
	int go, done; /* pipes */
	unsigned long mmaps, cycles, others, forks, wrong;
};
static struct child child[MAX];
static size_t nchildren;

static size_t bytes_of(size_t i)
{
	return (PAGES + i) * sysconf(_SC_PAGESIZE);
}

static void map_once(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		munmap(p, bytes);
}

/* A child in its parent's memory, until its exec or its end. */
static void vfork_once(void)
{
	pid_t p = vfork();

	if (!p)
		execl("/bin/true", "true", NULL);
	if (!p)
		_exit(1);
	waitpid(p, NULL, 0);
}

static void *storm(void *arg)
{
	for (;;)
		munmap((void *)1, 1); /* fails: not aligned */
	return arg;
}

/* Does its work once for each byte that comes, and says so. */
static void child_main(size_t i, int go, int done)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	cycle = i + 1;
	while (read(go, &c, 1) == 1) {
		pthread_t t;

		if (c == 's' && !pthread_create(&t, NULL, storm, NULL))
			storm(NULL);
		if (c == 'm')
			map_once(bytes_of(i));
		if (c == 'v')
			vfork_once();
		if (c == 'g')
			gc_stand_in();
		if (write(done, &c, 1) != 1)
			break;
	}
	_exit(0);
}

static int start_children(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int go[2], done[2];

		if (pipe(go) || pipe(done))
			return -errno;
		child[i].pid = fork();
		if (child[i].pid < 0)
			return -errno;
		if (!child[i].pid) {
			close(go[1]);
			close(done[0]);
			child_main(i, go[0], done[1]);
		}
		close(go[0]);
		close(done[1]);
		child[i].go = go[1];
		child[i].done = done[0];
		nchildren = i + 1;
	}
	return 0;
}

static void order(size_t i, char c)
{
	if (write(child[i].go, &c, 1) != 1 || read(child[i].done, &c, 1) != 1)
		child[i].wrong++;
}

static void stop_children(void)
{
	for (size_t i = 0; i < nchildren; i++) {
		kill(child[i].pid, SIGKILL);
		waitpid(child[i].pid, NULL, 0);
		close(child[i].go);
		close(child[i].done);
	}
}

static int on_event(void *ctx, const struct event *e)
{
	size_t i = 0;

	if (event_kind(e) == KIND_FORK) { /* it is told of the new process */
		child[0].forks++;
		return 0;
	}
	while (i < nchildren && (uint32_t)child[i].pid != e->tgid)
		i++;
	if (i == nchildren) {
		++*(unsigned long *)ctx;
		return 0;
	}
	if (event_kind(e) == KIND_MMAP) {
		child[i].mmaps++;
		child[i].wrong += e->call.args[1] != bytes_of(i);
	}
	child[i].others += event_kind(e) == KIND_MUNMAP;
	if (event_kind(e) == KIND_GC) {
		child[i].cycles++;
		child[i].wrong += !gc_has(&e->gc, GCV_CYCLE) || e->gc.v[GCV_CYCLE] != i + 1;
	}
	return 0;
}

/* ---- what is left */

static const char *const maps[] = { "targets", "rss_state",    "tally",
				    "ended",   "lost_regions", "advice" };

static long entries(int fd)
{
	char at[64], next[64];
	long n = 0;

	for (void *prev = NULL; !bpf_map_get_next_key(fd, prev, next); prev = at) {
		memcpy(at, next, sizeof(at));
		n++;
	}
	return n;
}

/* Entries of these maps, of the objects that we have loaded: others may watch beside us. */
static long map_entries(void)
{
	DIR *d = opendir("/proc/self/fd");
	long n = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		char link[32] = "";
		int fd = atoi(e->d_name);

		if (readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1) < 0 ||
		    strcmp(link, "anon_inode:bpf-map") || bpf_obj_get_info_by_fd(fd, &info, &len))
			continue;
		for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
			n += strcmp(info.name, maps[i]) ? 0 : entries(fd);
	}
	if (d)
		closedir(d);
	return n;
}

static int find_stand_in(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct ev_gc *gc = ctx;
	uintptr_t at = (uintptr_t)gc_stand_in - info->dlpi_addr;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && at >= p->p_vaddr && at < p->p_vaddr + p->p_filesz)
			gc->offset = at - p->p_vaddr + p->p_offset;
	}
	return 1; /* the executable comes first */
}

/* Where it is in our file. True when that can be read. */
static bool find_gc(struct ev_gc *gc)
{
	gc->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	dl_iterate_phdr(find_stand_in, gc);
	return pread(gc->fd, gc->code, sizeof(gc->code), (off_t)gc->offset) == sizeof(gc->code);
}

static int fail(const char *what, long got, long want)
{
	printf("%s: %ld, want %ld\n", what, got, want);
	return 1;
}

/* ---- come and go */

static int add_all(struct ev *s, const struct ev_target *like)
{
	for (size_t i = 0; i < nchildren; i++) {
		struct ev_target t = *like;
		struct err why = { 0 };
		uint32_t groups = 0;

		t.pid = child[i].pid;
		if (ev_add(s, &t, &groups, &why) || groups != t.groups) {
			printf("adding %d: %s\n", (int)t.pid, why.text);
			return 1;
		}
	}
	return 0;
}

static int come_and_go(char what, size_t n, long rounds)
{
	struct ev_target like = { .groups = what == 'g' ? EV_GC : EV_MAPPINGS | EV_RSS };
	struct ev_options o = { .groups = like.groups, .gc_later = true };
	unsigned long strangers = 0, worked = 0;
	struct err e = { 0 };
	struct ev *s = NULL;
	long entries = 0, kib = 0, i;
	int fds = 0, bad = 0;

	if (!find_gc(&like.gc))
		return fail("reading our own code", errno, 0);
	like.gc.words[GCV_CYCLE].addr = (uintptr_t)&cycle;
	like.gc.words[GCV_CYCLE].size = sizeof(cycle);
	if (start_children(n) || ev_open(&o, &s, &e)) {
		printf("opening: %s\n", e.text);
		stop_children();
		return 1;
	}
	for (i = 0; i < rounds && !bad; i++) {
		bool work = what == 'g' || i % 50 == 0;

		if (i == 1) { /* what is allocated once is there now */
			entries = map_entries();
			fds = self_fds();
			kib = self_anonymous_kib();
		}
		bad += add_all(s, &like);
		if (!i && map_entries() < (long)n)
			bad += fail("entries of targets in maps", map_entries(), (long)n);
		for (size_t k = 0; k < n && work && !bad; k++)
			order(k, what);
		worked += work;
		if (ev_poll(s, 0, on_event, &strangers) < 0)
			bad++;
		for (size_t k = 0; k < n; k++)
			ev_drop(s, child[k].pid);
		/* of one that is no target any more nothing is seen */
		order(i % n, what);
		ev_poll(s, 0, on_event, &strangers);
	}
	for (size_t k = 0; k < n; k++) {
		unsigned long got = what == 'g' ? child[k].cycles : child[k].mmaps;

		if (got != worked || child[k].wrong)
			bad += fail("events of a target", got, worked);
	}
	if (strangers)
		bad += fail("events of strangers", strangers, 0);
	if (ev_lost(s))
		bad += fail("lost", ev_lost(s), 0);
	if (map_entries() != entries || entries)
		bad += fail("entries left in maps", map_entries(), entries);
	for (int k = 0; k < 100 && self_fds() > fds; k++) /* links are closed aside */
		usleep(50000);
	if (self_fds() > fds)
		bad += fail("descriptors", self_fds(), fds);
	if (self_anonymous_kib() > kib + 1024)
		bad += fail("KiB of ours", self_anonymous_kib(), kib);
	stop_children();
	ev_close(s);
	printf("%zu targets, %ld times: %lu events each, %ld KiB, %d descriptors\n", n, i, worked,
	       kib, fds);
	return bad;
}

/* ---- children that are nobody's targets */

static int vforks(long n)
{
	struct ev_target like = { .groups = EV_MAPPINGS | EV_RSS | EV_THREADS };
	struct ev_options o = { .groups = like.groups };
	unsigned long strangers = 0;
	struct err e = { 0 };
	struct ev *s = NULL;
	int bad = 0;

	if (start_children(1) || ev_open(&o, &s, &e) || add_all(s, &like)) {
		printf("opening: %s\n", e.text);
		stop_children();
		return 1;
	}
	for (long i = 0; i < n; i++) {
		order(0, 'v');
		ev_poll(s, 0, on_event, &strangers);
	}
	ev_drop(s, child[0].pid);
	if (child[0].forks != (unsigned long)n)
		bad += fail("forks seen", child[0].forks, n);
	if (map_entries())
		bad += fail("entries left in maps", map_entries(), 0);
	printf("%ld programs started by a target\n", n);
	stop_children();
	ev_close(s);
	return bad;
}

/* ---- a storm */

static int storm_beside(long calls)
{
	struct ev_target like = { .groups = EV_MAPPINGS };
	struct ev_options o = { .groups = EV_MAPPINGS, .ring_bytes = 256 << 10 };
	unsigned long strangers = 0;
	struct ev_losses l = { 0 };
	struct err e = { 0 };
	struct ev *s = NULL;
	char c = 's';
	int bad = 0;

	if (start_children(CALM + 1) || ev_open(&o, &s, &e) || add_all(s, &like)) {
		printf("opening: %s\n", e.text);
		stop_children();
		return 1;
	}
	if (write(child[CALM].go, &c, 1) != 1)
		bad++;
	for (long i = 0; i < calls; i++) {
		for (size_t k = 0; k < CALM; k++)
			order(k, 'm');
		if (i % 20 == 0)
			ev_poll(s, 1, on_event, &strangers);
	}
	kill(child[CALM].pid, SIGKILL);
	for (int i = 0; i < 20; i++)
		ev_poll(s, 10, on_event, &strangers);
	for (size_t k = 0; k < CALM; k++) {
		if (child[k].mmaps != (unsigned long)calls || child[k].wrong)
			bad += fail("calls of a calm one", child[k].mmaps, calls);
		ev_losses(s, child[k].pid, &l);
		if (l.lost)
			bad += fail("lost of a calm one", l.lost, 0);
	}
	ev_losses(s, child[CALM].pid, &l);
	if (!l.over_share || l.lost < l.over_share)
		bad += fail("the storm's share was enough", l.over_share, 1);
	printf("%ld calls of each of %d beside a storm of %lu, of which %lu were only counted\n",
	       calls, CALM, child[CALM].others + l.lost, l.lost);
	stop_children();
	ev_close(s);
	return bad;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 0, rounds = argc > 3 ? atol(argv[3]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 3 && !strcmp(argv[1], "maps") && n <= MAX)
		return come_and_go('m', n, rounds) != 0;
	if (argc > 3 && !strcmp(argv[1], "probes") && n <= MAX)
		return come_and_go('g', n, rounds) != 0;
	if (argc > 2 && !strcmp(argv[1], "vforks"))
		return vforks(n) != 0;
	if (argc > 2 && !strcmp(argv[1], "storm"))
		return storm_beside(n) != 0;
	return 2;
}
