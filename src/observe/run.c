/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/run.h"

#include <sys/wait.h>

#include "base/log.h"
#include "observe/run_impl.h"

/* The exit code of what has ended. */
static int status_code(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

static int failed(const struct err *e)
{
	log_error("%s; CMD was not started", e->text);
	return RUN_FAILED;
}

/* Watches and reports. Returns the exit code. */
static int run_forked(struct run *r)
{
	_close_ int program = run_find_program(r->a->cmd[0]);
	struct err e = { 0 };
	int code;

	if (shelf_create(OBSERVE_FDS, &r->shelf)) {
		err_set(&e, -ENOMEM, "out of memory");
		return failed(&e);
	}
	if (run_snapshot_open(r->child.pid, r->a->o.cache, &r->snapshot, &e) ||
	    outlet_open(&r->outlet, &r->loop, r->a->fd) || run_watch_open(r, program, &e))
		return failed(&e);
	if (r->a->o.attached)
		r->a->o.attached(r->child.pid);
	code = run_child_exec(&r->child, r->a->cmd);
	if (code)
		return code;
	run_stream_open(&r->stream, r->a, &r->outlet);
	run_watch(r, program);
	run_report(r);
	observe_write_peak(&r->a->o, r->peak);
	run_finish(r);
	r->child.pid = 0; /* reaped */
	return status_code(r->seen.wstatus);
}

static int run_one(struct run *r)
{
	struct run_user user = { 0 };
	struct err e = { 0 };
	int code = RUN_FAILED;

	if (r->a->user && run_user_find(r->a->user, &user, &e))
		code = failed(&e);
	else if (run_signals_open(&r->signals, &e) ||
		 run_child_fork(r->a->cmd, r->a->user ? &user : NULL, &r->signals.old_mask,
				&r->signals.old_chld, &r->child, &e))
		code = failed(&e);
	else
		code = run_forked(r);
	run_child_abandon(&r->child);
	run_user_free(&user);
	return code;
}

static void run_free(struct run *r)
{
	run_snapshot_close(&r->snapshot);
	run_book_close(&r->book);
	outlet_close(&r->outlet);
	loop_close(&r->loop);
	follow_close(&r->follow);
	peak_close(r->peak);
	ev_close(r->ev);
	shelf_destroy(r->shelf);
	run_ledger_free(&r->seen.last);
	run_ledger_free(&r->seen.peak);
	run_signals_close(&r->signals);
}

int run_program(const struct run_opts *o)
{
	struct run r = {
		.a = o,
		.child = { .go = -1, .error = -1 },
		.signals.fd = -1,
		.snapshot.done_fd = -1,
	};
	int code = run_one(&r);

	run_free(&r);
	return code;
}
