/* SPDX-License-Identifier: BSD-2-Clause */
/* What claims to be a profile in pprof's format: read, compared with itself, printed, written. */
#include <stdio.h>
#include <stdlib.h>

#include "in/pprof_read.h"
#include "model/profile/subtract.h"
#include "out/json_profile.h"
#include "out/pprof.h"
#include "out/text_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int swallow(void *ctx, const void *p, size_t n)
{
	return 0;
}

static void use(const struct profile *p)
{
	const struct json_profile_head h = { .version = "0", .type = "heap" };
	FILE *null = fopen("/dev/null", "w");
	_text_ struct text t = { 0 };
	struct profile d;

	if (!null)
		abort();
	if (!profile_subtract(p, p, &d) && d.samples.n)
		abort();
	profile_free(&d);
	text_profile_top(p, "heap", &(struct text_style){ .utf8 = true }, 20, &t);
	text_profile_folded(p, &t);
	json_profile(null, &h, p);
	pprof_write(p, swallow, NULL);
	fclose(null);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile p;

	if (!pprof_read(data, size, &p, NULL))
		use(&p);
	profile_free(&p);
	return 0;
}
