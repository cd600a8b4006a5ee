/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening a process, and whether it is still the same. Its texts are handle_text.c, its files
 * handle_file.c. */
#include "source/handle_impl.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proc/status.h"
#include "rsscope/capture.h"

struct handle *handle_new(enum memsrc_kind kind)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->kind = kind;
	h->page_size = sysconf(_SC_PAGESIZE);
	h->cgroup = h->usage = h->opener = h->file = h->proc_fd = h->pidfd = h->mem =
		h->pagemap.fd = h->pagemap.kflags = -1;
	for (int i = 0; i < HELD_COUNT; i++)
		h->held[i] = -1;
	return h;
}

/* What is bound to the address space. */
static void close_memory(struct handle *h)
{
	pagemap_close(&h->pagemap);
	close_fd(&h->mem);
	close_fd(&h->held[HELD_MAPS]);
	close_fd(&h->held[HELD_ROLLUP]);
}

void handle_close(struct handle *h)
{
	if (!h)
		return;
	if (h->opener >= 0)
		handle_ask_drop(h);
	close_memory(h);
	for (int i = 0; i < HELD_COUNT; i++)
		close_fd(&h->held[i]);
	close_fd(&h->proc_fd);
	close_fd(&h->pidfd);
	close_fd(&h->file);
	close_fd(&h->cgroup);
	close_fd(&h->usage);
	free(h->cgroup_path);
	free(h->path);
	free(h);
}

enum memsrc_kind handle_kind(const struct handle *h)
{
	return h->kind;
}

pid_t handle_pid(const struct handle *h)
{
	return h->pid;
}

uint32_t handle_page_size(const struct handle *h)
{
	return h->page_size;
}

uint64_t handle_start_time(const struct handle *h)
{
	return h->start_time;
}

int handle_cpu_time(const struct handle *h, uint64_t *ns)
{
	struct timespec t;
	clockid_t clock;

	if (h->kind != MEMSRC_LIVE)
		return -ENOTSUP;
	if (clock_getcpuclockid(h->pid, &clock) || clock_gettime(clock, &t))
		return -ESRCH;
	*ns = t.tv_sec * 1000000000ULL + t.tv_nsec;
	return 0;
}

int handle_pidfd(const struct handle *h)
{
	return h->pidfd;
}

/* ---- opening a process */

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

static int no_descriptors(int rc, pid_t pid, const char *what, struct err *e)
{
	return err_set(e, rc, "cannot open %s of PID %d: %s; raise ulimit -n", what, (int)pid,
		       strerror(-rc));
}

static int not_permitted(int rc, pid_t pid, const char *what, struct err *e)
{
	char hint[64];

	if (rc == -EMFILE || rc == -ENFILE)
		return no_descriptors(rc, pid, what, e);
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
			       "/proc is not mounted: cannot read processes; mount -t proc proc "
			       "/proc");
	n = readlink("/proc/self", self, sizeof(self) - 1);
	if (n < 0)
		n = 0;
	self[n] = 0;
	if (atoi(self) != getpid())
		return err_set(e, -EACCES,
			       "/proc belongs to another PID namespace than rsscope: PIDs would "
			       "not match; mount /proc of this namespace, or run in that one");
	return 0;
}

static int no_such_pid(const struct handle *h, int rc, struct err *e)
{
	if (rc == -EMFILE || rc == -ENFILE)
		return no_descriptors(rc, h->pid, "/proc", e);
	/* hidepid=2 hides processes of others; a pidfd does not care */
	if (h->pidfd >= 0)
		return err_set(e, -EACCES,
			       "PID %d exists, but /proc/%d is hidden from us (hidepid mount "
			       "option); run as root, or as a member of the group in gid=",
			       (int)h->pid, (int)h->pid);
	return err_set(e, is_gone(rc) ? -ESRCH : rc, "no process with PID %d", (int)h->pid);
}

static int open_identity(struct handle *h, struct err *e)
{
	char path[32];
	int err;

	h->pidfd = syscall(SYS_pidfd_open, h->pid, 0);
	err = errno;
	snprintf(path, sizeof(path), "/proc/%d", (int)h->pid);
	h->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->proc_fd < 0)
		return no_such_pid(h, -errno, e);
	/* ESRCH: went in between. Kernels before 5.3 (ENOSYS) and seccomp: do without. */
	if (h->pidfd < 0 && err == ESRCH)
		return err_set(e, -ESRCH, "no process with PID %d", (int)h->pid);
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

static int check_kind(struct handle *h, struct err *e)
{
	_text_ struct text stat = { 0 }, status = { 0 };
	int rc = handle_text(h, "proc/stat", &stat), pid = h->pid;
	struct proc_stat st;
	uint64_t tgid;

	if (!rc)
		rc = handle_text(h, "proc/status", &status);
	if (rc)
		return is_gone(rc) ? err_set(e, -ESRCH, "PID %d has just exited", pid)
				   : not_permitted(rc, pid, "/proc/PID/stat", e);
	if (!stat.p || !status.p || proc_stat_parse(stat.p, &st))
		return err_set(e, -EINVAL, "/proc/%d/stat is not what a kernel writes", pid);
	if (text_field_u64(status.p, "Tgid:", &tgid) && tgid != (uint64_t)pid)
		return err_set(e, -ESRCH, "%d is a thread of process %d: use -p %d", pid, (int)tgid,
			       (int)tgid);
	if (is_kernel_thread(stat.p))
		return err_set(e, -ENODATA,
			       "PID %d is a kernel thread: it has no memory of its own", pid);
	if (st.state == 'Z' || st.state == 'X')
		return err_set(e, -ESRCH, "PID %d is a zombie; its memory is gone", pid);
	h->start_time = st.start_time;
	return 0;
}

static int open_memory(struct handle *h, struct err *e)
{
	const char *what = "the page map";
	int rc = pagemap_open(h->proc_fd, h->page_size, &h->pagemap);

	if (!rc) {
		what = "the memory";
		h->mem = openat(h->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
		rc = h->mem < 0 ? -errno : 0;
	}
	if (!rc) {
		what = "the mappings";
		rc = handle_held(h, HELD_MAPS);
		rc = rc < 0 ? rc : 0;
	}
	if (is_gone(rc))
		return err_set(e, -ESRCH, "PID %d has just exited", (int)h->pid);
	return rc ? not_permitted(rc, h->pid, what, e) : 0;
}

int handle_open_live(pid_t pid, struct handle **out, struct err *e)
{
	struct handle *h;
	int rc;

	if (pid <= 0)
		return err_set(e, -ESRCH, "%d is not a PID", (int)pid);
	rc = check_procfs(e);
	if (rc)
		return rc;
	h = handle_new(MEMSRC_LIVE);
	if (!h)
		return -ENOMEM;
	h->pid = pid;
	rc = open_identity(h, e);
	if (!rc)
		rc = check_kind(h, e);
	if (!rc)
		rc = open_memory(h, e);
	if (rc) {
		handle_close(h);
		return rc;
	}
	*out = h;
	return 0;
}

int handle_hold(struct handle *h)
{
	for (int i = 0; i < HELD_COUNT && h->kind == MEMSRC_LIVE; i++) {
		int rc = handle_held(h, i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void handle_rest(struct handle *h)
{
	if (h->received || h->opener >= 0)
		return;
	close_fd(&h->held[HELD_STAT]);
	close_fd(&h->held[HELD_STATUS]);
	close_fd(&h->held[HELD_ROLLUP]);
}

/* ---- the same process? */

static bool has_ended(const struct handle *h)
{
	struct pollfd p = { .fd = h->pidfd, .events = POLLIN };

	return h->pidfd >= 0 && poll(&p, 1, 0) != 0;
}

int handle_alive(struct handle *h)
{
	_text_ struct text t = { 0 };
	struct proc_stat st;

	if (has_ended(h) || !handle_has_mm(h))
		return -ESRCH;
	/* The files are bound to the process, not to the number: a check of that only. */
	if (handle_text(h, "proc/stat", &t) || !t.p || proc_stat_parse(t.p, &st) ||
	    st.start_time != h->start_time)
		return -ESRCH;
	return 0;
}

enum handle_state handle_check(struct handle *h)
{
	struct pagemap now;

	if (h->kind != MEMSRC_LIVE || handle_has_mm(h))
		return HANDLE_SAME;
	if (has_ended(h) || pagemap_open(h->proc_fd, h->page_size, &now))
		return HANDLE_GONE;
	pagemap_close(&now);
	return HANDLE_EXECED;
}

int handle_reopen(struct handle *h, struct err *e)
{
	struct handle next;
	int rc;

	if (h->kind != MEMSRC_LIVE)
		return 0;
	if (h->received)
		return err_set(e, -ENOTSUP, "PID %d has called execve; open it again", (int)h->pid);
	next = *h;
	next.pagemap.fd = next.pagemap.kflags = next.mem = -1;
	next.held[HELD_MAPS] = next.held[HELD_ROLLUP] = -1;
	rc = open_memory(&next, e);
	if (rc) {
		close_memory(&next);
		return rc;
	}
	close_memory(h);
	*h = next;
	return 0;
}

/* ---- files */

static int kind_of_file(int fd, enum memsrc_kind *kind, uint64_t *size)
{
	uint8_t head[8] = { 0 };
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*size = st.st_size;
	if (!S_ISREG(st.st_mode) || pread(fd, head, sizeof(head), 0) < 0)
		return -EINVAL;
	*kind = MEMSRC_CAPTURE;
	if (!memcmp(head, CAPTURE_MAGIC, sizeof(head)))
		return 0;
	*kind = MEMSRC_CORE;
	return memcmp(head, ELFMAG, SELFMAG) ? -EINVAL : 0;
}

int handle_open_file(const char *path, struct handle **out, struct err *e)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum memsrc_kind kind;
	struct handle *h;
	uint64_t size = 0;
	int rc = fd < 0 ? -errno : kind_of_file(fd, &kind, &size);

	if (rc == -EINVAL)
		return err_set(e, rc, "%s is neither a capture of rsscope nor an ELF core file",
			       path);
	if (rc)
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	h = handle_new(kind);
	if (h)
		h->path = strdup(path);
	if (!h || !h->path) {
		handle_close(h);
		return -ENOMEM;
	}
	h->file = fd;
	fd = -1;
	h->size = size;
	*out = h;
	return 0;
}
