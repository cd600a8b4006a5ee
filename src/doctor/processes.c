/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor's questions about looking at processes, cgroups and capabilities. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"
#include "doctor/doctor.h"
#include "proc/cgroup.h"
#include "source/pagemap.h"
#include "proc/rss.h"

#define AREA_REPORT "report"

enum { MAX_FILE = 1 << 20 };

/* Whether the capability (CAP_* of linux/capability.h) is effective. */
static bool has_cap(int cap)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	if (syscall(SYS_capget, &h, d))
		return false;
	return d[cap / 32].effective >> (cap % 32) & 1;
}

/* ---- looking at processes */

static int check_ptrace(struct doctor *d)
{
	_text_ struct text t = { 0 };
	bool cap = has_cap(CAP_SYS_PTRACE);
	struct doctor_row *r;
	uint64_t scope = 0;

	if (doctor_add(d, AREA_REPORT, "other users' processes", &r))
		return -ENOMEM;
	r->state = cap ? DOCTOR_WORKS : DOCTOR_MISSING;
	doctor_say(r->found, "CAP_SYS_PTRACE %s", cap ? "effective" : "missing");
	if (!cap) {
		doctor_say(r->instead, "processes of this user only");
		doctor_say(r->get, "run as root; docker: --cap-add SYS_PTRACE");
	}
	if (doctor_add(d, AREA_REPORT, "yama", &r))
		return -ENOMEM;
	if (text_read_at(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", MAX_FILE, &t) || !t.p) {
		doctor_say(r->found, "Yama LSM not enabled");
		return 0;
	}
	scope = strtoull(t.p, NULL, 10);
	r->state = scope >= 3 || (scope && !cap) ? DOCTOR_MISSING : DOCTOR_WORKS;
	doctor_say(r->found, "kernel.yama.ptrace_scope is %" PRIu64, scope);
	if (r->state == DOCTOR_WORKS)
		return 0;
	doctor_say(r->instead,
		   "memory of other processes cannot be read: mappings only, no Go parts");
	if (scope >= 3)
		doctor_say(r->get, "reboot: 3 cannot be lowered at run time");
	else
		doctor_say(r->get, "CAP_SYS_PTRACE, or sysctl kernel.yama.ptrace_scope=0");
	return 0;
}

static int check_hidepid(struct doctor *d)
{
	_text_ struct text t = { 0 };
	struct doctor_row *r;
	char *save = NULL, hide[32] = "";
	bool mounted = false;

	if (doctor_add(d, AREA_REPORT, "/proc", &r))
		return -ENOMEM;
	if (!text_read_at(AT_FDCWD, "/proc/self/mounts", MAX_FILE, &t) && t.p)
		for (char *l = strtok_r(t.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			const char *at = strstr(l, " /proc proc "), *opt;

			if (!at)
				continue;
			mounted = true;
			opt = strstr(at, "hidepid=");
			snprintf(hide, sizeof(hide), "%.*s", opt ? (int)strcspn(opt, ", ") : 0,
				 opt ? opt : "");
		}
	r->state = mounted ? DOCTOR_WORKS : DOCTOR_MISSING;
	doctor_say(r->found, "%s%s%s", mounted ? "mounted" : "not mounted", *hide ? ", " : "",
		   hide);
	if (!mounted) {
		doctor_say(r->instead, "only captures and core files can be reported on");
		doctor_say(r->get, "mount -t proc proc /proc");
	} else if (*hide && strcmp(hide, "hidepid=0") && strcmp(hide, "hidepid=off") &&
		   !has_cap(CAP_SYS_PTRACE)) {
		r->state = DOCTOR_MISSING;
		doctor_say(r->instead, "other users' processes are hidden");
		doctor_say(r->get, "run as root, or mount -o remount,hidepid=0 /proc");
	}
	return 0;
}

static int check_reading(struct doctor *d)
{
	struct doctor_row *r;
	int here = 42, there = 0;
	struct iovec to = { &there, sizeof(there) }, from = { &here, sizeof(here) };
	_close_ int fd = syscall(SYS_pidfd_open, getpid(), 0);

	if (doctor_add(d, AREA_REPORT, "pidfd", &r))
		return -ENOMEM;
	r->state = fd >= 0 ? DOCTOR_WORKS : DOCTOR_FALLBACK;
	doctor_say(r->found, "%s", fd >= 0 ? "pidfd_open works" : strerror(errno));
	if (fd < 0) {
		doctor_say(r->instead, "a reused PID is detected by start time only");
		doctor_say(r->get, "Linux 5.3; in a container, a seccomp profile that allows it");
	}
	if (doctor_add(d, AREA_REPORT, "process_vm_readv", &r))
		return -ENOMEM;
	if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof(here) && there == here) {
		doctor_say(r->found, "works");
		return 0;
	}
	r->state = DOCTOR_FALLBACK;
	doctor_say(r->found, "%s", strerror(errno));
	doctor_say(r->instead, "/proc/PID/mem: slower");
	doctor_say(r->get, "a seccomp profile that allows it (docker: --cap-add SYS_PTRACE)");
	return 0;
}

static int check_pagemap(struct doctor *d)
{
	_close_ int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct doctor_row *r;
	struct pagemap pm;
	int rc = self < 0 ? -errno : pagemap_open(self, sysconf(_SC_PAGESIZE), &pm);

	if (doctor_add(d, AREA_REPORT, "page map", &r))
		return -ENOMEM;
	if (rc) {
		r->state = DOCTOR_MISSING;
		doctor_say(r->found, "/proc/PID/pagemap: %s", strerror(-rc));
		doctor_say(r->instead, "no report of live processes");
		doctor_say(r->get, "CONFIG_PROC_PAGE_MONITOR, and /proc mounted");
		return 0;
	}
	r->state = pm.scan ? DOCTOR_WORKS : DOCTOR_FALLBACK;
	doctor_say(r->found, "%s", pm.scan ? "PAGEMAP_SCAN works" : "no PAGEMAP_SCAN");
	if (!pm.scan) {
		doctor_say(r->instead, "/proc/PID/pagemap entry by entry: slower");
		doctor_say(r->get, "Linux 6.7");
	}
	rc = doctor_add(d, AREA_REPORT, "page frame numbers", &r);
	if (!rc && !pm.zero_pfn) {
		r->state = pm.scan ? DOCTOR_FALLBACK : DOCTOR_MISSING;
		doctor_say(r->found, "hidden");
		if (pm.scan)
			doctor_say(r->instead, "PAGEMAP_SCAN still identifies the zero page");
		else
			doctor_say(r->instead, "zero pages count as resident, unlike in "
					       "smaps");
		doctor_say(r->get, "CAP_SYS_ADMIN");
	} else if (!rc) {
		doctor_say(r->found, "visible");
	}
	pagemap_close(&pm);
	return rc;
}

/* The first mapping of a file: whether it opens through map_files. */
static int check_map_files(struct doctor *d)
{
	_text_ struct text t = { 0 };
	uint64_t start = 0, end = 0;
	struct doctor_row *r;
	char path[96];
	int fd = -1;

	if (doctor_add(d, AREA_REPORT, "map_files", &r))
		return -ENOMEM;
	if (!text_read_at(AT_FDCWD, "/proc/self/maps", MAX_FILE, &t) && t.p)
		sscanf(t.p, "%" SCNx64 "-%" SCNx64, &start, &end);
	snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, start, end);
	errno = ENOENT;
	if (end)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		doctor_say(r->found, "mapped files can be opened, also deleted ones");
		return 0;
	}
	r->state = DOCTOR_FALLBACK;
	doctor_say(r->found, "%s", strerror(errno));
	doctor_say(r->instead, "files are opened through /proc/PID/root and /proc/PID/exe; deleted "
			       "libraries cannot be read");
	doctor_say(r->get, "CAP_SYS_ADMIN, or CAP_CHECKPOINT_RESTORE from Linux 5.9");
	return 0;
}

static int check_rollup(struct doctor *d)
{
	_text_ struct text t = { 0 };
	struct doctor_row *r;
	int rc;

	if (doctor_add(d, AREA_REPORT, "RSS counters", &r))
		return -ENOMEM;
	doctor_say(r->found, "/proc/PID/statm is exact");
	if (!rss_counters_exact()) {
		r->state = DOCTOR_FALLBACK;
		doctor_say(r->found, "/proc/PID/statm lags");
		doctor_say(r->instead, "RSS before and after from smaps_rollup: slower");
		doctor_say(r->get, "Linux 6.17, or Debian 13's 6.12");
	}
	if (doctor_add(d, AREA_REPORT, "smaps_rollup", &r))
		return -ENOMEM;
	rc = text_read_at(AT_FDCWD, "/proc/self/smaps_rollup", MAX_FILE, &t);
	doctor_say(r->found, "%s", rc ? strerror(-rc) : "RSS before and after is exact");
	if (rc) {
		r->state = DOCTOR_MISSING;
		doctor_say(r->instead, "no RSS before and after the snapshot");
		doctor_say(r->get, "Linux 4.14");
	}
	return 0;
}

static int check_seccomp(struct doctor *d)
{
	_text_ struct text t = { 0 };
	struct doctor_row *r;
	uint64_t mode = 0;

	if (text_read_at(AT_FDCWD, "/proc/self/status", MAX_FILE, &t) || !t.p ||
	    !text_field_u64(t.p, "Seccomp:", &mode) || !mode)
		return 0;
	if (doctor_add(d, AREA_REPORT, "seccomp", &r))
		return -ENOMEM;
	r->state = DOCTOR_FALLBACK;
	doctor_say(r->found, "a filter is active; it may explain features missing above");
	doctor_say(r->get, "docker: --security-opt seccomp=unconfined");
	return 0;
}

int doctor_processes(struct doctor *d)
{
	static doctor_fn *const fn[] = { check_ptrace,	check_hidepid,	 check_reading,
					 check_pagemap, check_map_files, check_rollup,
					 check_seccomp };

	for (size_t i = 0; i < ARRAY_LEN(fn); i++)
		if (fn[i](d))
			return -ENOMEM;
	return 0;
}

/* ---- cgroups */

/* Our own texts, as a report reads a target's. */
static int own_text(void *ctx, const char *key, unsigned int seq, struct text *out)
{
	(void)ctx;
	(void)seq;
	if (!strcmp(key, "proc/cgroup"))
		return text_read_at(AT_FDCWD, "/proc/self/cgroup", MAX_FILE, out);
	if (!strcmp(key, "host/mountinfo"))
		return text_read_at(AT_FDCWD, "/proc/self/mountinfo", MAX_FILE, out);
	if (!strncmp(key, "cgroup/", 7))
		return text_read_at(AT_FDCWD, key + 6, MAX_FILE, out);
	return -ENOENT;
}

int doctor_cgroups(struct doctor *d)
{
	const struct proc_texts self = { .get = own_text, .pid = getpid(), .page_size = 4096 };
	_cleanup_(cgroup_free) struct cgroup c = { 0 };
	struct doctor_row *r;
	struct err e = { 0 };

	if (doctor_add(d, AREA_REPORT, "memory cgroup", &r))
		return -ENOMEM;
	if (!cgroup_read(&self, &c, &e) && c.version && c.rows.n) {
		doctor_say(r->found, "v%d, read at %.200s", c.version, c.dir);
		return 0;
	}
	r->state = DOCTOR_MISSING;
	doctor_say(r->found, "%.200s",
		   c.missing[0]	   ? c.missing
		   : c.no_limit[0] ? c.no_limit
				   : e.text);
	doctor_say(r->instead, "no usage and limit; headroom is the host's");
	doctor_say(r->get, "mount a hierarchy with the memory controller where rsscope sees it: "
			   "mount -t cgroup2 none /sys/fs/cgroup");
	return 0;
}

/* ---- capabilities */

int doctor_capabilities(struct doctor *d)
{
	static const struct {
		int cap;
		const char *name, *use;
		bool admin; /* CAP_SYS_ADMIN does as well */
	} caps[] = {
		{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "for other users' processes", false },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "for page frame numbers, and all of BPF", false },
		{ CAP_BPF, "CAP_BPF", "to load probes (Linux 5.8)", true },
		{ CAP_PERFMON, "CAP_PERFMON", "to attach probes (Linux 5.8)", true },
		{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", "map_files (Linux 5.9)", true },
		{ CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE",
		  "to raise RLIMIT_MEMLOCK for probes (before Linux 5.11)", false },
	};
	struct doctor_row *r;

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		bool has = has_cap(caps[i].cap);
		bool admin = caps[i].admin && has_cap(CAP_SYS_ADMIN);

		if (doctor_add(d, "privileges", caps[i].name, &r))
			return -ENOMEM;
		r->state = has ? DOCTOR_WORKS : admin ? DOCTOR_FALLBACK : DOCTOR_MISSING;
		doctor_say(r->found, "%seffective; %s", has ? "" : "not ", caps[i].use);
		if (admin && !has)
			doctor_say(r->instead, "CAP_SYS_ADMIN covers it");
	}
	return 0;
}
