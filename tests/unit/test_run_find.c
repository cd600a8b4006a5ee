/* SPDX-License-Identifier: BSD-2-Clause */
/* Where `run` looks for a command. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "observe/run_impl.h"
#include "test.h"

static bool is_found(const char *path, const char *name)
{
	int fd;

	if (path)
		setenv("PATH", path, 1);
	else
		unsetenv("PATH");
	fd = run_find_program(name);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* As execvp: an empty entry, wherever it stands, is the working directory. */
TEST(run_finds_a_command_by_path)
{
	char *saved = strdup(getenv("PATH") ? getenv("PATH") : ""),
	     dir[] = "/tmp/rsscope-find-XXXXXX";
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	REQUIRE(saved && here >= 0 && mkdtemp(dir) && !chdir(dir));
	fd = open("only-here", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	REQUIRE(fd >= 0);
	close(fd);
	CHECK(is_found("/usr/bin:/bin", "true"));
	CHECK(is_found(":/usr/bin:/bin", "true"));
	CHECK(is_found("/nowhere::/usr/bin:/bin", "true"));
	CHECK(is_found("/usr/bin:/bin:", "true"));
	CHECK(is_found(NULL, "true"));
	CHECK(!is_found("/nowhere", "true"));
	CHECK(!is_found("/usr/bin:/bin", "only-here"));
	CHECK(is_found(":/usr/bin", "only-here"));
	CHECK(is_found("/usr/bin::/bin", "only-here"));
	CHECK(is_found("/usr/bin:", "only-here"));
	CHECK(is_found("", "only-here"));
	CHECK(is_found("/usr/bin", "./only-here"));
	CHECK(!is_found("/usr/bin", "./true"));
	unlink("only-here");
	REQUIRE(!fchdir(here));
	rmdir(dir);
	close(here);
	setenv("PATH", saved, 1);
	free(saved);
}
