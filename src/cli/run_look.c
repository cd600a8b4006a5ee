/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at the program while it lives. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "cli/run.h"
#include "cli/watch.h"
#include "collect/collect.h"

void run_ledger_free(struct run_ledger *l)
{
	if (l->has)
		report_free(&l->r);
	l->has = false;
}

static void *look(void *arg)
{
	struct run_look *l = arg;
	struct memsrc *m = NULL;
	uint64_t one = 1;

	l->err = (struct err){ 0 };
	l->ledger = (struct run_ledger){ .at_ns = mono_ns() };
	l->has_gc = false;
	l->rc = memsrc_open_live(l->pid, &m, &l->err);
	if (!l->rc) {
		l->rc = collect_report(m, &l->opts, &l->ledger.r, &l->err);
		if (l->rc)
			report_free(&l->ledger.r);
	}
	l->ledger.has = !l->rc;
	if (!l->rc && l->want_gc && l->ledger.r.go.known) {
		struct watch_target t;

		l->has_gc = !watch_target_open(m, l->opts.cache, &t, NULL) &&
			    t.gc.words[GCV_CYCLE].size;
		l->gc = t.gc;
		watch_target_close(&t);
	}
	memsrc_close(m);
	l->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID); /* the thread is as old as the look */
	(void)!write(l->done_fd, &one, sizeof(one));
	return NULL;
}

int run_look_open(pid_t pid, struct run_look *l, struct err *e)
{
	*l = (struct run_look){ .pid = pid };
	l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return l->done_fd < 0 ? err_set(e, -errno, "eventfd: %s", strerror(errno)) : 0;
}

int run_look_start(struct run_look *l)
{
	int r = l->busy ? EBUSY : pthread_create(&l->thread, NULL, look, l);

	l->busy |= !r;
	return -r;
}

int run_look_take(struct run_look *l, bool wait, struct run_ledger *out)
{
	uint64_t n;

	if (!l->busy || (read(l->done_fd, &n, sizeof(n)) < 0 && !wait))
		return -EAGAIN;
	pthread_join(l->thread, NULL);
	(void)!read(l->done_fd, &n, sizeof(n));
	l->busy = false;
	if (!l->rc)
		*out = l->ledger;
	l->ledger.has = false;
	return l->rc;
}

void run_look_close(struct run_look *l)
{
	struct run_ledger rest = { 0 };

	run_look_take(l, true, &rest);
	run_ledger_free(&rest);
	close_fd(&l->done_fd);
}
