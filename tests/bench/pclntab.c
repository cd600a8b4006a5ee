/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A function table of 144 MB (tests/unit/large_writer.h): what it costs to open the program, to
 * name the functions of 20,000 addresses all over it, as profiles of the heap do, and to make the
 * executable's profile. A line each: CPU time, bytes read, our memory at most above what it was.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../unit/large_writer.h"
#include "base/clock.h"
#include "base/text.h"
#include "collect/owned.h"
#include "collect/profile_impl.h"

enum { ADDRESSES = 20000 };

struct cost {
	uint64_t cpu_ns, read, rss; /* when it began */
};

static uint64_t field(const char *path, const char *name)
{
	_text_ struct text t = { 0 };
	uint64_t v = 0;

	if (text_read_at(AT_FDCWD, path, 1 << 16, &t) || !text_field_u64(t.p, name, &v))
		fprintf(stderr, "pclntab: no %s in %s\n", name, path);
	return v;
}

/* From here on the peak is that of what follows. */
static struct cost begin(void)
{
	_close_ int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "5", 1) != 1)
		fprintf(stderr, "pclntab: the peak is of all that was done so far\n");
	return (struct cost){ clock_ns(CLOCK_PROCESS_CPUTIME_ID), field("/proc/self/io", "rchar:"),
			      field("/proc/self/status", "VmRSS:") };
}

static void end(const char *what, const struct cost *c)
{
	printf("%-34s cpu %6.1f ms, %5" PRIu64 " MiB read, %6" PRId64 " KiB of memory\n", what,
	       (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - c->cpu_ns) / 1e6,
	       (field("/proc/self/io", "rchar:") - c->read) >> 20,
	       ((int64_t)field("/proc/self/status", "VmHWM:") - (int64_t)c->rss) / 1024);
}

static int name_addresses(struct bin *b)
{
	struct bin_frame frame[8];
	int named = 0;
	size_t n;

	for (uint64_t i = 0; i < ADDRESSES; i++)
		named += !bin_go_frames(b, 0, TEXT + i * 7919 % FUNCS * CODE + 5, frame,
					ARRAY_LEN(frame), &n);
	return named == ADDRESSES ? 0 : -1;
}

static int make_profile(struct bin *b)
{
	const uint32_t flags = OWNED_RESIDENT | OWNED_MAPPED;
	_free_ struct making *k = calloc(1, sizeof(*k));
	struct profile p = { 0 };
	range_vec owned = { 0 };
	int r = k ? profile_init(&p) : -1;

	if (!r)
		r = range_append(&owned, TEXT, TEXT + (uint64_t)FUNCS * CODE,
				 flags | CAT_BINARY_TEXT);
	if (!r)
		r = range_append(&owned, RO, RO + TABLE, flags | CAT_BINARY_RODATA);
	if (!r) {
		k->p = &p;
		p.ntypes = 2;
		r = profile_fill_binary(k, b, 0, NULL, 0, &owned);
	}
	profile_free(&p);
	vec_free(&owned);
	return r;
}

int main(void)
{
	_close_ int fd = large_program();
	struct cost c = begin();
	struct err e = { 0 };
	struct bin *b;
	int r = bin_open(fd, &b, &e);

	if (r) {
		fprintf(stderr, "pclntab: %s\n", e.text);
		return 1;
	}
	end("opened", &c);
	c = begin();
	r = name_addresses(b);
	end("20,000 addresses named", &c);
	c = begin();
	if (!r)
		r = make_profile(b);
	end("the executable's profile", &c);
	bin_close(b);
	return r ? 1 : 0;
}
