/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope diff: two looks, and what is different. */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "collect/collect.h"
#include "model/findings/findings.h"
#include "out/json_diff.h"
#include "in/json_read.h"
#include "out/text_diff.h"

/* A JSON document, or one line of a stream, that is longer is no report of ours. */
enum { MAX_JSON = 16 << 20 };

struct args {
	struct cli_help help;
	struct cli_targets targets;
	struct cli_print print;
	struct cli_cache cache;
	bool schema;
	int32_t of; /* 0: not given */
};

enum { KEY_SCHEMA = 256, KEY_OF };

static const struct argp_option options[] = {
	{ "of", KEY_OF, "PID", 0, "In a file with several reports, use the one for this PID", 0 },
	{ "json-schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of --json and exit", 0 },
	{ 0 },
};

static void check_args(const struct args *a, struct argp_state *st)
{
	if (a->help.shown || a->schema || a->targets.t.v.n == 2)
		return;
	if (a->targets.asked && a->targets.t.v.n < 2)
		return; /* nothing has that name: no usage error */
	argp_error(st, "diff takes two targets, A and B; got %zu", a->targets.t.v.n);
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;
	uint64_t pid;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->print;
		st->child_inputs[2] = &a->cache;
		st->child_inputs[3] = &a->help;
		return 0;
	case KEY_OF:
		if (!text_parse_u64(arg, &pid) || !pid || pid > INT32_MAX)
			argp_error(st, "'%s' is not a process id", arg);
		a->of = pid;
		return 0;
	case KEY_SCHEMA:
		a->schema = true;
		return 0;
	case ARGP_KEY_END:
		check_args(a, st);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "A B",
	.doc = "Print what changed from A to B: RSS by category and row, Go metrics, kernel and "
	       "cgroup figures, and how much of the growth is explained. A and B are JSON files "
	       "of `rsscope report --json` (or the end of watch --json), captures, ELF cores, or "
	       "PIDs (a snapshot is taken now); '-' reads JSON from stdin. Or both are profiles in "
	       "pprof's format.\v"
	       "Examples:\n"
	       "  rsscope report 4242 --json >before.json\n"
	       "  rsscope diff before.json 4242           what grew since\n"
	       "  rsscope diff monday.rsscap tuesday.rsscap --json\n"
	       "  rsscope diff 4242 4243                  two processes of one program\n"
	       "  rsscope diff before.pb.gz after.pb.gz   two profiles\n"
	       "\n"
	       "Exit: 0 done, 1 failed, 2 usage, 3 no such target, 4 not permitted,\n"
	       "5 partial.",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

/* ---- one side */

struct side {
	struct go_cache *cache; /* borrowed */
	const struct target *t;
	char name[256];	    /* as it is called in what is printed */
	report_vec reports; /* a file may hold several */
	size_t pick;
	bool last; /* to be opened: nothing is after it */
};

static void side_free(struct side *s)
{
	for (size_t i = 0; i < s->reports.n; i++)
		report_free(&s->reports.v[i]);
	vec_free(&s->reports);
}

static bool is_stdin(const struct target *t)
{
	return t->file && !strcmp(t->file, "-");
}

/* Appends the next line with its newline. False at the end. -EFBIG in *rc: it is too long. */
static bool next_line(FILE *f, struct text *line, int *rc)
{
	char buf[4096];

	line->n = 0;
	while (fgets(buf, sizeof(buf), f)) {
		size_t n = strlen(buf);

		*rc = line->n + n > MAX_JSON ? -EFBIG : text_add(line, buf, n);
		if (*rc)
			return false;
		if (n && buf[n - 1] == '\n')
			return true;
	}
	if (ferror(f))
		*rc = errno ? -errno : -EIO;
	return !*rc && line->n;
}

/* A stream of one object a line: its last report. Else all of the file, which begins with `text`
 * already. */
static int read_json_text(FILE *f, struct text *text)
{
	_text_ struct text line = { 0 };
	int rc = 0;

	if (!next_line(f, text, &rc))
		return rc ? rc : -ENODATA;
	if (!strstr(text->p, "\"type\"")) {
		while (!rc && next_line(f, &line, &rc))
			rc = text->n + line.n > MAX_JSON ? -EFBIG : text_add(text, line.p, line.n);
		return rc;
	}
	while (!rc && next_line(f, &line, &rc)) {
		if (!strstr(line.p, "rsscope.report/1") || !json_is_report(line.p, line.n))
			continue;
		text->n = 0;
		rc = text_add(text, line.p, line.n);
	}
	return rc;
}

static int read_json(struct side *s, FILE *f, struct err *e)
{
	_text_ struct text text = { 0 };
	int rc = read_json_text(f, &text);

	if (rc == -EFBIG)
		return err_set(e, rc, "%s: larger than %d MiB; not a report", s->name,
			       MAX_JSON >> 20);
	if (rc && rc != -ENODATA)
		return err_set(e, rc, "%s: %s", s->name, strerror(-rc));
	rc = json_read(text.p ? text.p : "", text.n, &s->reports, e);
	return rc ? err_prefix(e, rc, "%s", s->name) : 0;
}

static int look(struct side *s, struct err *e)
{
	const struct collect_opts co = { .sites = COLLECT_SITES };
	struct memsrc *m = NULL;
	struct report r;
	int rc = target_open(s->t, &m, e);

	if (rc)
		return rc;
	if (s->last)
		cli_shed_opened(m, 0);
	rc = collect_once(m, s->cache, &co, &r, e);
	if (!rc)
		rc = vec_push(&s->reports, r);
	if (rc)
		report_free(&r);
	memsrc_close(m);
	return rc;
}

/* A file of JSON is known by its first character; nothing else that we read begins so. */
static int load_file(struct side *s, struct err *e)
{
	FILE *f = is_stdin(s->t) ? stdin : fopen(s->t->file, "re");
	struct stat st;
	int c, rc;

	if (!f)
		return errno == ENOENT || errno == ENOTDIR
			       ? look(s, e) /* the same message as of other commands */
			       : err_set(e, -errno, "%s: %s", s->name, strerror(errno));
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode)) {
		rc = err_set(e, -EISDIR, "%s is a directory", s->name);
	} else {
		do
			c = getc(f);
		while (c != EOF && isspace(c));
		ungetc(c, f);
		if (c == '{')
			rc = read_json(s, f, e);
		else if (is_stdin(s->t))
			rc = err_set(e, -EINVAL, "standard input is not a JSON report");
		else
			rc = look(s, e);
	}
	if (f != stdin)
		fclose(f);
	return rc;
}

static int load(struct side *s, const struct target *t, struct err *e)
{
	s->t = t;
	if (t->file)
		snprintf(s->name, sizeof(s->name), "%s", is_stdin(t) ? "standard input" : t->file);
	else
		snprintf(s->name, sizeof(s->name), "pid %d, now", t->pid);
	return t->file ? load_file(s, e) : look(s, e);
}

/* ---- which of several reports */

enum match { MATCH_ALL, MATCH_PROCESS, MATCH_PID };

static bool matches(const struct report *r, enum match how, const struct report *like, int32_t pid)
{
	switch (how) {
	case MATCH_PROCESS:
		return diff_same_process(like, r) == DIFF_SAME;
	case MATCH_PID:
		return r->target.pid == pid;
	default:
		return true;
	}
}

/* Those that match, if all are of one process (`run` gives its last ledger and the largest): the
 * latest. False when there is none or they are of several. */
static bool pick_match(struct side *s, enum match how, const struct report *like, int32_t pid)
{
	const struct report *best = NULL;

	for (size_t i = 0; i < s->reports.n; i++) {
		const struct report *r = &s->reports.v[i];

		if (!matches(r, how, like, pid))
			continue;
		if (best && diff_same_process(best, r) != DIFF_SAME)
			return false;
		if (!best || r->time_unix_ns > best->time_unix_ns)
			best = r;
	}
	if (best)
		s->pick = best - s->reports.v;
	return best;
}

static bool pick(struct side *s, const struct side *other, int32_t of)
{
	const struct report *like = other->reports.n == 1 ? &other->reports.v[0] : NULL;
	_text_ struct text pids = { 0 };

	if (s->reports.n == 1)
		return true;
	if (of ? pick_match(s, MATCH_PID, NULL, of)
	       : (like && (pick_match(s, MATCH_PROCESS, like, 0) ||
			   pick_match(s, MATCH_PID, NULL, like->target.pid))) ||
			    pick_match(s, MATCH_ALL, NULL, 0))
		return true;
	for (size_t i = 0; i < s->reports.n && i < 16; i++)
		if (text_printf(&pids, "%s%d", i ? ", " : "", s->reports.v[i].target.pid))
			break;
	log_error("%s has %zu reports; choose one with --of: %s%s", s->name, s->reports.n,
		  pids.p ? pids.p : "", s->reports.n > 16 ? ", ..." : "");
	return false;
}

/* ---- the command */

static int print(const struct args *a, const struct diff *d, const struct side s[2])
{
	struct text_style style = cli_style(&a->print);
	_text_ struct text t = { 0 };
	int rc;

	if (a->print.json)
		rc = json_diff(stdout, cli_version(), d, s[0].name, s[1].name);
	else
		rc = text_diff(d, &style, s[0].name, s[1].name, &t);
	if (!rc)
		rc = cli_put(t.p ? t.p : "", t.n);
	return cli_put_code(rc);
}

static int compare(const struct args *a, const struct side s[2])
{
	struct diff d;
	int code, rc = diff_make(&s[0].reports.v[s[0].pick], &s[1].reports.v[s[1].pick], &d);

	if (!rc)
		rc = findings_compare(&d);
	code = rc ? cli_fail(rc, NULL) : print(a, &d, s);
	if (!code && d.partial)
		code = CLI_PARTIAL;
	diff_free(&d);
	return code;
}

static int diff(const struct args *a)
{
	struct side s[2] = { { .cache = a->cache.store.go }, { .cache = a->cache.store.go } };
	const struct target *t = a->targets.t.v.v;
	int rc = 0, code = CLI_OK, loaded = 0;
	struct err e = { 0 };

	if (is_stdin(&t[0]) && is_stdin(&t[1])) {
		log_error("only one side can be standard input");
		return CLI_USAGE;
	}
	/* a live process comes last: its snapshot is "now" */
	for (int live = 0; live < 2; live++)
		for (int i = 0; i < 2 && !rc; i++)
			if ((t[i].file == NULL) == live) {
				s[i].last = ++loaded == 2;
				rc = load(&s[i], &t[i], &e);
			}
	if (rc)
		code = cli_fail(rc, &e);
	else if (!pick(&s[0], &s[1], a->of) || !pick(&s[1], &s[0], a->of))
		code = CLI_USAGE;
	else
		code = compare(a, s);
	side_free(&s[0]);
	side_free(&s[1]);
	return code;
}

/* Two profiles, or two of what a report can be made of. */
static int diff_any(const struct args *a)
{
	const struct target *t = a->targets.t.v.v;
	bool first = cli_is_profile(&t[0]), second = cli_is_profile(&t[1]);

	if (first && second)
		return cli_diff_profiles(&t[0], &t[1], &a->print);
	if (!first && !second)
		return diff(a);
	log_error("%s is a profile and the other is not: diff compares two profiles or two reports",
		  t[second].file);
	return CLI_USAGE;
}

int cmd_diff(int argc, char **argv)
{
	struct args a = { 0 };
	int code;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		goto out;
	if (a.schema) {
		code = cli_put_code(cli_put(json_diff_schema(), strlen(json_diff_schema())));
	} else if (a.targets.t.v.n < 2) {
		log_error("no process matches; `ps -eo pid,comm,cgroup` lists them");
		code = CLI_GONE;
	} else {
		cli_cache_open(&a.cache);
		cli_shed(0);
		code = diff_any(&a);
		cli_cache_close(&a.cache);
	}
out:
	targets_free(&a.targets.t);
	return code;
}
