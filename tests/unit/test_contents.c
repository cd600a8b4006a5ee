/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies where in a program, against what it was made from. */
#include "binary/contents.h"
#include "binary/package.h"
#include "bytes.h"
#include "elf_writer.h"
#include "test.h"

#include <errno.h>

static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };

/* Read-only data under way: where addresses are in it. */
struct ro {
	struct text t;
	uint32_t pointers[64];
	size_t npointers;
	uint64_t base;
	bool old_names; /* two bytes of length */
};

static uint64_t here(const struct ro *r)
{
	return r->base + r->t.n;
}

static void put(struct ro *r, const void *p, size_t n)
{
	REQUIRE(!text_add(&r->t, p, n));
}

static void u64(struct ro *r, uint64_t v)
{
	put(r, &v, 8);
}

static void u32(struct ro *r, uint32_t v)
{
	put(r, &v, 4);
}

static void pointer(struct ro *r, uint64_t v)
{
	r->pointers[r->npointers++] = r->t.n;
	u64(r, v);
}

static void align(struct ro *r)
{
	while (r->t.n % 8)
		put(r, "", 1);
}

/* reflect's name: its offset. */
static uint32_t name(struct ro *r, const char *s)
{
	uint32_t at = r->t.n, n = strlen(s);
	const uint8_t old[3] = { 0, 0, n }, new[2] = { 0, n };

	if (r->old_names)
		put(r, old, 3);
	else
		put(r, new, 2);
	put(r, s, n);
	return at;
}

enum { UNCOMMON = 1, NAMED = 4, POINTER = 22, STRUCT = 25, SLICE = 23 };

static void rtype(struct ro *r, uint64_t size, uint64_t ptrdata, unsigned int tflag,
		  unsigned int kind, uint32_t string)
{
	const uint8_t small[4] = { tflag, 8, 8, kind };

	align(r);
	u64(r, size);
	u64(r, ptrdata);
	u32(r, 0x12345678);
	put(r, small, 4);
	u64(r, 0);
	u64(r, 0);
	u32(r, string);
	u32(r, 0);
}

struct expected {
	uint64_t start, end;
	const char *name, *group;
};

/* A struct of two fields and three methods, of a package; a slice; a pointer without a package. */
static size_t put_types(struct ro *r, struct expected *e)
{
	uint32_t s, p, path, slice;

	name(r, "none at offset 0");
	s = name(r, "main.Session");
	p = name(r, "*int");
	slice = name(r, "[]main.Session");
	path = name(r, "example.org/x/main");
	align(r);
	e[0] = (struct expected){ here(r), 0, "type data", "example.org/x/main" };
	rtype(r, 40, 8, UNCOMMON | NAMED, STRUCT, s);
	u64(r, 0);
	pointer(r, here(r) + 40); /* fields behind what is common: {pointer, 2, 2} */
	u64(r, 2);
	u64(r, 2);
	u32(r, path);
	u32(r, 3 | 1 << 16);
	u32(r, 16 + 48);
	u32(r, 0);
	for (int i = 0; i < 6; i++)
		u64(r, 0);
	for (int i = 0; i < 6; i++)
		u64(r, 0);
	e[0].end = e[1].start = here(r);
	rtype(r, 24, 8, 0, SLICE, slice);
	pointer(r, e[0].start);
	e[1] = (struct expected){ e[1].start, here(r), "type data", "no package" };
	e[2].start = here(r);
	rtype(r, 8, 8, 0, POINTER, p);
	u64(r, 0);
	e[2] = (struct expected){ e[2].start, here(r), "type data", "no package" };
	return 3;
}

/* A directory, a file in it, an empty one. */
static size_t put_embedded(struct ro *r, struct expected *e, uint64_t bad_length)
{
	static const char names[] = "static/static/a.txtstatic/empty";
	uint64_t string = here(r), data, table;

	put(r, names, sizeof(names) - 1);
	align(r);
	data = here(r);
	put(r, "what is in the file", 19);
	align(r);
	table = here(r);
	pointer(r, table + 24);
	u64(r, 3);
	u64(r, 3);
	pointer(r, string); /* directory */
	u64(r, 7);
	for (int i = 0; i < 4; i++)
		u64(r, 0);
	pointer(r, string + 7);
	u64(r, 12);
	pointer(r, data);
	u64(r, bad_length ? bad_length : 19);
	u64(r, 0x1111);
	u64(r, 0x2222);
	pointer(r, string + 19);
	u64(r, 12);
	pointer(r, data);
	u64(r, 0);
	u64(r, 0x3333);
	u64(r, 0x4444);
	e[0] = (struct expected){ data, data + 19, "static/a.txt", "go:embed" };
	e[1] = (struct expected){ table, here(r), "tables of embedded files", "go:embed" };
	return 2;
}

static struct bin *make(uint32_t magic, bool pie, struct ro *r, struct gow_place *p)
{
	struct gow g = { .magic = magic,
			 .machine = EM_X86_64,
			 .pie = pie,
			 .sections = true,
			 .version = magic == 0xfffffffa ? "go1.16.3" : "go1.22.1",
			 .extra = r->t.p,
			 .extra_len = r->t.n,
			 .pointers = r->pointers,
			 .npointers = r->npointers };
	_text_ struct text t = { 0 };
	struct bin *b = NULL;
	struct err e;

	gow_make(&g, &t, p);
	if (bytes_open_bin(t.p, t.n, &b, &e))
		test_failed(__FILE__, __LINE__, "bin_open: %s", e.text);
	return b;
}

/* How many of the expected things come, each exactly once as a whole; all in order, apart. */
static size_t walk(struct bin_contents *c, const struct expected *want, size_t n)
{
	_text_ struct text what = { 0 };
	_text_ struct text group = { 0 };
	uint64_t start, end, last = 0;
	size_t found = 0;
	int r;

	while ((r = bin_contents_next(c, &start, &end)) == 1) {
		CHECK(start >= last && end > start);
		last = end;
		REQUIRE(!bin_contents_name(c, &what, &group));
		for (size_t i = 0; i < n; i++)
			found += start == want[i].start && end == want[i].end &&
				 !strcmp(what.p, want[i].name) && !strcmp(group.p, want[i].group);
	}
	CHECK_INT(r, 0);
	return found;
}

static size_t expect_functions(const struct gow_place *p, struct expected *e)
{
	uint64_t pc = p->text;

	for (size_t i = 0; i < gow_nfuncs; i++) {
		e[i] = (struct expected){ pc, pc, gow_funcs[i].name, "" };
		for (size_t k = 0; k < 4 && gow_funcs[i].row[k].size; k++)
			e[i].end += gow_funcs[i].row[k].size;
		e[i].group = i == 0 ? "internal/cpu" : i == 1 ? "runtime" : "main";
		pc = e[i].end;
	}
	return gow_nfuncs;
}

static void check_one(uint32_t magic, bool pie)
{
	struct ro r = { .base = gow_extra(pie), .old_names = magic == 0xfffffffa };
	struct bin_contents *c = NULL;
	struct expected want[64];
	struct gow_place p;
	size_t n = put_types(&r, want);
	struct bin *b;

	n += put_embedded(&r, want + n, 0);
	b = make(magic, pie, &r, &p);
	n += expect_functions(&p, want + n);
	REQUIRE(b && !bin_contents_open(b, NULL, 0, &c));
	CHECK(!bin_contents_gaps(c)->functions && !bin_contents_gaps(c)->module);
	CHECK(bin_contents_gaps(c)->symbols);
	CHECK_INT(walk(c, want, n), n);
	bin_contents_rewind(c);
	CHECK_INT(walk(c, want, n), n);
	bin_contents_close(c);
	bin_close(b);
	text_free(&r.t);
}

TEST(contents_of_every_format)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		for (int pie = 0; pie < 2; pie++)
			check_one(magics[i], pie);
}

/* A table one of whose files is not in the program is no table: none of its files is told. */
TEST(contents_without_a_table_that_makes_no_sense)
{
	static const uint64_t bad[] = { 1 << 20, UINT64_MAX, UINT64_MAX - 0x402000 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ro r = { .base = gow_extra(false) };
		struct bin_contents *c = NULL;
		struct expected want[8];
		struct gow_place p;
		size_t n = put_types(&r, want), k = put_embedded(&r, want + n, bad[i]);
		struct bin *b = make(0xfffffff1, false, &r, &p);

		REQUIRE(b && !bin_contents_open(b, NULL, 0, &c));
		CHECK_INT(walk(c, want + n, k), 0);
		bin_contents_rewind(c);
		CHECK_INT(walk(c, want, n), n);
		bin_contents_close(c);
		bin_close(b);
		text_free(&r.t);
	}
}

/* What the caller knows comes before what the file says; a thing below it comes in pieces. */
TEST(contents_that_the_caller_knows)
{
	struct ro r = { .base = gow_extra(false) };
	struct bin_contents *c = NULL;
	struct gow_place p;
	struct bin *b;
	struct bin_known known;

	name(&r, "nothing");
	b = make(0xfffffff1, false, &r, &p);
	known = (struct bin_known){ p.moduledata, p.moduledata + 64, "runtime.x", "runtime" };
	REQUIRE(b && !bin_contents_open(b, &known, 1, &c));
	CHECK_INT(
		walk(c,
		     &(struct expected){ p.moduledata, p.moduledata + 64, "runtime.x", "runtime" },
		     1),
		1);
	bin_contents_close(c);
	bin_close(b);
	text_free(&r.t);
}

TEST(contents_of_a_program_that_is_not_go)
{
	struct bin_contents *c = NULL;
	_text_ struct text t = { 0 };
	struct bin *b = NULL;
	struct elfw w;
	struct err e;

	elfw_init(&w, ET_EXEC, EM_X86_64);
	elfw_load(&w, PF_R | PF_X, 0x401000, "\xc3\xc3\xc3\xc3", 4, 4);
	elfw_section(&w, ".text", SHT_PROGBITS, 0x401000, 4);
	w.sh[1].sh_flags = SHF_ALLOC;
	elfw_finish(&w, &t);
	elfw_free(&w);
	REQUIRE(!bytes_open_bin(t.p, t.n, &b, &e));
	REQUIRE(!bin_contents_open(b, NULL, 0, &c));
	CHECK(bin_contents_gaps(c)->functions && bin_contents_gaps(c)->module);
	CHECK_INT(walk(c, &(struct expected){ 0x401000, 0x401004, ".text", "ELF" }, 1), 1);
	bin_contents_close(c);
	bin_close(b);
}

TEST(package_of_a_symbol)
{
	static const struct {
		const char *symbol, *package;
	} v[] = {
		{ "main.main", "main" },
		{ "main.(*T).Do.func1", "main" },
		{ "net/http.(*conn).serve", "net/http" },
		{ "gopkg.in/yaml%2ev3.(*parser).peek", "gopkg.in/yaml.v3" },
		{ "go.uber.org/zap.New", "go.uber.org/zap" },
		{ "vendor/golang.org/x/net/http/httpguts.F",
		  "vendor/golang.org/x/net/http/httpguts" },
		{ "slices.SortFunc[go.shape.[]a/b.C,a/b.C]", "slices" },
		{ "a/b.(*List[c/d%2ee.F]).Each.func2", "a/b" },
		{ "main.glob..func1", "main" },
		{ "main..inittask", "main" },
		{ "example.org/we%20ird%25.F", "example.org/we ird%" },
		{ "type:.eq.net/http.Header", "" },
		{ "type..hash.main.T", "" },
		{ "go:itab.*os.File,io.Reader", "" },
		{ "go.itab.*os.File,io.Reader", "" },
		{ "(*struct { sync.Mutex }).Lock", "" },
		{ "struct { a/b.T }.Do", "" },
		{ "memmove_with_no_package", "" },
		{ "a/b", "" },
		{ "", "" },
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		size_t n = bin_package_of(v[i].symbol);

		bin_package_path(v[i].symbol, n, path, sizeof(path));
		CHECK_STR(path, v[i].package);
	}
	CHECK_INT(bin_package_path("abcdef", 6, path, 4), 3);
	CHECK_STR(path, "abc");
}
