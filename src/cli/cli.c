/* SPDX-License-Identifier: BSD-2-Clause */
/* The command table: `rsscope COMMAND …`, help, version. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static int cmd_help(int argc, char **argv);

/* Ends with a NULL name. */
static const struct cli_command commands[] = {
	{ "report", "where a process's memory is: one snapshot, no probes", cmd_report },
	{ "watch", "live events: GC cycles, mappings with callers, RSS steps", cmd_watch },
	{ "run", "start a program and report when it exits", cmd_run },
	{ "profile", "where the heap was allocated: pprof without an endpoint", cmd_profile },
	{ "capture", "save a snapshot, to report on it later or elsewhere", cmd_capture },
	{ "diff", "what changed between two snapshots, and why", cmd_diff },
	{ "doctor", "what works with this kernel and these privileges", cmd_doctor },
	{ "help", "help on a command: rsscope help COMMAND", cmd_help },
	{ 0 },
};

static const char examples[] =
	"\n"
	"Examples:\n"
	"  rsscope report 4242                     a process by its id\n"
	"  rsscope report --name prometheus        by its name\n"
	"  rsscope report 4242 --json | jq .       for programs\n"
	"  rsscope capture 4242 -o now.rsscap && rsscope report now.rsscap\n"
	"  rsscope watch 4242 --duration 60\n"
	"\n"
	"See also: `rsscope COMMAND --help`, `man rsscope`.\n"
	"Exit: 0 done, 1 failed, 2 usage, 3 no such target, 4 not permitted, 5 partial.\n";

static int print_overview(void)
{
	_text_ struct text t = { 0 };
	int rc = text_printf(&t, "Usage: rsscope COMMAND [OPTION...] [TARGET...]\n"
				 "Explain every resident byte of a Go process, from outside.\n"
				 "\nCommands:\n");

	for (const struct cli_command *c = commands; c->name && !rc; c++)
		rc = text_printf(&t, "  %-9s %s\n", c->name, c->help);
	if (!rc)
		rc = text_printf(&t, "  %-9s %s\n", "--version", "version and git revision");
	if (!rc)
		rc = text_add(&t, examples, strlen(examples));
	return cli_put_code(rc ? rc : cli_put(t.p, t.n));
}

static int print_version(void)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "rsscope %s%s%s%s\n", cli_version(),
			 *cli_revision() ? " (git " : "", cli_revision(),
			 *cli_revision() ? ")" : "");

	return cli_put_code(cli_put(line, n));
}

static const struct cli_command *find(const char *name)
{
	for (const struct cli_command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* Levenshtein's distance; names beyond 31 characters are like nothing. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[32], n = strlen(b);

	if (strlen(a) > 31 || n > 31)
		return 99;
	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned int i = 0; a[i]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i + 1;
		for (unsigned int j = 0; j < n; j++) {
			unsigned int best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j + 1] = best;
		}
	}
	return row[n];
}

static int unknown_command(const char *name)
{
	unsigned int least = 3;
	const char *like = NULL;

	for (const struct cli_command *c = commands; c->name; c++) {
		unsigned int d = distance(name, c->name);

		if (d < least || (strlen(name) > 1 && !strncmp(name, c->name, strlen(name)))) {
			least = d < least ? d : least;
			like = c->name;
		}
	}
	if (like)
		log_error("no command '%s'; did you mean `rsscope %s`?", name, like);
	else
		log_error("no command '%s'; `rsscope --help` lists them", name);
	return CLI_USAGE;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
	char title[48];

	snprintf(title, sizeof(title), "rsscope %s", c->name);
	argv[0] = title;
	return c->fn(argc, argv);
}

static int cmd_help(int argc, char **argv)
{
	const struct cli_command *c = argc > 1 ? find(argv[1]) : NULL;
	char *args[] = { NULL, (char *)"--help", NULL };

	if (argc < 2 || argv[1][0] == '-')
		return print_overview();
	if (!c)
		return unknown_command(argv[1]);
	return c->fn == cmd_help ? print_overview() : run(c, 2, args);
}

int cli_run(int argc, char **argv)
{
	const struct cli_command *c;

	if (argc < 2) {
		log_error("no command; `rsscope --help` lists them");
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_overview();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return print_version();
	c = find(argv[1]);
	return c ? run(c, argc - 1, argv + 1) : unknown_command(argv[1]);
}
