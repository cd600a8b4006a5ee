/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/rss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/status.h"

/* Of a statm file's text: size, resident and the rest, in pages. */
static bool parse_statm(const char *s, unsigned long long *resident)
{
	return sscanf(s, "%*u %llu", resident) == 1;
}

static uint64_t own_pages(int statm)
{
	char buf[256];
	ssize_t n = pread(statm, buf, sizeof(buf) - 1, 0);
	unsigned long long pages;

	buf[n > 0 ? n : 0] = 0;
	return parse_statm(buf, &pages) ? pages : 0;
}

bool rss_counters_exact(void)
{
	enum { TRIES = 5 };
	_close_ int statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	size_t page = sysconf(_SC_PAGESIZE), len = (TRIES + 1) * page;
	uint64_t last = 0;
	bool exact = true;
	volatile char *p;

	if (statm < 0)
		return false;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	/* one page a fault; without huge pages in the kernel (EINVAL) it is so anyway */
	madvise((void *)p, len, MADV_NOHUGEPAGE);
	for (int i = 0; i <= TRIES && exact; i++) {
		uint64_t now;

		p[i * page] = 1;
		now = own_pages(statm);
		/* batches pass on nothing for many pages, then all at once */
		exact = now > last;
		last = now;
	}
	munmap((void *)p, len);
	return exact;
}

bool proc_rss_counted(const struct proc_texts *m)
{
	_text_ struct text counters = { 0 }, thp = { 0 };

	if (texts_get(m, "host/rss_counters", 0, &counters) || !counters.p ||
	    strncmp(counters.p, "exact", 5))
		return false;
	return texts_get(m, "host/thp", 0, &thp) || !thp.p || !strstr(thp.p, "[always]");
}

static int by_rollup(const struct proc_texts *m, unsigned int seq, struct proc_rss *out,
		     struct err *e)
{
	struct proc_rollup r;
	int rc = proc_rollup_read(m, seq, &r, e);

	if (!rc)
		*out = (struct proc_rss){ r.rss, r.anon_huge, true };
	return rc;
}

int proc_rss_read(const struct proc_texts *m, bool counted, unsigned int seq, struct proc_rss *out,
		  struct err *e)
{
	unsigned long long pages;
	_text_ struct text t = { 0 };
	int rc;

	if (!counted)
		return by_rollup(m, seq, out, e);
	rc = texts_get(m, "proc/statm", seq, &t);
	if (!rc && !t.n)
		rc = -ESRCH;
	if (rc)
		return err_set(e, rc, "/proc/statm of PID %d: %s", (int)m->pid, strerror(-rc));
	if (!parse_statm(t.p, &pages))
		return err_set(e, -EINVAL, "/proc/statm of PID %d is not what a kernel writes",
			       (int)m->pid);
	*out = (struct proc_rss){ .rss = pages * m->page_size };
	return 0;
}
