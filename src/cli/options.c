/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that commands share, as argp children. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "event/ev.h"

/* ---- --help, --verbose */

enum { KEY_USAGE = 1024 };

static int print_help(const struct argp *argp, const char *name, unsigned int what)
{
	_free_ char *p = NULL;
	char title[64];
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);

	if (!f)
		return cli_fail(-ENOMEM, NULL);
	snprintf(title, sizeof(title), "%s", name);
	/* leaves out what takes room and says little */
	setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
	argp_help(argp, f, what, title);
	if (fclose(f))
		return cli_fail(-ENOMEM, NULL);
	return cli_put_code(cli_put(p, n));
}

static error_t parse_help(int key, char *arg, struct argp_state *st)
{
	struct cli_help *h = st->input;

	switch (key) {
	case 'h':
	case KEY_USAGE:
		h->shown = true;
		h->code = print_help(st->root_argp, st->name,
				     key == 'h' ? ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG |
							  ARGP_HELP_DOC
						: ARGP_HELP_USAGE);
		st->next = st->argc; /* nothing else counts */
		return 0;
	case 'v':
		log_set_verbose(1);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option help_options[] = {
	{ "help", 'h', NULL, 0, "Print this help", -1 },
	{ "usage", KEY_USAGE, NULL, OPTION_HIDDEN, NULL, -1 }, /* argp's messages name it */
	{ "verbose", 'v', NULL, 0, "Log each step to stderr", -1 },
	{ 0 },
};

const struct argp cli_help_argp = { .options = help_options, .parser = parse_help };

/* ---- --json, --bytes, --no-color */

enum { KEY_BYTES = 1040, KEY_NO_COLOR };

static error_t parse_print(int key, char *arg, struct argp_state *st)
{
	struct cli_print *o = st->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case KEY_BYTES:
		o->bytes = true;
		return 0;
	case KEY_NO_COLOR:
		o->no_color = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option print_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ "bytes", KEY_BYTES, NULL, 0, "Print exact bytes instead of MiB", 0 },
	{ "no-color", KEY_NO_COLOR, NULL, 0, "No colors", 0 },
	{ 0 },
};

const struct argp cli_print_argp = { .options = print_options, .parser = parse_print };

/* ---- --no-mappings and what only tests want */

enum { KEY_NO_MAPPINGS = 1056, KEY_RING, KEY_FALLBACKS, KEY_PEAK };

static error_t parse_probes(int key, char *arg, struct argp_state *st)
{
	struct cli_probes *o = st->input;

	switch (key) {
	case KEY_NO_MAPPINGS:
		o->groups &= ~EV_MAPPINGS;
		return 0;
	case KEY_RING:
		if (!text_parse_u64(arg, &o->ring))
			argp_error(st, "--ring takes bytes, not '%s'", arg);
		return 0;
	case KEY_FALLBACKS:
		o->fallbacks = true;
		return 0;
	case KEY_PEAK:
		o->peak = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option probes_options[] = {
	{ "no-mappings", KEY_NO_MAPPINGS, NULL, 0,
	  "Don't trace mmap and related calls (avoids overhead on every such call)", 0 },
	{ "peak-profile", KEY_PEAK, "FILE", 0,
	  "Write what the Go heap held at its peak, by allocation site (pprof's format)", 0 },
	{ "ring", KEY_RING, "BYTES", OPTION_HIDDEN, "Size of the ring buffer", 0 },
	{ "fallbacks", KEY_FALLBACKS, NULL, OPTION_HIDDEN, "Take the probes' fallbacks", 0 },
	{ 0 },
};

const struct argp cli_probes_argp = { .options = probes_options, .parser = parse_probes };

/* ---- --no-cache */

enum { KEY_NO_CACHE = 1072 };

static error_t parse_cache(int key, char *arg, struct argp_state *st)
{
	struct cli_cache *c = st->input;

	if (key != KEY_NO_CACHE)
		return ARGP_ERR_UNKNOWN;
	c->off = true;
	return 0;
}

static const struct argp_option cache_options[] = {
	{ "no-cache", KEY_NO_CACHE, NULL, 0, "Don't use or write the binary cache", 0 },
	{ 0 },
};

const struct argp cli_cache_argp = { .options = cache_options, .parser = parse_cache };

void cli_cache_open(struct cli_cache *c)
{
	if (!c->off)
		cache_store_open(&c->store);
}

void cli_cache_close(struct cli_cache *c)
{
	cache_store_close(&c->store);
}

/* ---- */

/* Opened at once: what may be written is not the same without privileges. */
static bool open_peak(const char *file, int *fd)
{
	*fd = file ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
	if (!file || *fd >= 0)
		return true;
	log_error("cannot write '%s': %s", file, strerror(errno));
	return false;
}

bool cli_observe(struct observe_opts *o, const struct cli_probes *p, const struct cli_print *print,
		 const struct cli_cache *c, int fd)
{
	memory_keep_freed(MEMORY_SNAPSHOTS);
	o->groups = p->groups;
	o->ring = p->ring;
	o->fallbacks = p->fallbacks;
	o->cache = c->store.go;
	o->json = print->json;
	o->style = cli_style_fd(fd, print);
	o->version = cli_version();
	o->attached = cli_shed_attached;
	return open_peak(p->peak, &o->peak_fd);
}

double cli_parse_seconds(const char *arg, const char *option, struct argp_state *st)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !isfinite(v) || v < 0 || v > 1e9)
		argp_error(st, "--%s takes seconds, not '%s'", option, arg);
	return v;
}

/* ---- a command line */

bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, struct cli_help *h,
	       int *code)
{
	error_t rc = argp_parse(argp, argc, argv, ARGP_NO_HELP | ARGP_IN_ORDER, NULL, input);

	*code = rc ? cli_fail(-rc, NULL) : h->code;
	return !rc && !h->shown;
}
