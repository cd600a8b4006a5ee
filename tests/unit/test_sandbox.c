/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process may still do once it has given up its rights. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "base/cleanup.h"
#include "base/privilege.h"
#include "base/sandbox.h"
#include "source/rights.h"

enum { DONE = 0, NO_FILTER = 9 };

/* How a child ends that enters the filter and calls f. */
static int status_of(enum sandbox_else others, int (*f)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit(sandbox_enter(others, NULL) ? NO_FILTER : f());
	REQUIRE(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		SKIP("no filter: a build with sanitizers, or a kernel without them");
	return status;
}

static int call_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? DONE : 1;
}

static int call_kill(void)
{
	return kill(getppid(), 0) && errno == EPERM ? DONE : 1;
}

static int call_exec(void)
{
	char *argv[] = { (char *)"true", NULL };

	execv("/bin/true", argv);
	return errno == EPERM ? DONE : 1;
}

static int call_fork(void)
{
	return fork() < 0 && errno == EPERM ? DONE : 1;
}

static int read_a_file(void)
{
	_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	_free_ char *p = malloc(4 << 20);
	char buf[16];

	if (!p || fd < 0)
		return 1;
	memset(p, 1, 4 << 20);
	return pread(fd, buf, sizeof(buf), 0) == sizeof(buf) ? DONE : 1;
}

TEST(sandbox_refuses)
{
	int (*const refused[])(void) = { call_socket, call_kill, call_exec, call_fork };

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		int status = status_of(SANDBOX_KILLS, refused[i]);

		CHECK_INT(status_of(SANDBOX_REFUSES, refused[i]), DONE);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	CHECK_INT(status_of(SANDBOX_KILLS, read_a_file), DONE);
}

TEST(rights_masks)
{
	const uint64_t all = ~0ULL, wide = PRIVILEGE(CAP_SYS_ADMIN);
	const uint64_t newer = PRIVILEGE(40); /* CAP_CHECKPOINT_RESTORE */

	CHECK(rights_mask(RIGHTS_OPEN, all) & wide);
	CHECK(!(rights_mask(RIGHTS_READ, all) & wide));
	CHECK(rights_mask(RIGHTS_READ, all) & newer);
	/* a kernel without the newer one */
	CHECK(rights_mask(RIGHTS_READ, all & ~newer) & wide);
	CHECK(rights_mask(0, all) == 0);
	CHECK(rights_mask(RIGHTS_OPEN | RIGHTS_READ | RIGHTS_SAVE, 0) == 0);
	CHECK(!(rights_mask(RIGHTS_OPEN | RIGHTS_READ, all) & PRIVILEGE(CAP_DAC_OVERRIDE)));
	CHECK(!(rights_mask(~0U, all) & PRIVILEGE(CAP_SETUID)));
}

static int drop_and_look(void)
{
	uint64_t mask = 1;

	if (privilege_drop_all(65534, 65534) || privilege_permitted(&mask) || mask)
		return 1;
	/* nothing comes back */
	return privilege_keep(~0ULL) || (privilege_permitted(&mask), mask) ? 2 : DONE;
}

TEST(privilege_drop_is_final)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit(drop_and_look());
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}
