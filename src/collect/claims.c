/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel says of each mapping, what the ELF files say of its parts, and what C's
 * structures say of anonymous memory.
 */
#include "collect/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "binary/binary.h"

#define NAMED_ANON (1ULL << 20) /* anonymous mappings from this size have a row of their own */

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_exe(const struct look *k, const struct vma *v)
{
	return v->inode && k->s->id.exe[0] && !strcmp(v->name, k->s->id.exe);
}

static bool on_tmpfs(const struct look *k, const struct vma *v)
{
	for (size_t i = 0; v->inode && i < k->s->tmpfs.n; i++)
		if (k->s->tmpfs.v[i] == ((uint64_t)v->dev_major << 32 | v->dev_minor))
			return true;
	return false;
}

struct verdict {
	enum category cat;
	struct row_id id; /* its label is the mapping's name, or static */
	bool unexplained;
};

static void judge_special(const struct vma *v, struct verdict *d)
{
	*d = (struct verdict){ .cat = CAT_NATIVE_MMAP, .id = row_labelled(ROW_ORIGIN, v->name) };
	if (!strcmp(v->name, "[heap]")) {
		d->cat = CAT_NATIVE_MALLOC;
		d->id.kind = ROW_ARENA;
		d->id.label = "main arena (brk)";
	} else if (has_prefix(v->name, "[stack")) {
		d->cat = CAT_NATIVE_STACKS;
		d->id.kind = ROW_THREAD;
		d->id.label = "main thread";
	} else if (!strcmp(v->name, "[uprobes]")) {
		d->cat = CAT_OBSERVER;
	} else if (has_prefix(v->name, "[anon: glibc: pthread")) {
		d->cat = CAT_NATIVE_STACKS;
		d->id.kind = ROW_THREAD;
	} else if (has_prefix(v->name, "[anon: glibc:")) {
		d->cat = CAT_NATIVE_MALLOC;
		d->id.kind = ROW_ARENA;
	} else if (has_prefix(v->name, "[anon: Go:")) {
		/* runtime/mem.go names its mappings from 1.25 on; here the rest that no book lists
		 */
		d->cat = CAT_GO_RUNTIME;
	} else if (!has_prefix(v->name, "[anon:")) {
		d->cat = CAT_LIBS; /* [vdso] and its like */
		d->id.kind = ROW_FILE;
	}
}

static void judge_anon(const struct look *k, const struct vma *v, struct verdict *d)
{
	if (k->s->race && session_is_race_shadow(v)) {
		*d = (struct verdict){ .cat = CAT_NATIVE_MMAP,
				       .id = row_labelled(ROW_ORIGIN,
							  "the race detector's shadow") };
		return;
	}
	*d = (struct verdict){ .cat = CAT_NATIVE_MMAP, .unexplained = true };
	d->id = v->end - v->start >= NAMED_ANON
			? row_mapping(v->start, v->end)
			: row_labelled(ROW_ORIGIN, "anonymous, each below 1 MiB");
}

static void judge(const struct look *k, const struct vma *v, struct verdict *d)
{
	if (!v->inode && v->name[0] == '[') {
		judge_special(v, d);
		return;
	}
	if (!v->inode && !v->name[0]) {
		judge_anon(k, v, d);
		return;
	}
	*d = (struct verdict){ .id = row_labelled(ROW_FILE,
						  v->name[0] ? v->name : "shared anonymous") };
	if (is_exe(k, v))
		d->cat = v->flags & VMA_X   ? CAT_BINARY_TEXT
			 : v->flags & VMA_W ? CAT_BINARY_DATA
					    : CAT_BINARY_RODATA;
	else if (vma_is_device(v))
		d->cat = CAT_DEVICE;
	else if (vma_is_shm(v))
		d->cat = CAT_SHM;
	else if (vma_is_lib(v)) /* also from a root file system in memory */
		d->cat = CAT_LIBS;
	else
		d->cat = on_tmpfs(k, v) ? CAT_SHM : CAT_FILES;
}

static int claim_vma(struct look *k, const struct vma *v, uint64_t start, uint64_t end)
{
	struct ledger_builder *b = &k->ledger;
	struct verdict d;
	uint32_t row;
	int r;

	if (vma_outside_rss(v, true))
		return 0;
	judge(k, v, &d);
	r = ledger_row_of(b, d.cat, &d.id, &row);
	if (r)
		return r;
	b->l->rows.v[row].unexplained = d.unexplained;
	return ledger_claim(b, LEVEL_VMA, start, end, row, METHOD_MEASURED, 0);
}

/* ---- ELF files */

static int claim_part(struct look *k, enum category cat, const char *name, uint64_t start,
		      uint64_t end)
{
	uint32_t row;
	int r = ledger_row(&k->ledger, cat, ROW_FILE, name, &row);

	return r ? r : ledger_claim(&k->ledger, LEVEL_OBJECT, start, end, row, METHOD_MEASURED, 0);
}

/* A PT_LOAD: the file's part to the page before it, zeros (bss) up to the page after it. */
static int claim_segment(struct look *k, const struct bin_segment *s, uint64_t bias,
			 enum category file, enum category bss, const char *name)
{
	uint64_t page = memsrc_page_size(k->m), start = (bias + s->vaddr) & ~(page - 1);
	uint64_t fend = bias + s->vaddr + s->filesz, end = bias + s->vaddr + s->memsz;
	int r;

	end = (end + page - 1) & ~(page - 1);
	if (end < start || end - start > (1ULL << 40))
		return 0;
	if (s->memsz <= s->filesz)
		return claim_part(k, file, name, start, end);
	r = claim_part(k, file, name, start, fend);
	return r ? r : claim_part(k, bss, name, fend, end);
}

static void add_tls(struct look *k, const struct bin *b)
{
	uint64_t size, align;

	if (bin_tls(b, &size, &align) && size < (1 << 30) && align && align < (1 << 20))
		k->tls += (size + align - 1) / align * align;
}

static int claim_exe(struct look *k)
{
	const struct bin_segment *s;
	size_t n = k->s->bin ? bin_segments(k->s->bin, &s) : 0;

	if (k->s->bin)
		add_tls(k, k->s->bin);
	for (size_t i = 0; i < n; i++) {
		enum category c = s[i].flags & BIN_SEG_X   ? CAT_BINARY_TEXT
				  : s[i].flags & BIN_SEG_W ? CAT_BINARY_DATA
							   : CAT_BINARY_RODATA;
		int r = claim_segment(k, &s[i], k->s->bias, c, CAT_BINARY_BSS, k->s->id.exe);

		if (r)
			return r;
	}
	return 0;
}

/* A library's zeroed variables are an anonymous mapping behind its data, which may have merged
 * with whatever lies above. */
static int claim_lib(struct look *k, const struct lib *x)
{
	const struct bin_segment *s;
	size_t n;
	int r = 0;

	add_tls(k, x->bin);
	n = bin_segments(x->bin, &s);
	for (size_t i = 0; i < n && !r; i++)
		if (s[i].memsz > s[i].filesz && (s[i].flags & BIN_SEG_W))
			r = claim_segment(k, &s[i], x->bias, CAT_LIBS, CAT_LIBS, x->name);
	return r;
}

static bool is_mapped(const struct look *k, const struct lib *x)
{
	const struct vma *v = maps_find(&k->maps, x->start);

	return v && v->start == x->start && !strcmp(v->name, x->name);
}

/* What is needed to open the file that could not be. */
static const char *lib_needs(int r)
{
	switch (r) {
	case -EMFILE:
	case -ENFILE:
		return "more open files (ulimit -n)";
	case -EINVAL:
	case -ENOTSUP:
	case -ENOMEM:
		return "";
	default:
		return "the file, or CAP_SYS_ADMIN for map_files";
	}
}

/* Each reason once, however many libraries have it. */
static int name_closed_libs(struct look *k)
{
	enum { REASONS = 16 };
	const struct lib *why[REASONS];
	size_t count[REASONS] = { 0 }, n = 0;
	int r = 0;

	for (size_t i = 0; i < k->s->libs.v.n; i++) {
		const struct lib *x = &k->s->libs.v.v[i];
		size_t j = 0;

		if (x->bin || !is_mapped(k, x))
			continue;
		while (j < n && j + 1 < REASONS && why[j]->error != x->error)
			j++;
		if (j == n)
			why[n++] = x;
		count[j]++;
	}
	for (size_t j = 0; j < n && !r; j++)
		r = count[j] == 1
			    ? report_missing(k->r, "ledger[libs]", lib_needs(why[j]->error),
					     "cannot attribute a library's .bss: %s", why[j]->why)
			    : report_missing(
				      k->r, "ledger[libs]", lib_needs(why[j]->error),
				      "cannot attribute the .bss of %zu libraries, the first "
				      "is %s: %s",
				      count[j], why[j]->name, why[j]->why);
	return r;
}

static int claim_libs(struct look *k)
{
	int r = 0;

	for (size_t i = 0; i < k->s->libs.v.n && !r; i++) {
		const struct lib *x = &k->s->libs.v.v[i];

		if (x->bin && is_mapped(k, x))
			r = claim_lib(k, x);
	}
	return r ? r : name_closed_libs(k);
}

/* Code pages that turned anonymous: somebody wrote into them, as a uprobe does. */
static int claim_copied_text(struct look *k)
{
	struct ledger_builder *b = &k->ledger;
	uint32_t row;

	for (size_t i = 0; i < k->maps.vma.n; i++) {
		const struct vma *v = &k->maps.vma.v[i];

		if (!v->inode || !(v->flags & VMA_X) || (v->flags & (VMA_W | VMA_SHARED)))
			continue;
		for (size_t p = range_lower(k->pages.v, k->pages.n, v->start);
		     p < k->pages.n && k->pages.v[p].start < v->end; p++) {
			const struct range *g = &k->pages.v[p];
			uint64_t a = g->start > v->start ? g->start : v->start;
			uint64_t z = g->end < v->end ? g->end : v->end;

			if (!(g->flags & PAGE_PRESENT) || (g->flags & PAGE_FILE))
				continue;
			if (ledger_row(b, CAT_OBSERVER, ROW_FILE, "copied text pages", &row) ||
			    ledger_claim(b, LEVEL_OVER, a, z, row, METHOD_MEASURED, 0))
				return -ENOMEM;
		}
	}
	return 0;
}

/*
 * Copy-on-write: anonymous pages in a private mapping of a file, a memfd, tmpfs. A core does not
 * tell whose its pages are.
 */
static int claim_copies(struct look *k)
{
	bool is_core = memsrc_kind(k->m) == MEMSRC_CORE;
	int r = 0;

	for (size_t i = 0; i < k->maps.vma.n && !is_core && !r; i++) {
		const struct vma *v = &k->maps.vma.v[i];
		struct verdict d;
		uint32_t row;

		if (!v->inode || (v->flags & VMA_SHARED) || vma_outside_rss(v, true))
			continue;
		judge(k, v, &d);
		if (d.cat != CAT_FILES && d.cat != CAT_SHM)
			continue;
		for (size_t p = range_lower(k->pages.v, k->pages.n, v->start);
		     p < k->pages.n && k->pages.v[p].start < v->end && !r; p++) {
			const struct range *g = &k->pages.v[p];

			if (g->flags & (PAGE_FILE | PAGE_ZERO))
				continue;
			r = ledger_row_of(&k->ledger, CAT_NATIVE_COPIES, &d.id, &row);
			if (!r)
				r = ledger_claim(&k->ledger, LEVEL_OBJECT,
						 g->start > v->start ? g->start : v->start,
						 g->end < v->end ? g->end : v->end, row,
						 METHOD_MEASURED, 0);
		}
	}
	return r;
}

int look_claim_vmas(struct look *k)
{
	int r = session_find_tmpfs(k->s);

	for (size_t i = 0; i < k->maps.vma.n && !r; i++)
		r = claim_vma(k, &k->maps.vma.v[i], k->maps.vma.v[i].start, k->maps.vma.v[i].end);
	if (!r)
		r = claim_exe(k);
	if (!r)
		r = claim_libs(k);
	if (!r)
		r = claim_copies(k);
	return r ? r : claim_copied_text(k);
}

/* Mappings that appeared while the page map was read. */
int look_claim_new_vmas(struct look *k, const struct maps *after)
{
	size_t i = 0;

	for (size_t j = 0; j < after->vma.n; j++) {
		const struct vma *v = &after->vma.v[j];
		uint64_t at = v->start;

		while (at < v->end) {
			uint64_t end = v->end;
			int r;

			while (i < k->maps.vma.n && k->maps.vma.v[i].end <= at)
				i++;
			if (i < k->maps.vma.n && k->maps.vma.v[i].start <= at) {
				at = k->maps.vma.v[i].end;
				continue;
			}
			if (i < k->maps.vma.n && k->maps.vma.v[i].start < end)
				end = k->maps.vma.v[i].start;
			r = claim_vma(k, v, at, end);
			if (r)
				return r;
			at = end;
		}
	}
	return 0;
}

/* ---- C's structures */

static bool is_go_stack(const struct look *k, const struct native_extent *x)
{
	for (size_t i = 0; i < k->ngo; i++)
		for (size_t j = 0; j < k->go[i].threads.n; j++) {
			const struct go_thread *t = &k->go[i].threads.v[j];

			if (t->stack_hi > x->start && t->stack_hi <= x->end)
				return true;
		}
	return false;
}

static void judge_native(const struct look *k, const struct native_extent *x, struct verdict *d)
{
	switch (x->kind) {
	case NATIVE_ARENA:
		*d = (struct verdict){ .cat = CAT_NATIVE_MALLOC, .id = row_arena(x->start) };
		break;
	case NATIVE_MMAPPED:
		*d = (struct verdict){ .cat = CAT_NATIVE_MALLOC,
				       .id = row_labelled(ROW_ARENA, "large blocks (own mmap)") };
		break;
	case NATIVE_STACK:
		d->cat = is_go_stack(k, x) ? CAT_GO_THREAD_STACKS : CAT_NATIVE_STACKS;
		d->id = x->tid ? row_thread(x->tid, x->comm)
			       : row_labelled(ROW_THREAD,
					      "running, or exited (stack cached by glibc)");
		break;
	case NATIVE_TLS:
		*d = (struct verdict){
			.cat = CAT_LIBS,
			.id = row_labelled(ROW_FILE, "thread-local storage of the main thread")
		};
		break;
	case NATIVE_LOADER:
		*d = (struct verdict){ .cat = CAT_LIBS,
				       .id = row_labelled(ROW_FILE, "the loader's own data") };
		break;
	}
}

static int claim_native_extent(struct look *k, const struct native_extent *x)
{
	struct verdict d = { 0 };
	uint32_t row;
	int r;

	judge_native(k, x, &d);
	r = ledger_row_of(&k->ledger, d.cat, &d.id, &row);
	return r ? r
		 : ledger_claim(&k->ledger, LEVEL_OBJECT, x->start, x->end, row, METHOD_MEASURED,
				0);
}

/* Writable anonymous memory that no claim above LEVEL_VMA covers. */
static int find_gaps(struct look *k, range_vec *gaps)
{
	const struct ledger_builder *b = &k->ledger;
	range_vec cover = { 0 };
	int r = 0;

	for (int level = LEVEL_OBJECT; level <= LEVEL_REGION && !r; level++)
		for (size_t i = 0; i < b->claims[level].n && !r; i++)
			r = vec_push(&cover, (struct range){ b->claims[level].v[i].start,
							     b->claims[level].v[i].end, 0 });
	range_sort(cover.v, cover.n);
	for (size_t i = 0, c = 0; i < k->maps.vma.n && !r; i++) {
		const struct vma *v = &k->maps.vma.v[i];
		uint64_t at = v->start;

		if (v->inode || v->name[0] || !(v->flags & VMA_W) || !(v->flags & VMA_R))
			continue;
		while (c < cover.n && cover.v[c].end <= v->start)
			c++;
		for (size_t j = c; at < v->end && !r; j++) {
			uint64_t stop = j < cover.n && cover.v[j].start < v->end ? cover.v[j].start
										 : v->end;

			if (stop > at)
				r = vec_push(gaps, (struct range){ at, stop, 0 });
			if (stop == v->end)
				break;
			at = cover.v[j].end > at ? cover.v[j].end : at;
		}
	}
	vec_free(&cover);
	return r;
}

/* A static program without a brk heap (pure Go) has no C library to look for. */
static bool has_malloc(const struct look *k)
{
	for (size_t i = 0; i < k->maps.vma.n; i++)
		if (!strcmp(k->maps.vma.v[i].name, "[heap]") ||
		    (k->maps.vma.v[i].inode && strstr(k->maps.vma.v[i].name, ".so")))
			return true;
	return false;
}

int look_claim_native(struct look *k)
{
	range_vec gaps = { 0 };
	uint64_t dynamic, size;
	struct err e = { 0 };
	size_t n;
	int r = 0;

	for (size_t i = 0; i < k->native.v.n && !r; i++)
		r = claim_native_extent(k, &k->native.v.v[i]);
	n = k->native.v.n;
	if (!r)
		r = find_gaps(k, &gaps);
	if (!r && k->s->bin && bin_section(k->s->bin, ".dynamic", &dynamic, &size))
		r = native_read_loader(k->m, dynamic + k->s->bias, size, &gaps, &k->native, &e);
	if (!r && has_malloc(k) &&
	    native_read_blocks(k->m, &gaps, &k->pages, k->tls, &k->native, &e))
		r = report_missing(k->r, "ledger[native/malloc]", "", "%s", e.text);
	for (; n < k->native.v.n && !r; n++)
		r = claim_native_extent(k, &k->native.v.v[n]);
	if (!r && k->native.truncated)
		r = report_missing(k->r, "ledger[native/malloc]", "",
				   "too many anonymous pages to search for large malloc blocks: "
				   "some may count as native/mmap");
	vec_free(&gaps);
	return r;
}
