/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope profile: the files of net/http/pprof, from outside. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/profile.h"
#include "event/cpu.h"
#include "in/pprof_read.h"
#include "model/profile/subtract.h"
#include "observe/cpu.h"
#include "out/json_profile.h"
#include "out/pprof.h"
#include "out/text_profile.h"

enum { ROWS = 20, KINDS_MAX = 16 };

struct args {
	struct cli_help help;
	struct cli_targets targets;
	struct cli_print print;
	struct cli_cache cache;
	const struct profile_kind *kind[KINDS_MAX];
	size_t nkinds;
	const char *file; /* NULL: none; "-": standard output; a directory, of several kinds */
	const char *base; /* a profile to subtract; NULL: none */
	double seconds;	  /* between two that are compared; 0: one. Of cpu: for how long */
	uint64_t rate;	  /* of cpu: samples a second; 0: not given */
	uint64_t rows;	  /* 0: not asked for */
	bool folded, full, schema;
};

enum { KEY_TOP = 256, KEY_FOLDED, KEY_SCHEMA, KEY_BASE, KEY_RATE, KEY_FULL };

static const struct argp_option options[] = {
	{ "type", 't', "TYPE[,TYPE]", 0, "What of (default: heap); see below", 0 },
	{ "output", 'o', "FILE", 0, "Write pprof's format; a directory for several types", 0 },
	{ "top", KEY_TOP, "N", 0, "Print the N functions with most (default: 20)", 0 },
	{ "folded", KEY_FOLDED, NULL, 0, "Print a stack a line, for flame graphs", 0 },
	{ "full", KEY_FULL, NULL, 0, "Of goroutines: print each one", 0 },
	{ "seconds", 's', "N", 0, "What changed in N seconds, or cpu time in them", 0 },
	{ "rate", KEY_RATE, "HZ", 0, "Of cpu: samples a second (99)", 0 },
	{ "base", KEY_BASE, "FILE", 0, "What changed since FILE, in pprof's format", 0 },
	{ "json-schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of --json and exit", 0 },
	{ 0 },
};

static void unknown_kind(struct argp_state *st, const char *name)
{
	_text_ struct text t = { 0 };

	for (size_t i = 0; profile_kind_at(i); i++)
		if (text_printf(&t, "%s%s", i ? ", " : "", profile_kind_name(profile_kind_at(i))))
			break;
	argp_error(st, "no profile is called '%s'; there are %s", name, t.p ? t.p : "none");
}

/* "heap,goroutine"; each once. */
static void parse_kinds(struct args *a, char *list, struct argp_state *st)
{
	char *save = NULL;

	a->nkinds = 0;
	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		const struct profile_kind *k = profile_kind_find(name);
		size_t i = 0;

		if (!k)
			unknown_kind(st, name);
		while (i < a->nkinds && a->kind[i] != k)
			i++;
		if (k && i == a->nkinds && i < KINDS_MAX)
			a->kind[a->nkinds++] = k;
	}
	if (!a->nkinds)
		argp_error(st, "--type takes the name of a profile");
}

/* Whether one of the kinds is sampled for a while. */
static bool sampled(const struct args *a)
{
	for (size_t i = 0; i < a->nkinds; i++)
		if (profile_kind_is_sampled(a->kind[i]))
			return true;
	return false;
}

static void check(struct args *a, struct argp_state *st)
{
	if (a->folded + a->print.json + (a->rows > 0) > 1)
		argp_error(st, "--top, --folded and --json exclude each other");
	if (!a->nkinds)
		a->kind[a->nkinds++] = profile_kind_find("heap");
	if (a->full && (a->nkinds > 1 || a->kind[0] != profile_kind_find("goroutine")))
		argp_error(st, "--full is of goroutines: --type goroutine");
	if (a->full &&
	    (a->folded || a->print.json || a->rows || a->file || a->base || a->seconds > 0))
		argp_error(st,
			   "--full prints goroutines one by one: no --top, --folded, --json, -o, "
			   "--base or --seconds");
	if (a->nkinds > 1 && a->folded)
		argp_error(st, "--folded prints one profile: give one --type");
	if (a->nkinds > 1 && a->file && !strcmp(a->file, "-"))
		argp_error(st, "-o - writes one profile: give one --type, or a directory");
	if (a->base && (a->nkinds > 1 || (a->seconds > 0 && !sampled(a))))
		argp_error(st, "--base compares one profile with a file: one --type, no --seconds");
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->print;
		st->child_inputs[2] = &a->cache;
		st->child_inputs[3] = &a->help;
		return 0;
	case 't':
		parse_kinds(a, arg, st);
		return 0;
	case 'o':
		a->file = arg;
		return 0;
	case KEY_TOP:
		if (!text_parse_u64(arg, &a->rows) || !a->rows)
			argp_error(st, "--top takes a number of functions, not '%s'", arg);
		return 0;
	case 's':
		a->seconds = cli_parse_seconds(arg, "seconds", st);
		return 0;
	case KEY_RATE:
		if (!text_parse_u64(arg, &a->rate) || !a->rate || a->rate > EV_CPU_HZ_MAX)
			argp_error(st, "--rate takes 1 to %d samples a second, not '%s'",
				   EV_CPU_HZ_MAX, arg);
		return 0;
	case KEY_BASE:
		a->base = arg;
		return 0;
	case KEY_FULL:
		a->full = true;
		return 0;
	case KEY_FOLDED:
		a->folded = true;
		return 0;
	case KEY_SCHEMA:
		a->schema = true;
		return 0;
	case ARGP_KEY_END:
		check(a, st);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID|FILE",
	.doc = "Print a profile of a Go program by call stack, as net/http/pprof does; the program "
	       "needs no endpoint. FILE is a capture or an ELF core of one that may have ended.\v"
	       "Types: heap (default), allocs, dead (garbage of the last GC cycle), types (live "
	       "objects "
	       "by Go type), goroutine, stacks (their memory), threadcreate, block, mutex, binary "
	       "(resident parts of the executable), cpu (10 s, 30 with -o).\n"
	       "\n"
	       "Examples:\n"
	       "  rsscope profile 4242 -o heap.pb.gz && go tool pprof -top heap.pb.gz\n"
	       "  rsscope profile 4242 --type heap,goroutine -o DIR\n"
	       "  rsscope profile 4242 --type allocs --seconds 30\n"
	       "  rsscope profile etcd.rsscap --type goroutine --folded\n"
	       "\n"
	       "Exit: 0 done, 1 failed, 3 no target, 4 not permitted, 5 some types failed.",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

/* ---- what is written */

static int put_stream(void *ctx, const void *p, size_t n)
{
	return fwrite(p, 1, n, ctx) == n ? 0 : errno ? -errno : -EIO;
}

static int write_file(const char *path, const struct profile *p, struct err *e)
{
	bool out = !strcmp(path, "-"), regular;
	FILE *f = out ? stdout : fopen(path, "wbe");
	struct stat st;
	int r, closed;

	if (!f)
		return err_set(e, -EIO, "cannot write %s: %s", path, strerror(errno));
	regular = !out && !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
	r = pprof_write(p, put_stream, f);
	closed = out ? fflush(f) : fclose(f);
	if (!r && closed)
		r = -errno;
	if (r && regular) /* half of one is none; a device stays */
		unlink(path);
	return r ? err_set(e, -EIO, "writing %s: %s", path, strerror(-r)) : 0;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Of one kind a file, but where a directory is given; of several DIR/KIND.pb.gz. */
static int write_kind(const struct args *a, const struct profile_kind *kind,
		      const struct profile *p, struct err *e)
{
	_text_ struct text path = { 0 };

	if (a->nkinds == 1 && !is_directory(a->file))
		return write_file(a->file, p, e);
	if (mkdir(a->file, 0777) && errno != EEXIST)
		return err_set(e, -EIO, "cannot make the directory %s: %s", a->file,
			       strerror(errno));
	if (text_printf(&path, "%s/%s.pb.gz", a->file, profile_kind_name(kind)))
		return err_set(e, -ENOMEM, "out of memory");
	return write_file(path.p, p, e);
}

static int print_json(const struct profile_kind *kind, const struct profile *p,
		      const struct memsrc *m)
{
	const struct json_profile_head h = { .version = cli_version(),
					     .type = profile_kind_name(kind),
					     .pid = memsrc_pid(m) };
	int r = json_profile(stdout, &h, p);

	return r ? r : cli_put("", 0);
}

static int print_kind(const struct args *a, const struct profile_kind *kind,
		      const struct profile *p, const struct memsrc *m)
{
	struct text_style s = cli_style(&a->print);
	_text_ struct text t = { 0 };
	int r = kind != a->kind[0] && !a->print.json ? text_add(&t, "\n", 1) : 0;

	if (a->print.json)
		return cli_put_code(print_json(kind, p, m));
	if (!r)
		r = a->folded ? text_profile_folded(p, &t)
			      : text_profile_top(p, profile_kind_name(kind), &s,
						 a->rows ? a->rows : ROWS, &t);
	return cli_put_code(r ? r : cli_put(t.p ? t.p : "", t.n));
}

/* ---- what is taken */

static void on_interrupt(int sig)
{
}

/* Waits for that long, or for ^C. */
static void wait_seconds(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };
	struct sigaction act = { .sa_handler = on_interrupt }, before;

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	sigaction(SIGINT, &act, &before);
	nanosleep(&t, NULL);
	sigaction(SIGINT, &before, NULL);
}

/* p becomes what it has more than base. */
static int subtract(struct profile *p, const struct profile *base, struct profile *was,
		    struct err *e)
{
	struct profile d = { 0 };
	int r = profile_subtract(p, base, &d);

	if (r)
		profile_free(&d);
	if (r == -EINVAL)
		return err_set(e, r, "the two profiles are of different types");
	if (r)
		return err_set(e, r, "comparing profiles: %s", strerror(-r));
	*was = *p; /* it holds the names of columns */
	*p = d;
	return 0;
}

/* What samples, opened while that was allowed. */
struct sampler {
	struct observe_cpu *cpu;
	struct err e;
	int r; /* why there is none */
};

/* What is printed or written of one kind. */
struct taken {
	struct profile p, base, now; /* now: what p was made of */
	struct err e;
	int r;
};

static void take(struct session *s, const struct profile_kind *kind, struct profile *p,
		 struct taken *t)
{
	if (!t->r && !profile_kind_is_sampled(kind))
		t->r = collect_profile(s, kind, p, &t->e);
}

/* Those that are sampled; false: there are none. */
static bool take_sampled(const struct args *a, const struct sampler *c, struct taken *t)
{
	double seconds = a->seconds > 0 ? a->seconds : a->file ? 30 : 10;
	bool any = false;

	for (size_t i = 0; i < a->nkinds; i++) {
		if (!profile_kind_is_sampled(a->kind[i]))
			continue;
		any = true;
		t[i].r = c->r;
		t[i].e = c->e;
		if (!t[i].r && profile_of_kind(a->kind[i], &t[i].p))
			t[i].r = err_set(&t[i].e, -ENOMEM, "out of memory");
		if (!t[i].r)
			t[i].r = observe_cpu_run(c->cpu, seconds, &t[i].p, &t[i].e);
	}
	return any;
}

/* All kinds twice. */
static void take_change(const struct args *a, struct session *s, const struct sampler *c,
			struct taken *t)
{
	uint64_t begun = mono_ns();
	int r;

	for (size_t i = 0; i < a->nkinds; i++)
		take(s, a->kind[i], &t[i].base, &t[i]);
	if (!take_sampled(a, c, t))
		wait_seconds(a->seconds);
	r = session_begin(s);
	for (size_t i = 0; i < a->nkinds; i++) {
		if (profile_kind_is_sampled(a->kind[i]))
			continue;
		if (r && !t[i].r)
			t[i].r = err_set(&t[i].e, r, "reading it again: %s", strerror(-r));
		take(s, a->kind[i], &t[i].p, &t[i]);
		t[i].p.duration_ns = mono_ns() - begun;
		if (!t[i].r)
			t[i].r = subtract(&t[i].p, &t[i].base, &t[i].now, &t[i].e);
	}
}

static void take_all(const struct args *a, struct session *s, const struct sampler *c,
		     const struct text *base, struct taken *t)
{
	if (a->seconds > 0 && !a->base) {
		take_change(a, s, c, t);
		return;
	}
	for (size_t i = 0; i < a->nkinds; i++)
		take(s, a->kind[i], &t[i].p, &t[i]);
	take_sampled(a, c, t);
	if (a->base && !t->r) {
		t->r = pprof_read(base->p ? base->p : "", base->n, &t->base, &t->e);
		if (t->r)
			err_prefix(&t->e, t->r, "%s", a->base);
		else
			t->r = subtract(&t->p, &t->base, &t->now, &t->e);
	}
}

/* ---- the command */

static int put(const struct args *a, const struct profile_kind *kind, const struct memsrc *m,
	       struct taken *t)
{
	int r = t->r;

	if (r == -ENOTSUP && a->nkinds > 1)
		err_prefix(&t->e, r, "%s", profile_kind_name(kind));
	if (!r && a->file)
		r = write_kind(a, kind, &t->p, &t->e);
	if (r)
		return cli_fail(r, &t->e);
	if (!a->file || a->folded || a->print.json || a->rows)
		return print_kind(a, kind, &t->p, m);
	return CLI_OK;
}

/* Each kind of the same process; one that it does not have leaves the others. */
static int profile_all(const struct args *a, struct session *s, const struct sampler *c,
		       const struct text *base)
{
	_free_ struct taken *t = calloc(a->nkinds, sizeof(*t));
	size_t failed = 0;
	int code = CLI_OK;

	if (!t)
		return cli_fail(-ENOMEM, NULL);
	take_all(a, s, c, base, t);
	for (size_t i = 0; i < a->nkinds; i++) {
		int one = put(a, a->kind[i], s->m, &t[i]);

		failed += one != CLI_OK;
		code = one ? one : code;
		profile_free(&t[i].p);
		profile_free(&t[i].base);
		profile_free(&t[i].now);
	}
	return failed && failed < a->nkinds ? CLI_PARTIAL : code;
}

static int profile(const struct args *a)
{
	unsigned int save = a->file ? RIGHTS_SAVE : 0;
	_text_ struct text base = { 0 };
	struct memsrc *m = NULL;
	struct session s = { 0 };
	struct sampler c = { 0 };
	struct err e = { 0 };
	int r, code;

	if (a->targets.t.v.n > 1) {
		log_error("%zu processes match; a profile is of one: give its PID",
			  a->targets.t.v.n);
		return CLI_USAGE;
	}
	if (a->base && cli_read_file(a->base, PPROF_MAX, &base, &e)) {
		log_error("%s", e.text);
		return CLI_FAILED;
	}
	if (!sampled(a))
		cli_shed(save);
	r = target_open(&a->targets.t.v.v[0], &m, &e);
	if (!r && !sampled(a))
		cli_shed_opened(m, save);
	if (!r && a->seconds > 0 && memsrc_kind(m) != MEMSRC_LIVE)
		r = err_set(&e, -EINVAL,
			    "--seconds needs a process that runs: a file does not change");
	if (!r)
		r = session_open(m, NULL, a->cache.store.go, &s, &e);
	if (!r && sampled(a)) {
		c.r = observe_cpu_open(&s, a->rate, &c.cpu, &c.e);
		cli_shed_sampling(save);
	}
	if (r)
		code = cli_fail(r, &e);
	else
		code = a->full ? cli_profile_full(&s) : profile_all(a, &s, &c, &base);
	observe_cpu_close(c.cpu);
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
