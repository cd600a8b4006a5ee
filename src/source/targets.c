/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/targets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum { MAX_PROC_FILE = 1 << 20, MAX_CGROUP_DEPTH = 64, COMM_MAX = 15 };

static int add(struct targets *t, pid_t pid, const char *file, bool listed)
{
	struct target x = { .pid = pid, .listed = listed };

	for (size_t i = 0; pid && i < t->v.n; i++)
		if (t->v.v[i].pid == pid)
			return 0;
	if (file) {
		x.file = strdup(file);
		if (!x.file)
			return -ENOMEM;
	}
	return vec_push(&t->v, x);
}

void targets_free(struct targets *t)
{
	for (size_t i = 0; i < t->v.n; i++)
		free(t->v.v[i].file);
	vec_free(&t->v);
}

/* ---- looking through /proc */

typedef bool match_fn(const char *text, const char *want);

/* Adds every process whose /proc/PID/FILE the function accepts, itself left out. */
static int add_matching(struct targets *t, const char *file, match_fn *match, const char *want)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int rc = 0;

	if (!d)
		return -errno;
	while (!rc && (e = readdir(d))) {
		_text_ struct text text = { 0 };
		char path[300];
		uint64_t pid;

		if (!text_parse_u64(e->d_name, &pid) || pid > INT_MAX || (pid_t)pid == getpid())
			continue;
		snprintf(path, sizeof(path), "%s/%s", e->d_name, file);
		if (text_read_at(dirfd(d), path, MAX_PROC_FILE, &text) || !text.p)
			continue;
		if (match(text.p, want))
			rc = add(t, pid, NULL, true);
	}
	closedir(d);
	return rc;
}

/* The kernel keeps 15 characters of a name. */
static bool match_comm(const char *text, const char *want)
{
	size_t n = strcspn(text, "\n");

	return n == strnlen(want, COMM_MAX) && !strncmp(text, want, n);
}

/* Lines of /proc/PID/cgroup are "ID:CONTROLLERS:PATH"; children of the cgroup belong to it. */
static bool match_cgroup(const char *text, const char *want)
{
	size_t n = strlen(want);

	while (n > 1 && want[n - 1] == '/')
		n--;
	for (const char *l = text; *l; l = strchrnul(l, '\n'), l += *l == '\n') {
		const char *p = memchr(l, ':', strcspn(l, "\n"));

		p = p ? memchr(p + 1, ':', strcspn(p + 1, "\n")) : NULL;
		if (p && !strncmp(p + 1, want, n) &&
		    (p[1 + n] == '\n' || p[1 + n] == '/' || !p[1 + n]))
			return true;
	}
	return false;
}

/* A folder of a cgroup file system: its processes and those of the folders below. */
static int add_cgroup_dir(struct targets *t, int dirfd_, const char *path, int depth)
{
	_close_ int fd = openat(dirfd_, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_text_ struct text procs = { 0 };
	struct dirent *e;
	char *save = NULL;
	DIR *d;
	int rc;

	if (fd < 0)
		return -errno;
	rc = text_read_at(fd, "cgroup.procs", MAX_PROC_FILE * 16, &procs);
	if (rc)
		return rc;
	for (char *l = strtok_r(procs.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		uint64_t pid;

		if (text_parse_u64(l, &pid) && pid && pid <= INT_MAX && (pid_t)pid != getpid() &&
		    add(t, pid, NULL, true))
			return -ENOMEM;
	}
	d = fdopendir(fd);
	if (!d)
		return -errno;
	fd = -1; /* d has it */
	while (!rc && depth < MAX_CGROUP_DEPTH && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			rc = add_cgroup_dir(t, dirfd(d), e->d_name, depth + 1);
	closedir(d);
	return rc;
}

int targets_add_cgroup(struct targets *t, const char *path)
{
	int rc = add_cgroup_dir(t, AT_FDCWD, path, 0);

	return rc == -ENOENT || rc == -ENOTDIR ? add_matching(t, "cgroup", match_cgroup, path) : rc;
}

int targets_add_pid(struct targets *t, pid_t pid)
{
	return add(t, pid, NULL, false);
}

int targets_add_file(struct targets *t, const char *path)
{
	return add(t, 0, path, false);
}

int targets_add_name(struct targets *t, const char *comm)
{
	return add_matching(t, "comm", match_comm, comm);
}

int target_open(const struct target *t, struct memsrc **out, struct err *e)
{
	struct stat st;

	if (!t->file)
		return memsrc_open_live(t->pid, out, e);
	if (stat(t->file, &st) && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, -ENOENT, "no file '%s'; for a process, give a PID or --name COMM",
			       t->file);
	return memsrc_open_file(t->file, out, e);
}
