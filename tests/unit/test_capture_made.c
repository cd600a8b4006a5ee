/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures that no writer makes: sound checksums over what can't be. */
#include <errno.h>
#include <stddef.h>
#include <zlib.h>

#include "base/text.h"
#include "bytes.h"
#include "source/memsrc.h"
#include "ranges.h"
#include "rsscope/capture.h"
#include "test.h"

enum { PAGE = 4096, BASE = 0x10000, TOP = BASE + 64 * PAGE };

static void put_record(struct text *t, uint32_t type, const void *meta, size_t meta_len,
		       const void *body, size_t n)
{
	struct capture_record r = {
		.type = type, .meta_len = meta_len, .stored_len = n, .raw_len = n
	};
	size_t at = t->n;

	REQUIRE(!text_add(t, &r, sizeof(r)) && !text_add(t, meta, meta_len) &&
		!text_add(t, body, n));
	r.crc = crc32_z(0, (const void *)(t->p + at), t->n - at);
	memcpy(t->p + at, &r, sizeof(r));
}

static struct text begin_file(void)
{
	struct capture_header h = { .magic = CAPTURE_MAGIC,
				    .version = CAPTURE_VERSION,
				    .header_size = sizeof(h),
				    .page_size = PAGE,
				    .pid = 7 };
	struct text t = { 0 };

	h.crc = crc32_z(0, (const void *)&h, offsetof(struct capture_header, crc));
	REQUIRE(!text_add(&t, &h, sizeof(h)));
	return t;
}

static struct memsrc *end_file(const struct text *t, const struct capture_end *end)
{
	_text_ struct text all = { 0 };
	struct memsrc *m = NULL;
	struct err e;

	REQUIRE(!text_add(&all, t->p, t->n));
	put_record(&all, CAPTURE_END, end, sizeof(*end), "", 0);
	if (bytes_open_memsrc(all.p, all.n, &m, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(m);
	return m;
}

/* The parts of a page map are one list: no page of it is there twice. */
TEST(capture_with_page_maps_that_overlap)
{
	static const struct capture_range range[2][2] = {
		{ { BASE, BASE + PAGE, 1, 0 }, { BASE + 2 * PAGE, BASE + 3 * PAGE, 1, 0 } },
		{ { BASE + 3 * PAGE, BASE + 4 * PAGE, 1, 0 }, { TOP - PAGE, TOP, 1, 0 } },
	};

	for (int twice = 0; twice < 2; twice++) {
		_text_ struct text t = begin_file();
		struct capture_end end = { .count[CAPTURE_PAGES] = 2 };
		range_vec got = { 0 };

		for (int i = 0; i < 2; i++) {
			struct capture_pages p = { .req_start = BASE,
						   .req_end = TOP,
						   .start = i ? BASE + 3 * PAGE : BASE,
						   .end = i ? TOP : BASE + 3 * PAGE };

			put_record(&t, CAPTURE_PAGES, &p, sizeof(p), range[twice ? 0 : i],
				   sizeof(range[0]));
		}
		struct memsrc *m = end_file(&t, &end);

		CHECK_INT(memsrc_pages(m, 0, BASE, TOP, &got), twice ? -EINVAL : 0);
		CHECK_INT(range_sum(got.v, got.n, PAGE_PRESENT), (twice ? 2 : 4) * PAGE);
		vec_free(&got);
		memsrc_close(m);
	}
}
