/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "binary/binary.h"
#include "bytes.h"
#include "elf_writer.h"
#include "test.h"

static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };

static struct bin *open_bytes(const struct text *t)
{
	struct bin *b;
	struct err e;

	if (bytes_open_bin(t->p, t->n, &b, &e))
		fprintf(stderr, "bin_open: %s\n", e.text);
	return b;
}

static struct bin *open_go(const struct gow *g, struct gow_place *p)
{
	_text_ struct text t = { 0 };

	gow_make(g, &t, p);
	return open_bytes(&t);
}

static struct gow program(uint32_t magic)
{
	return (struct gow){
		.magic = magic, .machine = EM_X86_64, .sections = true, .version = "go1.19.8"
	};
}

/* Every function and every byte of every row against the table that the program was made from. */
static void check_all(struct bin *b, uint64_t text, const struct gow_place *p)
{
	uint64_t pc = p->text;
	struct bin_func f;
	const char *file;
	uint32_t line;

	for (size_t i = 0; i < gow_nfuncs; i++) {
		uint64_t entry = pc, end = pc;

		for (size_t k = 0; k < 4; k++)
			end += gow_funcs[i].row[k].size;
		for (size_t k = 0; k < 4; k++) {
			const struct gow_row *row = &gow_funcs[i].row[k];

			for (uint32_t j = 0; j < row->size; j++, pc++) {
				REQUIRE(bin_go_func(b, text, pc, &f) == 0);
				CHECK_STR(f.name, gow_funcs[i].name);
				CHECK_INT(f.entry, entry);
				CHECK_INT(f.end, end);
				REQUIRE(bin_go_line(b, text, pc, &file, &line) == 0);
				CHECK_STR(file, gow_files[row->file]);
				CHECK_INT(line, row->line);
			}
		}
		REQUIRE(bin_go_lookup(b, text, gow_funcs[i].name, &f) == 0);
		CHECK_INT(f.entry, entry);
		CHECK_INT(f.end, end);
	}
	CHECK_INT(pc, p->etext);
	CHECK_INT(bin_go_func(b, text, p->text - 1, &f), -ENOENT);
	CHECK_INT(bin_go_func(b, text, p->etext, &f), -ENOENT);
	CHECK_INT(bin_go_line(b, text, p->etext, &file, &line), -ENOENT);
	CHECK_INT(bin_go_lookup(b, text, "main.nothing", &f), -ENOENT);
	CHECK_INT(bin_go_lookup(b, text, "main.lea", &f), -ENOENT);
	CHECK_INT(bin_go_lookup(b, text, "ain.leak", &f), -ENOENT);
	CHECK_INT(bin_go_lookup(b, text, "", &f), -ENOENT);
}

TEST(pclntab_of_every_format)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		for (int bits = 0; bits < 8; bits++) {
			struct gow g = program(magics[i]);
			struct gow_place p;
			struct bin *b;

			g.pie = bits & 1;
			g.sections = bits & 2;
			g.machine = bits & 4 ? EM_AARCH64 : EM_X86_64;
			b = open_go(&g, &p);
			REQUIRE(b != NULL);
			CHECK(bin_go(b)->is_go);
			CHECK_INT(bin_go(b)->pclntab, p.pclntab);
			CHECK_INT(bin_go(b)->magic, magics[i]);
			CHECK_INT(bin_go(b)->nfunc, gow_nfuncs);
			CHECK_STR(bin_go(b)->found_by, g.sections ? ".gopclntab" : "scan");
			CHECK_INT(bin_arch(b), g.machine);
			check_all(b, p.text, &p);
			check_all(b, 0, &p);
			bin_close(b);
		}
}

TEST(pclntab_without_text_start)
{
	for (int pie = 0; pie < 2; pie++) {
		struct gow g = program(0xfffffff1);
		struct gow_place p;
		struct bin_func f;
		struct bin *b;

		/* as from Go 1.26: moduledata tells */
		g.no_text_start = true;
		g.pie = pie;
		b = open_go(&g, &p);
		REQUIRE(b != NULL);
		check_all(b, 0, &p);
		check_all(b, p.text, &p);
		/* what the caller says wins */
		CHECK_INT(bin_go_func(b, p.text + 0x10000, p.text + 0x10000, &f), 0);
		CHECK_INT(f.entry, p.text + 0x10000);
		bin_close(b);

		g.no_moduledata = true;
		b = open_go(&g, &p);
		REQUIRE(b != NULL);
		CHECK_INT(bin_go_func(b, 0, p.text, &f), -ENOENT);
		CHECK_INT(bin_go_lookup(b, 0, "main.main", &f), -ENOENT);
		check_all(b, p.text, &p);
		bin_close(b);
	}
}

/* A table that no moduledata points to is not this program's: it may be an embedded file's. */
TEST(pclntab_scan_needs_moduledata)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		struct gow g = program(magics[i]);
		struct gow_place p;
		struct bin *b;

		g.sections = false;
		g.no_moduledata = true;
		b = open_go(&g, &p);
		REQUIRE(b != NULL);
		CHECK_INT(bin_go(b)->pclntab, 0);
		CHECK(bin_go(b)->is_go); /* build info says so */
		bin_close(b);
	}
}

TEST(pclntab_scan_passes_over_an_embedded_program)
{
	_text_ struct text inner = { 0 };
	_text_ struct text ro = { 0 };
	struct gow g = program(0xfffffff1);
	struct gow_place p;
	struct elfw w;
	struct bin *b;
	_text_ struct text out = { 0 };

	g.sections = false;
	gow_make(&g, &inner, &p);
	elfw_init(&w, ET_EXEC, EM_X86_64);
	w.no_sections = true;
	REQUIRE(text_add(&ro, inner.p, inner.n) == 0);
	elfw_load(&w, PF_R, 0x10000000, ro.p, ro.n, 0);
	elfw_load(&w, PF_R | PF_W, 0x20000000, "some data", 9, 0x1000);
	elfw_finish(&w, &out);
	b = open_bytes(&out);
	REQUIRE(b != NULL);
	CHECK_INT(bin_go(b)->pclntab, 0);
	CHECK(!bin_go(b)->is_go);
	bin_close(b);
	elfw_free(&w);
}

TEST(pclntab_of_a_program_without_one)
{
	struct bin_func f;
	const char *file;
	uint32_t line;
	struct elfw w;
	struct bin *b;
	_text_ struct text out = { 0 };

	elfw_init(&w, ET_EXEC, EM_X86_64);
	elfw_load(&w, PF_R | PF_X, 0x400000, "code", 4, 0);
	elfw_finish(&w, &out);
	b = open_bytes(&out);
	REQUIRE(b != NULL);
	CHECK(!bin_go(b)->is_go);
	CHECK_INT(bin_go_func(b, 0x400000, 0x400000, &f), -ENOENT);
	CHECK_INT(bin_go_lookup(b, 0x400000, "main.main", &f), -ENOENT);
	CHECK_INT(bin_go_line(b, 0x400000, 0x400000, &file, &line), -ENOENT);
	bin_close(b);
	elfw_free(&w);
}

/* What a hostile table must not do: crash, run for long, or put a function where it is not. */
static void exercise(struct bin *b, const struct gow_place *p)
{
	struct bin_func f;
	const char *file;
	uint32_t line;

	for (uint64_t pc = p->text - 4; pc < p->etext + 4; pc += 7) {
		if (!bin_go_func(b, p->text, pc, &f)) {
			CHECK(f.entry <= pc && pc < f.end);
			CHECK(strlen(f.name) < 1 << 20);
		}
		if (!bin_go_line(b, p->text, pc, &file, &line))
			CHECK(strlen(file) < 1 << 20);
	}
	for (size_t i = 0; i < gow_nfuncs; i++)
		bin_go_lookup(b, p->text, gow_funcs[i].name, &f);
}

/* Another linker's order, and a name that two functions share: the first counts. */
TEST(pclntab_names_in_any_order)
{
	for (size_t i = 2; i < ARRAY_LEN(magics); i++) {
		_text_ struct text table = { 0 };
		struct gow g = program(magics[i]);
		uint64_t at[8], entry[8], funcdata;
		uint32_t off, name[8];
		struct gow_place p;
		struct bin_func f;
		struct bin *b;

		REQUIRE(gow_nfuncs == 6);
		gow_pclntab(magics[i], 1, 0x401000, false, &table);
		memcpy(&funcdata, table.p + 64, 8);
		for (size_t k = 0; k < gow_nfuncs; k++) {
			memcpy(&off, table.p + funcdata + 8 * k + 4, 4);
			at[k] = funcdata + off + 4; /* behind the entry */
			memcpy(&name[k], table.p + at[k], 4);
		}
		name[1] = name[4];
		for (size_t k = 0; k < gow_nfuncs; k++)
			memcpy(table.p + at[k], &name[gow_nfuncs - 1 - k], 4);
		g.table = table.p;
		g.table_len = table.n;
		b = open_go(&g, &p);
		REQUIRE(b != NULL);
		for (size_t k = 0; k < gow_nfuncs; k++) {
			memcpy(&off, table.p + funcdata + 8 * k, 4);
			entry[k] = p.text + off;
		}
		for (size_t k = 0; k < gow_nfuncs; k++) {
			size_t place = gow_nfuncs - 1 - k;

			if (k == 1) {
				CHECK_INT(bin_go_lookup(b, 0, gow_funcs[k].name, &f), -ENOENT);
				continue;
			}
			REQUIRE(bin_go_lookup(b, 0, gow_funcs[k].name, &f) == 0);
			CHECK_INT(f.entry, entry[place]);
		}
		bin_close(b);
	}
}

TEST(pclntab_survives_every_flipped_byte)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		_text_ struct text table = { 0 };
		struct gow g = program(magics[i]);

		gow_pclntab(magics[i], 1, 0x401000, false, &table);
		g.table = table.p;
		g.table_len = table.n;
		for (size_t at = 0; at < table.n * ARRAY_LEN(flips); at++) {
			struct gow_place p;
			struct bin *b;

			table.p[at / 3] ^= flips[at % 3];
			b = open_go(&g, &p);
			table.p[at / 3] ^= flips[at % 3];
			REQUIRE(b != NULL);
			exercise(b, &p);
			bin_close(b);
		}
	}
}

TEST(pclntab_survives_truncation)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		_text_ struct text table = { 0 };
		struct gow g = program(magics[i]);

		gow_pclntab(magics[i], 1, 0x401000, false, &table);
		g.table = table.p;
		for (size_t n = 0; n < table.n; n++) {
			struct gow_place p;
			struct bin *b;

			g.table_len = n;
			b = open_go(&g, &p);
			REQUIRE(b != NULL);
			exercise(b, &p);
			bin_close(b);
		}
	}
}

/* nfunc as large as the field allows must not make anybody allocate or loop. */
TEST(pclntab_refuses_impossible_counts)
{
	static const uint64_t counts[] = { 0, 1ULL << 24, 1ULL << 60, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
			_text_ struct text table = { 0 };
			struct gow g = program(magics[i]);
			struct gow_place p;
			struct bin *b;

			gow_pclntab(magics[i], 1, 0x401000, false, &table);
			memcpy(table.p + 8, &counts[k], 8);
			g.table = table.p;
			g.table_len = table.n;
			b = open_go(&g, &p);
			REQUIRE(b != NULL);
			CHECK_INT(bin_go(b)->pclntab, 0);
			bin_close(b);
		}
}
