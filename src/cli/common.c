/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
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
	memory_keep_freed(MEMORY_ONE_SNAPSHOT);
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
	log_error("cannot write to standard output: %s; the output is incomplete", strerror(-rc));
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

struct text_style cli_style(const struct cli_print *o)
{
	return cli_style_fd(STDOUT_FILENO, o);
}

struct text_style cli_style_fd(int fd, const struct cli_print *o)
{
	const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
	struct text_style s = { .utf8 = is_utf8(), .exact = o->bytes, .width = 100 };
	struct winsize w;

	if (!isatty(fd))
		return s;
	s.color = !o->no_color && !(off && *off) && !(term && !strcmp(term, "dumb"));
	if (!ioctl(fd, TIOCGWINSZ, &w) && w.ws_col)
		s.width = w.ws_col;
	return s;
}

int cli_read_file(const char *path, size_t max, struct text *out, struct err *e)
{
	struct stat st;
	_close_ int fd = file_open_regular(AT_FDCWD, path, 0, &st);
	char buf[1 << 16];
	ssize_t n = fd < 0 ? fd : 1;

	while (n > 0) {
		n = file_read_some(fd, out->n, buf, sizeof(buf));
		if (n > 0 && out->n + n > max)
			n = -EFBIG;
		if (n > 0 && text_add(out, buf, n))
			n = -ENOMEM;
	}
	if (!n)
		return 0;
	return err_set(e, n, "cannot read %s: %s", path,
		       n == -ENOTSUP ? "it is no regular file" : strerror(-(int)n));
}
