/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests: `TEST(name) { CHECK(x == 1); }` in any tests/unit/test_*.c. All link into one
 * program, each test runs in a child of its own (a crash fails one test; leaked fds fail it too).
 * No root, no network, no clock. SKIP("why") ends a test that can't run here.
 */
#ifndef RSSCOPE_TEST_H
#define RSSCOPE_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void test_fn(void);
void test_register(const char *file, const char *name, test_fn *fn);
void test_failed(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void test_skip(const char *why) __attribute__((noreturn));
/* A directory for what tests write; gone at the end, whatever happened. Names are the tests' own.
 */
const char *test_dir(void);

/* Pseudo-random, the same for the same seed, which may be any: splitmix64. */
static inline uint64_t test_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#define TEST(name)                                                                                 \
	static void test_##name(void);                                                             \
	__attribute__((constructor)) static void register_##name(void)                             \
	{                                                                                          \
		test_register(__FILE__, #name, test_##name);                                       \
	}                                                                                          \
	static void test_##name(void)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			test_failed(__FILE__, __LINE__, "%s", #cond);                              \
	} while (0)
#define CHECK_INT(a, b)                                                                            \
	do {                                                                                       \
		int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                      \
		if (a_ != b_)                                                                      \
			test_failed(__FILE__, __LINE__, "%s is %" PRId64 ", want %" PRId64, #a,    \
				    a_, b_);                                                       \
	} while (0)
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *a_ = (a), *b_ = (b);                                                   \
		if (strcmp(a_, b_))                                                                \
			test_failed(__FILE__, __LINE__, "%s is \"%s\", want \"%s\"", #a, a_, b_);  \
	} while (0)
/* Ends the test at once: for what the rest depends on. */
#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			test_failed(__FILE__, __LINE__, "%s", #cond);                              \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)
#define SKIP(why) test_skip(why)

#endif
