/* SPDX-License-Identifier: BSD-2-Clause */
/* Targets on the command line: process ids, names, cgroups, files. */
#include "cli/cli.h"

#include <ctype.h>
#include <limits.h>

#include "base/log.h"

static bool is_number(const char *s)
{
	for (; *s; s++)
		if (!isdigit((unsigned char)*s))
			return false;
	return true;
}

static error_t add_pid(struct cli_targets *t, const char *arg, struct argp_state *st)
{
	uint64_t pid;

	if (!text_parse_u64(arg, &pid) || !pid || pid > INT_MAX)
		argp_error(st, "'%s' is not a process id", arg);
	return -targets_add_pid(&t->t, pid);
}

static error_t parse_target(int key, char *arg, struct argp_state *st)
{
	struct cli_targets *t = st->input;

	switch (key) {
	case 'p':
		return add_pid(t, arg, st);
	case 'n':
		t->asked = true;
		return -targets_add_name(&t->t, arg);
	case 'g':
		if (!*arg)
			argp_error(st, "empty cgroup path; / is the root");
		t->asked = true;
		return -targets_add_cgroup(&t->t, arg);
	case ARGP_KEY_ARG:
		if (*arg && is_number(arg))
			return add_pid(t, arg, st);
		if (t->live_only)
			argp_error(st, "'%s' is not a process id; --name selects by name", arg);
		return -targets_add_file(&t->t, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option target_options[] = {
	{ 0, 0, 0, 0, "Targets:", 1 },
	{ "pid", 'p', "PID", 0, "Process with this id", 0 },
	{ "name", 'n', "COMM", 0, "All processes with this name (/proc/PID/comm)", 0 },
	{ "cgroup", 'g', "PATH", 0, "All processes in this cgroup and below", 0 },
	{ 0, 0, 0, 0, "Other:", -1 },
	{ 0 },
};

const struct argp cli_target_argp = { .options = target_options, .parser = parse_target };

int cli_targets_check(const struct cli_targets *t, const char *command)
{
	if (t->t.v.n)
		return CLI_OK;
	if (t->asked) {
		log_error("no process matches; `ps -eo pid,comm,cgroup` lists them");
		return CLI_GONE;
	}
	log_error("%s needs a target: a PID%s; `rsscope %s --help` has examples", command,
		  t->live_only ? "" : ", a capture or a core file", command);
	return CLI_USAGE;
}
