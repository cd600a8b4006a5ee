/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of processes of one image share its binaries. */
#include "test.h"

#include <unistd.h>

#include "session/session.h"

TEST(sessions_share_their_binaries)
{
	struct memsrc *m[2] = { NULL };
	struct shelf_stats one, two, none;
	struct shelf *shelf = NULL;
	struct session s[2];
	struct err e = { 0 };

	if (memsrc_open_live(getpid(), &m[0], &e) || memsrc_open_live(getpid(), &m[1], &e))
		SKIP("cannot read this process");
	REQUIRE(!shelf_create(2, &shelf));
	REQUIRE(!session_open(m[0], shelf, NULL, &s[0], &e));
	shelf_stats(shelf, &one);
	REQUIRE(!session_open(m[1], shelf, NULL, &s[1], &e));
	shelf_stats(shelf, &two);
	CHECK(s[0].bin && s[0].bin == s[1].bin);
	CHECK(one.images > 1); /* the executable and libc at least */
	CHECK_INT(two.images, one.images);
	CHECK_INT(two.shared, one.images);
	CHECK_INT(two.open, 2);
	/* the first one goes, the other's are read on */
	session_close(&s[0]);
	memsrc_close(m[0]);
	CHECK(bin_fd(s[1].bin) >= 0);
	for (size_t i = 0; i < s[1].libs.v.n; i++)
		CHECK(!s[1].libs.v.v[i].bin || bin_fd(s[1].libs.v.v[i].bin) >= 0);
	session_close(&s[1]);
	shelf_stats(shelf, &none);
	CHECK_INT(none.open, 0);
	CHECK_INT(none.idle, none.images);
	shelf_destroy(shelf);
	memsrc_close(m[1]);
}

/* The names of a session's code are of the same files. */
TEST(sessions_share_their_binaries_with_names)
{
	struct memsrc *m[2] = { NULL };
	struct session p[2];
	struct shelf_stats one, all, none;
	struct shelf *shelf = NULL;
	struct session s;
	struct err e = { 0 };

	if (memsrc_open_live(getpid(), &m[0], &e) || memsrc_open_live(getpid(), &m[1], &e))
		SKIP("cannot read this process");
	REQUIRE(!shelf_create(0, &shelf));
	REQUIRE(!session_open(m[0], shelf, NULL, &s, &e));
	shelf_stats(shelf, &one);
	for (int i = 0; i < 2; i++) {
		REQUIRE(!session_open(m[i], shelf, NULL, &p[i], &e));
		REQUIRE(!session_names(&p[i], &e));
	}
	shelf_stats(shelf, &all);
	CHECK(p[0].bin && p[0].bin == p[1].bin && p[0].bin == s.bin);
	CHECK_INT(all.images, one.images);
	CHECK_INT(all.open, one.open);
	/* each has them for its names, and for its own */
	CHECK(all.shared >= 4 * one.images);
	session_close(&s);
	session_close(&p[0]);
	memsrc_close(m[0]);
	CHECK(bin_fd(p[1].bin) >= 0);
	session_close(&p[1]);
	memsrc_close(m[1]);
	shelf_stats(shelf, &none);
	CHECK(none.open == 0 && none.idle == none.images);
	shelf_destroy(shelf);
}
