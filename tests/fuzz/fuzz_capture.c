/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture files. Checksums would stop nearly every mutation at the door: unless the first byte is
 * odd, the input is a recipe from which a file with good checksums is made.
 */
#include <stdint.h>
#include <zlib.h>

#include "fuzz_source.h"
#include "rsscope/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 20 };

struct recipe {
	const uint8_t *in;
	size_t n;
	uint8_t *out;
	size_t len;
	struct capture_end end;
};

static void take(struct recipe *r, void *to, size_t n)
{
	if (n > r->n)
		n = r->n;
	memcpy(to, r->in, n);
	r->in += n;
	r->n -= n;
}

static void put(struct recipe *r, struct capture_record rec, const void *meta, const void *body)
{
	uint8_t *at = r->out + r->len;

	if (r->len + sizeof(rec) + rec.meta_len + rec.stored_len > OUT_MAX)
		return;
	rec.crc = 0;
	memcpy(at, &rec, sizeof(rec));
	memcpy(at + sizeof(rec), meta, rec.meta_len);
	memcpy(at + sizeof(rec) + rec.meta_len, body, rec.stored_len);
	rec.crc = crc32_z(0, at, sizeof(rec) + rec.meta_len + rec.stored_len);
	memcpy(at, &rec, sizeof(rec));
	r->len += sizeof(rec) + rec.meta_len + rec.stored_len;
	r->end.count[rec.type < CAPTURE_TYPES ? rec.type : 0]++;
}

static void put_any(struct recipe *r)
{
	static uint8_t meta[512], body[4096], packed[8192];
	/* what a reader knows, and one that it does not */
	static const uint32_t optional[] = { CAPTURE_WORDS, CAPTURE_SCRAPS, CAPTURE_OPTIONAL | 99 };
	uint8_t head[6] = { 0 }; /* type, flags, metadata, body (2), error in the lengths */
	struct capture_record rec = { 0 };
	uLongf n = sizeof(packed);

	take(r, head, sizeof(head));
	memset(meta, 0, sizeof(meta));
	memset(body, 0, sizeof(body));
	rec.type = head[0] % (CAPTURE_TYPES + 4);
	if (rec.type > CAPTURE_TYPES)
		rec.type = optional[rec.type - CAPTURE_TYPES - 1];
	rec.meta_len = head[2] * 2 + (head[1] >> 7);
	rec.raw_len = rec.stored_len = (head[3] | head[4] << 8) % sizeof(body);
	take(r, meta, rec.meta_len);
	take(r, body, rec.raw_len);
	if (head[1] & 1) {
		compress2(packed, &n, body, rec.raw_len, 1);
		rec.flags = CAPTURE_ZLIB;
		rec.stored_len = n;
		if (head[1] & 2)
			packed[head[5] % n] ^= 1;
	}
	rec.raw_len += (int8_t)head[5] * (head[1] >> 2 & 1);
	put(r, rec, meta, rec.flags ? packed : body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[OUT_MAX];
	struct capture_header h = { .magic = CAPTURE_MAGIC,
				    .version = CAPTURE_VERSION,
				    .header_size = sizeof(h),
				    .page_size = 4096,
				    .pid = 1 };
	struct recipe r = { .in = data, .n = size, .out = out };
	struct capture_record end = { .type = CAPTURE_END, .meta_len = sizeof(r.end) };

	if (size && data[0] & 1) {
		ask_bytes(data + 1, size - 1, capture_open);
		return 0;
	}
	h.crc = crc32_z(0, (const void *)&h, offsetof(struct capture_header, crc));
	memcpy(out, &h, sizeof(h));
	r.len = sizeof(h);
	while (r.n > 1)
		put_any(&r);
	if (!r.n) {
		struct capture_end counts = r.end;

		put(&r, end, &counts, "");
	}
	ask_bytes(out, r.len, capture_open);
	return 0;
}
