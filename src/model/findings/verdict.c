/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/verdict.h"

#include <stdlib.h>
#include <string.h>

/* A part of RSS by the name that people have for it. */
enum part {
	PART_HEAP,
	PART_STACKS,
	PART_RUNTIME,
	PART_THREADS,
	PART_BINARY,
	PART_MALLOC,
	PART_ANON,
	PART_LIBS,
	PART_FILES,
	PART_SHM,
	PART_OTHER, /* each category for itself */
	PART_UNKNOWN,
	PART_COUNT
};

static const char *const words[PART_COUNT] = {
	[PART_HEAP] = "Go heap",
	[PART_STACKS] = "goroutine stacks",
	[PART_RUNTIME] = "the Go runtime's own structures",
	[PART_THREADS] = "thread stacks",
	[PART_BINARY] = "the executable",
	[PART_MALLOC] = "C heap",
	[PART_ANON] = "anonymous mappings outside the Go heap",
	[PART_LIBS] = "shared libraries",
	[PART_FILES] = "mapped files",
	[PART_SHM] = "shared memory",
	[PART_OTHER] = "other mappings",
	[PART_UNKNOWN] = "unattributed",
};

/* What a part consists of, in parentheses, where one word is not all there is to say. */
static const char *const details[CAT_COUNT] = {
	[CAT_GO_HEAP_OBJECTS] = "objects",
	[CAT_GO_HEAP_LIVE] = "live at the last GC",
	[CAT_GO_HEAP_DEAD] = "allocated since or garbage",
	[CAT_GO_HEAP_UNUSED] = "free slots in spans in use",
	[CAT_GO_HEAP_FREE] = "free spans",
	[CAT_GO_HEAP_RELEASED] = "returned to the kernel but still resident",
	[CAT_GO_GC] = "GC metadata",
	[CAT_GO_ALLOCATOR] = "span tables",
	[CAT_GO_PROFILER] = "profile buckets",
	[CAT_NATIVE_MALLOC_LIVE] = "in use",
	[CAT_NATIVE_MALLOC_RETAINED] = "freed but kept by malloc",
};

static bool below(const char *name, const char *parent)
{
	size_t n = strlen(parent);

	return !strncmp(name, parent, n) && (!name[n] || name[n] == '/');
}

static enum part part_of(enum category c)
{
	static const struct {
		const char *name;
		enum part part;
	} by_name[] = {
		{ "go/heap", PART_HEAP },
		{ "go/stacks", PART_STACKS },
		{ "go/thread-stacks", PART_THREADS },
		{ "native/stacks", PART_THREADS },
		{ "go", PART_RUNTIME },
		{ "binary", PART_BINARY },
		{ "native/malloc", PART_MALLOC },
		{ "native/mmap", PART_ANON },
		{ "libs", PART_LIBS },
		{ "files", PART_FILES },
		{ "shm", PART_SHM },
		{ "unknown", PART_UNKNOWN },
	};
	const char *name = category_name(c);

	for (size_t i = 0; i < ARRAY_LEN(by_name); i++)
		if (below(name, by_name[i].name))
			return by_name[i].part;
	return PART_OTHER;
}

/* The category that holds most of a part, other than `but`; CAT_COUNT when nothing is resident. */
static enum category largest(const struct ledger *l, enum part p, enum category but)
{
	enum category best = CAT_COUNT;

	for (int c = 0; c < CAT_COUNT; c++)
		if (part_of(c) == p && c != (int)but && l->cat[c].resident &&
		    (best == CAT_COUNT || l->cat[c].resident > l->cat[best].resident))
			best = c;
	return best;
}

/* Of what was given back, most is the kernel's to take whenever it needs memory. */
static bool is_lazily_freed(const struct ledger *l)
{
	const uint64_t all = l->cat[CAT_GO_HEAP_RELEASED].resident;

	for (size_t i = 0; i < l->rows.n; i++) {
		const struct ledger_row *row = &l->rows.v[i];

		if (row->cat == CAT_GO_HEAP_RELEASED && row->id.label &&
		    !strcmp(row->id.label, ROW_LAZILY_FREED) && row->resident > all / 2)
			return true;
	}
	return false;
}

static const char *detail_of(const struct ledger *l, enum category c)
{
	return c == CAT_GO_HEAP_RELEASED && is_lazily_freed(l)
		       ? "lazily freed: the kernel reclaims it under pressure"
		       : details[c];
}

/* The two largest kinds of memory in a part, where they have words: " (A of this, B of that)". */
static int put_detail(const struct ledger *l, enum part p, uint64_t bytes, struct text *out)
{
	enum category a = largest(l, p, CAT_COUNT), b = largest(l, p, a);
	char x[32], y[32];

	if (a == CAT_COUNT || !details[a])
		return 0;
	text_bytes(x, sizeof(x), l->cat[a].resident);
	if (l->cat[a].resident == bytes)
		return text_printf(out, " (%s)", detail_of(l, a));
	if (b == CAT_COUNT || !details[b] || l->cat[b].resident < bytes / 10)
		return text_printf(out, " (%s %s)", x, detail_of(l, a));
	text_bytes(y, sizeof(y), l->cat[b].resident);
	return text_printf(out, " (%s %s, %s %s)", x, detail_of(l, a), y, detail_of(l, b));
}

/* The largest file or mapping of a part, when it is most of it: its name without folders. */
static int put_row(const struct ledger *l, enum part p, uint64_t bytes, struct text *out)
{
	const struct ledger_row *best = NULL;
	const char *slash;

	if (p != PART_FILES && p != PART_SHM && p != PART_LIBS)
		return 0;
	for (size_t i = 0; i < l->rows.n; i++) {
		const struct ledger_row *r = &l->rows.v[i];

		if (part_of(r->cat) == p && r->id.kind == ROW_FILE &&
		    (!best || r->resident > best->resident))
			best = r;
	}
	if (!best || best->resident <= bytes / 2)
		return 0;
	slash = strrchr(best->name, '/');
	return text_printf(out, " (mostly %.60s)", slash && slash[1] ? slash + 1 : best->name);
}

static int put_part(const struct report *r, enum part p, uint64_t bytes, const char *before,
		    struct text *out)
{
	unsigned int percent = (bytes * 100 + r->rss.scanned / 2) / r->rss.scanned;
	const char *what = words[p];
	enum category one = largest(&r->ledger, p, CAT_COUNT);
	int rc;

	if (p == PART_OTHER && one != CAT_COUNT)
		what = category_text(one);
	if (p == PART_ANON && !r->target.is_go)
		what = "anonymous mappings";
	rc = text_printf(out, "%s%u %% %s", before, percent, what);
	if (!rc)
		rc = put_detail(&r->ledger, p, bytes, out);
	return rc ? rc : put_row(&r->ledger, p, bytes, out);
}

struct sized {
	enum part part;
	uint64_t bytes;
};

static int by_bytes(const void *a, const void *b)
{
	const struct sized *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->part < y->part ? -1 : 1;
}

int verdict_parts(const struct report *r, struct text *out)
{
	enum { PARTS_MAX = 3, ENOUGH = 85 /* % */ };
	struct sized s[PART_COUNT];
	uint64_t told = 0;
	int rc = 0;

	if (!r->rss.scanned)
		return 0;
	for (int p = 0; p < PART_COUNT; p++)
		s[p] = (struct sized){ .part = p };
	for (int c = 0; c < CAT_COUNT; c++)
		s[part_of(c)].bytes += r->ledger.cat[c].resident;
	qsort(s, PART_COUNT, sizeof(s[0]), by_bytes);
	for (int i = 0; i < PARTS_MAX && !rc; i++) {
		if (!s[i].bytes || (i && (s[i].bytes < r->rss.scanned / 10 ||
					  told >= r->rss.scanned / 100 * ENOUGH)))
			break;
		rc = put_part(r, s[i].part, s[i].bytes, i ? ", " : ": ", out);
		told += s[i].bytes;
	}
	return rc;
}
