/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the unit tests: `unit [-v] [PATTERN…]`; the last line is "N passed, N failed, N skipped". */
#include "../self.h"
#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77 };

static struct test {
	const char *file, *name;
	test_fn *fn;
} tests[2048];
static int ntests, failures;
static char scratch[] = "/tmp/rsscope-unit-XXXXXX";

const char *test_dir(void)
{
	return scratch;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void test_register(const char *file, const char *name, test_fn *fn)
{
	if (ntests == 2048)
		abort();
	tests[ntests++] = (struct test){ file, name, fn };
}

void test_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	failures++;
}

void test_skip(const char *why)
{
	printf("SKIP %s\n", why);
	fflush(stdout);
	_exit(EXIT_SKIPPED);
}

static int run(const struct test *t)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		int before = self_fds();

		alarm(120);
		t->fn();
		if (self_fds() != before)
			test_failed(t->file, 0, "%s leaves %d file descriptors open", t->name,
				    self_fds() - before);
		exit(failures ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: %s: killed by signal %d\n", t->file, t->name,
			WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0, skipped = 0, verbose = argc > 1 && !strcmp(argv[1], "-v");

	if (!mkdtemp(scratch)) {
		perror(scratch);
		return 1;
	}
	for (int i = 0; i < ntests; i++) {
		bool want = argc <= 1 + verbose;
		int rc;

		for (int a = 1 + verbose; a < argc; a++)
			want |= strstr(tests[i].name, argv[a]) || strstr(tests[i].file, argv[a]);
		if (!want)
			continue;
		rc = run(&tests[i]);
		if (rc == EXIT_SKIPPED)
			skipped++;
		else if (rc)
			failed++;
		else
			passed++;
		if (rc && rc != EXIT_SKIPPED)
			printf("FAIL %s (%s)\n", tests[i].name, tests[i].file);
		else if (verbose)
			printf("%s %s\n", rc ? "skip" : "ok  ", tests[i].name);
	}
	/* what a test that failed left behind, too */
	nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed ? 1 : 0;
}
