/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/status.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_STACK = 8 << 20 };

/* Start of the value behind "key" at the start of a line, or NULL. */
static const char *line_value(const char *text, const char *key)
{
	size_t k = strlen(key);

	for (const char *l = text; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL)
		if (!strncmp(l, key, k))
			return l + k + strspn(l + k, " \t");
	return NULL;
}

static uint64_t field_or_0(const char *text, const char *key)
{
	uint64_t x = 0;

	return text_field_u64(text, key, &x) ? x : 0;
}

/* NSpid (kernel ≥ 4.1): one number for each nested namespace, the innermost last. */
static int32_t innermost_pid(const char *text)
{
	const char *v = line_value(text, "NSpid:");
	int32_t pid = 0;

	for (; v && *v && *v != '\n'; v += strspn(v, " \t")) {
		char *end;
		long x = strtol(v, &end, 10);

		if (end == v || x < 0 || x > INT32_MAX)
			return 0;
		pid = x;
		v = end;
	}
	return pid;
}

int proc_status_parse(const char *text, struct proc_status *out)
{
	struct proc_status s = { 0 };
	const char *name = line_value(text, "Name:");
	uint64_t threads, pid;
	size_t n;

	if (!name || !text_field_u64(text, "Threads:", &threads) || threads > UINT32_MAX ||
	    !text_field_u64(text, "Pid:", &pid) || pid > INT32_MAX)
		return -EINVAL;
	n = strcspn(name, "\n");
	if (n >= sizeof(s.comm))
		n = sizeof(s.comm) - 1;
	memcpy(s.comm, name, n);
	s.threads = threads;
	s.ns_pid = innermost_pid(text);
	if (!s.ns_pid)
		s.ns_pid = pid;
	s.vm_rss = field_or_0(text, "VmRSS:");
	s.vm_hwm = field_or_0(text, "VmHWM:");
	s.vm_pte = field_or_0(text, "VmPTE:");
	s.vm_swap = field_or_0(text, "VmSwap:");
	s.vm_stk = field_or_0(text, "VmStk:");
	s.rss_anon = field_or_0(text, "RssAnon:");
	s.rss_file = field_or_0(text, "RssFile:");
	s.rss_shmem = field_or_0(text, "RssShmem:");
	s.kernel_thread = !line_value(text, "VmRSS:") && !line_value(text, "VmSize:");
	*out = s;
	return 0;
}

/* fs/proc/array.c do_task_stat(): comm is in parentheses and may itself hold any of them. */
int proc_stat_parse(const char *text, struct proc_stat *out)
{
	const char *p = strrchr(text, ')');
	unsigned long long minflt, majflt, start;
	char state;

	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %llu %*u %llu %*u %*u %*u %*d %*d %*d %*d "
			 "%*d %*d %llu",
			 &state, &minflt, &majflt, &start) != 4)
		return -EINVAL;
	*out = (struct proc_stat){
		.minflt = minflt, .majflt = majflt, .start_time = start, .state = state
	};
	return 0;
}

static int read_text(const struct proc_texts *m, const char *key, unsigned int seq, struct text *t,
		     struct err *e)
{
	int rc = texts_get(m, key, seq, t);

	if (!rc && !t->n)
		rc = -ESRCH;
	if (rc)
		err_set(e, rc, "/%s of PID %d: %s", key, (int)m->pid, strerror(-rc));
	return rc;
}

static int bad_text(const struct proc_texts *m, const char *key, struct err *e)
{
	return err_set(e, -EINVAL, "/%s of PID %d is not what a kernel writes", key, (int)m->pid);
}

int proc_status_read(const struct proc_texts *m, unsigned int seq, struct proc_status *out,
		     struct err *e)
{
	_text_ struct text t = { 0 };
	int rc = read_text(m, "proc/status", seq, &t, e);

	if (rc)
		return rc;
	return proc_status_parse(t.p, out) ? bad_text(m, "proc/status", e) : 0;
}

int proc_stat_read(const struct proc_texts *m, unsigned int seq, struct proc_stat *out,
		   struct err *e)
{
	_text_ struct text t = { 0 };
	int rc = read_text(m, "proc/stat", seq, &t, e);

	if (rc)
		return rc;
	return proc_stat_parse(t.p, out) ? bad_text(m, "proc/stat", e) : 0;
}

int proc_rollup_read(const struct proc_texts *m, unsigned int seq, struct proc_rollup *out,
		     struct err *e)
{
	_text_ struct text t = { 0 };
	int rc = read_text(m, "proc/smaps_rollup", seq, &t, e);
	struct proc_rollup r = { 0 };

	if (rc)
		return rc;
	if (!text_field_u64(t.p, "Rss:", &r.rss))
		return bad_text(m, "proc/smaps_rollup", e);
	r.pss = field_or_0(t.p, "Pss:");
	r.anon_huge = field_or_0(t.p, "AnonHugePages:");
	r.swap = field_or_0(t.p, "Swap:");
	r.anonymous = field_or_0(t.p, "Anonymous:");
	r.lazyfree = field_or_0(t.p, "LazyFree:");
	*out = r;
	return 0;
}

uint64_t proc_stack_limit(const struct proc_texts *m)
{
	_text_ struct text t = { 0 };
	uint64_t x;

	if (texts_get(m, "proc/limits", 0, &t) || !t.n)
		return DEFAULT_STACK;
	return text_field_u64(t.p, "Max stack size", &x) && x ? x : DEFAULT_STACK;
}
