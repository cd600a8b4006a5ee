/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots of the program while it lives. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "observe/run_impl.h"
#include "collect/collect.h"

void run_ledger_free(struct run_ledger *l)
{
	if (l->has)
		report_free(&l->r);
	l->has = false;
}

/* One session for all snapshots, until the program calls exec. */
static int keep_open(struct run_snapshot *s)
{
	int r;

	if (s->session.m && !memsrc_alive(s->session.m))
		return 0;
	session_close(&s->session);
	r = session_open_pid(&s->session, s->pid, &s->err);
	if (r)
		session_close(&s->session);
	return r;
}

static void find_gc(struct run_snapshot *s)
{
	session_gc_find(&s->session);
	s->gc = s->session.gc.at;
	s->has_gc = s->gc.words[GCV_CYCLE].size;
}

static void *take(void *arg)
{
	struct run_snapshot *s = arg;
	uint64_t one = 1;

	s->err = (struct err){ 0 };
	s->ledger = (struct run_ledger){ .at_ns = mono_ns() };
	s->has_gc = false;
	s->rc = keep_open(s);
	if (!s->rc) {
		s->rc = collect_report(&s->session, &s->opts, &s->ledger.r, &s->err);
		if (s->rc)
			report_free(&s->ledger.r);
	}
	s->ledger.has = !s->rc;
	if (!s->rc && s->want_gc && s->ledger.r.go.known)
		find_gc(s);
	s->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID); /* the thread is as old as the snapshot */
	(void)!write(s->done_fd, &one, sizeof(one));
	return NULL;
}

int run_snapshot_open(pid_t pid, struct go_cache *c, struct run_snapshot *s, struct err *e)
{
	*s = (struct run_snapshot){ .pid = pid };
	session_init(&s->session, NULL, c);
	s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->done_fd < 0 ? err_set(e, -errno, "eventfd: %s", strerror(errno)) : 0;
}

int run_snapshot_start(struct run_snapshot *s)
{
	int r = s->busy ? EBUSY : pthread_create(&s->thread, NULL, take, s);

	s->busy |= !r;
	return -r;
}

int run_snapshot_take(struct run_snapshot *s, bool wait, struct run_ledger *out)
{
	uint64_t n;

	if (!s->busy || (read(s->done_fd, &n, sizeof(n)) < 0 && !wait))
		return -EAGAIN;
	pthread_join(s->thread, NULL);
	(void)!read(s->done_fd, &n, sizeof(n));
	s->busy = false;
	if (!s->rc)
		*out = s->ledger;
	s->ledger.has = false;
	return s->rc;
}

void run_snapshot_close(struct run_snapshot *s)
{
	struct run_ledger rest = { 0 };

	run_snapshot_take(s, true, &rest);
	run_ledger_free(&rest);
	session_close(&s->session);
	close_fd(&s->done_fd);
}
