/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/observe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "out/json.h"

static int put_json(const char *version, const struct report *r, struct text *out)
{
	_free_ char *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);
	int rc;

	if (!f)
		return -ENOMEM;
	rc = json_report_line(f, version, r);
	if (fclose(f) && !rc)
		rc = -ENOMEM;
	return rc ? rc : text_add(out, p, n);
}

bool observe_write_peak(const struct observe_opts *o, struct peak *p)
{
	struct err e = { 0 };

	if (o->peak_fd < 0)
		return true;
	if (!p)
		err_set(&e, -ENOENT, "the heap was not watched");
	else if (!peak_write(p, o->peak_fd, &e))
		return true;
	log_error("no profile of the heap's peak: %s", e.text);
	return false;
}

int observe_put_report(const struct observe_opts *o, const struct report *r, struct text *out)
{
	return o->json ? put_json(o->version, r, out) : text_report(r, &o->style, out);
}
