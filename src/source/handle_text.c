/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's texts of a process, of cgroups, of the host. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "proc/rss.h"
#include "source/handle_impl.h"
#include "source/userfault.h"

static const char *const held_names[HELD_COUNT] = {
	[HELD_MAPS] = "maps",	  [HELD_STAT] = "stat",		  [HELD_STATM] = "statm",
	[HELD_STATUS] = "status", [HELD_ROLLUP] = "smaps_rollup",
};

int handle_held(struct handle *h, enum held which)
{
	int *fd = &h->held[which];

	if (*fd < 0)
		*fd = openat(h->proc_fd, held_names[which],
			     O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return *fd < 0 ? -errno : *fd;
}

static int by_number(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int list_tasks(int proc_fd, struct text *out)
{
	int fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	_cleanup_(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	VEC(long) tid = { 0 };
	struct dirent *d;

	if (!dir) {
		rc = -errno;
		close_fd(&fd);
		return rc;
	}
	while (!rc && tid.n < HANDLE_TASKS_MAX && (d = readdir(dir)))
		if (d->d_name[0] >= '0' && d->d_name[0] <= '9')
			rc = vec_push(&tid, strtol(d->d_name, NULL, 10));
	if (tid.n)
		qsort(tid.v, tid.n, sizeof(*tid.v), by_number);
	for (size_t i = 0; i < tid.n && !rc; i++)
		rc = text_printf(out, "%ld\n", tid.v[i]);
	if (!rc && !tid.n)
		rc = -ESRCH;
	vec_free(&tid);
	return rc;
}

static int read_link(int dirfd, const char *name, struct text *out)
{
	char path[4096];
	ssize_t n = readlinkat(dirfd, name, path, sizeof(path));

	return n < 0 ? -errno : text_add(out, path, n);
}

/* A relative path that stays below its directory. */
static bool is_tame(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return false;
	return true;
}

/* A text of one line, which comes whole: it needs no second read to see its end. */
static int read_line_fd(int fd, struct text *out)
{
	char line[256];
	ssize_t n = pread(fd, line, sizeof(line), 0);

	if (n < 0)
		return -errno;
	return n < (ssize_t)sizeof(line) ? text_add(out, line, n)
					 : text_read_fd(fd, HANDLE_TEXT_MAX, out);
}

static int proc_text(struct handle *h, const char *name, struct text *out)
{
	int rc;

	for (int i = 0; i < HELD_COUNT; i++)
		if (!strcmp(name, held_names[i])) {
			rc = handle_held(h, i);
			if (rc < 0)
				return rc;
			return i == HELD_STATM ? read_line_fd(rc, out)
					       : text_read_fd(rc, HANDLE_TEXT_MAX, out);
		}
	if (!is_tame(name))
		return -EINVAL;
	if (!strcmp(name, "exe"))
		return read_link(h->proc_fd, name, out);
	if (!strcmp(name, "task"))
		return list_tasks(h->proc_fd, out);
	return text_read_at(h->proc_fd, name, HANDLE_TEXT_MAX, out);
}

/* Only files of the cgroup file systems: the path comes from the target's own /proc/PID/cgroup. */
static int open_cgroup(const char *path, int *fd)
{
	_close_ int dir = -1;
	char parent[4096];
	const char *base = strrchr(path, '/');
	struct statfs fs;

	if (*path != '/' || !base[1] || !is_tame(path + 1) ||
	    (size_t)(base - path) >= sizeof(parent))
		return -EINVAL;
	snprintf(parent, sizeof(parent), "%.*s", (int)(base - path), path);
	dir = open(parent[0] ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (fstatfs(dir, &fs) ||
	    (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC))
		return -EPERM;
	*fd = openat(dir, base + 1, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return *fd < 0 ? -errno : 0;
}

/* What is read again and again: the number that grows. */
static bool is_usage(const char *path)
{
	const char *base = strrchr(path, '/');

	return !strcmp(base, "/memory.current") || !strcmp(base, "/memory.usage_in_bytes");
}

static int cgroup_text(struct handle *h, const char *path, struct text *out)
{
	_close_ int fd = -1;
	size_t before = out->n;
	int rc;

	if (h->usage >= 0 && !strcmp(h->usage_path, path)) {
		rc = read_line_fd(h->usage, out);
		if (!rc)
			return 0;
		out->n = before; /* the cgroup is gone, another may have its name */
	}
	rc = open_cgroup(path, &fd);
	if (!rc)
		rc = text_read_fd(fd, HANDLE_TEXT_MAX, out);
	if (rc || !is_usage(path))
		return rc;
	close_fd(&h->usage);
	free(h->usage_path);
	h->usage_path = strdup(path);
	if (h->usage_path) {
		h->usage = fd;
		fd = -1;
	}
	return 0;
}

static int host_text(struct handle *h, const char *name, struct text *out)
{
	static const struct {
		const char *name, *path;
	} files[] = {
		{ "boot_id", "/proc/sys/kernel/random/boot_id" },
		{ "mountinfo", "/proc/self/mountinfo" },
		{ "meminfo", "/proc/meminfo" },
		{ "thp", "/sys/kernel/mm/transparent_hugepage/enabled" },
		{ "thp_size", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size" },
		{ "userfaultfd", "/sys/kernel/slab/userfaultfd_ctx_cache/objects" },
	};
	struct utsname u;

	if (!strcmp(name, "page_size"))
		return text_printf(out, "%u\n", h->page_size);
	if (!strcmp(name, "rss_counters"))
		return text_printf(out, "%s\n", rss_counters_exact() ? "exact" : "batched");
	if (!strcmp(name, "uname"))
		return uname(&u) ? -errno : text_printf(out, "%s\n%s\n", u.release, u.machine);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(name, files[i].name))
			return text_read_at(AT_FDCWD, files[i].path, HANDLE_TEXT_MAX, out);
	return -ENOENT;
}

/* What needs no opener: what is held, and what this process knows of itself. */
static bool is_at_hand(const struct handle *h, const char *key)
{
	for (int i = 0; i < HELD_COUNT && !strncmp(key, "proc/", 5); i++)
		if (!strcmp(key + 5, held_names[i]))
			return h->held[i] >= 0;
	return !strcmp(key, "host/page_size") || !strcmp(key, "host/rss_counters") ||
	       !strcmp(key, "host/uname");
}

int handle_text(struct handle *h, const char *key, struct text *out)
{
	int rc = -ENOENT;

	if (h->opener >= 0 && !is_at_hand(h, key))
		rc = handle_ask_text(h, key, out);
	else if (!strncmp(key, "proc/", 5))
		rc = proc_text(h, key + 5, out);
	else if (!strncmp(key, "cgroup/", 7))
		rc = cgroup_text(h, key + 6, out);
	else if (!strncmp(key, "host/", 5))
		rc = host_text(h, key + 5, out);
	return rc ? rc : text_add(out, "", 0);
}

int handle_userfault(struct handle *h, range_vec *out)
{
	_text_ struct text objects = { 0 };
	_close_ int fd = -1;
	int rc;

	if (!handle_text(h, "host/userfaultfd", &objects) && userfault_none(objects.p))
		return 0;
	if (h->opener < 0)
		return userfault_read(h->proc_fd, out);
	rc = handle_ask_fd(h, "proc/smaps", &fd);
	return rc ? rc : userfault_parse(fd, out);
}
