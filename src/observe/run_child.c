/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The child that becomes the program. It waits on a pipe until the probes are attached, so that
 * nothing the program does comes before them. It is forked before anything large is loaded: the
 * kernel counts its RSS of now in the program's ru_maxrss.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "observe/run_impl.h"

struct failure {
	int32_t user; /* changing the user failed, not execve */
	int32_t err;
};

/* ---- in the child */

static void give_up(int fd, bool user)
{
	struct failure f = { .user = user, .err = errno };

	(void)!write(fd, &f, sizeof(f));
	_exit(RUN_NOT_FOUND);
}

static int become(const struct run_user *u)
{
	if (setgroups(u->ngroups, u->groups) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid))
		return -1;
	if (u->name[0] && (setenv("USER", u->name, 1) || setenv("LOGNAME", u->name, 1)))
		return -1;
	return u->home[0] ? setenv("HOME", u->home, 1) : 0;
}

static void child_main(char **cmd, const struct run_user *user, const sigset_t *mask,
		       const struct sigaction *chld, int go, int error)
{
	ssize_t n;
	char c;

	if (user && become(user))
		give_up(error, true);
	sigaction(SIGCHLD, chld, NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	do
		n = read(go, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(RUN_FAILED); /* nobody is there to watch */
	execvp(cmd[0], cmd);
	give_up(error, false);
}

/* ---- in the parent */

int run_child_fork(char **cmd, const struct run_user *user, const sigset_t *mask,
		   const struct sigaction *chld, struct run_child *out, struct err *e)
{
	int go[2], error[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	if (pipe2(error, O_CLOEXEC)) {
		int r = err_set(e, -errno, "pipe: %s", strerror(errno));

		close(go[0]);
		close(go[1]);
		return r;
	}
	pid = fork();
	if (!pid) {
		close(go[1]); /* else it would never see its end */
		child_main(cmd, user, mask, chld, go[0], error[1]);
	}
	if (pid < 0)
		err_set(e, -errno, "fork: %s", strerror(errno));
	close(go[0]);
	close(error[1]);
	*out = (struct run_child){ .pid = pid, .go = go[1], .error = error[0] };
	if (pid > 0)
		return 0;
	out->pid = 0;
	run_child_abandon(out);
	return e ? e->code : -EAGAIN;
}

void run_child_abandon(struct run_child *c)
{
	close_fd(&c->go);
	close_fd(&c->error);
	if (c->pid)
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	c->pid = 0;
}

int run_child_exec(struct run_child *c, char **cmd)
{
	struct failure f;
	ssize_t n;

	/* EPIPE: killed while it waited; the loop will see that */
	(void)!write(c->go, "", 1);
	do
		n = read(c->error, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(f)) {
		close_fd(&c->go);
		close_fd(&c->error);
		return 0;
	}
	run_child_abandon(c);
	if (f.user) {
		log_error("changing the user: %s%s", strerror(f.err),
			  f.err == EPERM ? "; --user needs root" : "");
		return RUN_FAILED;
	}
	log_error("cannot run '%s': %s", cmd[0], strerror(f.err));
	return f.err == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}

static int open_program(const char *path)
{
	return access(path, X_OK) ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int run_find_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return open_program(name);
	/* as execvp: an empty entry is the working directory */
	for (const char *p = path ? path : "/bin:/usr/bin", *next; p; p = next) {
		_free_ char *file = NULL;
		int n = strcspn(p, ":"), fd;

		next = p[n] ? p + n + 1 : NULL;
		if (asprintf(&file, "%.*s%s%s", n, p, n ? "/" : "./", name) < 0)
			return -1;
		fd = open_program(file);
		if (fd >= 0)
			return fd;
	}
	return -1;
}
