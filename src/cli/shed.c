/* SPDX-License-Identifier: BSD-2-Clause */
/* What commands give up: doctor says what is kept. */
#include "cli/cli.h"

#include <string.h>

#include "base/log.h"
#include "base/sandbox.h"

static void keep(unsigned int when)
{
	int rc = rights_shed(when);

	if (rc)
		log_debug("capabilities stay as they are: %s", strerror(-rc));
}

static void enter_filter(const struct sandbox_more *more)
{
	struct err e = { 0 };

	if (sandbox_enter(more, sandbox_wanted(), &e) && e.text[0])
		log_debug("%s", e.text);
}

void cli_shed(unsigned int extra)
{
	keep(RIGHTS_OPEN | RIGHTS_READ | extra);
	enter_filter(NULL);
}

void cli_shed_all(void)
{
	keep(0);
	enter_filter(NULL);
}

void cli_shed_attached(pid_t child)
{
	const struct sandbox_more more = { .probes = true, .child = child };

	keep(RIGHTS_OPEN | RIGHTS_READ | RIGHTS_PROBE | (child ? RIGHTS_SIGNAL : 0));
	enter_filter(&more);
}

void cli_shed_sampling(unsigned int extra)
{
	const struct sandbox_more more = { .probes = true };

	keep(RIGHTS_OPEN | RIGHTS_READ | RIGHTS_PROBE | extra);
	enter_filter(&more);
}

void cli_shed_opened(const struct memsrc *m, unsigned int extra)
{
	/* A core names files of this machine. */
	keep(memsrc_kind(m) == MEMSRC_CAPTURE ? extra : RIGHTS_READ | extra);
}
