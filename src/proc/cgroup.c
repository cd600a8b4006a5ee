/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/cgroup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proc/cgroup_mount.h"

/* v1 shows "no limit" as LONG_MAX rounded down to a page (mm/page_counter.c PAGE_COUNTER_MAX). */
#define V1_NO_LIMIT ((1ULL << 63) - 65536)

enum { DEPTH_MAX = 256 };

struct row_kind {
	const char *name;
	enum cgroup_reclaim reclaimable;
};

/* Byte counts of memory.stat, v2 (mm/memcontrol.c memory_stats[] and memcg_stat_format()). What
 * only repeats another row in part (file_mapped, *_thp, active_*) is kept: it tells more. */
static const struct row_kind v2_rows[] = {
	{ "anon", RECLAIM_NO },
	{ "file", RECLAIM_PART }, /* holds shmem, too */
	{ "kernel", RECLAIM_PART },
	{ "kernel_stack", RECLAIM_NO },
	{ "pagetables", RECLAIM_NO },
	{ "sec_pagetables", RECLAIM_NO },
	{ "percpu", RECLAIM_NO },
	{ "sock", RECLAIM_NO },
	{ "vmalloc", RECLAIM_NO },
	{ "shmem", RECLAIM_NO },
	{ "zswap", RECLAIM_PART },
	{ "file_mapped", RECLAIM_PART },
	{ "file_dirty", RECLAIM_PART },
	{ "file_writeback", RECLAIM_PART },
	{ "swapcached", RECLAIM_YES },
	{ "anon_thp", RECLAIM_NO },
	{ "file_thp", RECLAIM_PART },
	{ "shmem_thp", RECLAIM_NO },
	{ "inactive_anon", RECLAIM_NO },
	{ "active_anon", RECLAIM_NO },
	{ "inactive_file", RECLAIM_YES },
	{ "active_file", RECLAIM_YES },
	{ "unevictable", RECLAIM_NO },
	{ "slab_reclaimable", RECLAIM_YES },
	{ "slab_unreclaimable", RECLAIM_NO },
	{ "hugetlb", RECLAIM_NO },
};

/* v1 (mm/memcontrol-v1.c memcg1_stats[]): the total_ line, which counts descendants as usage does,
 * where there is one. */
static const struct row_kind v1_rows[] = {
	{ "cache", RECLAIM_PART },	 { "rss", RECLAIM_NO },
	{ "rss_huge", RECLAIM_NO },	 { "shmem", RECLAIM_NO },
	{ "mapped_file", RECLAIM_PART }, { "dirty", RECLAIM_PART },
	{ "writeback", RECLAIM_PART },	 { "swap", RECLAIM_NO },
	{ "swapcached", RECLAIM_YES },	 { "inactive_anon", RECLAIM_NO },
	{ "active_anon", RECLAIM_NO },	 { "inactive_file", RECLAIM_YES },
	{ "active_file", RECLAIM_YES },	 { "unevictable", RECLAIM_NO },
};

/* What is being read: the source, the result, the depth of the mount point in c->dir. */
struct reader {
	const struct proc_texts *m;
	struct cgroup *c;
	size_t mount_len; /* bytes of c->dir that are the mount point */
};

static void add_missing(struct cgroup *c, const char *fmt, ...) PRINTF(2, 3);

static void add_missing(struct cgroup *c, const char *fmt, ...)
{
	size_t n = strlen(c->missing);
	va_list ap;

	if (n && n + 3 < sizeof(c->missing)) {
		strcpy(c->missing + n, "; ");
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(c->missing + n, sizeof(c->missing) - n, fmt, ap);
	va_end(ap);
}

static void no_limit(struct cgroup *c, const char *fmt, ...) PRINTF(2, 3);

/* The first reason stands. */
static void no_limit(struct cgroup *c, const char *fmt, ...)
{
	va_list ap;

	if (c->no_limit[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->no_limit, sizeof(c->no_limit), fmt, ap);
	va_end(ap);
}

/* ---- where it is */

/* Is `word` one of the comma-separated words of [s, end)? */
static bool has_word(const char *s, const char *end, const char *word)
{
	size_t k = strlen(word);

	while (s < end) {
		const char *comma = memchr(s, ',', end - s);
		size_t n = (comma ? comma : end) - s;

		if (n == k && !memcmp(s, word, k))
			return true;
		s += n + 1;
	}
	return false;
}

/* "5:memory:/docker/x" or "0::/x": copies the path of the memory hierarchy. Version, 0: none. */
static int find_path(const char *text, char *path, size_t size)
{
	int version = 0;

	for (const char *l = text; *l;) {
		const char *end = strchrnul(l, '\n');
		const char *words = memchr(l, ':', end - l);
		const char *p = words ? memchr(words + 1, ':', end - words - 1) : NULL;
		int v = 0;

		if (p && p[1] == '/') {
			if (has_word(words + 1, p, "memory"))
				v = 1;
			else if (!strncmp(l, "0::", 3))
				v = 2;
		}
		/* v1 has it when it says so: v2's line is there in hybrid setups, too */
		if (v == 1 || (v == 2 && !version)) {
			version = v;
			/* cut off, it would name an ancestor */
			if (snprintf(path, size, "%.*s", (int)(end - p - 1), p + 1) >= (int)size)
				return 0;
		}
		l = *end ? end + 1 : end;
	}
	return version;
}

/* dir[0, len)/file */
static int read_in(const struct proc_texts *m, const char *dir, size_t len, const char *file,
		   struct text *t)
{
	char key[1200];
	int n = snprintf(key, sizeof(key), "cgroup%.*s/%s", (int)len, dir, file);

	if (n < 0 || (size_t)n >= sizeof(key))
		return -ENAMETOOLONG;
	return texts_get(m, key, 0, t);
}

/* Is the memory controller's file there? v2: the core's, as the controller may be off here. */
static bool can_reach(void *ctx, const char *dir)
{
	const struct reader *r = ctx;
	_text_ struct text t = { 0 };

	return !read_in(r->m, dir, strlen(dir),
			r->c->version == 1 ? "memory.usage_in_bytes" : "cgroup.controllers", &t);
}

/* Sets dir to the process's directory; as cgroup_mount_find. */
static int find_dir(char *mountinfo, struct reader *r)
{
	struct cgroup_mount found;
	int rc = cgroup_mount_find(mountinfo, r->c->version, r->c->path, can_reach, r, &found);

	if (rc)
		return rc;
	_Static_assert(sizeof(r->c->dir) == sizeof(found.dir), "copied whole");
	memcpy(r->c->dir, found.dir, sizeof(found.dir));
	r->mount_len = found.point_len;
	return 0;
}

/* 64 hex digits between other characters: how Docker, containerd, CRI-O, Podman name theirs. */
static void find_container(const char *path, char *id)
{
	enum { HEX = 64 };

	for (const char *p = path; *p;) {
		size_t n = strspn(p, "0123456789abcdef");

		if (n == HEX) {
			memcpy(id, p, HEX);
			id[HEX] = 0;
		}
		p += n ? n : 1;
	}
}

/* ---- its books */

/* A file that holds one number, or "max" (has = false, 0 returned). */
static int read_number(const struct proc_texts *m, const char *dir, size_t len, const char *file,
		       bool *has, uint64_t *out)
{
	_text_ struct text t = { 0 };
	int rc = read_in(m, dir, len, file, &t);

	*has = false;
	if (rc)
		return rc;
	if (!t.n)
		return -EINVAL;
	t.p[strcspn(t.p, "\n")] = 0;
	if (!strcmp(t.p, "max"))
		return 0;
	if (!text_parse_u64(t.p, out))
		return -EINVAL;
	*has = true;
	return 0;
}

static int read_limit(struct reader *r, size_t len, const char *file, bool *has, uint64_t *out)
{
	int rc = read_number(r->m, r->c->dir, len, file, has, out);

	if (*has && r->c->version == 1 && *out >= V1_NO_LIMIT)
		*has = false;
	return rc;
}

/* The next directory up, not above the mount point; false at the top. */
static bool go_up(const struct reader *r, size_t *len)
{
	size_t n = *len;

	while (n > r->mount_len && r->c->dir[n - 1] != '/')
		n--;
	if (n <= r->mount_len)
		return false;
	*len = n - 1 > r->mount_len ? n - 1 : r->mount_len;
	return true;
}

static void lower_limit(uint64_t limit, bool *has, uint64_t *out)
{
	if (!*has || limit < *out)
		*out = limit;
	*has = true;
}

/* The smallest limit from the directory to the top of what we see. */
static int read_ancestors(struct reader *r, const char *file, bool *has_out, uint64_t *out)
{
	size_t len = strlen(r->c->dir);
	int depth = 0, rc;

	do {
		uint64_t limit;
		bool has;

		rc = read_limit(r, len, file, &has, &limit);
		if (has)
			lower_limit(limit, has_out, out);
	} while (depth++ < DEPTH_MAX && go_up(r, &len));
	return rc;
}

static int add_row(struct cgroup *c, const char *name, uint64_t bytes, enum cgroup_reclaim how)
{
	struct cgroup_row row = { .bytes = bytes, .reclaimable = how };

	snprintf(row.name, sizeof(row.name), "%s", name);
	return vec_push(&c->rows, row);
}

static bool stat_value(const char *text, const char *prefix, const char *name, uint64_t *out)
{
	char key[64];

	snprintf(key, sizeof(key), "%s%s ", prefix, name);
	return text_field_u64(text, key, out);
}

static int add_rows(struct cgroup *c, const char *stat, const struct row_kind *kind, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x;

		if ((c->version == 1 && stat_value(stat, "total_", kind[i].name, &x)) ||
		    stat_value(stat, "", kind[i].name, &x))
			if (add_row(c, kind[i].name, x, kind[i].reclaimable))
				return -ENOMEM;
	}
	return 0;
}

/* As kubelet and cAdvisor define it: usage less inactive_file, at least 0. */
static void note_working_set(struct cgroup *c, const char *stat)
{
	uint64_t x;

	if (!c->has_usage ||
	    (!(c->version == 1 && stat_value(stat, "total_", "inactive_file", &x)) &&
	     !stat_value(stat, "", "inactive_file", &x)))
		return;
	c->has_working_set = true;
	c->working_set = c->usage > x ? c->usage - x : 0;
}

static void read_usage(struct reader *r, const char *file)
{
	struct cgroup *c = r->c;
	int rc = read_number(r->m, c->dir, strlen(c->dir), file, &c->has_usage, &c->usage);

	if (rc)
		add_missing(c, "%s: %s", file, strerror(-rc));
}

/* What is not there is an older kernel's, or switched off: it stays absent. */
static void read_stalls(struct reader *r)
{
	_text_ struct text pressure = { 0 }, events = { 0 };
	struct cgroup *c = r->c;
	size_t len = strlen(c->dir);

	if (!read_in(r->m, c->dir, len, "memory.pressure", &pressure) && pressure.p)
		c->has_stalls =
			cgroup_stalls_parse(pressure.p, &c->stalled_percent, &c->stalled_ns);
	if (!read_in(r->m, c->dir, len, "memory.events", &events) && events.p)
		c->has_high_events = text_field_u64(events.p, "high ", &c->high_events);
}

static int read_v2(struct reader *r)
{
	_text_ struct text stat = { 0 };
	struct cgroup *c = r->c;
	size_t len = strlen(c->dir);
	int rc;

	read_usage(r, "memory.current");
	rc = read_limit(r, len, "memory.max", &c->has_limit, &c->limit);
	if (rc && rc != -ENOENT)
		no_limit(c, "memory.max: %s", strerror(-rc));
	read_limit(r, len, "memory.swap.max", &c->has_swap_limit, &c->swap_limit);
	/* the real root of v2 has no memory.max; a namespace's root has */
	if (!read_ancestors(r, "memory.max", &c->has_effective_limit, &c->effective_limit))
		no_limit(c, "limits of cgroups above our namespace, if any, are not visible");
	read_ancestors(r, "memory.high", &c->has_high, &c->high);
	read_stalls(r);
	rc = read_in(r->m, c->dir, len, "memory.stat", &stat);
	if (rc) {
		add_missing(c, "memory.stat: %s", strerror(-rc));
		return 0;
	}
	note_working_set(c, stat.p ? stat.p : "");
	return add_rows(c, stat.p ? stat.p : "", v2_rows, ARRAY_LEN(v2_rows));
}

static int add_v1_kmem(struct reader *r, const char *file, const char *name,
		       enum cgroup_reclaim how)
{
	struct cgroup *c = r->c;
	uint64_t x;
	bool has;

	read_number(r->m, c->dir, strlen(c->dir), file, &has, &x);
	return has ? add_row(c, name, x, how) : 0;
}

static void read_v1_swap(struct reader *r)
{
	struct cgroup *c = r->c;
	uint64_t both;
	bool has;

	read_limit(r, strlen(c->dir), "memory.memsw.limit_in_bytes", &has, &both);
	if (!has || !c->has_limit || both < c->limit)
		return;
	c->has_swap_limit = true;
	c->swap_limit = both - c->limit;
}

static int read_v1(struct reader *r)
{
	_text_ struct text stat = { 0 };
	struct cgroup *c = r->c;
	size_t len = strlen(c->dir);
	uint64_t limit;
	int rc;

	read_usage(r, "memory.usage_in_bytes");
	rc = read_limit(r, len, "memory.limit_in_bytes", &c->has_limit, &c->limit);
	if (rc)
		no_limit(c, "memory.limit_in_bytes: %s", strerror(-rc));
	read_v1_swap(r);
	rc = read_in(r->m, c->dir, len, "memory.stat", &stat);
	if (rc)
		add_missing(c, "memory.stat: %s", strerror(-rc));
	/* The kernel's own minimum: knows ancestors out of our view, and use_hierarchy = 0. */
	if (stat.p && stat_value(stat.p, "", "hierarchical_memory_limit", &limit)) {
		if (limit < V1_NO_LIMIT)
			lower_limit(limit, &c->has_effective_limit, &c->effective_limit);
	} else {
		read_ancestors(r, "memory.limit_in_bytes", &c->has_effective_limit,
			       &c->effective_limit);
	}
	note_working_set(c, stat.p ? stat.p : "");
	rc = add_rows(c, stat.p ? stat.p : "", v1_rows, ARRAY_LEN(v1_rows));
	if (!rc)
		rc = add_v1_kmem(r, "memory.kmem.usage_in_bytes", "kmem", RECLAIM_PART);
	if (!rc)
		rc = add_v1_kmem(r, "memory.kmem.tcp.usage_in_bytes", "kmem.tcp", RECLAIM_NO);
	return rc;
}

/*
 * In v2 a cgroup without the memory controller is charged to the nearest ancestor that has it.
 * Cuts c->dir down to that one; false when there is none but the root.
 */
static bool climb_to_books(struct reader *r)
{
	size_t len = strlen(r->c->dir);
	int depth = 0;

	do {
		_text_ struct text t = { 0 };

		if (!read_in(r->m, r->c->dir, len, "memory.current", &t)) {
			r->c->dir[len] = 0;
			return true;
		}
	} while (depth++ < DEPTH_MAX && go_up(r, &len));
	return false;
}

static int no_books(struct cgroup *c, const char *why)
{
	c->version = 0;
	c->dir[0] = 0;
	add_missing(c, "%s", why);
	return 0;
}

static int read_books(struct reader *r)
{
	struct cgroup *c = r->c;
	_text_ struct text t = { 0 };

	if (c->version == 1)
		return read_v1(r);
	if (climb_to_books(r))
		return read_v2(r);
	if (!read_in(r->m, c->dir, r->mount_len, "cgroup.controllers", &t) && t.p) {
		t.p[strcspn(t.p, "\n")] = 0;
		for (char *p = t.p; (p = strchr(p, ' ')); p++)
			*p = ',';
		if (has_word(t.p, t.p + strlen(t.p), "memory")) {
			c->dir[r->mount_len] = 0;
			return read_v2(r);
		}
	}
	return no_books(c, "no memory controller in cgroup v2, and none in v1");
}

static int locate_and_read(struct reader *r)
{
	_text_ struct text mounts = { 0 };
	struct cgroup *c = r->c;
	int rc;

	if (!strncmp(c->path, "/..", 3)) {
		strcpy(c->path, "/");
		return no_books(c, "the process's cgroup is outside our cgroup namespace");
	}
	rc = texts_get(r->m, "host/mountinfo", 0, &mounts);
	if (rc || !mounts.p)
		return no_books(c, "cannot read the list of mounts");
	rc = find_dir(mounts.p, r);
	if (rc == -ENOMEM)
		return rc;
	if (rc)
		return no_books(
			c, rc == -ENOTDIR ? "another mount hides the mount of the process's memory "
					    "cgroup"
					  : "the process's memory cgroup is not mounted here "
					    "(mount /sys/fs/cgroup)");
	return read_books(r);
}

int cgroup_read(const struct proc_texts *m, struct cgroup *out, struct err *e)
{
	struct cgroup c = { 0 };
	struct reader r = { .m = m, .c = &c };
	_text_ struct text t = { 0 };
	int rc = texts_get(m, "proc/cgroup", 0, &t);

	if (rc && rc != -ENOENT)
		return err_set(e, rc, "/proc/cgroup of PID %d: %s", (int)m->pid, strerror(-rc));
	c.version = t.p ? find_path(t.p, c.path, sizeof(c.path)) : 0;
	find_container(c.path, c.container_id);
	rc = c.version ? locate_and_read(&r)
		       : no_books(&c, rc ? "cannot read the process's cgroup"
					 : "the process is in no cgroup with a memory controller");
	if (rc) {
		cgroup_free(&c);
		return err_set(e, rc, "cgroup of PID %d: %s", (int)m->pid, strerror(-rc));
	}
	*out = c;
	return 0;
}

void cgroup_free(struct cgroup *c)
{
	vec_free(&c->rows);
}
