/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "version.h"

const char *cli_version(void)
{
	return RSSCOPE_VERSION;
}

const char *cli_revision(void)
{
	return RSSCOPE_GITREV;
}

int cli_exit_code(int rc)
{
	switch (-rc) {
	case 0:
		return CLI_OK;
	case ESRCH:
	case ENOENT:
	case ENODATA:
		return CLI_GONE;
	case EACCES:
	case EPERM:
		return CLI_DENIED;
	default:
		return CLI_FAILED;
	}
}

int cli_fail(int rc, const struct err *e)
{
	if (e && e->text[0])
		log_error("%s", e->text);
	else
		log_error("%s", strerror(-rc));
	return cli_exit_code(rc);
}

/* ---- standard output */

static void on_sigpipe(int sig)
{
	/* the write's EPIPE tells */
}

/* What a command that `run` starts inherits is what was given to us: a handler does not outlive
 * exec where SIG_IGN would, a descriptor that stands in for a closed one neither. */
void cli_setup(void)
{
	struct sigaction old;

	/* The lowest free descriptor is taken: /dev/null stands in for what is closed, not open for
	 * writing as 1 and 2, so that writes there still fail. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!sigaction(SIGPIPE, NULL, &old) && old.sa_handler == SIG_DFL)
		sigaction(SIGPIPE,
			  &(struct sigaction){ .sa_handler = on_sigpipe, .sa_flags = SA_RESTART },
			  NULL);
	argp_err_exit_status = CLI_USAGE;
}

int cli_put(const char *p, size_t n)
{
	errno = 0;
	if (fwrite(p, 1, n, stdout) != n || fflush(stdout))
		return errno ? -errno : -EIO;
	return 0;
}

int cli_put_code(int rc)
{
	if (!rc && fflush(stdout))
		rc = errno ? -errno : -EIO;
	if (!rc || rc == -EPIPE)
		return CLI_OK;
	log_error("writing to standard output: %s; what was printed is not whole", strerror(-rc));
	return CLI_FAILED;
}

/* From the environment, not from the C library's locale data: a static program has none. */
static bool is_utf8(void)
{
	static const char *const vars[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_LEN(vars); i++) {
		const char *v = getenv(vars[i]);

		if (v && *v)
			return strcasestr(v, "UTF-8") || strcasestr(v, "UTF8");
	}
	return false;
}

struct text_style cli_style(bool no_color, bool exact)
{
	return cli_style_fd(STDOUT_FILENO, no_color, exact);
}

struct text_style cli_style_fd(int fd, bool no_color, bool exact)
{
	const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
	struct text_style s = { .utf8 = is_utf8(), .exact = exact, .width = 100 };
	struct winsize w;

	if (!isatty(fd))
		return s;
	s.color = !no_color && !(off && *off) && !(term && !strcmp(term, "dumb"));
	if (!ioctl(fd, TIOCGWINSZ, &w) && w.ws_col)
		s.width = w.ws_col;
	return s;
}

/* ---- --help, --verbose */

enum { KEY_USAGE = 1024 };

/* Leaves out what takes room and says little. */
static char *help_filter(int key, const char *text, void *input)
{
	return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

static int print_help(const struct argp *argp, const char *name, unsigned int what)
{
	_free_ char *p = NULL;
	struct argp filtered = *argp;
	char title[64];
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);

	if (!f)
		return cli_fail(-ENOMEM, NULL);
	snprintf(title, sizeof(title), "%s", name);
	filtered.help_filter = help_filter;
	argp_help(&filtered, f, what, title);
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
	{ "help", 'h', NULL, 0, "Print this", -1 },
	{ "usage", KEY_USAGE, NULL, OPTION_HIDDEN, NULL, -1 }, /* argp's messages name it */
	{ "verbose", 'v', NULL, 0, "Say on stderr what is done", -1 },
	{ 0 },
};

const struct argp cli_help_argp = { .options = help_options, .parser = parse_help };

bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, struct cli_help *h,
	       int *code)
{
	error_t rc = argp_parse(argp, argc, argv, ARGP_NO_HELP | ARGP_IN_ORDER, NULL, input);

	*code = rc ? cli_fail(-rc, NULL) : h->code;
	return !rc && !h->shown;
}
