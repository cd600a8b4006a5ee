/* SPDX-License-Identifier: BSD-2-Clause */
/* A watched process calls exec faster than it can be looked at. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "observe/watch_impl.h"
#include "test.h"

static pid_t child(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void end_of(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct event exec_of(pid_t pid)
{
	return (struct event){
		.type = EVENT_EXEC, .tgid = pid, .tid = pid, .enter_ns = 1000, .exit_ns = 1000
	};
}

/* exec, exec, exit within one turn: at the first event the memory that was just opened is gone
 * already, at the second one the process is. */
TEST(watch_execs_and_end_within_a_turn)
{
	const struct watch_opts a = { .o.json = true, .no_report = true };
	struct watch w = { .a = &a };
	pid_t pid = child();
	struct event e = exec_of(pid);
	struct memsrc *second = NULL;
	struct err err = { 0 };

	REQUIRE(pid > 0);
	REQUIRE(!session_open_forked(&w.s, pid));
	CHECK(w.s.names);
	REQUIRE(!memsrc_open_live(pid, &second, &err));
	end_of(pid);

	CHECK_INT(session_take(&w.s, second, NULL), -ESRCH);
	CHECK(!w.s.names);
	CHECK_STR(w.s.id.exe, "");
	CHECK_INT(watch_event(&w, &e), 0);
	CHECK_INT(w.end.events[KIND_EXEC], 1);
	CHECK(strstr(w.outlet.out.p, "\"type\":\"exec\""));
	CHECK(!strstr(w.outlet.out.p, "\"type\":\"program\""));

	session_close(&w.s);
	text_free(&w.outlet.out);
	vec_free(&w.lost);
}

/* Of what has ended nothing is said that was true of the program before. */
TEST(watch_exec_of_what_has_ended_is_not_the_program_before)
{
	const struct watch_opts a = { .o.json = true, .no_report = true };
	struct watch w = { .a = &a };
	struct frame f;
	pid_t pid = child();
	struct event e = exec_of(pid);
	struct memsrc *m = NULL;
	struct err err = { 0 };

	REQUIRE(pid > 0);
	REQUIRE(!memsrc_open_live(pid, &m, &err));
	REQUIRE(!session_open(m, NULL, NULL, &w.s, &err));
	REQUIRE(!session_names(&w.s, &err));
	CHECK(w.s.id.exe[0]);
	symbolizer_frame(w.s.names, (uintptr_t)exec_of, &f);
	CHECK(f.module);
	end_of(pid);

	CHECK_INT(watch_event(&w, &e), 0);
	REQUIRE(w.s.names);
	symbolizer_frame(w.s.names, (uintptr_t)exec_of, &f);
	CHECK(!f.module);
	CHECK_STR(w.s.id.exe, "");
	CHECK(!strstr(w.outlet.out.p, "\"type\":\"program\""));

	session_close(&w.s);
	text_free(&w.outlet.out);
	vec_free(&w.lost);
	memsrc_close(m);
}
