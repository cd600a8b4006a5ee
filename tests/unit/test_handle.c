/* SPDX-License-Identifier: BSD-2-Clause */
/* A process kept open: one handle, several snapshots; what the handle sees of exec and of dying. */
#include <sys/stat.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <sys/sysmacros.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../self.h"
#include "source/handle_impl.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "proc/status.h"
#include "test.h"
#include "base/text.h"
#include "source/memsrc_impl.h"

static volatile uint64_t word = 0x1122334455667788;

struct child {
	pid_t pid;
	int go;	  /* a byte lets it go on */
	int told; /* it says a byte; EOF once it has called execve */
};

typedef void child_fn(struct child *c);

/* f runs in the child with its own ends of the pipes. */
static struct child child_start(child_fn *f)
{
	int go[2], told[2];
	struct child c;

	REQUIRE(!pipe2(go, O_CLOEXEC) && !pipe2(told, O_CLOEXEC));
	c.pid = fork();
	if (!c.pid) {
		close(go[1]);
		close(told[0]);
		f(&(struct child){ 0, go[0], told[1] });
		_exit(1);
	}
	REQUIRE(c.pid > 0);
	close(go[0]);
	close(told[1]);
	c.go = go[1];
	c.told = told[0];
	return c;
}

static void child_end(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close_fd(&c->go);
	close_fd(&c->told);
}

static void wait_byte(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static struct handle *open_or_skip(struct child *c)
{
	struct handle *h = NULL;
	struct err e = { 0 };
	int rc = handle_open_live(c->pid, &h, &e);

	if (rc == -EPERM || rc == -EACCES) {
		child_end(c);
		SKIP(e.text);
	}
	REQUIRE(!rc);
	return h;
}

static int lowest_fd(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static void just_wait(struct child *c)
{
	for (;;)
		pause();
}

TEST(handle_snapshots)
{
	struct child c = child_start(just_wait);
	struct handle *h = open_or_skip(&c);
	struct memsrc *a = NULL, *b = NULL;
	uint64_t got = 0, note = 7;
	_text_ struct text t = { 0 };
	int free_fd = lowest_fd();

	REQUIRE(!memsrc_open(h, &a, NULL) && !memsrc_open(h, &b, NULL));
	CHECK_INT(lowest_fd(), free_fd);
	CHECK(memsrc_handle(a) == h && memsrc_pid(b) == c.pid);
	CHECK(!memsrc_u64(a, PASS_BOOKS, (uintptr_t)&word, &got) && got == word);
	CHECK(memsrc_stats(a)->reads == 1 && memsrc_stats(b)->reads == 0);
	CHECK(!memsrc_note(a, "n", &note));
	note = 8;
	CHECK(!memsrc_note(b, "n", &note) && note == 8);
	memsrc_close(a);
	got = 0;
	CHECK(!memsrc_u64(b, PASS_BOOKS, (uintptr_t)&word, &got) && got == word);
	/* texts that are kept open are read afresh, from their beginning */
	CHECK(!memsrc_text(b, "proc/statm", 0, &t) && t.n > 8);
	free_fd = lowest_fd();
	text_free(&t);
	CHECK(!memsrc_text(b, "proc/statm", 0, &t) && t.n > 8);
	CHECK_INT(lowest_fd(), free_fd);
	CHECK_INT(memsrc_alive(b), 0);
	memsrc_close(b);
	CHECK(handle_check(h) == HANDLE_SAME && handle_start_time(h));
	handle_close(h);
	child_end(&c);
}

TEST(handle_descriptors)
{
	struct child c = child_start(just_wait);
	int before = self_fds();
	struct handle *h = open_or_skip(&c);

	CHECK(!handle_hold(h));
	CHECK(self_fds() - before <= HANDLE_FDS);
	handle_close(h);
	CHECK_INT(self_fds(), before);
	child_end(&c);
}

static uint8_t much[1536 << 10];

/* What a snapshot had in its cache is left to the next, and read again. */
TEST(handle_at_rest)
{
	struct child c;
	struct handle *h;
	struct memsrc *m = NULL;
	_text_ struct text t = { 0 };
	struct memsrc *other = NULL;
	long before, cached;
	int fds;

	memset(much, 7, sizeof(much));
	c = child_start(just_wait);
	h = open_or_skip(&c);
	REQUIRE(!memsrc_open(h, &m, NULL));
	fds = self_fds();
	CHECK(!memsrc_text(m, "proc/status", 0, &t) && !memsrc_text(m, "proc/stat", 0, &t));
	CHECK_INT(self_fds(), fds);
	before = self_anonymous_kib();
	for (size_t i = 0; i < sizeof(much); i += 512) {
		uint64_t got = 0;

		CHECK(!memsrc_u64(m, PASS_BOOKS, (uintptr_t)&much[i], &got) && (uint8_t)got == 7);
	}
	cached = self_anonymous_kib();
	CHECK(cached >= before + 1536);
	memsrc_rest(m);
	CHECK_INT(self_fds(), fds - 2);
	/* its cache is the other's now, and then its own again */
	REQUIRE(!memsrc_open(h, &other, NULL));
	for (size_t i = 0; i < sizeof(much); i += 512) {
		uint64_t got = 0;

		CHECK(!memsrc_u64(other, PASS_BOOKS, (uintptr_t)&much[i], &got) &&
		      (uint8_t)got == 7);
	}
	memsrc_close(other);
	for (size_t i = 0; i < sizeof(much); i += 512) {
		uint64_t got = 0;

		CHECK(!memsrc_u64(m, PASS_BOOKS, (uintptr_t)&much[i], &got) && (uint8_t)got == 7);
	}
	CHECK(self_anonymous_kib() < cached + 768);
	text_free(&t);
	CHECK(!memsrc_text(m, "proc/status", 0, &t) && t.n > 100);
	memsrc_close(m);
	handle_close(h);
	child_end(&c);
}

static void call_execve(struct child *c)
{
	wait_byte(c->go);
	execl("/bin/sleep", "sleep", "1000", NULL);
}

/* As many descriptors as are open: what is short is told, and it is no capability. */
TEST(handle_of_a_process_without_descriptors)
{
	struct rlimit was, few;
	int first;

	REQUIRE(!getrlimit(RLIMIT_NOFILE, &was));
	first = dup(0);
	REQUIRE(first >= 0);
	close(first);
	for (int room = 1; room <= 4; room++) {
		struct memsrc *m = NULL;
		struct err e = { 0 };

		few = (struct rlimit){ .rlim_cur = first + room, .rlim_max = was.rlim_max };
		REQUIRE(!setrlimit(RLIMIT_NOFILE, &few));
		if (memsrc_open_live(getpid(), &m, &e)) {
			CHECK_INT(e.code, -EMFILE);
			CHECK(strstr(e.text, "ulimit -n"));
			CHECK(!strstr(e.text, "CAP_"));
		}
		memsrc_close(m);
		REQUIRE(!setrlimit(RLIMIT_NOFILE, &was));
	}
}

TEST(handle_exec)
{
	struct child c = child_start(call_execve);
	struct handle *h = open_or_skip(&c);
	struct memsrc *m = NULL;
	_text_ struct text before = { 0 }, after = { 0 };
	uint64_t got;

	REQUIRE(!memsrc_open(h, &m, NULL));
	CHECK(!memsrc_text(m, "proc/maps", 0, &before));
	CHECK(handle_check(h) == HANDLE_SAME);
	REQUIRE(write(c.go, "", 1) == 1);
	wait_byte(c.told); /* closed by execve */
	while (handle_check(h) == HANDLE_SAME)
		sched_yield();
	CHECK(handle_check(h) == HANDLE_EXECED);
	CHECK_INT(memsrc_alive(m), -ESRCH);
	memsrc_flush(m);
	CHECK_INT(memsrc_u64(m, PASS_BOOKS, (uintptr_t)&word, &got), -ESRCH);
	memsrc_close(m);
	REQUIRE(!handle_reopen(h, NULL));
	CHECK(handle_check(h) == HANDLE_SAME);
	REQUIRE(!memsrc_open(h, &m, NULL));
	CHECK_INT(memsrc_alive(m), 0);
	CHECK(!memsrc_text(m, "proc/maps", 0, &after));
	CHECK(after.p && strstr(after.p, "sleep") && !strstr(before.p, "sleep"));
	memsrc_close(m);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	CHECK(handle_check(h) == HANDLE_GONE);
	CHECK_INT(handle_reopen(h, NULL), -ESRCH);
	handle_close(h);
	child_end(&c);
}

static __attribute__((noreturn)) void *wait_for_ever(void *p)
{
	for (;;)
		pause();
}

/* As the memory of a process that dies: its first thread has gone, others have not yet. */
static void lose_leader(struct child *c)
{
	pthread_t t;

	if (pthread_create(&t, NULL, wait_for_ever, NULL))
		return;
	if (write(c->told, "", 1) == 1)
		wait_byte(c->go);
	syscall(SYS_exit, 0);
}

static bool is_zombie(pid_t pid)
{
	_text_ struct text t = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return !text_read_at(AT_FDCWD, path, 4096, &t) && t.p && strstr(t.p, ") Z ");
}

TEST(handle_dying)
{
	struct child c = child_start(lose_leader);
	struct handle *h;
	struct memsrc *m = NULL;
	_text_ struct text maps = { 0 };
	range_vec pages = { 0 };
	uint64_t page = (uintptr_t)&word & -(uint64_t)getpagesize();
	_free_ uint8_t *large = malloc(1 << 16);

	wait_byte(c.told);
	h = open_or_skip(&c);
	REQUIRE(!memsrc_open(h, &m, NULL) && write(c.go, "", 1) == 1);
	while (!is_zombie(c.pid))
		sched_yield();
	CHECK(handle_check(h) == HANDLE_SAME);
	CHECK(!memsrc_text(m, "proc/maps", 0, &maps) && maps.n > 100);
	CHECK(!memsrc_pages(m, 0, page, page + getpagesize(), &pages) && pages.n == 1);
	/* more than the cache takes: what process_vm_readv would read, had it not lost the PID */
	CHECK(memsrc_read(m, PASS_BOOKS, (uintptr_t)&word, large, 1 << 16) != -ESRCH);
	CHECK(!memcmp(large, (const void *)&word, sizeof(word)));
	vec_free(&pages);
	memsrc_close(m);
	handle_close(h);
	child_end(&c);
}

TEST(handle_file_by_name_is_of_the_mapping_s_device)
{
	struct handle *h = NULL;
	struct vma v = { .start = 4096, .end = 8192 };
	_close_ int made = -1, fd = -1;
	char path[512];
	struct statfs fs;
	struct stat st;

	snprintf(path, sizeof(path), "%s/named", test_dir());
	made = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(made >= 0 && !fstat(made, &st) && !fstatfs(made, &fs));
	REQUIRE(!handle_open_live(getpid(), &h, NULL));
	v.inode = st.st_ino;
	v.dev_major = major(st.st_dev);
	v.dev_minor = minor(st.st_dev);
	CHECK_INT(handle_file_named(h, path, &v, -ENOENT, &fd), 0);
	close_fd(&fd);
	v.dev_minor++; /* an inode's number is its file system's own */
	if (fs.f_type != OVERLAYFS_SUPER_MAGIC && fs.f_type != BTRFS_SUPER_MAGIC)
		CHECK_INT(handle_file_named(h, path, &v, -ENOENT, &fd), -ENOENT);
	v.inode++;
	CHECK_INT(handle_file_named(h, path, &v, -ENOENT, &fd), -ENOENT);
	handle_close(h);
}

TEST(live_refusals)
{
	struct memsrc *m = NULL;
	struct err e = { 0 };
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitid(P_PID, pid, NULL, WEXITED | WNOWAIT);
	CHECK_INT(memsrc_open_live(pid, &m, &e), -ESRCH);
	CHECK(strstr(e.text, "zombie"));
	waitpid(pid, NULL, 0);
	CHECK_INT(memsrc_open_live(pid, &m, &e), -ESRCH);
	CHECK(strstr(e.text, "no process with PID"));
	CHECK_INT(memsrc_open_live(0, &m, &e), -ESRCH);
	CHECK_INT(memsrc_open_live(-1, &m, &e), -ESRCH);
	CHECK(!m);
	memsrc_close(NULL);
}

TEST(live_refuses_kernel_threads)
{
	_close_ int fd = open("/proc/2/stat", O_RDONLY);
	struct memsrc *m = NULL;
	struct err e = { 0 };

	if (fd < 0)
		SKIP("no kernel threads in this PID namespace");
	CHECK_INT(memsrc_open_live(2, &m, &e), -ENODATA);
	CHECK(strstr(e.text, "kernel thread"));
}

/* Spins when asked, and answers. */
static void spin(struct child *c)
{
	for (;;) {
		wait_byte(c->go);
		for (uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 2000000;
		     clock_ns(CLOCK_THREAD_CPUTIME_ID) < end;)
			;
		(void)!write(c->told, "", 1);
	}
}

static void wait_asleep(struct memsrc *m)
{
	struct proc_stat st = { 0 };

	while (!proc_stat_read(memsrc_texts(m), 0, &st, NULL) && st.state != 'S')
		sched_yield();
	usleep(1000); /* it says so a little before it leaves its CPU */
}

/* Equal as long as nothing of it runs, and not if something did. */
TEST(handle_cpu_time)
{
	struct child c = child_start(spin);
	struct handle *h = open_or_skip(&c);
	struct memsrc *m = NULL;
	uint64_t before = 0, same = 0, after = 0;

	REQUIRE(!memsrc_open(h, &m, NULL));
	wait_asleep(m);
	for (int i = 0; i < 20; i++) {
		CHECK(!handle_cpu_time(h, &before) && !handle_cpu_time(h, &same));
		CHECK_INT(before, same);
		REQUIRE(write(c.go, "", 1) == 1);
		wait_byte(c.told);
		wait_asleep(m);
		CHECK(!handle_cpu_time(h, &after));
		CHECK(after >= before + 2000000);
	}
	memsrc_close(m);
	child_end(&c);
	CHECK_INT(handle_cpu_time(h, &after), -ESRCH);
	handle_close(h);
}
