/* SPDX-License-Identifier: BSD-2-Clause */
/* The attach table's choices, without a kernel. */
#include <string.h>

#include "event/attach.h"
#include "test.h"

static const struct ev_features all = { .have = (1U << EVF_COUNT) - 1 };

static bool chosen(const struct plan *p, const char *name)
{
	struct plan q = *p;

	plan_describe(&q);
	for (size_t i = 0; i < q.n; i++)
		if (!strcmp(q.program[i].name, name))
			return q.row[i].chosen;
	CHECK(!"a program of that name");
	return false;
}

static struct ev_features without(uint32_t which)
{
	struct ev_features f = all;

	f.have &= ~which;
	for (int i = 0; i < EVF_COUNT; i++)
		if (which >> i & 1)
			strcpy(f.reason[i], "not here");
	return f;
}

TEST(attach_takes_the_cheaper_hook)
{
	struct plan p;

	plan_init(&p);
	plan_choose(&p, &all, EV_ALL, false);
	CHECK_INT(p.groups, EV_ALL);
	CHECK(chosen(&p, "mmap_fentry") && chosen(&p, "brk_fexit") && chosen(&p, "rss_btf"));
	CHECK(!chosen(&p, "mmap_enter") && !chosen(&p, "brk_exit") && !chosen(&p, "rss_tp"));
}

TEST(attach_falls_back_where_a_feature_is_missing)
{
	struct ev_features f = without(1U << EVF_FENTRY);
	struct plan p;

	plan_init(&p);
	plan_choose(&p, &f, EV_ALL, false);
	CHECK_INT(p.groups, EV_ALL);
	CHECK(!chosen(&p, "mmap_fentry") && chosen(&p, "mmap_enter") && chosen(&p, "mmap_exit"));
	CHECK(chosen(&p, "rss_btf"));
	plan_choose(&p, &all, EV_ALL, true);
	CHECK(!chosen(&p, "mmap_fentry") && chosen(&p, "mmap_enter") && chosen(&p, "rss_tp"));
}

TEST(attach_drops_a_group_that_nothing_serves)
{
	struct ev_features f = without(1U << EVF_FENTRY | 1U << EVF_SYSCALLS);
	struct plan p;

	strcpy(f.reason[EVF_SYSCALLS], "the base is missing");
	plan_init(&p);
	plan_choose(&p, &f, EV_ALL, false);
	CHECK_INT(p.groups, EV_ALL & ~EV_MAPPINGS);
	CHECK(!chosen(&p, "mmap_fentry") && !chosen(&p, "mmap_enter"));
	CHECK_STR(plan_reason(&p, EV_MAPPINGS), "the base is missing");
	CHECK_STR(plan_reason(&p, EV_RSS), "");
}

/* One feature is given up at a time, all of it. */
TEST(attach_retreats_step_by_step)
{
	struct plan p;

	plan_init(&p);
	plan_choose(&p, &all, EV_ALL, false);
	REQUIRE(plan_retreat(&p, "verifier"));
	plan_choose(&p, &all, EV_ALL, false);
	CHECK_INT(p.groups, EV_ALL);
	CHECK(!chosen(&p, "mmap_fentry") && !chosen(&p, "munmap_fexit") && chosen(&p, "brk_enter"));
	CHECK(chosen(&p, "rss_btf"));
	REQUIRE(plan_retreat(&p, "verifier"));
	plan_choose(&p, &all, EV_ALL, false);
	CHECK(chosen(&p, "rss_tp") && chosen(&p, "fork_btf"));
	REQUIRE(plan_retreat(&p, "verifier"));
	plan_choose(&p, &all, EV_ALL, false);
	CHECK(chosen(&p, "fork_tp") && chosen(&p, "exit_tp") && chosen(&p, "exec_tp"));
	CHECK(!plan_retreat(&p, "verifier"));
	CHECK_INT(p.groups, EV_ALL);
}
