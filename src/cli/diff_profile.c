/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope diff of two profiles in pprof's format. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "in/pprof_read.h"
#include "model/profile/subtract.h"
#include "out/json_profile.h"
#include "out/text_profile.h"

enum { ROWS = 20 };

bool cli_is_profile(const struct target *t)
{
	struct stat st;
	_close_ int fd = t->file ? file_open_regular(AT_FDCWD, t->file, 0, &st) : -1;
	uint8_t magic[4];

	return fd >= 0 && file_read_some(fd, 0, magic, sizeof(magic)) == sizeof(magic) &&
	       pprof_is_zipped(magic, sizeof(magic));
}

static int read_one(const struct target *t, struct profile *p, struct err *e)
{
	_text_ struct text bytes = { 0 };
	int r = cli_read_file(t->file, PPROF_MAX, &bytes, e);

	if (r)
		return r;
	r = pprof_read(bytes.p ? bytes.p : "", bytes.n, p, e);
	return r ? err_prefix(e, r, "%s", t->file) : 0;
}

static int print(const struct cli_print *print, const struct profile *d)
{
	const char *name = d->type[d->most_wanted].name;
	const struct json_profile_head h = { .version = cli_version(), .type = name };
	struct text_style s = cli_style(print);
	_text_ struct text t = { 0 };
	int r;

	if (print->json)
		r = json_profile(stdout, &h, d);
	else
		r = text_profile_top(d, "difference", &s, ROWS, &t);
	return cli_put_code(r ? r : cli_put(t.p ? t.p : "", t.n));
}

int cli_diff_profiles(const struct target *a, const struct target *b, const struct cli_print *how)
{
	struct profile p = { 0 }, q = { 0 }, d = { 0 };
	struct err e = { 0 };
	int r = read_one(a, &p, &e), code;

	if (!r)
		r = read_one(b, &q, &e);
	if (!r) {
		r = profile_subtract(&q, &p, &d);
		if (r == -EINVAL)
			err_set(&e, r, "%s and %s are profiles of different types", a->file,
				b->file);
	}
	if (r)
		log_error("%s", e.text[0] ? e.text : strerror(-r));
	code = r ? CLI_FAILED : print(how, &d);
	profile_free(&p);
	profile_free(&q);
	profile_free(&d);
	return code;
}
