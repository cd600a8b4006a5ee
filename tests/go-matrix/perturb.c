/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perturb PID|CAPTURE [-v]: a process that stands still, read with a layout of which one field was
 * moved by 8 bytes (sizes and constants too), for each field and both ways; then with the layouts
 * of all other releases; then as if the program named another release. Each time the runtime must
 * be refused, or a figure be missing by name or marked torn, or every figure stay the same. Prints
 * what is none of that; status 1 when there are any.
 */
#include <inttypes.h>

#include "goruntime/histograms.h"
#include "target.h"

static const char *const field_names[] = {
#define SIZE(id, s)	[GO_SIZE_##id] = "SIZE_" #id,
#define FIELD(id, s, f) [GO_##id] = #id,
#define WIDTH(id, s, f) [GO_##id] = #id,
#define CONST(id, n)	[GO_CONST_##id] = "CONST_" #id,
#include "goruntime/fields.def"
};

struct figure {
	char name[64];
	uint64_t v;
};
struct reading {
	struct go_sums sums; /* the runtime's own */
	bool has_sums;
	VEC(struct figure) v;
	bool noticed; /* something is named as missing or torn */
	char what[200];
	char absent[700];
};

static void put(struct reading *r, const char *name, uint64_t v)
{
	struct figure f = { .v = v };

	snprintf(f.name, sizeof(f.name), "%s", name);
	if (vec_push(&r->v, f))
		abort();
}

static void notice(struct reading *r, const char *what)
{
	r->noticed = true;
	snprintf(r->what, sizeof(r->what), "%.199s", what);
}

static void read_metrics(const struct go_runtime *rt, struct reading *r)
{
	struct go_metrics m;
	struct err e = { 0 };

	if (go_metrics_read(rt, &m, &e)) {
		notice(r, e.text);
		return;
	}
	if (m.torn)
		notice(r, "torn");
	for (size_t i = 0; i < m.v.n; i++)
		put(r, m.v.v[i].name, m.v.v[i].value);
	r->sums = m.sums;
	r->has_sums = true;
	snprintf(r->absent, sizeof(r->absent), "%s;%s", m.absent, m.never);
	put(r, "last_gc", m.last_gc_unix_ns);
	put(r, "last_pause", m.last_pause_ns);
	put(r, "gogc", m.has_gogc ? m.gogc : 12345);
	go_metrics_free(&m);
}

static void read_histograms(const struct go_runtime *rt, struct reading *r)
{
	struct go_histograms h;
	uint64_t sum = 0;
	size_t n;

	if (go_histograms_read(rt, &h)) {
		notice(r, "histograms");
		return;
	}
	/* a capture of before has none */
	n = strlen(r->absent);
	snprintf(r->absent + n, sizeof(r->absent) - n, ";%s", h.absent);
	for (size_t i = 0; i < h.n; i++) {
		for (size_t k = 0; k < h.h[i].v.n; k++)
			sum = sum * 31 + h.h[i].v.v[k].from_ns + h.h[i].v.v[k].to_ns * 7 +
			      h.h[i].v.v[k].count * 1000003;
		put(r, h.h[i].name, sum);
	}
	go_histograms_free(&h);
}

static void read_heap(const struct go_runtime *rt, struct reading *r)
{
	uint64_t bytes[4] = { 0 }, live = 0, dead = 0, free = 0, inuse = 0, sum = 0, unread = 0, a,
		 b;
	struct go_heap h;
	struct err e = { 0 };
	const char *what = "";
	bool odd;

	if (go_heap_read(rt, PASS_SPANS, &h, &e)) {
		notice(r, e.text);
		return;
	}
	for (size_t i = 0; i < h.spans.n; i++) {
		const struct go_span *s = &h.spans.v[i];

		bytes[s->kind] += (uint64_t)s->npages * GO_PAGE_SIZE;
		sum = sum * 31 + s->start + s->elemsize;
		if (s->kind != GO_SPAN_OBJECTS)
			continue;
		unread += !go_span_divide(rt, s, s->start, s->start + s->npages * GO_PAGE_SIZE, &a,
					  &b, &odd);
		if (odd)
			notice(r, "a span's objects");
		live += a;
		dead += b;
	}
	for (size_t i = 0; i < h.pages.n; i++)
		free += (h.pages.v[i].end - h.pages.v[i].start) * (1 + h.pages.v[i].flags);
	for (size_t i = 0; i < h.inuse.n; i++)
		inuse += h.inuse.v[i].end - h.inuse.v[i].start;
	put(r, "spans of objects", bytes[GO_SPAN_OBJECTS]);
	put(r, "spans of stacks", bytes[GO_SPAN_STACK]);
	put(r, "manual spans", bytes[GO_SPAN_MANUAL]);
	put(r, "user arenas", bytes[GO_SPAN_USERARENA]);
	put(r, "span order", sum);
	put(r, "live bytes", live);
	put(r, "dead bytes", dead);
	put(r, "unread", unread);
	put(r, "free pages", free);
	put(r, "managed", inuse);
	put(r, "span structures", h.nspans);
	if (h.bad || h.conflict)
		notice(r, "spans that make no sense");
	if (r->has_sums && go_sums_differ(&r->sums, &h.sums, &what)) {
		notice(r, what);
		snprintf(r->what, sizeof(r->what), "%s differ by %" PRIu64, what,
			 go_sums_differ(&r->sums, &h.sums, &what));
	}
	go_heap_free(&h);
}

static void read_rest(const struct go_runtime *rt, struct reading *r)
{
	uint64_t kind[GO_REGION_COUNT] = { 0 }, stacks = 0;
	go_region_vec regions = { 0 };
	go_thread_vec threads = { 0 };
	struct go_goroutines g;
	struct err e = { 0 };

	if (go_regions_read(rt, &regions, NULL, &e) || e.text[0])
		notice(r, e.text);
	for (size_t i = 0; i < regions.n; i++)
		kind[regions.v[i].kind] +=
			(regions.v[i].end - regions.v[i].start) + regions.v[i].start / 8 % 1000003;
	for (int i = 0; i < GO_REGION_COUNT; i++)
		put(r, go_region_name(i), kind[i]);
	if (go_threads_read(rt, &threads, &e))
		notice(r, e.text);
	for (size_t i = 0; i < threads.n; i++)
		stacks = stacks * 31 + threads.v[i].procid + threads.v[i].stack_lo +
			 threads.v[i].stack_hi;
	put(r, "threads", threads.n);
	put(r, "thread stacks", stacks);
	if (!go_goroutines_read(rt, &g, &e)) {
		put(r, "goroutines", g.total);
		for (int i = 0; i < GO_GSTATUS_COUNT; i++)
			put(r, go_gstatus_name(i), g.by_status[i]);
	}
	vec_free(&regions);
	vec_free(&threads);
}

/* 0, or why the runtime was refused. */
static int read_all(struct target *t, const struct go_layout *const *l, size_t n,
		    struct reading *out)
{
	struct go_runtime rt;
	struct err e = { 0 };
	int r;

	*out = (struct reading){ 0 };
	memsrc_flush(t->m);
	r = go_runtime_try(t->m, t->bin, t->bias, &t->maps, l, n, NULL, &rt, &e);
	if (r)
		return r;
	if (rt.missing[0])
		notice(out, rt.missing);
	read_metrics(&rt, out);
	read_histograms(&rt, out);
	read_heap(&rt, out);
	read_rest(&rt, out);
	return 0;
}

/* Names up to three figures that differ; false when none does. */
static bool differs(const struct reading *a, const struct reading *b, char *buf, size_t n)
{
	size_t at = 0, found = 0, j;

	buf[0] = 0;
	for (size_t i = 0; i < a->v.n; i++) {
		for (j = 0; j < b->v.n && strcmp(a->v.v[i].name, b->v.v[j].name); j++)
			;
		if (j < b->v.n && a->v.v[i].v == b->v.v[j].v)
			continue;
		if (found++ < 3 && at < n)
			at += snprintf(buf + at, n - at, "%s%s %" PRIu64 " %s %" PRIu64,
				       at ? "; " : "", a->v.v[i].name, a->v.v[i].v,
				       j < b->v.n ? "→" : "gone", j < b->v.n ? b->v.v[j].v : 0);
	}
	for (size_t i = 0; i < b->v.n; i++) {
		for (j = 0; j < a->v.n && strcmp(b->v.v[i].name, a->v.v[j].name); j++)
			;
		if (j == a->v.n && found++ < 3 && at < n)
			at += snprintf(buf + at, n - at, "%s%s is new", at ? "; " : "",
				       b->v.v[i].name);
	}
	return found;
}

struct tally {
	unsigned int refused, named, same, silent;
	bool verbose;
};

static void try_some(struct target *t, const struct reading *base, const struct go_layout *const *l,
		     size_t nl, const char *label, struct tally *n)
{
	struct reading now;
	char diff[400];

	if (read_all(t, l, nl, &now)) {
		n->refused++;
	} else if (!differs(base, &now, diff, sizeof(diff))) {
		n->same++;
		if (n->verbose)
			printf("same   %s\n", label);
	} else if ((now.noticed && !base->noticed) || strcmp(now.absent, base->absent)) {
		n->named++;
		if (n->verbose)
			printf("named  %s: %s\n", label, now.noticed ? now.what : now.absent);
	} else {
		n->silent++;
		printf("SILENT %s: %s\n", label, diff);
	}
	vec_free(&now.v);
}

static void try_one(struct target *t, const struct reading *base, const struct go_layout *l,
		    const char *label, struct tally *n)
{
	try_some(t, base, &l, 1, label, n);
}

static void move_fields(struct target *t, const struct reading *base, const struct go_layout *own,
			struct tally *n)
{
	char label[80];

	for (int f = 0; f < GO_FIELD_COUNT; f++) {
		for (int by = -8; by <= 8; by += 16) {
			struct go_layout l = *own;

			if (!go_has(&l, f) || (l.f[f] + by < 0 && l.f[f] > 0))
				continue;
			l.f[f] += by;
			snprintf(label, sizeof(label), "%s %+d", field_names[f], by);
			try_one(t, base, &l, label, n);
		}
	}
}

static void swap_layouts(struct target *t, const struct reading *base, const struct go_layout *own,
			 struct tally *n)
{
	char label[80];

	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *l = &go_layouts[i];

		if (l == own || strcmp(l->arch, own->arch) != 0)
			continue;
		snprintf(label, sizeof(label), "the layout of %.*s", (int)strcspn(l->releases, " "),
			 l->releases);
		try_one(t, base, l, label, n);
	}
}

/* The version of a program of a layout's first release: "go1.26.8+x" has an experiment. */
static void version_of(const struct go_layout *l, char *buf, size_t max)
{
	size_t n = strcspn(l->releases, " "), release = strcspn(l->releases, " +");

	snprintf(buf, max, "%.*s%s%.*s", (int)release, l->releases, release < n ? " X:" : "",
		 release < n ? (int)(n - release - 1) : 0, l->releases + release + 1);
}

/* Layouts in the order in which a program that names another release gets them. */
static void misname(struct target *t, const struct reading *base, const struct go_layout *own,
		    struct tally *n)
{
	const struct go_layout *order[64];
	char label[80], version[40];

	for (size_t i = 0; i < go_nlayouts; i++) {
		if (strcmp(go_layouts[i].arch, own->arch) != 0)
			continue;
		version_of(&go_layouts[i], version, sizeof(version));
		snprintf(label, sizeof(label), "named %s", version);
		try_some(t, base, order,
			 go_layout_candidates(version, own->arch, order,
					      sizeof(order) / sizeof(order[0])),
			 label, n);
	}
}

int main(int argc, char **argv)
{
	struct tally fields = { 0 }, layouts = { 0 }, names = { 0 };
	struct target t = { 0 };
	struct reading base;
	struct go_runtime rt;
	struct err e = { 0 };

	if (argc < 2)
		return 2;
	fields.verbose = layouts.verbose = names.verbose = argc > 2 && !strcmp(argv[2], "-v");
	target_open(&t, argv[1]);
	if (go_runtime_open(t.m, t.bin, t.bias, &t.maps, NULL, &rt, &e) ||
	    read_all(&t, &rt.l, 1, &base)) {
		fprintf(stderr, "%s: %s\n", argv[1], e.text);
		return 2;
	}
	if (base.noticed)
		printf("as it is: %s\n", base.what);
	move_fields(&t, &base, rt.l, &fields);
	swap_layouts(&t, &base, rt.l, &layouts);
	misname(&t, &base, rt.l, &names);
	printf("%s: of fields %u refused, %u named, %u without effect, %u silent; of layouts %u, "
	       "%u, %u, %u; named otherwise %u, %u, %u, %u\n",
	       rt.layout, fields.refused, fields.named, fields.same, fields.silent, layouts.refused,
	       layouts.named, layouts.same, layouts.silent, names.refused, names.named, names.same,
	       names.silent);
	vec_free(&base.v);
	target_close(&t);
	return base.noticed || fields.silent || layouts.silent || names.silent;
}
