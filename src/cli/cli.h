/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the commands share: exit codes, targets, standard output. One file a command; each is
 * `int cmd_NAME(int argc, char **argv)` with argv[0] "rsscope NAME", and returns the exit code.
 */
#ifndef RSSCOPE_CLI_CLI_H
#define RSSCOPE_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "collect/collect.h"
#include "observe/observe.h"
#include "out/text_report.h"
#include "session/cache_store.h"
#include "source/rights.h"
#include "source/targets.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,	 /* the command line */
	CLI_GONE = 3,	 /* no such target, or it went away before anything was known */
	CLI_DENIED = 4,	 /* not permitted */
	CLI_PARTIAL = 5, /* printed, with what is missing named */
};

/* The exit code for 0 or -errno: the one place that maps them. -ESRCH and -ENOENT (of a target)
 * and -ENODATA (a kernel thread) are CLI_GONE, -EACCES and -EPERM CLI_DENIED. */
int cli_exit_code(int rc);

/* Logs e's text, or what rc means when it has none, and gives the exit code. */
int cli_fail(int rc, const struct err *e);

/* ---- commands */

struct cli_command {
	const char *name, *help; /* one line, lower case, no period */
	int (*fn)(int argc, char **argv);
};

/* rsscope's whole command line. Returns the exit code. */
int cli_run(int argc, char **argv);

int cmd_report(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_profile(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* "0.1.0", and the git revision it was built from ("" when not from git). */
const char *cli_version(void);
const char *cli_revision(void);

/* ---- standard output */

/* Makes the standard descriptors fit for use (a closed one must not be taken by a file that is
 * opened later), makes SIGPIPE harmless, sets argp's exit code. */
void cli_setup(void);

/* Writes to standard output and flushes it. 0 or -errno. */
int cli_put(const char *p, size_t n);

/* All of a regular file, of at most max bytes. 0; -EFBIG, other -errno with a text. */
int cli_read_file(const char *path, size_t max, struct text *out, struct err *e);

/* The exit code after writing to standard output gave rc: CLI_OK for 0 and for a closed pipe,
 * else CLI_FAILED with a message. */
int cli_put_code(int rc);

/* ---- options that all commands have (an argp child; input struct cli_help) */

struct cli_help {
	bool shown; /* --help was given and is printed: return `code` */
	int code;
};

extern const struct argp cli_help_argp;

/* ---- options of how to print (an argp child; input struct cli_print) */

struct cli_print {
	bool json, bytes, no_color;
};

extern const struct argp cli_print_argp;

/* How text for people is to look on standard output: colour only on a terminal, not with
 * --no-color nor NO_COLOR in the environment; blocks only in a UTF-8 locale. */
struct text_style cli_style(const struct cli_print *o);
struct text_style cli_style_fd(int fd, const struct cli_print *o); /* on another descriptor */

/* ---- options of what to attach (an argp child; input struct cli_probes) */

struct cli_probes {
	uint32_t groups; /* EV_*; set before parsing */
	uint64_t ring;	 /* bytes; 0: the default */
	bool fallbacks;
	const char *peak; /* the file of --peak-profile; NULL: none */
};

extern const struct argp cli_probes_argp;

/* ---- what is known of binaries (an argp child; input struct cli_cache) */

struct cli_cache {
	bool off; /* --no-cache */
	struct cache_store store;
};

extern const struct argp cli_cache_argp;

/* After the command line is parsed. cli_cache_close is safe without this. */
void cli_cache_open(struct cli_cache *c);
void cli_cache_close(struct cli_cache *c);

/* What `watch` and `run` are asked for by these; text goes to fd. False: the file of --peak-profile
 * can't be written, which is told. It stays open until the program ends. */
bool cli_observe(struct observe_opts *o, const struct cli_probes *p, const struct cli_print *print,
		 const struct cli_cache *c, int fd);

/* The value of `--option SEC`; a usage error ends the program. */
double cli_parse_seconds(const char *arg, const char *option, struct argp_state *st);

/* Parses with the children's and the command's own options, without argp's own ones. False: return
 * *code. Usage errors end the program with CLI_USAGE. */
bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, struct cli_help *h,
	       int *code);

/* ---- targets (an argp child; input struct cli_targets) */

struct cli_targets {
	struct targets t; /* the command ends it with targets_free */
	bool live_only;	  /* set before parsing: a file is a usage error */
	bool asked;	  /* a name or cgroup was given (t may be empty all the same) */
};

extern const struct argp cli_target_argp;

/* CLI_OK when there is a target; else the exit code, with the message printed. */
int cli_targets_check(const struct cli_targets *t, const char *command);

/* ---- privileges; extra: RIGHTS_SAVE, or 0 */

/* One-shot commands, once all is parsed: keeps the capabilities for opening and reading, and takes
 * on the filter of system calls. Without either the command goes on: they protect, nothing depends
 * on them. */
void cli_shed(unsigned int extra);

/* m is the last that is opened: keeps those for reading it; none for a capture. */
void cli_shed_opened(const struct memsrc *m, unsigned int extra);

/* All is done but printing: keeps none. */
void cli_shed_all(void);

/* `watch` and `run`, once probes are attached: keeps the capabilities for opening and reading
 * processes and for attaching to what they execute, and takes on the filter. child: of `run`, which
 * has been forked; 0: none. */
void cli_shed_attached(pid_t child);

/* ---- profiles, as diff uses them */

/* Whether it is a file in pprof's format, by how it begins. */
bool cli_is_profile(const struct target *t);

/* What b has more than a. Returns the exit code. */
int cli_diff_profiles(const struct target *a, const struct target *b, const struct cli_print *how);

/* `profile --type cpu`, once its clocks are attached: the same, with those for writing a file. */
void cli_shed_sampling(unsigned int extra);

/* ---- report, as capture uses it */

struct report_opts {
	struct cli_print print;
	bool pss;
	unsigned int top; /* sites of every category that has some; 0: a few of the large ones */
};

/* Prints one report. Returns the exit code: CLI_PARTIAL when it is. */
int cli_print_report(const struct report *r, const struct report_opts *o);

/* profile_full.c: prints all goroutines of a session's process. The exit code. */
struct session;
int cli_profile_full(struct session *s);

#endif
