/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's texts of a process, of cgroups, of the host. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
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

/* As getdents64(2) writes it. */
struct dirent64 {
	uint64_t ino, off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int list_tasks(int proc_fd, struct text *out)
{
	_close_ int fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(8) char buf[16 << 10];
	VEC(long) tid = { 0 };
	long n = fd < 0 ? -1 : 1;
	int rc = 0;

	while (!rc && n > 0 && tid.n < HANDLE_TASKS_MAX) {
		n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
		for (long i = 0; i < n && !rc; i += ((struct dirent64 *)(buf + i))->len) {
			const struct dirent64 *d = (struct dirent64 *)(buf + i);

			if (d->name[0] >= '0' && d->name[0] <= '9')
				rc = vec_push(&tid, strtol(d->name, NULL, 10));
		}
	}
	if (n < 0)
		rc = -errno;
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

/* Files of a process that come in pieces, mapping by mapping: only an empty read is their end. */
static bool is_in_pieces(const char *name)
{
	static const char *const in_pieces[] = { "maps", "smaps", "mountinfo", "cmdline" };

	for (size_t i = 0; i < ARRAY_LEN(in_pieces); i++)
		if (!strcmp(name, in_pieces[i]))
			return true;
	return false;
}

static int read_open(int fd, bool in_pieces, struct text *out)
{
	if (fd < 0)
		return -errno;
	return in_pieces ? text_read_fd(fd, HANDLE_TEXT_MAX, out)
			 : text_read_whole(fd, HANDLE_TEXT_MAX, out);
}

static int proc_text(struct handle *h, const char *name, struct text *out)
{
	_close_ int fd = -1;

	for (int i = 0; i < HELD_COUNT; i++)
		if (!strcmp(name, held_names[i])) {
			int rc = handle_held(h, i);

			return rc < 0 ? rc : read_open(rc, i == HELD_MAPS, out);
		}
	if (!is_tame(name))
		return -EINVAL;
	if (!strcmp(name, "exe"))
		return read_link(h->proc_fd, name, out);
	if (!strcmp(name, "task"))
		return list_tasks(h->proc_fd, out);
	fd = openat(h->proc_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return read_open(fd, is_in_pieces(name), out);
}

/* Only folders of the cgroup file systems: the path comes from the target's own /proc/PID/cgroup.
 */
static int open_cgroup(const char *dir)
{
	_close_ int fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	int out;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) ||
	    (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC))
		return -EPERM;
	out = fd;
	fd = -1;
	return out;
}

/* A file of the folder that is kept open, or of one above it in the same mount. */
static int open_near(const struct handle *h, const char *dir, const char *base)
{
	const char *kept = h->cgroup_path;
	size_t n = strlen(dir), used = 0;
	char up[4096] = "";

	if (h->cgroup < 0 || !n || strncmp(kept, dir, n) || (kept[n] && kept[n] != '/'))
		return -ENOENT;
	for (const char *p = kept + n; *p && used + 4 < sizeof(up); p++)
		if (*p == '/')
			used += snprintf(up + used, sizeof(up) - used, "../");
	if (used + strlen(base) >= sizeof(up))
		return -ENAMETOOLONG;
	strcpy(up + used, base);
	return used ? file_open_within(h->cgroup, up)
		    : openat(h->cgroup, up, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* The folder stays open for its other files. */
static void keep_cgroup(struct handle *h, const char *dir, int *fd)
{
	char *path = strdup(dir);

	if (!path)
		return;
	close_fd(&h->cgroup);
	close_fd(&h->usage);
	free(h->cgroup_path);
	h->cgroup_path = path;
	h->cgroup = *fd;
	*fd = -1;
}

/* Of the folder that is kept open the file that ticks read stays open, too. */
static int *usage_file(struct handle *h, const char *dir, const char *base)
{
	return h->cgroup_path && !strcmp(dir, h->cgroup_path) &&
			       (!strcmp(base, "memory.current") ||
				!strcmp(base, "memory.usage_in_bytes"))
		       ? &h->usage
		       : NULL;
}

static int cgroup_text(struct handle *h, const char *path, struct text *out)
{
	_close_ int near = -1, at = -1, fd = -1;
	const char *base = strrchr(path, '/');
	size_t before = out->n;
	char dir[4096];
	int rc, *kept;

	if (*path != '/' || !base[1] || !is_tame(path + 1) || (size_t)(base - path) >= sizeof(dir))
		return -EINVAL;
	snprintf(dir, sizeof(dir), "%.*s", (int)(base - path), path);
	kept = usage_file(h, dir, base + 1);
	if (kept && *kept >= 0 && !text_read_whole(*kept, HANDLE_TEXT_MAX, out))
		return 0;
	out->n = before;
	near = open_near(h, dir, base + 1);
	if (near >= 0 && !text_read_whole(near, HANDLE_TEXT_MAX, out)) {
		if (kept) {
			close_fd(kept);
			*kept = near;
			near = -1;
		}
		return 0;
	}
	out->n = before; /* the cgroup may be gone, and another have its name */
	at = open_cgroup(dir);
	if (at < 0)
		return at;
	fd = openat(at, base + 1, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	rc = read_open(fd, false, out);
	if (!rc)
		keep_cgroup(h, dir, &at);
	return rc;
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
	_close_ int fd = -1;
	struct utsname u;

	if (!strcmp(name, "page_size"))
		return text_printf(out, "%u\n", h->page_size);
	if (!strcmp(name, "rss_counters"))
		return text_printf(out, "%s\n", rss_counters_exact() ? "exact" : "batched");
	if (!strcmp(name, "uname"))
		return uname(&u) ? -errno : text_printf(out, "%s\n%s\n", u.release, u.machine);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(name, files[i].name)) {
			fd = open(files[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
			return read_open(fd, is_in_pieces(name), out);
		}
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
