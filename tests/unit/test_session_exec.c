/* SPDX-License-Identifier: BSD-2-Clause */
/* A session of a process that is watched: what it has from its fork on, and after an exec. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/collect.h"
#include "session/session.h"
#include "test.h"

/* A child that execs cat, which waits for its input, when *go is closed. */
static pid_t child(int *go)
{
	int start[2], in[2];
	pid_t pid;
	char c;

	if (pipe(start) || pipe(in))
		return -1;
	pid = fork();
	if (!pid) {
		close(start[1]);
		dup2(in[0], STDIN_FILENO);
		(void)!read(start[0], &c, 1);
		execlp("cat", "cat", (char *)NULL);
		_exit(1);
	}
	close(start[0]);
	close(in[0]);
	go[0] = start[1];
	go[1] = in[1];
	return pid;
}

static void end_of(pid_t pid, const int *go)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++)
		if (go[i] >= 0)
			close(go[i]);
}

static bool has_become(pid_t pid, const char *comm)
{
	for (int i = 0; i < 5000; i++) {
		struct session s = { 0 };
		bool is = !session_open_forked(&s, pid) && !strcmp(s.id.comm, comm);

		session_close(&s);
		if (is)
			return true;
		usleep(1000);
	}
	return false;
}

/* Names alone; the rest comes with the first snapshot, through memory that was read before. */
TEST(session_of_a_fork_is_completed_by_its_first_snapshot)
{
	const struct collect_opts co = { 0 };
	struct session s, whole;
	struct report a, b;
	struct frame f;
	struct err e = { 0 };
	int go[2] = { -1, -1 };
	pid_t pid = child(go);

	REQUIRE(pid > 0);
	session_init(&s, NULL, NULL);
	if (session_open_forked(&s, pid)) {
		end_of(pid, go);
		SKIP("cannot read a child");
	}
	CHECK(s.names && s.m && s.m == s.own);
	CHECK(!s.bin && !s.libs.v.n && !s.complete);
	CHECK(s.id.comm[0] && !s.id.exe[0]);
	symbolizer_frame(s.names, (uintptr_t)child, &f);
	CHECK(f.module);

	REQUIRE(!collect_report(&s, &co, &a, &e));
	CHECK(s.complete && s.bin && s.libs.v.n);
	session_init(&whole, NULL, NULL);
	REQUIRE(!session_open_pid(&whole, pid, &e));
	REQUIRE(!collect_report(&whole, &co, &b, &e));
	CHECK_STR(a.target.exe, b.target.exe);
	CHECK_STR(a.target.cmdline, b.target.cmdline);
	CHECK_INT(a.rss.scanned, b.rss.scanned);
	CHECK_INT(a.partial, b.partial);
	report_free(&a);
	report_free(&b);
	session_close(&whole);
	session_close(&s);
	end_of(pid, go);
}

/* Another program, in memory of the session's own; the book goes on, shelf and cache stay. */
TEST(session_goes_on_with_the_next_program)
{
	struct shelf *shelf = NULL;
	struct go_cache *cache = go_cache_create(NULL, "");
	struct memsrc *m = NULL, *first;
	struct session s;
	struct err e = { 0 };
	int go[2] = { -1, -1 };
	pid_t pid = child(go);

	REQUIRE(pid > 0 && cache && !shelf_create(0, &shelf));
	session_init(&s, shelf, cache);
	if (session_open_forked(&s, pid)) {
		end_of(pid, go);
		SKIP("cannot read a child");
	}
	REQUIRE(!session_open_book(&s, &e));
	CHECK(session_book(&s));
	first = s.own;
	close_fd(&go[0]);
	REQUIRE(has_become(pid, "cat"));
	CHECK_INT(memsrc_alive(first), -ESRCH);

	REQUIRE(!memsrc_open_live(pid, &m, &e));
	/* without probes there is nothing to set */
	CHECK_INT(session_take(&s, m, NULL), 0);
	CHECK(s.m == m && s.own == m && s.shelf == shelf && s.cache == cache);
	CHECK_STR(s.id.comm, "cat");
	CHECK(strstr(s.id.exe, "/") && s.bin && !s.ngo);
	CHECK(s.gc.no_gc[0]);
	REQUIRE(session_book(&s));
	CHECK(s.book->m == m && s.book->names == s.names);
	end_of(pid, go);

	/* It has ended: m stays, for what it was; of the rest nothing is known. */
	CHECK_INT(session_exec(&s, pid, NULL), -ESRCH);
	CHECK(s.m == m && s.names && !s.bin && !s.id.comm[0] && !s.gc.no_gc[0]);
	session_close(&s);
	CHECK(!s.m && !s.book && s.shelf == shelf && s.cache == cache);
	session_close(&s);
	shelf_destroy(shelf);
	go_cache_destroy(cache);
}
