/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens bytes as a capture or core, and asks it whatever can be asked. */
#ifndef RSSCOPE_TESTS_FUZZ_SOURCE_H
#define RSSCOPE_TESTS_FUZZ_SOURCE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/maps.h"
#include "source/memsrc_impl.h"

static inline void ask_memory(struct memsrc *m, const range_vec *v)
{
	static uint8_t buf[20000];

	for (size_t i = 0; i < v->n && i < 64; i++)
		memsrc_read(m, i % PASS_COUNT, v->v[i].start - (i % 3), buf,
			    1 + (v->v[i].end - v->v[i].start) % sizeof(buf));
	memsrc_flush(m);
	for (uint64_t at = 0; at < 1 << 20; at += 65536)
		memsrc_read(m, at / 65536 % PASS_COUNT, at, buf, sizeof(buf));
}

/* In order, whatever the source is. */
static inline void ask_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
			     range_vec *out)
{
	if (memsrc_pages(m, seq, start, end, out))
		return;
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].start >= out->v[i].end || (i && out->v[i].start < out->v[i - 1].end))
			abort();
}

static inline void ask_file(struct memsrc *m, const char *path)
{
	struct stat st;
	uint8_t buf[64];
	int fd;

	if (memsrc_file(m, path, 4096, 8192, &fd))
		return;
	if (fstat(fd, &st) || pread(fd, buf, sizeof(buf), st.st_size / 2) < 0)
		abort();
	close(fd);
}

static inline void ask(struct memsrc *m)
{
	static const char *const keys[] = { "proc/maps",    "proc/status", "proc/task", "proc/exe",
					    "proc/cmdline", "host/uname",  "a",		"meta/a" };
	range_vec v = { 0 }, w = { 0 };
	static uint8_t buf[8192];
	struct maps maps;
	uint64_t x;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct text t = { 0 };

		memsrc_text(m, keys[i], i == 6, &t);
		text_free(&t);
	}
	if (!maps_read(memsrc_texts(m), 0, &maps, NULL))
		maps_free(&maps);
	memsrc_note(m, "a", &x);
	if (!memsrc_begin_part(m, "a")) {
		memsrc_read(m, PASS_BOOKS, 4096, buf, sizeof(buf));
		memsrc_flush(m);
		memsrc_read(m, PASS_BOOKS, 4096, buf, sizeof(buf));
	}
	ask_pages(m, 0, 0, UINT64_MAX, &v);
	ask_pages(m, 1, 4096, 1 << 20, &w);
	ask_memory(m, &v);
	ask_file(m, "exe");
	ask_file(m, "a");
	vec_free(&v);
	vec_free(&w);
}

static inline void ask_bytes(const uint8_t *p, size_t n,
			     int (*open)(const char *path, int fd, uint64_t size,
					 struct memsrc **out, struct err *e))
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct memsrc *m = NULL;
	struct err e = { 0 };

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		abort();
	if (!open("fuzz", fd, n, &m, &e)) {
		ask(m);
		memsrc_close(m);
	} else if (!e.text[0]) {
		abort(); /* every refusal says why */
	}
}

#endif
