/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects by type, of a process that is an array: against counts of single bytes, and with types
 * that are none. */
#include <errno.h>

#include "test.h"

#include "goruntime/typename.h"
#include "goruntime/types.h"
#include "source/memsrc_impl.h"

enum {
	BASE = 0x100000,
	MODULE = BASE,		/* moduledata */
	PLUGIN = BASE + 0x1000, /* another one */
	TYPES = BASE + 0x2000,
	ETYPES = TYPES + 0x2000,
	PLUGIN_TYPES = ETYPES,
	PLUGIN_ETYPES = PLUGIN_TYPES + 0x1000,
	MADE = PLUGIN_ETYPES, /* by reflect */
	SPANS = BASE + 0x10000,
	BYTES = 0x200000,
	NAMES = 0x1000, /* of TYPES: where names begin */
	ROWS = 64,
};

struct process {
	struct memsrc m;
	struct go_runtime rt;
	struct go_layout l;
	uint64_t at_type, at_name;   /* where the next one goes */
	uint64_t absent, absent_end; /* memory that can't be read */
	uint8_t mem[BYTES];
};

static int read_mem(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes)
{
	struct process *p = (struct process *)m;

	memset(buf, 0, len);
	if (addr < BASE || addr + len > BASE + BYTES)
		return range_append(holes, addr, addr + len, HOLE_UNMAPPED);
	if (addr < p->absent_end && addr + len > p->absent)
		return range_append(holes, addr, addr + len, HOLE_ABSENT);
	memcpy(buf, p->mem + (addr - BASE), len);
	return 0;
}

static int gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		  size_t each, void *buf, bool *bad, range_vec *holes)
{
	for (size_t i = 0; i < n; i++) {
		holes->n = 0;
		read_mem(m, pass, 0, addr[i], (uint8_t *)buf + i * each, each, holes);
		bad[i] = holes->n;
	}
	holes->n = 0;
	return 0;
}

static const struct memsrc_ops ops = { .read = read_mem, .gather = gather };

static void *at(struct process *p, uint64_t addr)
{
	return p->mem + (addr - BASE);
}

static void put64(struct process *p, uint64_t addr, uint64_t x)
{
	memcpy(at(p, addr), &x, 8);
}

static void put32(struct process *p, uint64_t addr, uint32_t x)
{
	memcpy(at(p, addr), &x, 4);
}

static void put_module(struct process *p, uint64_t addr, uint64_t types, uint64_t etypes,
		       uint64_t next)
{
	put64(p, addr + p->l.f[GO_MODULEDATA_TYPES], types);
	put64(p, addr + p->l.f[GO_MODULEDATA_ETYPES], etypes);
	put64(p, addr + p->l.f[GO_MODULEDATA_NEXT], next);
}

static struct process *begin(const char *release)
{
	struct process *p = calloc(1, sizeof(*p));

	REQUIRE(p && go_layout_find(release, "amd64"));
	p->m = (struct memsrc){ .ops = &ops, .page_size = 4096, .kind = MEMSRC_CORE };
	p->l = *go_layout_find(release, "amd64");
	p->rt = (struct go_runtime){ .m = &p->m, .l = &p->l, .g = { .moduledata = MODULE } };
	p->at_type = TYPES + 64;
	p->at_name = TYPES + NAMES;
	put_module(p, MODULE, TYPES, ETYPES, PLUGIN);
	put_module(p, PLUGIN, PLUGIN_TYPES, PLUGIN_ETYPES, 0);
	return p;
}

static void end(struct process *p)
{
	vec_free(&p->m.holes);
	free(p);
}

/* A type as the compiler lays it out, of a struct. */
static void put_type(struct process *p, uint64_t addr, uint64_t size, uint8_t kind, uint8_t tflag,
		     uint32_t str)
{
	put64(p, addr, size);
	put64(p, addr + 8, size & ~7ULL);
	memcpy(at(p, addr + 20), (uint8_t[]){ tflag, 8, 8, kind }, 4);
	put32(p, addr + 40, str);
}

static void put_name(struct process *p, uint64_t addr, const char *name, size_t n)
{
	uint8_t *b = at(p, addr);

	*b++ = 1;
	for (; n >> 7; n >>= 7)
		*b++ = n | 128;
	*b++ = n;
	memcpy(b, name, strlen(name));
}

/* One with that name; where it is. */
static uint64_t type_of(struct process *p, const char *name, uint64_t size, bool star)
{
	uint64_t type = p->at_type, at_name = p->at_name;

	put_type(p, type, size, 25, star ? 2 : 4, at_name - TYPES);
	put_name(p, at_name, name, strlen(name));
	p->at_type += 48;
	p->at_name += strlen(name) + 4;
	REQUIRE(p->at_type < TYPES + NAMES && p->at_name < ETYPES);
	return type;
}

/* ---- names */

static const char *name_at(struct process *p, uint64_t type, struct text *buf)
{
	struct go_typenames t;
	struct go_type x;
	int r = go_typenames_init(&t, &p->rt, NULL);

	CHECK_INT(r, 0);
	buf->n = 0;
	text_add(buf, "", 0);
	r = go_type_read(&t, type, &x);
	if (r == -ENOENT)
		return "no type";
	r = go_type_name(&t, &x, buf);
	return r == -ENOENT ? "no name" : r ? "an error" : buf->p;
}

TEST(type_names)
{
	struct process *p = begin("go1.24.4");
	struct text t = { 0 };
	char long_name[2000];

	CHECK_STR(name_at(p, type_of(p, "main.Session", 640, false), &t), "main.Session");
	CHECK_STR(name_at(p, type_of(p, "*map[string]int", 640, true), &t), "map[string]int");
	CHECK_STR(name_at(p, type_of(p, "a\x1b[31m\xff", 640, false), &t), "a?[31m?");
	CHECK_STR(name_at(p, type_of(p, "main.\xc3\x84rger", 640, false), &t), "main.\xc3\x84rger");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	long_name[200] = 0;
	CHECK_STR(name_at(p, type_of(p, long_name, 640, false), &t), long_name);
	long_name[200] = 'x';
	CHECK_INT(strlen(name_at(p, type_of(p, long_name, 640, false), &t)), 1024 + 3);
	CHECK_STR(t.p + 1022, "xx...");
	/* of a plugin: names are offsets of its own */
	put_type(p, PLUGIN_TYPES, 640, 25, 4, 512);
	put_name(p, PLUGIN_TYPES + 512, "plug.In", 7);
	CHECK_STR(name_at(p, PLUGIN_TYPES, &t), "plug.In");
	text_free(&t);
	end(p);
}

/* Each is one step away from a type that has a name. */
TEST(type_names_that_are_none)
{
	struct process *p = begin("go1.27.1");
	struct text t = { 0 };
	uint64_t good = type_of(p, "main.T", 640, false), bad;
	const struct {
		unsigned int at, n;
		uint64_t value;
		const char *want;
	} c[] = {
		{ 0, 8, 0, "no type" },
		{ 0, 8, 1ULL << 48, "no type" },
		{ 8, 8, 0, "no type" },	  /* no pointers in it */
		{ 8, 8, 648, "no type" }, /* beyond its end */
		{ 8, 8, 4, "no type" },
		{ 20, 1, 64, "no type" },
		{ 21, 1, 0, "no type" },
		{ 21, 1, 3, "no type" },
		{ 22, 1, 128, "no type" },
		{ 23, 1, 0, "no type" },
		{ 23, 1, 27, "no type" },
		{ 40, 4, 0, "no name" },
		{ 40, 4, 0x7fffffff, "no name" },
		{ 40, 4, ETYPES - TYPES, "no name" },
		{ 40, 4, ETYPES - TYPES - 1, "no name" },
		{ 40, 4, 0x80000000, "no type" }, /* as reflect's, but the linker has made it */
		{ 20, 1, 63, "ain.T" },
		{ 23, 1, 25 | 96, "main.T" }, /* flags above, up to 1.25 */
	};

	CHECK_STR(name_at(p, good, &t), "main.T");
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		bad = p->at_type;
		memcpy(at(p, bad), at(p, good), 48);
		memcpy(at(p, bad + c[i].at), &c[i].value, c[i].n);
		if (strcmp(name_at(p, bad, &t), c[i].want))
			test_failed(__FILE__, __LINE__, "case %zu is \"%s\", want \"%s\"", i,
				    name_at(p, bad, &t), c[i].want);
	}
	CHECK_STR(name_at(p, good + 4, &t), "no type");
	CHECK_STR(name_at(p, ETYPES - 8, &t), "no type");
	CHECK_STR(name_at(p, 0, &t), "no type");
	CHECK_STR(name_at(p, 1ULL << 50, &t), "no type");
	CHECK_STR(name_at(p, 8, &t), "no type");
	/* names that don't end, or end outside */
	bad = p->at_name;
	memset(at(p, bad), 0xff, 8);
	put32(p, good + 40, bad - TYPES);
	CHECK_STR(name_at(p, good, &t), "no name");
	put_name(p, ETYPES - 9, "abcdefg", 7);
	put32(p, good + 40, ETYPES - 9 - TYPES);
	CHECK_STR(name_at(p, good, &t), "abcdefg");
	*(uint8_t *)at(p, ETYPES - 8) = 8;
	CHECK_STR(name_at(p, good, &t), "no name");
	*(uint8_t *)at(p, ETYPES - 8) = 0;
	CHECK_STR(name_at(p, good, &t), "no name");
	text_free(&t);
	end(p);
}

/* What reflect makes lies outside of modules, and is named by what it is made of. */
TEST(type_names_made_by_reflect)
{
	struct process *p = begin("go1.26.8");
	uint64_t elem = type_of(p, "main.T", 640, false), a = MADE, b = MADE + 128;
	struct text t = { 0 };
	struct go_typenames names;

	put_type(p, a, 1920, 17, 0, -5);
	put64(p, a + 48, elem);
	put64(p, a + 64, 3);
	put_type(p, b, 24, 23, 0, -6);
	put64(p, b + 48, a);
	CHECK_STR(name_at(p, b, &t), "[][3]main.T");
	put64(p, a + 48, 0x10);
	CHECK_STR(name_at(p, a, &t), "array of 1920 B made by reflect");
	CHECK_STR(name_at(p, b, &t), "[]array of 1920 B made by reflect");
	put_type(p, a, 1920, 25, 0, -5);
	CHECK_STR(name_at(p, a, &t), "struct of 1920 B made by reflect");
	/* one of itself */
	put64(p, b + 48, b);
	CHECK(strstr(name_at(p, b, &t), "[][][]") != NULL);
	CHECK(t.n < 100);
	/* an offset as the linker's, but outside of what it has made */
	put32(p, a + 40, 5);
	CHECK_STR(name_at(p, a, &t), "no type");
	/* a list of modules that leads back to itself; without types there is none */
	put_module(p, PLUGIN, PLUGIN_TYPES, PLUGIN_ETYPES, MODULE);
	CHECK_INT(go_typenames_init(&names, &p->rt, NULL), 0);
	CHECK_INT(names.n, GO_MODULES_MAX);
	put_module(p, MODULE, ETYPES, TYPES, 0);
	CHECK_INT(go_typenames_init(&names, &p->rt, NULL), -ENOENT);
	text_free(&t);
	end(p);
}

/* ---- objects */

struct row {
	char name[80];
	enum go_type_how how;
	struct go_type_sum sum;
};

struct rows {
	struct row v[ROWS];
	size_t n;
	struct go_type_sum all;
};

static int take(void *ctx, const char *name, enum go_type_how how, const struct go_type_sum *sum)
{
	struct rows *r = ctx;

	REQUIRE(r->n < ROWS);
	snprintf(r->v[r->n].name, sizeof(r->v[r->n].name), "%s", name);
	r->v[r->n].how = how;
	r->v[r->n++].sum = *sum;
	r->all.live += sum->live;
	r->all.objects += sum->objects;
	r->all.resident += sum->resident;
	r->all.dead += sum->dead;
	return 0;
}

static void check_row(int line, const struct rows *r, const char *name, enum go_type_how how,
		      uint64_t live, uint64_t objects, uint64_t resident, uint64_t dead)
{
	struct go_type_sum s = { 0 };
	size_t found = 0;

	for (size_t i = 0; i < r->n; i++)
		if (!strcmp(r->v[i].name, name) && r->v[i].how == how) {
			s = r->v[i].sum;
			found++;
		}
	if (found != 1 || s.live != live || s.objects != objects || s.resident != resident ||
	    s.dead != dead)
		test_failed(__FILE__, line,
			    "%s: %zu rows, live %" PRIu64 " in %" PRIu64 ", resident %" PRIu64
			    ", dead %" PRIu64,
			    name, found, s.live, s.objects, s.resident, s.dead);
}
#define CHECK_ROW(...) check_row(__LINE__, __VA_ARGS__)

static struct go_span span_of(uint8_t spanclass, uint64_t elemsize, uint16_t nelems, size_t i)
{
	return (struct go_span){ .start = SPANS + i * 0x10000,
				 .elemsize = elemsize,
				 .npages = 8,
				 .nelems = nelems,
				 .spanclass = spanclass };
}

/* The class of objects of that size that hold pointers. */
static uint8_t class_of(const struct process *p, uint64_t size)
{
	for (uint32_t i = 1; i < p->l.nclasses; i++)
		if (p->l.class_size[i] == size)
			return i << 1;
	return 0;
}

static void add_whole(struct go_types *t, const struct go_span *s, uint64_t alloc, uint64_t live,
		      uint64_t large_type)
{
	struct go_slots b = { .alloc = { alloc }, .live = { live } };

	CHECK_INT(go_types_add(t,
			       &(struct go_types_piece){ .s = s,
							 .b = &b,
							 .large_type = large_type,
							 .start = s->start,
							 .end = s->start + s->npages * GO_PAGE_SIZE,
							 .resident = true }),
		  0);
}

static struct go_types *create(struct process *p)
{
	struct go_types *t = NULL;

	REQUIRE(!go_types_create(&p->rt, NULL, &t));
	return t;
}

TEST(types_of_objects)
{
	struct process *p = begin("go1.24.4");
	uint64_t session = type_of(p, "main.Session", 632, false);
	uint64_t word = type_of(p, "*main.Session", 8, false);
	uint64_t huge = type_of(p, "main.Huge", 40000, false);
	struct go_span a = span_of(class_of(p, 640), 640, 12, 0),
		       b = span_of(class_of(p, 640), 640, 12, 1);
	struct go_span large = span_of(0, 40960, 1, 2), flat = span_of(1, 40960, 1, 3);
	struct go_span small = span_of(class_of(p, 64), 64, 64, 4), tiny = span_of(5, 16, 64, 5);
	struct go_types *t = create(p);
	struct rows r = { 0 };

	CHECK(go_types_has_headers(t));
	for (int i = 0; i < 12; i++) {
		put64(p, a.start + i * 640, session);
		put64(p, b.start + i * 640, i % 2 ? word : 7);
	}
	add_whole(t, &a, 0xfff, 0x0ff, 0);
	add_whole(t, &b, 0x00f, 0x007, 0);
	add_whole(t, &large, 1, 1, huge);
	large.start += 0x60000;
	add_whole(t, &large, 1, 1, word);
	large.start += 0x10000;
	add_whole(t, &large, 1, 0, 0);
	add_whole(t, &flat, 1, 1, huge);
	add_whole(t, &small, ~0ULL, 0xff, 0);
	add_whole(t, &tiny, 0x3, 0x3, 0);
	CHECK_INT(go_types_end(t, take, &r), 0);
	CHECK_ROW(&r, "main.Session", GO_TYPE_EXACT, 8 * 640, 8, 8 * 640, 4 * 640);
	CHECK_ROW(&r, "[]*main.Session", GO_TYPE_EXACT, 640 + 40960, 2, 640 + 40960, 640);
	CHECK_ROW(&r, "unknown type", GO_TYPE_UNKNOWN, 1280, 2, 1280, 40960);
	CHECK_ROW(&r, "main.Huge", GO_TYPE_EXACT, 40960, 1, 40960, 0);
	CHECK_ROW(&r, "noscan large, 32 KiB to 64 KiB", GO_TYPE_NOSCAN, 40960, 1, 40960, 0);
	CHECK_ROW(&r, "small 64 B", GO_TYPE_SMALL, 512, 8, 512, 56 * 64);
	CHECK_ROW(&r, "noscan 16 B (and tiny)", GO_TYPE_NOSCAN, 32, 2, 32, 0);
	CHECK_INT(r.n, 7);
	go_types_destroy(t);
	end(p);
}

/* A class of 512 bytes has no header, the next one has. One element whose class is rounded up is
 * not two of them. */
TEST(types_at_the_edges)
{
	struct process *p = begin("go1.22.1");
	uint64_t type = type_of(p, "T", 520, false), tight = type_of(p, "U", 284, false);
	struct go_span s512 = span_of(class_of(p, 512), 512, 8, 0);
	struct go_span s576 = span_of(class_of(p, 576), 576, 8, 1);
	struct go_types *t = create(p);
	struct rows r = { 0 };

	for (int i = 0; i < 8; i++) {
		put64(p, s512.start + i * 512, type);
		put64(p, s576.start + i * 576, i ? type : tight); /* 2 · 284 + 8 = 576 */
	}
	add_whole(t, &s512, 0xff, 0xff, 0);
	add_whole(t, &s576, 0xff, 0xff, 0);
	CHECK_INT(go_types_end(t, take, &r), 0);
	CHECK_ROW(&r, "small 512 B", GO_TYPE_SMALL, 4096, 8, 4096, 0);
	CHECK_ROW(&r, "T", GO_TYPE_EXACT, 7 * 576, 7, 7 * 576, 0);
	CHECK_ROW(&r, "[]U", GO_TYPE_EXACT, 576, 1, 576, 0);
	go_types_destroy(t);
	end(p);
}

/* What is first in an object is the program's own where there are no headers: it may well be the
 * address of a type, that of an interface. */
TEST(types_without_headers)
{
	static const char *const releases[] = { "go1.15.15", "go1.21.13",
						"go1.22.12+noallocheaders" };

	for (size_t i = 0; i < ARRAY_LEN(releases); i++) {
		struct process *p = begin(releases[i]);
		uint64_t type = type_of(p, "main.T", 520, false);
		struct go_span s = span_of(class_of(p, 576), 576, 8, 0),
			       large = span_of(0, 40960, 1, 1);
		struct go_types *t = create(p);
		struct rows r = { 0 };

		put64(p, s.start, type);
		CHECK(!go_types_has_headers(t));
		add_whole(t, &s, 0xff, 0x0f, 0);
		add_whole(t, &large, 1, 1, type);
		CHECK_INT(go_types_end(t, take, &r), 0);
		CHECK_INT(r.n, 2);
		CHECK_ROW(&r, "scan 576 B", GO_TYPE_SCAN, 4 * 576, 4, 4 * 576, 4 * 576);
		CHECK_ROW(&r, "scan large, 32 KiB to 64 KiB", GO_TYPE_SCAN, 40960, 1, 40960, 0);
		go_types_destroy(t);
		end(p);
	}
}

/* Spans cut anywhere, parts of them resident: sums are those of go_slots_divide, and objects count
 * once. */
TEST(types_of_pieces)
{
	static const uint64_t sizes[] = { 8, 16, 48, 512, 576, 1024, 1152, 8192, 10000, 65536 };
	struct process *p = begin("go1.25.1");
	uint64_t seed = 7;

	for (int round = 0; round < 300; round++) {
		uint64_t size = sizes[test_random(&seed) % ARRAY_LEN(sizes)];
		uint64_t n = 65536 / size, live = 0, dead = 0, resident = 0, objects = 0;
		uint64_t type = type_of(p, "main.T", 8 + test_random(&seed) % 700 * 8, false);
		struct go_span s = span_of(2 + test_random(&seed) % 120, size, n, 0);
		struct go_types *t = create(p);
		struct rows r = { 0 };
		struct go_slots b;

		p->at_type = TYPES + 64;
		p->at_name = TYPES + NAMES;
		for (uint64_t k = 0; k < (n + 63) / 64; k++) {
			b.alloc[k] = test_random(&seed);
			if (n % 64 && k == n / 64)
				b.alloc[k] &= (1ULL << n % 64) - 1;
			b.live[k] = b.alloc[k] & test_random(&seed);
			objects += __builtin_popcountll(b.live[k]);
		}
		for (uint64_t k = 0; k < n; k++)
			put64(p, s.start + k * size,
			      test_random(&seed) % 3 ? type : test_random(&seed));
		for (uint64_t a = s.start, z; a < s.start + 65536; a = z) {
			bool there = test_random(&seed) % 2;
			uint64_t l, d;

			z = a + 1 + test_random(&seed) % (test_random(&seed) % 2 ? 20000 : 700);
			z = z < s.start + 65536 ? z : s.start + 65536;
			go_slots_divide(&b, &s, a, z, &l, &d, NULL);
			live += l;
			dead += d;
			resident += there ? l : 0;
			CHECK_INT(go_types_add(t, &(struct go_types_piece){ .s = &s,
									    .b = &b,
									    .start = a,
									    .end = z,
									    .resident = there }),
				  0);
		}
		CHECK_INT(go_types_end(t, take, &r), 0);
		CHECK_INT(r.all.live, live);
		CHECK_INT(r.all.dead, dead);
		CHECK_INT(r.all.resident, resident);
		CHECK_INT(r.all.objects, objects);
		go_types_destroy(t);
	}
	end(p);
}

/* Headers that can't be read, and more different ones than are looked into. */
TEST(types_beyond_bounds)
{
	struct process *p = begin("go1.26.8");
	uint64_t type = type_of(p, "main.T", 520, false);
	struct go_span s = span_of(48, 576, 8, 0);
	struct go_types *t = create(p);
	struct rows r = { 0 };

	s.nelems = 1;
	for (unsigned int i = 0; i < 70000; i++, s.start += 8) {
		/* what may be a type's address, outside of all memory; then one type once more */
		put64(p, s.start, i % 70 ? 0x40000000 + 8ULL * i : type);
		add_whole(t, &s, 1, 1, 0);
	}
	CHECK_INT(go_types_end(t, take, &r), 0);
	CHECK_INT(r.all.live, 70000 * 576);
	CHECK_ROW(&r, "main.T", GO_TYPE_EXACT, 1000 * 576, 1000, 1000 * 576, 0);
	CHECK_ROW(&r, "types beyond the first 65536", GO_TYPE_UNKNOWN, (69000 - 65535) * 576,
		  69000 - 65535, (69000 - 65535) * 576, 0);
	go_types_destroy(t);
	p->absent = SPANS;
	p->absent_end = SPANS + 4096;
	t = create(p);
	r = (struct rows){ 0 };
	s.start = SPANS;
	s.nelems = 8;
	add_whole(t, &s, 3, 1, 0);
	CHECK_INT(go_types_end(t, take, &r), 0);
	CHECK_ROW(&r, "unknown type", GO_TYPE_UNKNOWN, 576, 1, 576, 576);
	CHECK_INT(r.n, 1);
	go_types_destroy(t);
	end(p);
}
