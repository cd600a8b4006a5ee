/* SPDX-License-Identifier: BSD-2-Clause */
/* A process opened by one, read by another: what is passed, what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "base/fdpass.h"
#include "source/memsrc_impl.h"
#include "source/opener.h"
#include "source/opener_impl.h"

static volatile uint64_t word = 0x8877665544332211;

/* A process that waits; its maps are not ours to open when the kernel says so. */
static pid_t start_target(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	REQUIRE(pid > 0);
	return pid;
}

static void stop_target(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

struct pair {
	int sock;
	pid_t opener, target;
	struct handle *h;
};

static struct pair pair_start(void)
{
	struct err e = { 0 };
	struct pair p = { .target = start_target() };
	int rc;

	REQUIRE(!opener_start(&p.sock, &p.opener, &e));
	rc = opener_open(p.sock, p.target, &p.h, &e);
	if (rc == -EPERM || rc == -EACCES) {
		stop_target(p.target);
		close(p.sock);
		waitpid(p.opener, NULL, 0);
		SKIP(e.text);
	}
	REQUIRE(!rc);
	return p;
}

static void pair_end(struct pair *p)
{
	int status = -1;

	handle_close(p->h);
	close(p->sock);
	CHECK(waitpid(p->opener, &status, 0) == p->opener && !status);
	stop_target(p->target);
}

TEST(opener_reads)
{
	struct pair p = pair_start();
	struct memsrc *m = NULL;
	_text_ struct text maps = { 0 }, task = { 0 }, exe = { 0 };
	uint64_t got = 0;
	_close_ int fd = -1;
	char id[32];

	REQUIRE(!memsrc_open(p.h, &m, NULL));
	CHECK(!memsrc_u64(m, PASS_BOOKS, (uintptr_t)&word, &got) && got == word);
	CHECK(!memsrc_text(m, "proc/maps", 0, &maps) && strstr(maps.p, "[stack]"));
	CHECK(!memsrc_text(m, "proc/task", 0, &task));
	snprintf(id, sizeof(id), "%d\n", (int)p.target);
	CHECK_STR(task.p, id);
	CHECK(!memsrc_text(m, "proc/exe", 0, &exe) && exe.p[0] == '/');
	CHECK(!memsrc_file(m, "exe", 0, 0, &fd) && fd >= 0);
	CHECK_INT(memsrc_alive(m), 0);
	memsrc_close(m);
	CHECK_INT(handle_reopen(p.h, NULL), -ENOTSUP);
	pair_end(&p);
}

TEST(opener_refuses)
{
	static const char *const keys[] = {
		"proc/environ",	    "proc/root/etc/passwd", "proc/cwd/x", "proc/task/1/environ",
		"proc/task//stat",  "proc/task/../stat",    "proc/fd/0",  "proc/mem",
		"proc/../1/status", "proc/task/1/root/etc", "etc/passwd", "",
	};
	struct pair p = pair_start();
	_text_ struct text t = { 0 };
	struct stat got, exe;
	_close_ int fd = -1;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		CHECK_INT(handle_ask_text(p.h, keys[i], &t), -EACCES);
	CHECK_INT(handle_ask_text(p.h, "host/../../etc/passwd", &t), -ENOENT);
	CHECK(handle_ask_text(p.h, "cgroup//etc/passwd", &t) < 0);
	CHECK(handle_ask_text(p.h, "cgroup/../etc/passwd", &t) < 0);
	CHECK(!t.n);
	CHECK(handle_ask_file(p.h, "/etc/passwd", 0, 4096, &fd) < 0);
	/* by another name: what is mapped there, and nothing else */
	CHECK(!handle_ask_file(p.h, "/etc/passwd", (uintptr_t)&word, (uintptr_t)&word + 1, &fd) &&
	      !fstat(fd, &got) && !stat("/proc/self/exe", &exe) && got.st_ino == exe.st_ino);
	p.h->id++; /* another's */
	CHECK_INT(handle_ask_text(p.h, "proc/status", &t), -EBADF);
	p.h->id--;
	CHECK(!handle_ask_text(p.h, "proc/status", &t) && t.n);
	pair_end(&p);
}

TEST(opener_errors_are_told)
{
	struct pair p = pair_start();
	struct handle *h = NULL;
	struct err e = { 0 };
	pid_t gone = start_target();
	_text_ struct text t = { 0 };

	stop_target(gone);
	CHECK_INT(opener_open(p.sock, gone, &h, &e), -ESRCH);
	CHECK(strstr(e.text, "no process with PID"));
	kill(p.opener, SIGKILL);
	CHECK(waitpid(p.opener, NULL, 0) == p.opener);
	CHECK(opener_open(p.sock, p.target, &h, &e) < 0 && !h);
	CHECK(handle_ask_text(p.h, "proc/cgroup", &t) < 0);
	/* what it has given stays */
	CHECK(!handle_text(p.h, "proc/status", &t) && t.n);
	handle_close(p.h);
	close(p.sock);
	stop_target(p.target);
}

/* A message that is none ends the opener; none of its handles stays. */
TEST(opener_bad_message)
{
	struct pair p = pair_start();
	int status = 0;

	CHECK(!fdpass_send(p.sock, "?", 1, &p.sock, 1));
	CHECK(waitpid(p.opener, &status, 0) == p.opener && WEXITSTATUS(status) == 1);
	handle_close(p.h);
	close(p.sock);
	stop_target(p.target);
}

/* ---- a handle in one message, without an opener */

static void send_and_end(int sock, pid_t pid)
{
	struct handle *h = NULL;
	struct err e = { 0 };
	int rc = handle_open_live(pid, &h, &e);

	if (!rc)
		rc = handle_send(sock, h);
	handle_close(h);
	_exit(rc ? 1 : 0);
}

TEST(handle_send_receive)
{
	pid_t target = start_target(), sender;
	struct handle *h = NULL;
	struct memsrc *m = NULL;
	_text_ struct text t = { 0 };
	uint64_t got = 0;
	int pair[2], status = 1;

	REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	sender = fork();
	if (!sender)
		send_and_end(pair[0], target);
	CHECK(waitpid(sender, &status, 0) == sender);
	if (status) {
		stop_target(target);
		close(pair[0]);
		close(pair[1]);
		SKIP("cannot open a process");
	}
	REQUIRE(!handle_receive(pair[1], &h) && handle_pid(h) == target);
	REQUIRE(!memsrc_open(h, &m, NULL));
	CHECK(!memsrc_u64(m, PASS_BOOKS, (uintptr_t)&word, &got) && got == word);
	CHECK(!memsrc_text(m, "proc/maps", 0, &t) && t.n);
	CHECK_INT(memsrc_alive(m), 0);
	stop_target(target);
	CHECK_INT(memsrc_alive(m), -ESRCH);
	memsrc_close(m);
	handle_close(h);
	/* what is no handle: nothing stays open */
	CHECK(!fdpass_send(pair[0], "no handle", 9, pair, 2));
	CHECK_INT(handle_receive(pair[1], &h), -EPROTO);
	close(pair[0]);
	close(pair[1]);
}

TEST(fdpass_limits)
{
	int pair[2], fd[FDPASS_MAX + 1];
	char small[4], big[64] = "";
	size_t n = 9;

	REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	for (int i = 0; i <= FDPASS_MAX; i++)
		fd[i] = pair[0];
	CHECK_INT(fdpass_send(pair[0], big, 1, fd, FDPASS_MAX + 1), -EINVAL);
	CHECK_INT(fdpass_send(pair[0], big, sizeof(big), fd, FDPASS_MAX), 0);
	CHECK_INT(fdpass_receive(pair[1], small, sizeof(small), fd, &n), -EMSGSIZE);
	CHECK(n == 0);
	close(pair[0]);
	CHECK_INT(fdpass_receive(pair[1], small, sizeof(small), fd, &n), 0);
	CHECK_INT(fdpass_send(pair[1], big, 1, NULL, 0), -EPIPE);
	close(pair[1]);
}
