/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "proc/maps.h"

static const char sample[] =
	"00400000-00a1b000 r-xp 00000000 fe:01 1835                               /usr/bin/x\n"
	"00a1b000-00a1c000 rw-p 0061a000 fe:01 1835                               /usr/bin/x\n"
	"00a1c000-00a40000 rw-p 00000000 00:00 0 \n"
	"01f00000-01f21000 rw-p 00000000 00:00 0                                  [heap]\n"
	"c000000000-c000400000 rw-p 00000000 00:00 0 \n"
	"7f0000000000-7f0000001000 rw-s 00001000 00:01 99                         /memfd:a b "
	"(deleted)\n"
	"7f0000001000-7f0000002000 ---p 00000000 00:00 0 \n"
	"7ffd00000000-7ffd00004000 r--p 00000000 00:00 0                          [vvar]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

TEST(maps_fields)
{
	_cleanup_(maps_free) struct maps m = { 0 };
	const struct vma *v;

	REQUIRE(!maps_parse(sample, &m, NULL));
	CHECK_INT(m.vma.n, 9);
	v = &m.vma.v[1];
	CHECK_INT(v->start, 0xa1b000);
	CHECK_INT(v->end, 0xa1c000);
	CHECK_INT(v->offset, 0x61a000);
	CHECK_INT(v->flags, VMA_R | VMA_W);
	CHECK_INT(v->dev_major, 0xfe);
	CHECK_INT(v->dev_minor, 1);
	CHECK_INT(v->inode, 1835);
	CHECK_STR(v->name, "/usr/bin/x");
	CHECK(!vma_is_anon(v) && !v->deleted);
	CHECK_STR(m.vma.v[2].name, "");
	CHECK(vma_is_anon(&m.vma.v[2]) && vma_is_anon(&m.vma.v[3]));
	v = &m.vma.v[5];
	CHECK_INT(v->flags, VMA_R | VMA_W | VMA_SHARED);
	CHECK_STR(v->name, "/memfd:a b (deleted)");
	CHECK(v->deleted && !vma_is_anon(v));
	CHECK_INT(m.vma.v[6].flags, 0);
	CHECK_INT(m.vma.v[8].flags, VMA_X);
}

TEST(maps_find)
{
	_cleanup_(maps_free) struct maps m = { 0 };

	REQUIRE(!maps_parse(sample, &m, NULL));
	CHECK(!maps_find(&m, 0x3fffff));
	CHECK(maps_find(&m, 0x400000) == &m.vma.v[0]);
	CHECK(maps_find(&m, 0xa1afff) == &m.vma.v[0]);
	CHECK(maps_find(&m, 0xa1b000) == &m.vma.v[1]);
	CHECK(!maps_find(&m, 0xa40000));
	CHECK(maps_find(&m, 0xffffffffff600fff) == &m.vma.v[8]);
	CHECK(!maps_find(&m, UINT64_MAX));
}

TEST(maps_numbers_are_whole)
{
	static const char *const bad[] = {
		"10000000000000000-20000000000000000 r--p 0 0:0 0\n", /* 2^64 */
		"1000-2000 r--p 0 0:0 18446744073709551616\n",
		"1000-2000 r--p 0 0:0 18446744073709551620\n",
		"1000-2000 r--p 0 100000000:0 0\n",
		"1000-200A r--p 0 0:0 0\n",
		"1000-2000 r--p 0 0:0 f\n",
		"-2000 r--p 0 0:0 0\n",
	};
	_cleanup_(maps_free) struct maps m = { 0 };

	CHECK_INT(
		maps_parse("0-100000000000000 r--p 9 ffffffff:a 18446744073709551615\n", &m, NULL),
		0);
	CHECK(m.vma.v[0].end == 1ULL << 56 && m.vma.v[0].inode == UINT64_MAX);
	CHECK(m.vma.v[0].dev_major == UINT32_MAX && m.vma.v[0].dev_minor == 10);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(maps_parse(bad[i], &m, NULL), -EINVAL);
}

TEST(maps_text_is_taken_over)
{
	_cleanup_(maps_free) struct maps m = { 0 };
	_text_ struct text t = { 0 };
	const char *p;

	REQUIRE(!text_printf(&t, "1000-2000 r--p 0 0:0 7 /f (deleted)\n"));
	p = t.p;
	CHECK_INT(maps_parse_text(&t, &m, NULL), 0);
	CHECK(!t.p && m.text == p);
	CHECK_STR(m.vma.v[0].name, "/f (deleted)");
	CHECK(m.vma.v[0].deleted);
	maps_free(&m);
	CHECK_INT(maps_parse_text(&t, &m, NULL), 0);
	CHECK_INT(m.vma.n, 0);
}

TEST(maps_empty)
{
	_cleanup_(maps_free) struct maps m = { 0 };

	CHECK_INT(maps_parse("", &m, NULL), 0);
	CHECK_INT(m.vma.n, 0);
	CHECK(!maps_find(&m, 0));
}

/* Mappings that change while they are read, as the kernel then tells them. */
TEST(maps_that_change)
{
	_cleanup_(maps_free) struct maps m = { 0 };

	CHECK_INT(maps_parse("400000-500000 r-xp 0 0:0 0\n"
			     "4ff000-600000 r--p 3000 8:1 7 /f\n"
			     "5ff000-700000 rw-p 0 0:0 0\n",
			     &m, NULL),
		  0);
	REQUIRE(m.vma.n == 3);
	CHECK(m.vma.v[1].start == 0x500000 && m.vma.v[1].end == 0x600000);
	CHECK_INT(m.vma.v[1].offset, 0x4000);
	CHECK(m.vma.v[2].start == 0x600000 && !m.vma.v[2].offset);
}

TEST(maps_refused)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "\n", "line 1" },
		{ "400000-500000 r-xp 0 0:0 0\n600000-500000 r-xp 0 0:0 0\n", "line 2" },
		{ "400000-400000 r-xp 0 0:0 0\n", "line 1" },
		{ "400000-500000 r-xp 0 0:0 0\n4ff000-500000 r-xp 0 0:0 0\n", "line 2 ends" },
		{ "500000-600000 r-xp 0 0:0 0\n400000-500000 r-xp 0 0:0 0\n", "line 2 ends" },
		{ "400000-500000 r-x\n", "line 1" },
		{ "400000-500000 rxwp 0 0:0 0\n", "line 1" },
		{ "400000-500000 r-xq 0 0:0 0\n", "line 1" },
		{ "400000-500000 r-xp 0 0:0\n", "line 1" },
		{ "400000-500000 r-xp 0 0:0 1x\n", "line 1" },
		{ "400000-500000 r-xp 0 100000000:0 1\n", "line 1" },
		{ "400000-10000000000000000 r-xp 0 0:0 1\n", "line 1" },
		{ "-500000 r-xp 0 0:0 1\n", "line 1" },
		/* no address of user space: who adds to it may come out at 0 */
		{ "fffffffff8000000-fffffffffffff000 rw-p 0 0:0 0\n", "line 1" },
		{ "400000-100000000001000 rw-p 0 0:0 0\n", "line 1" },
		{ "400000-ffffffffff601000 --xp 0 0:0 0 [vsyscall]\n", "line 1" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct maps m = { 0 };
		struct err e = { 0 };

		CHECK_INT(maps_parse(bad[i].text, &m, &e), -EINVAL);
		if (!strstr(e.text, bad[i].says))
			test_failed(__FILE__, __LINE__, "case %zu says \"%s\"", i, e.text);
		CHECK(!m.text && !m.vma.v);
	}
}

TEST(maps_outside_rss)
{
	static const struct {
		const char *name;
		bool outside, file;
	} t[] = {
		{ "[vvar]", true, false },
		{ "[vvar]", false, true }, /* as on 7.2 */
		{ "[vvar_vclock]", true, false },
		{ "[vsyscall]", true, true },
		{ "[vsyscall]", true, false },
		{ "[vdso]", false, false }, /* ordinary pages: smaps shows them */
		{ "[heap]", false, false },
		{ "", false, false },
		{ "/anon_hugepage (deleted)", true, true },
		{ "/dev/nvidia0", true, false },
		{ "/dev/shm/a", false, false },
		{ "/dev/zero (deleted)", false, false },
		{ "/memfd:x (deleted)", false, false },
		{ "/device/x", false, false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct vma v = { .name = t[i].name };

		if (vma_outside_rss(&v, t[i].file) != t[i].outside)
			test_failed(__FILE__, __LINE__, "%s", t[i].name);
	}
}

TEST(maps_mark_files_that_have_code)
{
	_cleanup_(maps_free) struct maps m = { 0 };

	REQUIRE(!maps_parse("1000-2000 r--p 00000000 fe:01 7 /opt/plugin\n"
			    "2000-3000 r-xp 00001000 fe:01 7 /opt/plugin\n"
			    "3000-4000 r--p 00000000 fe:02 7 /opt/plugin\n" /* another device */
			    "4000-5000 r--p 00000000 fe:01 7 /opt/name\n"   /* another name */
			    "5000-6000 r-xp 00000000 00:00 0 \n"
			    "6000-7000 r--p 00000000 00:00 0 \n",
			    &m, NULL));
	REQUIRE(m.vma.n == 6);
	CHECK(m.vma.v[0].has_code && m.vma.v[1].has_code);
	for (size_t i = 2; i < m.vma.n; i++)
		CHECK(!m.vma.v[i].has_code);
}

TEST(maps_flags_go_before_names)
{
	struct vma v = { .start = 4096, .end = 8192, .inode = 1, .name = "/dev/x" };

	CHECK(vma_outside_rss(&v, true));
	v.flags = VMA_R | VMA_COUNTED;
	CHECK(!vma_outside_rss(&v, true) && !vma_outside_rss(&v, false));
	v.name = "anon_inode:gpu";
	v.flags = VMA_R;
	CHECK(!vma_outside_rss(&v, true));
	v.flags = VMA_R | VMA_UNCOUNTED;
	CHECK(vma_outside_rss(&v, true) && vma_outside_rss(&v, false));
}

TEST(maps_device_memory_is_no_file)
{
	static const struct {
		const char *name;
		bool device;
	} t[] = {
		{ "socket:[12345]", true },	 { "anon_inode:[perf_event]", true },
		{ "anon_inode:bpf-map", true },	 { "/dmabuf:gpu", true },
		{ "/tmp/socket:[1]", false },	 { "(unreachable)/a", false },
		{ "/memfd:x (deleted)", false }, { "", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct vma v = { .start = 4096, .end = 8192, .inode = 1, .name = t[i].name };

		CHECK_INT(vma_is_device(&v), t[i].device);
		v.inode = 0;
		CHECK(!vma_is_device(&v));
	}
}
