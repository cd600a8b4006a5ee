/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals that are sent to us are the program's, but SIGUSR1. Those that the terminal makes reach
 * our whole process group by themselves, the program included while it is in it.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "observe/run_impl.h"

int run_signals_open(struct run_signals *s, struct err *e)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t all;

	s->fd = -1;
	sigfillset(&all);
	/* Ignored, the child would be reaped without us. */
	if (sigaction(SIGCHLD, &dfl, &s->old_chld) || sigprocmask(SIG_BLOCK, &all, &s->old_mask))
		return err_set(e, -errno, "blocking signals: %s", strerror(errno));
	s->fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->fd < 0 ? err_set(e, -errno, "signalfd: %s", strerror(errno)) : 0;
}

void run_signals_close(struct run_signals *s)
{
	close_fd(&s->fd);
}

/* Whether the kernel sent it on its own account: si_code of kill_pgrp() for a terminal. */
static bool from_terminal(const struct signalfd_siginfo *s)
{
	return s->ssi_code == SI_KERNEL;
}

static bool is_for_child(const struct signalfd_siginfo *s, pid_t child)
{
	pid_t self = getpid();

	if (s->ssi_signo == SIGCHLD)
		return false;
	if (from_terminal(s)) {
		/* A hangup is told to the session's leader alone. */
		if (s->ssi_signo == SIGHUP && getsid(0) == self)
			return true;
		return getpgid(child) != getpgrp();
	}
	/* Our own: a write to a closed pipe. The child's own: it has sent it to the whole group. */
	return (pid_t)s->ssi_pid != self && (pid_t)s->ssi_pid != child;
}

static void pass_on(const struct signalfd_siginfo *s, pid_t child)
{
	if (s->ssi_code == SI_QUEUE)
		sigqueue(child, s->ssi_signo, (union sigval){ .sival_ptr = (void *)s->ssi_ptr });
	else
		kill(child, s->ssi_signo);
}

unsigned int run_signals_take(const struct run_signals *s, pid_t child)
{
	struct signalfd_siginfo one;
	unsigned int came = 0;

	while (read(s->fd, &one, sizeof(one)) == sizeof(one)) {
		came |= one.ssi_signo == SIGUSR1   ? RUN_ASKED
			: one.ssi_signo == SIGCHLD ? RUN_CHILD
						   : RUN_OTHER;
		if (child && one.ssi_signo != SIGUSR1 && is_for_child(&one, child))
			pass_on(&one, child);
	}
	return came;
}

/* As the first process of a container we inherit its orphans. */
static void reap_others(pid_t child)
{
	siginfo_t si;

	do {
		si = (siginfo_t){ 0 };
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) || si.si_pid == child)
			return;
	} while (si.si_pid && waitpid(si.si_pid, NULL, WNOHANG) == si.si_pid);
}

bool run_child_ended(pid_t child)
{
	siginfo_t si = { 0 };

	reap_others(child);
	if (!waitid(P_PID, child, &si, WSTOPPED | WNOHANG) && si.si_pid == child &&
	    (si.si_status == SIGTSTP || si.si_status == SIGTTIN || si.si_status == SIGTTOU))
		raise(SIGSTOP);
	si = (siginfo_t){ 0 };
	/* ECHILD can't be: nobody else reaps it */
	return waitid(P_PID, child, &si, WEXITED | WNOHANG | WNOWAIT) || si.si_pid == child;
}
