/* SPDX-License-Identifier: BSD-2-Clause */
/* A live process: who it is, its texts, its files. Memory is livemem.c, the page map pagemap.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "source/livemem.h"
#include "source/memsrc_impl.h"
#include "source/pagemap.h"
#include "proc/rss.h"
#include "proc/status.h"

enum {
	TEXT_MAX = 64 << 20,
	TASKS_MAX = 1 << 22, /* PID_MAX_LIMIT */
};

struct live {
	struct memsrc m;
	int proc_fd, pidfd;
	uint64_t start_time; /* clock ticks since boot */
	struct pagemap pagemap;
	struct livemem mem;
};

static struct live *live_of(struct memsrc *m)
{
	return (struct live *)m;
}

/* ---- identity */

static int live_alive(const struct memsrc *m)
{
	const struct live *l = (const struct live *)m;
	struct pollfd p = { .fd = l->pidfd, .events = POLLIN };
	_text_ struct text t = { 0 };
	struct proc_stat st;

	if (l->pidfd >= 0 && poll(&p, 1, 0) != 0)
		return -ESRCH;
	if (!pagemap_has_mm(&l->pagemap))
		return -ESRCH;
	/* proc_fd is bound to the process, not to the number; so this is a check of that only. */
	if (text_read_at(l->proc_fd, "stat", TEXT_MAX, &t) || !t.p || proc_stat_parse(t.p, &st) ||
	    st.start_time != l->start_time)
		return -ESRCH;
	return 0;
}

static int is_gone(int rc)
{
	return rc == -ENOENT || rc == -ESRCH;
}

/* " (kernel.yama.ptrace_scope is 1)" when that may be why, else "". */
static const char *yama_hint(char *buf, size_t n)
{
	_text_ struct text t = { 0 };

	buf[0] = 0;
	if (!text_read_at(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", 64, &t) && t.n &&
	    t.p[0] != '0')
		snprintf(buf, n, " (kernel.yama.ptrace_scope is %c)", t.p[0]);
	return buf;
}

static int not_permitted(int rc, pid_t pid, const char *what, struct err *e)
{
	char hint[64];

	return err_set(e, rc,
		       "cannot read %s of PID %d: %s%s; run as root, or give rsscope "
		       "CAP_SYS_PTRACE (in containers too: --cap-add SYS_PTRACE)",
		       what, (int)pid, strerror(-rc), yama_hint(hint, sizeof(hint)));
}

/* /proc must be procfs, and of our own PID namespace: else numbers name other processes. */
static int check_procfs(struct err *e)
{
	struct statfs fs;
	char self[32];
	ssize_t n;

	if (statfs("/proc", &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return err_set(e, -EACCES,
			       "/proc is not mounted: nothing can be known about processes; "
			       "mount -t proc proc /proc");
	n = readlink("/proc/self", self, sizeof(self) - 1);
	if (n < 0)
		n = 0;
	self[n] = 0;
	if (atoi(self) != getpid())
		return err_set(e, -EACCES,
			       "/proc belongs to another PID namespace than rsscope: PIDs would "
			       "be confused; mount /proc of this namespace, or run in that one");
	return 0;
}

static int no_such_pid(const struct live *l, int rc, struct err *e)
{
	pid_t pid = l->m.pid;

	/* hidepid=2 hides processes of others; a pidfd does not care */
	if (l->pidfd >= 0)
		return err_set(e, -EACCES,
			       "PID %d exists, but /proc/%d is hidden from us (hidepid mount "
			       "option); run as root, or as a member of the group in gid=",
			       (int)pid, (int)pid);
	return err_set(e, is_gone(rc) ? -ESRCH : rc, "no process with PID %d", (int)pid);
}

static int open_identity(struct live *l, struct err *e)
{
	pid_t pid = l->m.pid;
	char path[32];
	int err;

	l->pidfd = syscall(SYS_pidfd_open, pid, 0);
	err = errno;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	l->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->proc_fd < 0)
		return no_such_pid(l, -errno, e);
	/* ESRCH: went in between. Kernels before 5.3 (ENOSYS) and seccomp: do without. */
	if (l->pidfd < 0 && err == ESRCH)
		return err_set(e, -ESRCH, "no process with PID %d", (int)pid);
	return 0;
}

/* PF_KTHREAD in the ninth field of stat, include/linux/sched.h. */
static bool is_kernel_thread(const char *stat)
{
	const char *p = strrchr(stat, ')');
	unsigned long flags;

	return p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
	       (flags & 0x00200000);
}

static int check_kind(struct live *l, struct err *e)
{
	_text_ struct text stat = { 0 }, status = { 0 };
	pid_t pid = l->m.pid;
	struct proc_stat st;
	uint64_t tgid;
	int rc = text_read_at(l->proc_fd, "stat", TEXT_MAX, &stat);

	if (!rc)
		rc = text_read_at(l->proc_fd, "status", TEXT_MAX, &status);
	if (rc)
		return is_gone(rc) ? err_set(e, -ESRCH, "PID %d has just exited", (int)pid)
				   : not_permitted(rc, pid, "/proc/PID/stat", e);
	if (!stat.p || !status.p || proc_stat_parse(stat.p, &st))
		return err_set(e, -EINVAL, "/proc/%d/stat is not what a kernel writes", (int)pid);
	if (text_field_u64(status.p, "Tgid:", &tgid) && tgid != (uint64_t)pid)
		return err_set(e, -ESRCH, "%d is a thread of process %d: use -p %d", (int)pid,
			       (int)tgid, (int)tgid);
	if (is_kernel_thread(stat.p))
		return err_set(e, -ENODATA,
			       "PID %d is a kernel thread: it has no memory of its own", (int)pid);
	if (st.state == 'Z' || st.state == 'X')
		return err_set(e, -ESRCH,
			       "PID %d has exited (its parent has not collected it): its memory is "
			       "gone",
			       (int)pid);
	l->start_time = st.start_time;
	return 0;
}

static int open_memory(struct live *l, struct err *e)
{
	pid_t pid = l->m.pid;
	int rc = pagemap_open(l->proc_fd, l->m.page_size, &l->pagemap);

	if (is_gone(rc))
		return err_set(e, -ESRCH, "PID %d has just exited", (int)pid);
	if (rc)
		return not_permitted(rc, pid, "the page map", e);
	rc = livemem_init(&l->mem, pid, l->proc_fd, l->pidfd, &l->pagemap);
	if (is_gone(rc))
		return err_set(e, -ESRCH, "PID %d has just exited", (int)pid);
	return rc ? not_permitted(rc, pid, "the memory", e) : 0;
}

/* ---- texts */

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
	while (!rc && tid.n < TASKS_MAX && (d = readdir(dir)))
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

static int proc_text(struct live *l, const char *name, struct text *out)
{
	int rc;

	if (!is_tame(name))
		return -EINVAL;
	if (!strcmp(name, "exe"))
		return read_link(l->proc_fd, name, out);
	if (!strcmp(name, "task"))
		return list_tasks(l->proc_fd, out);
	rc = text_read_at(l->proc_fd, name, TEXT_MAX, out);
	return rc ? rc : text_add(out, "", 0);
}

/* Only files of the cgroup file systems: the path comes from the target's own /proc/PID/cgroup. */
static int cgroup_text(const char *path, struct text *out)
{
	_close_ int dir = -1;
	char parent[4096];
	const char *base = strrchr(path, '/');
	struct statfs fs;
	int rc;

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
	rc = text_read_at(dir, base + 1, TEXT_MAX, out);
	return rc ? rc : text_add(out, "", 0);
}

static int host_text(struct live *l, const char *name, struct text *out)
{
	static const struct {
		const char *name, *path;
	} files[] = {
		{ "boot_id", "/proc/sys/kernel/random/boot_id" },
		{ "mountinfo", "/proc/self/mountinfo" },
		{ "meminfo", "/proc/meminfo" },
		{ "thp", "/sys/kernel/mm/transparent_hugepage/enabled" },
		{ "thp_size", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size" },
	};
	struct utsname u;

	if (!strcmp(name, "page_size"))
		return text_printf(out, "%u\n", l->m.page_size);
	if (!strcmp(name, "rss_counters"))
		return text_printf(out, "%s\n", rss_counters_exact() ? "exact" : "batched");
	if (!strcmp(name, "uname"))
		return uname(&u) ? -errno : text_printf(out, "%s\n%s\n", u.release, u.machine);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(name, files[i].name))
			return text_read_at(AT_FDCWD, files[i].path, TEXT_MAX, out);
	return -ENOENT;
}

static int live_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	struct live *l = live_of(m);

	if (!strncmp(key, "proc/", 5))
		return proc_text(l, key + 5, out);
	if (!strncmp(key, "cgroup/", 7))
		return cgroup_text(key + 6, out);
	if (!strncmp(key, "host/", 5))
		return host_text(l, key + 5, out);
	return -ENOENT;
}

/* ---- memory */

static int live_heads(struct memsrc *m, uint64_t start, uint64_t end, size_t each, void *buf)
{
	return livemem_heads(&live_of(m)->mem, start, end, each, buf);
}

static int live_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		     void *buf, size_t len, range_vec *holes)
{
	/* What is looked for has been written: a page that nobody has touched is not it. */
	return livemem_read(&live_of(m)->mem, pass != PASS_DISCOVER, addr, buf, len, holes);
}

static void live_flush(struct memsrc *m)
{
	livemem_flush(&live_of(m)->mem);
}

static int live_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
		      range_vec *out)
{
	struct live *l = live_of(m);

	return pagemap_ranges(&l->pagemap, l->proc_fd, start, end, out);
}

static const char *live_pages_how(const struct memsrc *m)
{
	return pagemap_how(&((const struct live *)m)->pagemap);
}

/* ---- files */

/* By inode, then device: overlayfs and btrfs show other device numbers in maps than in stat. */
static bool same_file(const struct stat *st, const struct vma *v)
{
	return v && v->inode && st->st_ino == v->inode;
}

/* The file at its path as the target sees the tree: its root, its mount namespace. */
static int open_by_path(struct live *l, const char *path, struct stat *st)
{
	_close_ int root = openat(l->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	/* RESOLVE_IN_ROOT: an absolute symlink in there must not lead into our own tree */
	return file_open_regular(root, path + strspn(path, "/"), RESOLVE_IN_ROOT, st);
}

static int live_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	struct live *l = live_of(m);
	const struct vma *v;
	char name[64];
	struct stat st;
	int f, rc;

	if (!strcmp(path, "exe")) {
		f = file_open_regular(l->proc_fd, "exe", 0, &st);
		if (f >= 0)
			*fd = f;
		return f < 0 ? f : 0;
	}
	snprintf(name, sizeof(name), "map_files/%lx-%lx", (unsigned long)start, (unsigned long)end);
	f = file_open_regular(l->proc_fd, name, 0, &st);
	if (f >= 0) {
		*fd = f;
		return 0;
	}
	/* map_files takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, and the exact bounds. */
	rc = f;
	v = livemem_vma(&l->mem, start);
	f = file_open_regular(l->proc_fd, "exe", 0, &st);
	if (f < 0 || !same_file(&st, v)) {
		close_fd(&f);
		if (*path != '/')
			return rc;
		f = open_by_path(l, path, &st);
	}
	if (f >= 0 && same_file(&st, v)) {
		*fd = f;
		return 0;
	}
	if (f < 0 && f != -ENOENT)
		return f;
	close_fd(&f);
	/* deleted or replaced: privilege would have got it */
	return rc == -EPERM ? rc : -ENOENT;
}

/* ---- life */

static void live_close(struct memsrc *m)
{
	struct live *l = live_of(m);

	livemem_deinit(&l->mem);
	pagemap_close(&l->pagemap);
	close_fd(&l->proc_fd);
	close_fd(&l->pidfd);
	free(l);
}

static const struct memsrc_ops live_ops = {
	.alive = live_alive,
	.text = live_text,
	.read = live_read,
	.heads = live_heads,
	.flush = live_flush,
	.pages = live_pages,
	.pages_how = live_pages_how,
	.file = live_file,
	.close = live_close,
};

int memsrc_open_live(pid_t pid, struct memsrc **out, struct err *e)
{
	struct live *l;
	int rc;

	if (pid <= 0)
		return err_set(e, -ESRCH, "%d is not a PID", (int)pid);
	rc = check_procfs(e);
	if (rc)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->m = (struct memsrc){ .ops = &live_ops,
				.kind = MEMSRC_LIVE,
				.pid = pid,
				.page_size = sysconf(_SC_PAGESIZE) };
	l->proc_fd = l->pidfd = l->mem.mem = -1;
	l->pagemap.fd = l->pagemap.kflags = -1;
	rc = open_identity(l, e);
	if (!rc)
		rc = check_kind(l, e);
	if (!rc)
		rc = open_memory(l, e);
	if (rc) {
		memsrc_close(&l->m);
		return rc;
	}
	*out = &l->m;
	return 0;
}

void memsrc_live_force_pagemap(struct memsrc *m)
{
	live_of(m)->pagemap.scan = false;
}

void memsrc_live_force_procmem(struct memsrc *m)
{
	live_of(m)->mem.by_procmem = true;
}
