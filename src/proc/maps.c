/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/maps.h"

#include "base/text.h"

#include <string.h>

/* Take an unsigned number off *p; false when there is none or it overflows. A text of 52,000
 * mappings has 300,000 of them: no division, no base as a variable. */
static bool take_hex(const char **p, uint64_t *out)
{
	const char *s = *p;
	uint64_t x = 0;

	for (;; s++) {
		unsigned int d = (unsigned char)*s - '0';

		if (d > 9) {
			d = (unsigned char)*s - 'a';
			if (d > 5)
				break;
			d += 10;
		}
		if (x >> 60)
			return false;
		x = x << 4 | d;
	}
	if (s == *p)
		return false;
	*out = x;
	*p = s;
	return true;
}

static bool take_decimal(const char **p, uint64_t *out)
{
	const char *s = *p;
	uint64_t x = 0;
	unsigned int d;

	for (; (d = (unsigned char)*s - '0') <= 9; s++)
		if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, d, &x))
			return false;
	if (s == *p)
		return false;
	*out = x;
	*p = s;
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

static bool take_perms(const char **p, uint32_t *flags)
{
	static const char on[] = "rwx";
	const char *s = *p;

	*flags = 0;
	for (int i = 0; i < 3; i++) {
		if (s[i] != on[i] && s[i] != '-')
			return false;
		if (s[i] == on[i])
			*flags |= 1U << i;
	}
	if (s[3] != 'p' && s[3] != 's')
		return false;
	if (s[3] == 's')
		*flags |= VMA_SHARED;
	*p += 4;
	return true;
}

static bool is_deleted(const char *name, const char *end)
{
	static const char tail[] = " (deleted)";
	size_t t = sizeof(tail) - 1;

	return (size_t)(end - name) >= t && !memcmp(end - t, tail, t);
}

/* User space ends at 2^56 at most (x86-64 with five levels; arm64 2^52); beyond, the kernel shows a
 * page of its own on x86-64. Who passes over a mapping's addresses never comes near 2^64. */
static bool is_user(const struct vma *v)
{
	return v->end <= 1ULL << 56 ||
	       (v->start >= 0xffffffffff600000 && v->end <= 0xffffffffff601000);
}

/* One line, already cut off at its newline, which was at `end`. The name stays where it is. */
static bool parse_line(const char *p, const char *end, struct vma *v)
{
	uint64_t major, minor;

	*v = (struct vma){ 0 };
	if (!take_hex(&p, &v->start) || !take_char(&p, '-') || !take_hex(&p, &v->end) ||
	    !take_char(&p, ' ') || !take_perms(&p, &v->flags) || !take_char(&p, ' ') ||
	    !take_hex(&p, &v->offset) || !take_char(&p, ' ') || !take_hex(&p, &major) ||
	    !take_char(&p, ':') || !take_hex(&p, &minor) || !take_char(&p, ' ') ||
	    !take_decimal(&p, &v->inode))
		return false;
	if (*p && *p != ' ')
		return false;
	while (*p == ' ')
		p++;
	v->dev_major = major;
	v->dev_minor = minor;
	v->name = p;
	v->deleted = v->inode && is_deleted(p, end);
	return v->start < v->end && is_user(v) && major <= UINT32_MAX && minor <= UINT32_MAX;
}

/* The kernel looks up one mapping at a time (m_next in fs/proc/task_mmu.c): one that has grown
 * downwards, or was merged, since the line before was written begins in what that line had. */
static const struct vma *cut_front(struct vma *v, uint64_t start)
{
	if (v->start < start) {
		v->offset += v->inode ? start - v->start : 0;
		v->start = start;
	}
	return v;
}

int vma_compare_file(const struct vma *x, const struct vma *y)
{
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->dev_major != y->dev_major)
		return x->dev_major < y->dev_major ? -1 : 1;
	if (x->dev_minor != y->dev_minor)
		return x->dev_minor < y->dev_minor ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_file(const void *a, const void *b)
{
	return vma_compare_file(*(const struct vma *const *)a, *(const struct vma *const *)b);
}

/* Once for all mappings: who asks later for each of 65,000 must not pass over all of them. */
static int mark_code(struct maps *m)
{
	_free_ struct vma **v = calloc(m->vma.n + 1, sizeof(struct vma *));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m->vma.n; i++)
		if (m->vma.v[i].inode)
			v[n++] = &m->vma.v[i];
	qsort(v, n, sizeof(*v), by_file);
	for (size_t i = 0, end; i < n; i = end) {
		bool code = false;

		for (end = i; end < n && !vma_compare_file(v[i], v[end]); end++)
			code |= v[end]->flags & VMA_X;
		for (size_t k = i; k < end; k++)
			v[k]->has_code = code;
	}
	return 0;
}

/* Takes `text`, of n bytes, over: it is out's, or freed. */
static int parse_owned(char *text, size_t n, struct maps *out, struct err *e)
{
	enum { SHORTEST = 40 }; /* "00400000-00401000 r--p 00000000 00:00 0 " */
	struct maps m = { .text = text };
	unsigned int line = 0;
	uint64_t last = 0;
	int rc = vec_reserve(&m.vma, n / SHORTEST + 1);

	for (char *p = m.text, *next; !rc && *p; p = next) {
		char *end = strchrnul(p, '\n');
		struct vma v;

		line++;
		next = end;
		if (*next)
			*next++ = 0;
		if (!parse_line(p, end, &v))
			rc = err_set(e, -EINVAL, "maps line %u is not a mapping: \"%.60s\"", line,
				     p);
		else if (v.end <= last)
			rc = err_set(e, -EINVAL, "maps line %u ends below the end of line %u", line,
				     line - 1);
		else
			rc = vec_push(&m.vma, *cut_front(&v, last));
		last = v.end;
	}
	if (!rc)
		rc = mark_code(&m);
	if (rc) {
		maps_free(&m);
		return rc;
	}
	*out = m;
	return 0;
}

int maps_parse(const char *text, struct maps *out, struct err *e)
{
	size_t n = strlen(text);
	char *copy = malloc(n + 1);

	return copy ? parse_owned(memcpy(copy, text, n + 1), n, out, e) : -ENOMEM;
}

int maps_parse_text(struct text *text, struct maps *out, struct err *e)
{
	struct text t = *text;

	*text = (struct text){ 0 };
	return t.p ? parse_owned(t.p, t.n, out, e) : maps_parse("", out, e);
}

int maps_read(const struct proc_texts *m, unsigned int seq, struct maps *out, struct err *e)
{
	struct text t = { 0 };
	int rc = texts_get(m, "proc/maps", seq, &t);

	if (!rc)
		return maps_parse_text(&t, out, e);
	text_free(&t);
	return err_set(e, rc, "maps of PID %d: %s", (int)m->pid, strerror(-rc));
}

void maps_free(struct maps *m)
{
	vec_free(&m->vma);
	free(m->text);
	m->text = NULL;
}

const struct vma *maps_find(const struct maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->vma.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->vma.v[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo < m->vma.n && m->vma.v[lo].start <= addr ? &m->vma.v[lo] : NULL;
}

static bool starts_with(const char *s, const char *head)
{
	return !strncmp(s, head, strlen(head));
}

bool vma_is_private_anon(const struct vma *v)
{
	return !v->inode && !(v->flags & VMA_SHARED) &&
	       (!v->name[0] || !strcmp(v->name, "[heap]") || !strcmp(v->name, "[stack]") ||
		starts_with(v->name, "[anon:"));
}

bool vma_is_device(const struct vma *v)
{
	if (!v->inode)
		return false;
	return starts_with(v->name, "/dmabuf:") || (v->name[0] && !strchr("/([", v->name[0]));
}

bool vma_outside_rss(const struct vma *v, bool file)
{
	const char *n = v->name;

	if (v->flags & (VMA_COUNTED | VMA_UNCOUNTED))
		return v->flags & VMA_UNCOUNTED;
	/* VM_PFNMAP on most kernels: pages that are not even the page cache's. */
	if (starts_with(n, "[vvar"))
		return !file;
	/* No VMA of the process at all. */
	if (!strcmp(n, "[vsyscall]"))
		return true;
	/* hugetlbfs: mmap(MAP_HUGETLB), and files under the customary mount points. */
	if (starts_with(n, "/anon_hugepage") || starts_with(n, "/dev/hugepages/") ||
	    starts_with(n, "/mnt/huge"))
		return true;
	if (!starts_with(n, "/dev/"))
		return false;
	return !starts_with(n, "/dev/shm/") && !starts_with(n, "/dev/zero");
}
