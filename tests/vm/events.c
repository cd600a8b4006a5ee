/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events [fallbacks]: every program of the attach table on this kernel. A child does what is
 * watched, known numbers of times; its events are counted, and how often the kernel ran each
 * program (BPF run statistics). Runs as root, linked with the library.
 *
 *	program NAME fires|spare|fallback|missing|FAIL-...
 *	event NAME ok|FAIL-...
 *
 * events rounds N: attaches and detaches N times to a child that does some of that, mappings
 * included in every fourth. Says what grew of us, and whether the child's code is as it was.
 *
 *	rounds NAME ok|FAIL-...
 *
 * Words after # on a line say more. A program not named below has to run at least once: the child
 * does one of everything.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "event/ev.h"

enum {
	MMAPS = 40,
	MREMAPS = 20,
	BRKS = 10,
	OTHERS = 10, /* of each other call */
	CYCLES = 25,
	THREADS = 8,
	FORKS = 5,
	TOUCHED_MIB = 8,
	STEP = 1 << 20,
	SIZE = 64 << 10, /* of a mapping */
	/* Counters of up to 64 pages a thread are not told before Linux 6.2. */
	RSS_BATCH = 64,
	EXIT_CODE = 7,
};

/* ---- the child */

static volatile uint64_t cycle;

/* Stands for runtime.prepareFreeWorkbufs. */
__attribute__((noinline)) static void gc_stand_in(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Stands for runtime.gcStart. */
__attribute__((noinline)) static int gc_start_stand_in(void)
{
	/* not the same code as the other's: one place would do for both; nor a NOP, where no probe
	 * goes */
	__asm__ volatile("" ::: "memory");
	return 1;
}

static int thread_body(void *arg)
{
	return 0;
}

/* Stands for runtime.(*mheap).grow. */
__attribute__((noinline)) static int heap_grow_stand_in(void)
{
	__asm__ volatile("" ::: "memory");
	return 2;
}

/* Bare ones: a C library's map and unmap more, differently on each architecture. */
static void run_threads(int n)
{
	static char stack[THREADS][16 << 10] __attribute__((aligned(64)));
	static volatile int alive[THREADS];
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;

	for (int i = 0; i < n; i++) {
		alive[i] = 1;
		if (clone(thread_body, stack[i] + sizeof(stack[i]), flags, NULL, NULL, NULL,
			  &alive[i]) < 0)
			_exit(3);
	}
	for (int i = 0; i < n; i++)
		while (alive[i])
			syscall(SYS_futex, &alive[i], FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void run_forks(int n)
{
	for (int i = 0; i < n; i++) {
		pid_t p = fork();

		if (!p)
			_exit(0);
		waitpid(p, NULL, 0);
	}
}

static char *map(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void run_mappings(void)
{
	char *p[MMAPS], *m;
	char *at = (char *)syscall(SYS_brk, 0);
	int shm;

	for (int i = 0; i < MMAPS; i++)
		p[i] = map(SIZE);
	for (int i = 0; i < MREMAPS; i++)
		p[i] = mremap(p[i], SIZE, SIZE / 2, MREMAP_MAYMOVE);
	for (int i = 0; i < MMAPS; i++)
		munmap(p[i], i < MREMAPS ? SIZE / 2 : SIZE);
	for (int i = 1; i < BRKS; i++)
		syscall(SYS_brk, at + (i % 2) * SIZE);
	m = map(SIZE);
	shm = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	for (int i = 0; i < OTHERS; i++) {
		void *s = shmat(shm, NULL, 0);

		if (s != (void *)-1)
			shmdt(s);
		mprotect(m, SIZE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
		syscall(SYS_pkey_mprotect, m, SIZE, PROT_READ | PROT_WRITE, -1);
		madvise(m, SIZE, MADV_DONTNEED);
		/* EINVAL: it is no shared mapping, and names are not in every kernel. */
		syscall(SYS_remap_file_pages, m, SIZE, 0, 0, 0);
		prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, m, SIZE, "vm-events");
		prctl(PR_SET_NAME, "vm-events"); /* nothing of a mapping */
	}
	shmctl(shm, IPC_RMID, NULL);
	munmap(m, SIZE);
}

static void touch(void)
{
	char *m = map((size_t)TOUCHED_MIB << 20);

	/* No huge pages: a step at a time. */
	madvise(m, (size_t)TOUCHED_MIB << 20, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < (size_t)TOUCHED_MIB << 20; i += 4096)
		m[i] = 1;
}

/* The other one is gone: so do we. */
static void wait_for(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		_exit(4);
}

static void done(int fd)
{
	if (write(fd, "x", 1) != 1)
		_exit(4);
}

static void child(const char *self, int go, int ready)
{
	/* What the C library does once only. */
	run_forks(1);
	done(ready);
	wait_for(go);
	run_mappings();
	touch();
	for (int i = 0; i < CYCLES; i++) {
		cycle++;
		gc_start_stand_in();
		gc_stand_in();
		heap_grow_stand_in();
	}
	run_threads(THREADS);
	run_forks(FORKS);
	done(ready);
	wait_for(go);
	execl(self, self, "leave", NULL);
	_exit(5);
}

static void child_of_rounds(int go, int ready)
{
	done(ready);
	for (;;) {
		wait_for(go);
		run_mappings();
		cycle++;
		gc_start_stand_in();
		gc_stand_in();
		heap_grow_stand_in();
		run_threads(THREADS);
		done(ready);
	}
}

/* ---- the parent */

/* Where the stand-ins are in our file. */
static int find_stand_ins(struct dl_phdr_info *info, size_t size, void *out)
{
	uint64_t end = (uintptr_t)gc_stand_in, start = (uintptr_t)gc_start_stand_in;
	uint64_t grow = (uintptr_t)heap_grow_stand_in;
	struct ev_gc *gc = out;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && end >= at && end < at + p->p_memsz) {
			gc->offset = end - at + p->p_offset;
			gc->start_offset = start - at + p->p_offset;
			gc->grow_offset = grow - at + p->p_offset;
		}
	}
	return 1; /* the first one is ours */
}

static void find_gc(struct ev_gc *gc)
{
	gc->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	dl_iterate_phdr(find_stand_ins, gc);
	if (pread(gc->fd, gc->code, EV_CODE, (off_t)gc->offset) != EV_CODE ||
	    pread(gc->fd, gc->start_code, EV_CODE, (off_t)gc->start_offset) != EV_CODE ||
	    pread(gc->fd, gc->grow_code, EV_CODE, (off_t)gc->grow_offset) != EV_CODE)
		gc->offset = gc->start_offset = gc->grow_offset = 0;
}

struct counts {
	/* calls as the child made them: arguments, results and a stack */
	uint64_t good[KIND_COUNT];
	uint64_t at[MMAPS]; /* where they were mapped */
	uint64_t n[KIND_COUNT];
	uint64_t swapped; /* that ended before they began */
	uint64_t not_run; /* programs that the kernel left out */
};

static bool is_mapped(struct counts *c, uint64_t addr)
{
	for (int i = 0; i < MMAPS; i++)
		if (c->at[i] == addr)
			return true;
	return false;
}

/* The arguments are at their places, and the result is this call's. */
static void count_good(struct counts *c, enum event_kind k, const struct event_call *e)
{
	const uint64_t *a = e->args, rw = PROT_READ | PROT_WRITE;

	if (!e->nstack)
		return;
	if (k == KIND_MMAP && a[0] == 0 && a[1] == SIZE && a[2] == rw && (int)a[4] == -1 &&
	    a[3] == (MAP_PRIVATE | MAP_ANONYMOUS) && a[5] == 0 && c->good[k] < MMAPS)
		c->at[c->good[k]++] = e->ret;
	if (k == KIND_MREMAP && is_mapped(c, a[0]) && a[1] == SIZE && a[2] == SIZE / 2 &&
	    a[3] == MREMAP_MAYMOVE && (uint64_t)e->ret == a[0])
		c->good[k]++;
	if (k == KIND_MUNMAP && is_mapped(c, a[0]) && !e->ret &&
	    a[1] == (c->good[k] < MREMAPS ? SIZE / 2 : SIZE))
		c->good[k]++;
	/* the first asks where it is */
	if (k == KIND_BRK && (a[0] ? (uint64_t)e->ret == a[0] : e->ret > 0))
		c->good[k]++;
}

static int count(void *ctx, const struct event *e)
{
	struct counts *c = ctx;

	c->n[event_kind(e)]++;
	if (e->type == EVENT_CALL)
		count_good(c, event_kind(e), &e->call);
	c->swapped += e->exit_ns < e->enter_ns;
	return 0;
}

static void poll_events(struct ev *s, struct counts *c, enum event_kind until, uint64_t n)
{
	for (int i = 0; i < 50; i++) {
		int r = ev_poll(s, EV_POLL_MS, count, c);

		/* Once more: what else is under way. */
		if (r < 0 || (r == 0 && c->n[until] >= n))
			return;
	}
}

/* How often the kernel ran the program of that name, and how often it left it out because that CPU
 * was in the midst of it (since 5.12); all instances. */
static uint64_t hits_of(const char *name, uint64_t *misses)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; !bpf_prog_get_next_id(id, &id);) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) &&
		    !strncmp(info.name, name, sizeof(info.name) - 1)) {
			sum += info.run_cnt;
			*misses += info.recursion_misses;
		}
		close(fd);
	}
	return sum;
}

/* How often it has to have run at least. */
static uint64_t hits_wanted(const char *name)
{
	static const struct {
		const char *prefix;
		uint64_t n;
	} want[] = {
		{ "mmap_", MMAPS },
		{ "munmap_", MMAPS },
		{ "mremap_", MREMAPS },
		{ "brk_", BRKS },
		{ "rss_", TOUCHED_MIB * (STEP / 4096) / RSS_BATCH / 2 },
		{ "gc_end", CYCLES },
		{ "gc_start", CYCLES },
		{ "heap_grow", CYCLES },
		{ "fork_", THREADS + FORKS },
		{ "exit_", THREADS + FORKS },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		if (!strncmp(name, want[i].prefix, strlen(want[i].prefix)))
			return want[i].n;
	return 1;
}

static int check_programs(const struct ev *s)
{
	const struct ev_program *p;
	size_t n = ev_programs(s, &p);
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t misses = 0;
		uint64_t got = p[i].attached ? hits_of(p[i].name, &misses) : 0;
		uint64_t want = hits_wanted(p[i].name);
		const char *word = "fires";

		if (p[i].attached && got + misses < want)
			word = "FAIL-silent";
		else if (!p[i].attached && p[i].is_fallback)
			word = "spare";
		else if (!p[i].attached)
			word = ev_groups(s) & p[i].group ? "fallback" : "missing";
		bad += *word == 'F';
		printf("program %s %s # ran %lu times, want %lu, missed %lu; %s\n", p[i].name, word,
		       (unsigned long)got, (unsigned long)want, (unsigned long)misses, p[i].reason);
	}
	return bad;
}

/* What the kernel left out, and says so, may be missing. */
static int check_kind(const struct counts *c, enum event_kind k, uint64_t low, uint64_t high)
{
	bool ok = c->n[k] + c->not_run >= low && c->n[k] <= high;

	printf("event %s %s # %lu, want %lu to %lu\n", event_kind_name(k), ok ? "ok" : "FAIL-count",
	       (unsigned long)c->n[k], (unsigned long)low, (unsigned long)high);
	return !ok;
}

static int check_good(const struct counts *c, enum event_kind k, uint64_t low)
{
	bool ok = c->good[k] + c->not_run >= low;

	printf("event %s-args %s # %lu, want %lu\n", event_kind_name(k), ok ? "ok" : "FAIL-args",
	       (unsigned long)c->good[k], (unsigned long)low);
	return !ok;
}

static bool has_program(const struct ev *s, const char *name)
{
	const struct ev_program *p;
	size_t n = ev_programs(s, &p);

	for (size_t i = 0; i < n; i++)
		if (p[i].attached && !strncmp(p[i].name, name, strlen(name)))
			return true;
	return false;
}

/* The calls that are made equally often; some kernels have not all of them. */
static int check_others(const struct counts *c, const struct ev *s)
{
	static const struct {
		enum event_kind kind;
		const char *programs;
	} others[] = {
		{ KIND_MPROTECT, "mprotect_" }, { KIND_PKEY_MPROTECT, "pkey_" },
		{ KIND_PRCTL, "prctl_" },	{ KIND_SHMAT, "shmat_" },
		{ KIND_SHMDT, "shmdt_" },	{ KIND_REMAP_FILE_PAGES, "remap_" },
	};
	int bad = 0;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		uint64_t want = has_program(s, others[i].programs) ? OTHERS : 0;

		bad += check_kind(c, others[i].kind, want, want);
	}
	return bad;
}

/* Told one by one, and counted. */
static int check_advice(const struct counts *c, const struct ev *s, pid_t pid)
{
	struct ev_advice *a = NULL;
	uint64_t calls = 0, bytes = 0;
	size_t n = 0;
	bool ok;
	int bad = check_kind(c, KIND_MADVISE, OTHERS + 1, OTHERS + 1);

	if (ev_advice(s, pid, &a, &n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		if (a[i].advice != MADV_DONTNEED)
			continue;
		calls = a[i].calls - a[i].failed;
		bytes = a[i].bytes;
	}
	free(a);
	ok = calls + c->not_run >= OTHERS && calls <= OTHERS && bytes == calls * SIZE;
	printf("event advice %s # %lu calls, want %d; %lu bytes\n", ok ? "ok" : "FAIL-count",
	       (unsigned long)calls, OTHERS, (unsigned long)bytes);
	return bad + !ok;
}

static void print_overhead(const struct ev *s)
{
	struct ev_overhead t;

	if (ev_syscall_overhead(s, &t))
		printf("# a system call takes %.0f ns longer, a mapping call %.0f ns\n", t.any,
		       t.mapping);
}

static void read_not_run(const struct ev *s, struct counts *c)
{
	struct ev_counter counter[EV_COUNTERS_MAX];
	size_t n = ev_counters(s, counter, EV_COUNTERS_MAX), programs;
	const struct ev_program *p;

	c->not_run = 0;
	for (size_t i = 0; i < n; i++) {
		if (counter[i].n)
			printf("# counter %s: %lu\n", counter[i].name, (unsigned long)counter[i].n);
		if (!strcmp(counter[i].name, "not_run"))
			c->not_run = counter[i].n;
	}
	/* These count one by one, as calls of which a half is missing. */
	programs = ev_programs(s, &p);
	for (size_t i = 0; i < programs; i++)
		if (p[i].attached && p[i].group == EV_MAPPINGS)
			hits_of(p[i].name, &c->not_run);
}

static int check_first(struct counts *c, const struct ev *s, pid_t pid, bool fallbacks)
{
	/* The fallback for forks tells no process from a thread (bpf/threads.bpf.c). */
	unsigned int threads = fallbacks ? THREADS + FORKS : THREADS;
	uint64_t lost;
	int bad = 0;

	read_not_run(s, c);
	lost = ev_lost(s) > c->not_run ? ev_lost(s) - c->not_run : 0;
	bad += check_kind(c, KIND_MMAP, MMAPS + 2, MMAPS + 2);
	bad += check_kind(c, KIND_MUNMAP, MMAPS + 1, MMAPS + 1);
	bad += check_kind(c, KIND_MREMAP, MREMAPS, MREMAPS);
	bad += check_kind(c, KIND_BRK, BRKS, BRKS);
	bad += check_others(c, s);
	bad += check_advice(c, s, pid);
	bad += check_good(c, KIND_MMAP, MMAPS);
	bad += check_good(c, KIND_MUNMAP, MMAPS);
	bad += check_good(c, KIND_MREMAP, MREMAPS);
	bad += check_good(c, KIND_BRK, BRKS);
	bad += check_kind(c, KIND_RSS, TOUCHED_MIB - 1, 3 * TOUCHED_MIB);
	bad += check_kind(c, KIND_GC, CYCLES, CYCLES);
	bad += check_kind(c, KIND_HEAP_GROW, 1, CYCLES); /* of 5 ms they are one */
	bad += check_kind(c, KIND_THREAD_START, threads, threads);
	bad += check_kind(c, KIND_THREAD_EXIT, THREADS, THREADS);
	bad += check_kind(c, KIND_FORK, THREADS + FORKS - threads, THREADS + FORKS - threads);
	bad += lost || c->swapped;
	printf("event lost %s # %lu lost, %lu end before they begin\n",
	       lost || c->swapped ? "FAIL-count" : "ok", (unsigned long)lost,
	       (unsigned long)c->swapped);
	return bad;
}

static struct ev_options options(pid_t pid)
{
	struct ev_options o = { .pid = pid, .groups = EV_ALL, .rss_step = STEP };

	find_gc(&o.gc);
	o.gc.words[GCV_CYCLE].addr = (uintptr_t)&cycle;
	o.gc.words[GCV_CYCLE].size = sizeof(cycle);
	return o;
}

static int watch(pid_t pid, int go, int ready, bool fallbacks)
{
	struct ev_options o = options(pid);
	struct counts first = { 0 }, last = { 0 };
	struct err e = { 0 };
	struct ev *s = NULL;
	int bad, r, status;

	o.fallbacks = fallbacks;
	o.groups |= EV_MADVISE;
	wait_for(ready);
	r = ev_open(&o, &s, &e);
	if (r) {
		printf("program open FAIL-open # %s\n", e.text);
		kill(pid, SIGKILL);
		return 1;
	}
	print_overhead(s);
	done(go);
	wait_for(ready);
	poll_events(s, &first, KIND_THREAD_EXIT, THREADS);
	bad = check_first(&first, s, pid, fallbacks);
	done(go);
	waitpid(pid, &status, 0);
	poll_events(s, &last, KIND_EXIT, 1);
	read_not_run(s, &last);
	bad += check_kind(&last, KIND_EXEC, 1, 1);
	bad += check_kind(&last, KIND_EXIT, 1, 1);
	bad += check_programs(s);
	bad += WEXITSTATUS(status) != EXIT_CODE;
	ev_close(s);
	return bad;
}

/* ---- rounds */

struct usage {
	uint64_t anon; /* resident anonymous bytes */
	int fds;
};

static struct usage usage_of_us(void)
{
	struct usage u = { 0 };
	char line[256];
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	DIR *d = opendir("/proc/self/fd");
	unsigned long kib;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Anonymous: %lu", &kib) == 1)
			u.anon = kib << 10;
	while (d && readdir(d))
		u.fds++;
	if (f)
		fclose(f);
	if (d)
		closedir(d);
	return u;
}

static uint64_t code_of(pid_t pid)
{
	uint64_t code = 0;
	struct iovec here = { &code, sizeof(code) }, there = { gc_stand_in, sizeof(code) };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(code) ? code : 0;
}

static int one_round(struct ev_options *o, int go, int ready)
{
	bool mappings = o->groups & EV_MAPPINGS;
	struct counts c = { 0 };
	struct err e = { 0 };
	struct ev *s = NULL;
	int r = ev_open(o, &s, &e);

	if (r) {
		printf("# %s\n", e.text);
		return r;
	}
	done(go);
	wait_for(ready);
	poll_events(s, &c, KIND_THREAD_EXIT, THREADS);
	read_not_run(s, &c);
	r = c.n[KIND_GC] != 1 || c.n[KIND_THREAD_EXIT] + c.not_run < THREADS ||
	    c.n[KIND_MMAP] + c.not_run < (mappings ? MMAPS + 1 : 0);
	if (r)
		printf("# %lu cycles, %lu threads, %lu mmaps\n", (unsigned long)c.n[KIND_GC],
		       (unsigned long)c.n[KIND_THREAD_EXIT], (unsigned long)c.n[KIND_MMAP]);
	ev_close(s);
	return r;
}

static int check_rounds(pid_t pid, int go, int ready, int n)
{
	/* What the C library and libbpf keep, and an allocator's play. */
	enum { WARM = 4, PLAY = 128 << 10 };
	struct ev_options o = options(pid);
	struct usage warm = { 0 }, last;
	uint64_t code;
	int bad = 0;

	wait_for(ready);
	code = code_of(pid);
	for (int i = 0; i < n + WARM && bad < 10; i++) {
		if (i == WARM)
			warm = usage_of_us();
		o.groups = i % 4 ? EV_ALL & ~EV_MAPPINGS : EV_ALL;
		bad += one_round(&o, go, ready) != 0;
	}
	last = usage_of_us();
	printf("rounds events %s # %d of %d rounds wrong\n", bad ? "FAIL-count" : "ok", bad,
	       n + WARM);
	printf("rounds memory %s # %lu KiB, before %lu\n",
	       last.anon > warm.anon + PLAY ? "FAIL-grows" : "ok", (unsigned long)last.anon >> 10,
	       (unsigned long)warm.anon >> 10);
	printf("rounds fds %s # %d, before %d\n", last.fds == warm.fds ? "ok" : "FAIL-left",
	       last.fds, warm.fds);
	printf("rounds code %s\n", code && code == code_of(pid) ? "ok" : "FAIL-changed");
	bad += last.anon > warm.anon + PLAY || last.fds != warm.fds || code != code_of(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return bad;
}

int main(int argc, char **argv)
{
	bool fallbacks = argc > 1 && !strcmp(argv[1], "fallbacks");
	int rounds = argc > 2 && !strcmp(argv[1], "rounds") ? atoi(argv[2]) : 0;
	int go[2], ready[2], stats;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "leave"))
		return EXIT_CODE;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0)
		printf("# BPF_ENABLE_STATS: %s\n", strerror(errno));
	if (pipe2(go, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
		return 2;
	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid && rounds)
		child_of_rounds(go[0], ready[1]);
	if (!pid)
		child("/proc/self/exe", go[0], ready[1]);
	close(go[0]);
	close(ready[1]);
	if (rounds)
		return check_rounds(pid, go[1], ready[0], rounds) ? 1 : 0;
	return watch(pid, go[1], ready[0], fallbacks) ? 1 : 0;
}
