/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects PID FILE: a process that waits, and wrote which pages are all its own objects' (ADDRESS
 * SIZE LIVE FRESH a line; target/third.go): live, new and unused bytes of each page must be those.
 * Status 1 when one is not.
 */
#include <inttypes.h>

#include "target.h"

static int check_page(const struct go_runtime *rt, const struct go_heap *h, uint64_t at,
		      uint64_t size, uint64_t live, uint64_t fresh)
{
	const struct go_span *s = go_heap_span(h, at);
	uint64_t l = 0, d = 0;
	bool odd = true;

	if (s && s->elemsize == size && s->kind == GO_SPAN_OBJECTS &&
	    go_span_divide(rt, s, at, at + GO_PAGE_SIZE, &l, &d, &odd) && !odd &&
	    l == live * size && d == fresh * size)
		return 0;
	printf("WRONG page %" PRIx64 " of %" PRIu64 ": live %" PRIu64 ", want %" PRIu64
	       "; new %" PRIu64 ", want %" PRIu64 "%s\n",
	       at, size, l, live * size, d, fresh * size, s ? "" : "; no span");
	return 1;
}

int main(int argc, char **argv)
{
	uint64_t at, size, live, fresh, n = 0, wrong = 0, bytes = 0;
	struct target t = { 0 };
	struct go_runtime rt;
	struct go_heap h = { 0 };
	struct err e = { 0 };
	FILE *f = argc == 3 ? fopen(argv[2], "re") : NULL;

	if (!f) {
		fprintf(stderr, "usage: objects PID FILE\n");
		return 2;
	}
	target_open(&t, argv[1]);
	if (go_runtime_open(t.m, t.bin, t.bias, &t.maps, NULL, &rt, &e) ||
	    go_heap_read(&rt, PASS_SPANS, &h, &e)) {
		fprintf(stderr, "%s: %s\n", argv[1], e.text);
		return 2;
	}
	while (fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &at, &size, &live,
		      &fresh) == 4) {
		wrong += check_page(&rt, &h, at, size, live, fresh);
		bytes += (live + fresh) * size;
		n++;
	}
	printf("%" PRIu64 " pages, %" PRIu64 " B in objects, %" PRIu64 " wrong\n", n, bytes, wrong);
	go_heap_free(&h);
	target_close(&t);
	fclose(f);
	return wrong || n < 100;
}
