/* SPDX-License-Identifier: BSD-2-Clause */
/* Where no uprobe may go: NOPs, as crafted bytes and in a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event/place.h"
#include "test.h"

static const struct {
	const char *code;
	size_t n;
	bool nop;
} codes[] = {
	{ "\x0f\x1f\x44\x00\x00", 5, true }, /* the one that the kernel turns into a call */
	{ "\x90", 1, true },
	{ "\x66\x90", 2, true },
	{ "\x0f\x1f\x00", 3, true },
	{ "\x66\x0f\x1f\x44\x00\x00", 6, true },
	{ "\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00", 10, true },
	{ "\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00", 11, true },
	{ "\xf3\x0f\x1e\xfa", 4, false },     /* endbr64 */
	{ "\x49\x3b\x66\x10", 4, false },     /* cmp 16(%r14), %rsp: a Go function's */
	{ "\x64\x48\x8b\x0c\x25", 5, false }, /* mov %fs:…, %rcx: up to Go 1.16 */
	{ "\x55\x48\x89\xe5", 4, false },     /* push %rbp */
	{ "\x0f\x05", 2, false },	      /* syscall */
	{ "\x66\x66\x66", 3, false },	      /* cut off */
	{ "\x0f", 1, false },
	{ "", 0, false },
};

TEST(event_place_nop_is_known_in_all_forms)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		CHECK_INT(place_is_nop((const uint8_t *)codes[i].code, codes[i].n), codes[i].nop);
}

TEST(event_place_on_a_nop_is_refused)
{
	char path[] = "/tmp/rsscope-place.XXXXXX";
	static const char code[] = "\x55\x0f\x1f\x44\x00\x00\x5d\xc3";
	uint8_t at[sizeof(code) + EV_CODE] = { 0 }; /* what lies behind the end is told as zeros */
	int fd = mkstemp(path);
	struct err e = { 0 };

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, code, sizeof(code) - 1) == sizeof(code) - 1);
	memcpy(at, code, sizeof(code) - 1);
	unlink(path);
	CHECK_INT(place_check(fd, 0, at, &e), 0);
#if defined(__x86_64__)
	CHECK_INT(place_check(fd, 1, at + 1, &e), -EINVAL);
	CHECK(strstr(e.text, "NOP"));
#endif
	CHECK_INT(place_check(fd, 100, at + sizeof(code), &e), -EINVAL);
	CHECK_INT(place_check(-1, 0, at, &e), -EBADF);
	close(fd);
}

/* A library can be rewritten in place: what was analysed is not there any more. */
TEST(event_place_of_other_code_is_refused)
{
	char path[] = "/tmp/rsscope-place.XXXXXX";
	static const uint8_t before[EV_CODE] = "\x55\x48\x89\xe5", after[] = { 0x53 };
	int fd = mkstemp(path);
	struct err e = { 0 };

	REQUIRE(fd >= 0);
	unlink(path);
	REQUIRE(write(fd, before, sizeof(before)) == sizeof(before));
	CHECK_INT(place_check(fd, 0, before, &e), 0);
	REQUIRE(pwrite(fd, after, 1, 0) == 1);
	CHECK_INT(place_check(fd, 0, before, &e), -ESTALE);
	CHECK(strstr(e.text, "overwritten"));
	close(fd);
}
