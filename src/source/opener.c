/* SPDX-License-Identifier: BSD-2-Clause */
/* The opener: answers requests of a reader that it does not trust. */
#include "source/opener.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/file.h"
#include "base/vec.h"
#include "source/opener_impl.h"

enum { OPENED_MAX = 1 << 16 };

struct opened {
	uint32_t id;
	struct handle *h; /* of which only /proc/PID stays open here */
};

struct opener {
	int sock;
	uint32_t last_id;
	VEC(struct opened) opened; /* by id */
};

/* ---- what may be asked for */

static bool is_number(const char *p, const char *end)
{
	if (p == end)
		return false;
	for (; p < end; p++)
		if (*p < '0' || *p > '9')
			return false;
	return true;
}

/* Not environ, not root/etc/shadow. */
static bool is_known_text(const char *key)
{
	static const char *const process[] = { "status", "stat",    "statm",  "maps",
					       "smaps",	 "limits",  "cgroup", "smaps_rollup",
					       "comm",	 "cmdline", "exe",    "mountinfo",
					       "task" };
	static const char *const thread[] = { "syscall", "comm", "stat" };
	const char *tid, *name;

	if (!strncmp(key, "host/", 5) || !strncmp(key, "cgroup/", 7))
		return true; /* a list of files; files of cgroup file systems */
	if (strncmp(key, "proc/", 5))
		return false;
	key += 5;
	for (size_t i = 0; i < ARRAY_LEN(process); i++)
		if (!strcmp(key, process[i]))
			return true;
	if (strncmp(key, "task/", 5))
		return false;
	tid = key + 5;
	name = strchr(tid, '/');
	if (!name || !is_number(tid, name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		if (!strcmp(name + 1, thread[i]))
			return true;
	return false;
}

/* ---- answers: each gives 0 or -errno, and a descriptor that is then passed and closed */

static int answer_text(struct handle *h, const char *key, int *fd)
{
	_close_ int file = -1;
	_text_ struct text t = { 0 };
	int rc = is_known_text(key) ? handle_text(h, key, &t) : -EACCES;

	if (!rc) {
		file = memfd_create("text", MFD_CLOEXEC);
		rc = file < 0 ? -errno : file_write_all(file, t.p, t.n);
		if (!rc && lseek(file, 0, SEEK_SET) < 0)
			rc = -errno;
	}
	if (rc)
		return rc;
	*fd = file;
	file = -1;
	return 0;
}

static int answer_file(struct handle *h, const struct opener_request *q, int *fd)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	_text_ struct text t = { 0 };
	int rc = handle_file_exact(h, q->key, q->start, q->end, fd);

	if (!rc || !strcmp(q->key, "exe"))
		return rc;
	if (!handle_text(h, "proc/maps", &t))
		maps_parse(t.p, &maps, NULL);
	return handle_file_named(h, q->key, maps_find(&maps, q->start), rc, fd);
}

/* Descriptors of a hundred processes are the reader's; here one of each. */
static void keep_folder_only(struct handle *h)
{
	int *fd[HANDLE_FDS];

	handle_fds(h, fd);
	for (size_t i = 1; i < HANDLE_FDS; i++)
		close_fd(fd[i]);
}

static int answer_open(struct opener *o, pid_t pid, struct opener_reply *r)
{
	struct opened new = { .id = o->last_id + 1 };
	struct err e = { 0 };
	int fd[HANDLE_FDS], rc;
	size_t fds = 0;

	rc = o->opened.n < OPENED_MAX && new.id ? handle_open_live(pid, &new.h, &e) : -EMFILE;
	if (!rc)
		rc = handle_to_wire(new.h, new.id, &r->handle, fd, &fds);
	if (!rc)
		rc = vec_push(&o->opened, new);
	if (rc) {
		handle_close(new.h);
		fds = 0;
	}
	o->last_id += !rc;
	r->rc = rc;
	snprintf(r->text, sizeof(r->text), "%s", e.text);
	rc = fdpass_send(o->sock, r, sizeof(*r), fd, fds);
	if (!r->rc)
		keep_folder_only(new.h);
	return rc;
}

static struct opened *find(struct opener *o, uint32_t id)
{
	for (size_t i = 0; i < o->opened.n; i++)
		if (o->opened.v[i].id == id)
			return &o->opened.v[i];
	return NULL;
}

static void drop(struct opener *o, struct opened *x)
{
	handle_close(x->h);
	*x = o->opened.v[--o->opened.n];
}

/* 0, or -errno of the socket. */
static int answer(struct opener *o, const struct opener_request *q)
{
	struct opened *x = find(o, q->id);
	struct opener_reply r = { .rc = -EBADF };
	_close_ int fd = -1;

	if (q->op == OPENER_OPEN)
		return answer_open(o, q->pid, &r);
	if (q->op == OPENER_DROP) {
		if (x)
			drop(o, x);
		return 0;
	}
	if (x && q->op == OPENER_TEXT)
		r.rc = answer_text(x->h, q->key, &fd);
	else if (x && q->op == OPENER_FILE)
		r.rc = answer_file(x->h, q, &fd);
	if (x)
		keep_folder_only(x->h);
	return fdpass_send(o->sock, &r, sizeof(r), &fd, r.rc ? 0 : 1);
}

int opener_serve(int sock)
{
	struct opener o = { .sock = sock };
	int rc = 0;

	while (!rc) {
		struct opener_request q = { 0 };
		int fd[FDPASS_MAX];
		size_t fds = 0;
		ssize_t n = fdpass_receive(sock, &q, sizeof(q), fd, &fds);

		while (fds) /* nobody sends any */
			close(fd[--fds]);
		if (!n || n == -ECONNRESET)
			break;
		q.key[sizeof(q.key) - 1] = 0;
		if (n == -EMSGSIZE || (n > 0 && n < (ssize_t)offsetof(struct opener_request, key)))
			rc = -EPROTO;
		else
			rc = n < 0 ? (int)n : answer(&o, &q);
	}
	while (o.opened.n)
		drop(&o, o.opened.v);
	vec_free(&o.opened);
	return rc;
}

/* ---- starting it */

/* ^C goes to all processes of a terminal: this one ends with its reader. */
static void serve_and_end(int sock)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "rsscope-opener");
	_exit(opener_serve(sock) ? 1 : 0);
}

int opener_start(int *sock, pid_t *pid, struct err *e)
{
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		rc = -errno;
		return err_set(e, rc, "cannot make a socket for the opener: %s", strerror(-rc));
	}
	*pid = fork();
	if (!*pid) {
		close(pair[1]);
		serve_and_end(pair[0]);
	}
	rc = *pid < 0 ? -errno : 0;
	close(pair[0]);
	if (rc) {
		close(pair[1]);
		return err_set(e, rc, "cannot start the opener: %s", strerror(-rc));
	}
	*sock = pair[1];
	return 0;
}
