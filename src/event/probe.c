/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel and our privileges allow: files that exist, and questions to its BTF. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "event/bpflog.h"
#include "event/cpu.h"
#include "event/ev.h"
#include "probe.skel.h"

/* A verifier's log is one message of many lines. */
static int to_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	_free_ char *text = NULL;

	if (!log_verbose() || vasprintf(&text, fmt, ap) < 0)
		return 0;
	for (char *save, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		log_debug("%s", l);
	return 0;
}

int bpflog_load_error(int r, struct err *e)
{
	switch (r) {
	case -EPERM:
		return err_set(e, r,
			       "loading BPF programs: %s; run as root, or give CAP_BPF and "
			       "CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8)",
			       strerror(-r));
	case -ESRCH: /* libbpf: no BTF to relocate against */
		return err_set(e, -ENOTSUP,
			       "this kernel has no BTF (/sys/kernel/btf/vmlinux): probes need a "
			       "kernel built with CONFIG_DEBUG_INFO_BTF=y");
	case -ENOSYS:
		return err_set(e, r,
			       "this kernel has no bpf(2), or the container runtime's seccomp "
			       "profile blocks it");
	}
	/* The verifier's refusals are EACCES and EINVAL: not a matter of privilege. */
	return err_set(e, r == -EACCES ? -EINVAL : r,
		       "this kernel refuses the BPF programs (%s): -v prints the verifier log",
		       strerror(-r));
}

const char *ev_feature_name(enum ev_feature f)
{
	static const char *const name[EVF_COUNT] = {
		[EVF_BTF] = "kernel BTF",
		[EVF_LOAD] = "BPF programs load",
		[EVF_RINGBUF] = "BPF ring buffer",
		[EVF_TRACEFS] = "tracefs",
		[EVF_FENTRY] = "syscall functions (fentry)",
		[EVF_SYSCALLS] = "syscall tracepoints",
		[EVF_RSS_BTF] = "rss_stat (BTF)",
		[EVF_RSS_TP] = "rss_stat tracepoint",
		[EVF_SCHED_BTF] = "thread events (BTF)",
		[EVF_SCHED_TP] = "thread tracepoints",
		[EVF_UPROBE] = "uprobes",
		[EVF_CPU_CLOCK] = "perf cpu-clock",
	};

	return name[f];
}

static void yes(struct ev_features *f, enum ev_feature which)
{
	f->have |= 1U << which;
	f->reason[which][0] = 0;
}

static void no(struct ev_features *f, enum ev_feature which, const char *fmt, ...) PRINTF(3, 4);
static void no(struct ev_features *f, enum ev_feature which, const char *fmt, ...)
{
	va_list ap;

	f->have &= ~(1U << which);
	va_start(ap, fmt);
	vsnprintf(f->reason[which], sizeof(f->reason[which]), fmt, ap);
	va_end(ap);
}

/* With our effective privileges: access(2) asks for the real user's and ignores capabilities. */
static bool can(const char *path, int mode)
{
	return !faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}

/* The directory that libbpf takes: debugfs first, then tracefs (libbpf 1.1, tracefs_path()). */
static const char *tracefs_dir(void)
{
	if (can("/sys/kernel/debug/tracing/events", F_OK))
		return "/sys/kernel/debug/tracing";
	if (can("/sys/kernel/tracing/events", F_OK))
		return "/sys/kernel/tracing";
	return NULL;
}

static void probe_tracepoint(struct ev_features *f, enum ev_feature which, const char *dir,
			     const char *event, const char *config)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/events/%s/id", dir, event);
	if (can(path, R_OK))
		yes(f, which);
	else if (errno == EACCES)
		no(f, which, "%s is not readable: run as root, or give CAP_DAC_READ_SEARCH", path);
	else
		no(f, which, "no tracepoint %s: the kernel needs %s", event, config);
}

static void probe_files(struct ev_features *f)
{
	static const char btf[] = "/sys/kernel/btf/vmlinux";
	static const char pmu[] = "/sys/bus/event_source/devices/uprobe/type";
	const char *dir = tracefs_dir();

	if (can(btf, R_OK))
		yes(f, EVF_BTF);
	else
		no(f, EVF_BTF, "%s: %s; needs a kernel built with CONFIG_DEBUG_INFO_BTF=y", btf,
		   strerror(errno));
	if (can(pmu, R_OK))
		yes(f, EVF_UPROBE);
	else
		no(f, EVF_UPROBE, "%s: %s; needs CONFIG_UPROBE_EVENTS=y and a mounted /sys", pmu,
		   strerror(errno));
	if (!dir) {
		static const char how[] = "tracefs is not mounted or not readable: mount "
					  "-t tracefs nodev /sys/kernel/tracing (as root)";

		no(f, EVF_TRACEFS, "%s", how);
		no(f, EVF_SYSCALLS, "%s", how);
		no(f, EVF_RSS_TP, "%s", how);
		no(f, EVF_SCHED_TP, "%s", how);
		return;
	}
	yes(f, EVF_TRACEFS);
	probe_tracepoint(f, EVF_SYSCALLS, dir, "syscalls/sys_enter_mmap",
			 "CONFIG_FTRACE_SYSCALLS=y");
	probe_tracepoint(f, EVF_RSS_TP, dir, "kmem/rss_stat", "Linux 5.5");
	probe_tracepoint(f, EVF_SCHED_TP, dir, "sched/sched_process_exit", "CONFIG_TRACEPOINTS=y");
}

static void no_bpf(struct ev_features *f, const char *why)
{
	no(f, EVF_LOAD, "%s", why);
	no(f, EVF_RINGBUF, "%s", why);
	no(f, EVF_RSS_BTF, "%s", why);
	no(f, EVF_SCHED_BTF, "%s", why);
	no(f, EVF_FENTRY, "%s", why);
}

static void answer(struct ev_features *f, enum ev_feature which, bool have, const char *needs)
{
	if (have)
		yes(f, which);
	else
		no(f, which, "this kernel's BTF does not have it: needs %s", needs);
}

/* What a refusal is cured by. A tp_btf program of ours has been loaded by then: EPERM is no lack of
 * capabilities. */
static const char *fentry_needs(int r)
{
	switch (r) {
	case -EPERM:
	case -EACCES:
		return "denied by a security policy (capabilities suffice), or no "
		       "CONFIG_FUNCTION_TRACER";
	case -ENOMEM:
		return "out of memory; free some, or raise net.core.bpf_jit_limit";
	default:
		return "needs CONFIG_FUNCTION_TRACER=y, on arm64 Linux 6.4";
	}
}

static void probe_fentry(struct ev_features *f)
{
	struct rsc_probe *s = rsc_probe__open();
	const char *what = "loaded";
	int r = s ? 0 : -errno;

	if (!r) {
		bpf_program__set_autoload(s->progs.probe_btf, false);
		bpf_program__set_autoload(s->progs.probe_fexit, true);
		r = rsc_probe__load(s);
	}
	if (!r) {
		what = "attached";
		s->links.probe_fexit = bpf_program__attach(s->progs.probe_fexit);
		r = s->links.probe_fexit ? 0 : -errno;
	}
	rsc_probe__destroy(s);
	/* ENOTSUPP of the kernel, which libc has no text for */
	if (r == -524)
		r = -ENOTSUP;
	if (r)
		no(f, EVF_FENTRY, "fexit cannot be %s (%s): %s", what, strerror(-r),
		   fentry_needs(r));
	else
		yes(f, EVF_FENTRY);
}

static void probe_btf(struct ev_features *f)
{
	struct rsc_probe *s = NULL;
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct err e = { 0 };
	int r = -errno;

	s = rsc_probe__open();
	r = s ? rsc_probe__load(s) : -errno;
	if (!r)
		r = bpf_prog_test_run_opts(bpf_program__fd(s->progs.probe_btf), &run);
	if (r) {
		bpflog_load_error(r < 0 ? r : -EINVAL, &e);
		no_bpf(f, e.text);
	} else {
		yes(f, EVF_LOAD);
		answer(f, EVF_RINGBUF, s->bss->have_ringbuf, "Linux 5.8");
		answer(f, EVF_RSS_BTF, s->bss->have_rss_trace && s->bss->have_rss_fields,
		       "a known layout of tracepoint rss_stat and of mm_struct.rss_stat");
		answer(f, EVF_SCHED_BTF, s->bss->have_sched_trace,
		       "a known layout of the sched_process tracepoints");
		f->rss_percpu = s->bss->have_rss_percpu;
		if (s->bss->have_tramp_image)
			probe_fentry(f);
		else
			answer(f, EVF_FENTRY, false, "struct bpf_tramp_image, Linux 5.12");
	}
	rsc_probe__destroy(s);
}

static void probe_clock(struct ev_features *f)
{
	int r = ev_cpu_probe();

	if (!r)
		yes(f, EVF_CPU_CLOCK);
	else if (r == -EACCES || r == -EPERM)
		no(f, EVF_CPU_CLOCK, "perf_event_open: %s: run as root, or give CAP_PERFMON",
		   strerror(-r));
	else
		no(f, EVF_CPU_CLOCK, "perf_event_open: %s: the kernel needs CONFIG_PERF_EVENTS=y",
		   strerror(-r));
}

int ev_probe(struct ev_features *out)
{
	struct ev_features f = { 0 };

	libbpf_set_print(to_debug);
	probe_files(&f);
	probe_clock(&f);
	if (f.have >> EVF_BTF & 1)
		probe_btf(&f);
	else
		no_bpf(&f, f.reason[EVF_BTF]);
	*out = f;
	return 0;
}
