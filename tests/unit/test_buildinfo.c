/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "binary/binary.h"
#include "bytes.h"
#include "elf_writer.h"
#include "test.h"

#define MODINFO                                                                                    \
	"path\texample.org/x/cmd/x\nmod\texample.org/x\tv1.2.3\th1:abc=\n"                         \
	"dep\texample.org/y\tv0.1.0\th1:def=\nbuild\t-compiler=gc\n"

static struct bin *open_bytes(const struct text *t)
{
	struct bin *b;
	struct err e;

	if (bytes_open_bin(t->p, t->n, &b, &e))
		fprintf(stderr, "bin_open: %s\n", e.text);
	return b;
}

static struct bin *open_go(const struct gow *g)
{
	_text_ struct text t = { 0 };
	struct gow_place p;

	gow_make(g, &t, &p);
	return open_bytes(&t);
}

static struct gow program(enum gow_buildinfo form)
{
	return (struct gow){ .magic = form == GOW_POINTER ? 0xfffffffa : 0xfffffff1,
			     .machine = EM_X86_64,
			     .sections = true,
			     .buildinfo = form,
			     .version = form == GOW_POINTER ? "go1.17.13" : "go1.26.8",
			     .modinfo = MODINFO };
}

TEST(buildinfo_in_both_forms)
{
	for (int form = GOW_INLINE; form <= GOW_POINTER; form++)
		for (int bits = 0; bits < 8; bits++) {
			struct gow g = program(form);
			struct bin *b;

			g.pie = bits & 1;
			g.sections = bits & 2;
			g.machine = bits & 4 ? EM_AARCH64 : EM_X86_64;
			b = open_go(&g);
			REQUIRE(b != NULL);
			CHECK(bin_go(b)->is_go);
			CHECK(!bin_go(b)->from_string);
			CHECK_STR(bin_go(b)->version, g.version);
			CHECK_STR(bin_go(b)->module, "example.org/x v1.2.3");
			CHECK(!bin_go(b)->cgo);
			bin_close(b);
		}
}

static void check_mod(const char *modinfo, const char *module, bool cgo)
{
	for (int form = GOW_INLINE; form <= GOW_POINTER; form++) {
		struct gow g = program(form);
		struct bin *b;

		g.modinfo = modinfo;
		b = open_go(&g);
		REQUIRE(b != NULL);
		CHECK_STR(bin_go(b)->version, g.version);
		CHECK_STR(bin_go(b)->module, module);
		CHECK_INT(bin_go(b)->cgo, cgo);
		bin_close(b);
	}
}

TEST(buildinfo_module_and_cgo)
{
	check_mod("path\tcommand-line-arguments\nbuild\tCGO_ENABLED=1\n", "command-line-arguments",
		  true);
	check_mod("path\tx\nmod\tx\t(devel)\t\nbuild\tCGO_ENABLED=0\n", "x (devel)", false);
	check_mod("path\tx\nmod\tx\n", "x", false);
	check_mod("mod\tx\tv1\nmod\ty\tv2\n", "x v1", false);
	check_mod("mod\tx\tv1\nbuild\tCGO_ENABLED=10\n", "x v1", false);
	check_mod("nothing of this\nis\tknown\n", "", false);
	check_mod("no newline at the end", "", false);
	check_mod(NULL, "", false);
	/* shown to people: no control characters */
	check_mod("path\t\x1b[2Jx\n", "?[2Jx", false);
}

TEST(buildinfo_long_names_are_cut)
{
	char mod[2048], version[200];
	struct gow g = program(GOW_INLINE);
	struct bin *b;

	memset(mod, 'm', sizeof(mod));
	memcpy(mod, "mod\t", 4);
	memcpy(mod + 1000, "\tv1\n", 5);
	memset(version, 'v', sizeof(version));
	version[sizeof(version) - 1] = 0;
	g.modinfo = mod;
	g.version = version;
	b = open_go(&g);
	REQUIRE(b != NULL);
	CHECK_INT(strlen(bin_go(b)->module), sizeof(bin_go(b)->module) - 1);
	CHECK_INT(strlen(bin_go(b)->version), sizeof(bin_go(b)->version) - 1);
	bin_close(b);
}

/* Without build info the string header of runtime.buildVersion tells where the version ends: in
 * rodata something follows at once. */
TEST(buildinfo_from_string)
{
	static const struct {
		uint32_t magic;
		const char *version;
	} cases[] = {
		{ 0xfffffffb, "go1.15.15" }, { 0xfffffffa, "go1.17" },
		{ 0xfffffff0, "go1.19.8" },  { 0xfffffff1, "go1.20" },
		{ 0xfffffff1, "go1.21rc2" }, { 0xfffffff1, "go1.26.8 X:noallocheaders" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int bits = 0; bits < 4; bits++) {
			struct gow g = program(GOW_NONE);
			struct bin *b;

			g.magic = cases[i].magic;
			g.version = cases[i].version;
			g.modinfo = "1";
			g.pie = bits & 1;
			g.sections = bits & 2;
			b = open_go(&g);
			REQUIRE(b != NULL);
			CHECK(bin_go(b)->is_go);
			CHECK(bin_go(b)->from_string);
			CHECK_STR(bin_go(b)->version, cases[i].version);
			bin_close(b);
		}
}

/* A version that this pclntab's writers never had is some other string. */
TEST(buildinfo_string_must_fit_pclntab)
{
	struct gow g = program(GOW_NONE);
	struct bin *b;

	g.magic = 0xfffffff0;
	g.version = "go1.22.1";
	b = open_go(&g);
	REQUIRE(b != NULL);
	CHECK(bin_go(b)->is_go);
	CHECK(!bin_go(b)->from_string);
	CHECK_STR(bin_go(b)->version, "");
	bin_close(b);
}

TEST(buildinfo_survives_every_flipped_byte)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	for (int form = GOW_INLINE; form <= GOW_POINTER; form++)
		for (int pie = 0; pie < 2; pie++) {
			_text_ struct text t = { 0 };
			struct gow g = program(form);
			struct gow_place p;
			size_t off;

			g.pie = pie;
			gow_make(&g, &t, &p);
			off = (char *)memmem(t.p, t.n, "\xff Go buildinf:", 14) - t.p;
			for (size_t i = 0; i < (p.moduledata - p.buildinfo) * 3; i++) {
				struct bin *b;

				t.p[off + i / 3] ^= flips[i % 3];
				b = open_bytes(&t);
				t.p[off + i / 3] ^= flips[i % 3];
				REQUIRE(b != NULL);
				CHECK(memchr(bin_go(b)->version, 0, sizeof(bin_go(b)->version)));
				CHECK(memchr(bin_go(b)->module, 0, sizeof(bin_go(b)->module)));
				bin_close(b);
			}
		}
}

/* A length that reaches past the segment, or is larger than memory, is no string. */
TEST(buildinfo_impossible_lengths)
{
	_text_ struct text t = { 0 };
	struct gow g = program(GOW_POINTER);
	struct gow_place p;
	uint64_t len = UINT64_MAX;
	struct bin *b;
	size_t off;

	gow_make(&g, &t, &p);
	off = (char *)memmem(t.p, t.n, "\xff Go buildinf:", 14) - t.p;
	memcpy(t.p + off + 32 + 8, &len, 8); /* of the version's string header */
	b = open_bytes(&t);
	REQUIRE(b != NULL);
	CHECK(bin_go(b)->from_string); /* found all the same, in rodata */
	CHECK_STR(bin_go(b)->version, "go1.17.13");
	bin_close(b);

	len = 5 << 20;
	memcpy(t.p + off + 32 + 8, &(uint64_t){ 9 }, 8);
	memcpy(t.p + off + 48 + 8, &len, 8); /* of modinfo's */
	b = open_bytes(&t);
	REQUIRE(b != NULL);
	CHECK(!bin_go(b)->from_string);
	CHECK_STR(bin_go(b)->version, "go1.17.13");
	CHECK_STR(bin_go(b)->module, "");
	bin_close(b);
}
