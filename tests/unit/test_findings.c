/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings.h"
#include "sample.h"
#include "test.h"

static void expect_sentence(const struct report *r, const char *want)
{
	_text_ struct text t = { 0 };

	REQUIRE(!findings_sentence(r, &t));
	CHECK_STR(t.p, want);
}

TEST(findings_need_evidence)
{
	struct report r;

	sample_full(&r);
	CHECK_INT(findings_make(&r), 0);
	CHECK_INT(r.findings.n, 0);
	report_free(&r);
	report_init(&r); /* nothing known at all */
	CHECK_INT(findings_make(&r), 0);
	CHECK_INT(r.findings.n, 0);
	report_free(&r);
}

TEST(findings_headroom_is_limit_less_usage)
{
	struct report r;

	sample_full(&r);
	CHECK(findings_headroom(&r).has);
	CHECK_INT(findings_headroom(&r).v, (uint64_t)554 << 20);
	r.cgroup.usage = OPT(r.cgroup.effective_limit.v + 4096);
	CHECK(findings_headroom(&r).has);
	CHECK_INT(findings_headroom(&r).v, 0);
	r.cgroup.usage.has = false;
	CHECK(!findings_headroom(&r).has);
	r.cgroup.usage.has = true;
	r.cgroup.effective_limit.has = false;
	CHECK(!findings_headroom(&r).has);
	report_free(&r);
}

TEST(findings_sentence_says_what_is_known_of_limits)
{
	struct report r;

	sample_full(&r);
	expect_sentence(&r, "No finding: RSS is 399.5 MiB, 554.0 MiB are left to the memory limit "
			    "of 1.0 GiB.");
	r.cgroup.effective_limit.has = false;
	CHECK(findings_unlimited(&r));
	expect_sentence(&r, "No finding: RSS is 399.5 MiB, no memory limit applies.");
	REQUIRE(!report_missing(&r, "cgroup", "", "memory.max: %s", "Permission denied"));
	CHECK(!findings_unlimited(&r));
	expect_sentence(&r, "No finding: RSS is 399.5 MiB; whether a memory limit applies is not "
			    "known.");
	report_free(&r);
}

TEST(findings_sentence_opens_with_the_first)
{
	struct report r;

	sample_full(&r);
	REQUIRE(!vec_push(&r.findings,
			  (struct finding){ .id = "heap-retained",
					    .severity = SEV_WARNING,
					    .summary = strdup("The heap is large.") }));
	expect_sentence(&r, "The heap is large. RSS is 399.5 MiB, 554.0 MiB are left to the memory "
			    "limit of 1.0 GiB.");
	report_free(&r);
}

TEST(report_missing_and_names)
{
	struct report r;

	report_init(&r);
	CHECK_INT(report_missing(&r, "a.b", NULL, "%d of %s", 3, "x"), 0);
	CHECK_INT(r.missing.n, 1);
	CHECK_STR(r.missing.v[0].reason, "3 of x");
	CHECK_STR(r.missing.v[0].needs, "");
	CHECK_INT(named_add(&r.losses, "ring", 7), 0);
	CHECK(named_find(&r.losses, "ring") && named_find(&r.losses, "ring")->v == 7);
	CHECK(!named_find(&r.losses, "rin"));
	CHECK(named_add(&r.losses,
			"a name that is longer than what the fixed field of a named value holds "
			"and must not be cut",
			1) < 0);
	report_free(&r);
}
