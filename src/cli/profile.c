/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope profile: the files of net/http/pprof, from outside. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "collect/profile.h"
#include "out/json_profile.h"
#include "out/pprof.h"
#include "out/text_profile.h"

enum { ROWS = 20 };

struct args {
	struct cli_help help;
	struct cli_targets targets;
	struct cli_print print;
	struct cli_cache cache;
	enum profile_kind kind;
	const char *file; /* NULL: none; "-": standard output */
	uint64_t rows;	  /* 0: not asked for */
	bool folded, schema;
};

enum { KEY_TOP = 256, KEY_FOLDED, KEY_SCHEMA };

static const struct argp_option options[] = {
	{ "type", 't', "TYPE", 0, "heap (default), allocs or goroutine", 0 },
	{ "output", 'o', "FILE", 0, "Write pprof's format, gzipped; - is standard output", 0 },
	{ "top", KEY_TOP, "N", 0, "Print the N functions with most (default: 20)", 0 },
	{ "folded", KEY_FOLDED, NULL, 0, "Print a stack a line, for flame graphs", 0 },
	{ "json-schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of --json and exit", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		a->targets.live_only = true; /* captures don't hold it */
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->print;
		st->child_inputs[2] = &a->cache;
		st->child_inputs[3] = &a->help;
		return 0;
	case 't':
		if (profile_kind_parse(arg, &a->kind))
			argp_error(
				st,
				"no profile is called '%s'; there are heap, allocs and goroutine",
				arg);
		return 0;
	case 'o':
		a->file = arg;
		return 0;
	case KEY_TOP:
		if (!text_parse_u64(arg, &a->rows) || !a->rows)
			argp_error(st, "--top takes a number of functions, not '%s'", arg);
		return 0;
	case KEY_FOLDED:
		a->folded = true;
		return 0;
	case KEY_SCHEMA:
		a->schema = true;
		return 0;
	case ARGP_KEY_END:
		if (a->folded + a->print.json + (a->rows > 0) > 1)
			argp_error(st, "--top, --folded and --json exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "Print where the heap of a live Go program was allocated, or where its goroutines "
	       "are, by call stack, as net/http/pprof does; the program needs no endpoint.\v"
	       "Examples:\n"
	       "  rsscope profile 4242\n"
	       "  rsscope profile 4242 -o heap.pb.gz && go tool pprof -top heap.pb.gz\n"
	       "  rsscope profile --name etcd --type allocs --folded\n"
	       "\n"
	       "Exit: 0 done, 1 failed, 3 no such target, 4 not permitted.",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

static int put_stream(void *ctx, const void *p, size_t n)
{
	return fwrite(p, 1, n, ctx) == n ? 0 : errno ? -errno : -EIO;
}

static int write_file(const struct args *a, const struct profile *p, struct err *e)
{
	bool out = !strcmp(a->file, "-"), regular;
	FILE *f = out ? stdout : fopen(a->file, "wbe");
	struct stat st;
	int r, closed;

	if (!f)
		return err_set(e, -EIO, "cannot write %s: %s", a->file, strerror(errno));
	regular = !out && !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
	r = pprof_write(p, put_stream, f);
	closed = out ? fflush(f) : fclose(f);
	if (!r && closed)
		r = -errno;
	if (r && regular) /* half of one is none; a device stays */
		unlink(a->file);
	return r ? err_set(e, -EIO, "writing %s: %s", a->file, strerror(-r)) : 0;
}

static int print_json(const struct args *a, const struct profile *p, const struct memsrc *m,
		      const char *const *notes, size_t n)
{
	const struct json_profile_head h = { .version = cli_version(),
					     .type = profile_kind_name(a->kind),
					     .pid = memsrc_pid(m),
					     .notes = notes,
					     .nnotes = n };
	int r = json_profile(stdout, &h, p);

	return r ? r : cli_put("", 0);
}

static int print(const struct args *a, const struct profile *p, const struct memsrc *m,
		 const struct profile_note *n)
{
	char text[PROFILE_NOTES_MAX][PROFILE_NOTE_MAX];
	const char *notes[PROFILE_NOTES_MAX];
	struct text_style s = cli_style(&a->print);
	struct text_profile h = { .type = profile_kind_name(a->kind),
				  .samples = n->samples,
				  .stacks = n->stacks,
				  .notes = notes,
				  .nnotes = profile_notes(p, n, text) };
	_text_ struct text t = { 0 };
	int r;

	for (size_t i = 0; i < h.nnotes; i++)
		notes[i] = text[i];
	if (a->print.json)
		return cli_put_code(print_json(a, p, m, notes, h.nnotes));
	r = a->folded ? text_profile_folded(p, &t)
		      : text_profile_top(p, &h, &s, a->rows ? a->rows : ROWS, &t);
	return cli_put_code(r ? r : cli_put(t.p ? t.p : "", t.n));
}

static int profile(const struct args *a)
{
	unsigned int save = a->file ? RIGHTS_SAVE : 0;
	struct profile_note note;
	struct memsrc *m = NULL;
	struct session s = { 0 };
	struct profile p = { 0 };
	struct err e = { 0 };
	int r, code = CLI_OK;

	if (a->targets.t.v.n > 1) {
		log_error("%zu processes match; a profile is of one: give its PID",
			  a->targets.t.v.n);
		return CLI_USAGE;
	}
	cli_shed(save);
	r = target_open(&a->targets.t.v.v[0], &m, &e);
	if (!r)
		cli_shed_opened(m, save);
	if (!r)
		r = session_open(m, NULL, a->cache.store.go, &s, &e);
	if (!r)
		r = collect_profile(&s, a->kind, &p, &note, &e);
	if (!r && a->file)
		r = write_file(a, &p, &e);
	if (r)
		code = cli_fail(r, &e);
	else if (!a->file || a->folded || a->print.json || a->rows)
		code = print(a, &p, m, &note);
	profile_free(&p);
	session_close(&s);
	memsrc_close(m);
	return code;
}

int cmd_profile(int argc, char **argv)
{
	struct args a = { 0 };
	int code;

	if (cli_parse(&argp, argc, argv, &a, &a.help, &code)) {
		if (a.schema)
			code = cli_put_code(
				cli_put(json_profile_schema(), strlen(json_profile_schema())));
		else
			code = cli_targets_check(&a.targets, "profile");
		if (!code && !a.schema) {
			cli_cache_open(&a.cache);
			code = profile(&a);
			cli_cache_close(&a.cache);
		}
	}
	targets_free(&a.targets.t);
	return code;
}
