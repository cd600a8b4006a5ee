/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process may still do once it has given up its rights. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "base/cleanup.h"
#include "base/privilege.h"
#include "base/sandbox.h"
#include "source/rights.h"

enum { DONE = 0, NO_FILTER = 9 };

/* How a child ends that enters the filter and calls f. */
static int status_with(const struct sandbox_more *more, enum sandbox_else others, int (*f)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit(sandbox_enter(more, others, NULL) ? NO_FILTER : f());
	REQUIRE(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		SKIP("no filter: a build with sanitizers, or a kernel without them");
	return status;
}

static int status_of(enum sandbox_else others, int (*f)(void))
{
	return status_with(NULL, others, f);
}

static bool is_killed(const struct sandbox_more *more, int (*f)(void))
{
	int status = status_with(more, SANDBOX_KILLS, f);

	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static int call_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? DONE : 1;
}

static int call_kill(void)
{
	return kill(getppid(), 0) && errno == EPERM ? DONE : 1;
}

static int call_raise(void)
{
	return raise(SIGCHLD) ? 1 : DONE;
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
		CHECK_INT(status_of(SANDBOX_REFUSES, refused[i]), DONE);
		CHECK(is_killed(NULL, refused[i]));
	}
	CHECK_INT(status_of(SANDBOX_KILLS, read_a_file), DONE);
	CHECK_INT(status_of(SANDBOX_KILLS, call_raise), DONE);
}

static void *set_flag(void *flag)
{
	*(int *)flag = 1;
	return NULL;
}

static int start_a_thread(void)
{
	pthread_t t;
	int flag = 0;

	if (pthread_create(&t, NULL, set_flag, &flag) || pthread_join(t, NULL))
		return 1;
	return flag ? DONE : 1;
}

/* Whatever the kernel answers: the attributes are wrong. */
static int call_perf_event_open(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0UL) < 0 ? DONE : 1;
}

static int bpf(unsigned int command)
{
	return syscall(SYS_bpf, command, NULL, 0) < 0 ? DONE : 1;
}

static int read_a_map(void)
{
	return bpf(1); /* BPF_MAP_LOOKUP_ELEM */
}

static int make_a_map(void)
{
	return bpf(0); /* BPF_MAP_CREATE */
}

static int attach_to_a_cgroup(void)
{
	return bpf(8); /* BPF_PROG_ATTACH */
}

TEST(sandbox_of_probes)
{
	const struct sandbox_more probes = { .probes = true };
	int (*const works[])(void) = { read_a_file, start_a_thread, call_perf_event_open,
				       read_a_map };
	int (*const refused[])(void) = { call_socket, call_kill,  call_exec,
					 call_fork,   make_a_map, attach_to_a_cgroup };

	for (size_t i = 0; i < ARRAY_LEN(works); i++)
		CHECK_INT(status_with(&probes, SANDBOX_KILLS, works[i]), DONE);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		CHECK(is_killed(&probes, refused[i]));
	/* these are the probes' alone */
	for (size_t i = 1; i < ARRAY_LEN(works); i++)
		CHECK(is_killed(NULL, works[i]));
}

static pid_t the_child;

static int signal_the_child(void)
{
	return kill(the_child, 0) || sigqueue(the_child, 0, (union sigval){ 0 });
}

static int wait_for_a_child(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG) && errno == ECHILD ? DONE : 1;
}

TEST(sandbox_of_a_child)
{
	struct sandbox_more more = { .child = fork() };

	if (!more.child) {
		pause();
		_exit(0);
	}
	the_child = more.child;
	CHECK_INT(status_with(&more, SANDBOX_KILLS, signal_the_child), DONE);
	CHECK_INT(status_with(&more, SANDBOX_KILLS, wait_for_a_child), DONE);
	/* to the parent of the one that calls: neither itself nor the child */
	CHECK(is_killed(&more, call_kill));
	CHECK(is_killed(&more, call_fork));
	CHECK(is_killed(&more, start_a_thread));
	kill(more.child, SIGKILL);
	CHECK(waitpid(more.child, NULL, 0) == more.child);
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
	/* without CAP_SYS_PTRACE all count: those that the target has must be there */
	CHECK(rights_mask(RIGHTS_READ, wide | PRIVILEGE(CAP_CHOWN)) ==
	      (wide | PRIVILEGE(CAP_CHOWN)));
	CHECK(rights_mask(0, all) == 0);
	CHECK(rights_mask(RIGHTS_OPEN | RIGHTS_READ | RIGHTS_SAVE, 0) == 0);
	CHECK(!(rights_mask(RIGHTS_OPEN | RIGHTS_READ, all) & PRIVILEGE(CAP_DAC_OVERRIDE)));
	CHECK(!(rights_mask(~0U, all) & PRIVILEGE(CAP_SETUID)));
	CHECK(rights_mask(RIGHTS_PROBE, all) & PRIVILEGE(39)); /* CAP_BPF */
	CHECK_INT(rights_mask(RIGHTS_SIGNAL, all), PRIVILEGE(CAP_KILL));
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
