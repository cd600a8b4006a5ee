/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON that claims to be a report: read, compared, judged, printed. */
#include <stdio.h>
#include <stdlib.h>

#include "model/findings/findings.h"
#include "out/json_diff.h"
#include "in/json_read.h"
#include "out/text_diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct report *a, const struct report *b, FILE *null)
{
	_text_ struct text t = { 0 };
	int64_t sum = 0;
	struct diff d;

	if (!diff_make(a, b, &d) && !findings_compare(&d)) {
		for (size_t i = 0; i < d.cats.n; i++)
			sum += delta_of(&d.cats.v[i].s.resident);
		if (sum != d.growth)
			abort();
		text_diff(&d, &(struct text_style){ .utf8 = true, .width = 90 }, "a", "b", &t);
		json_diff(null, "0", &d, "a", "b");
	}
	diff_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	report_vec v = { 0 };
	FILE *null = NULL;

	if (!json_read((const char *)data, size, &v, NULL))
		null = fopen("/dev/null", "w");
	for (size_t i = 0; null && i < v.n; i++) {
		struct report *r = &v.v[i];
		_text_ struct text t = { 0 };

		findings_make(r);
		text_report(r, &(struct text_style){ .width = 80 }, &t);
		compare(r, &v.v[0], null);
	}
	if (null)
		fclose(null);
	for (size_t i = 0; i < v.n; i++)
		report_free(&v.v[i]);
	vec_free(&v);
	return 0;
}
