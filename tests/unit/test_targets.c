/* SPDX-License-Identifier: BSD-2-Clause */
/* What a name or a cgroup is taken to mean; and the rows of doctor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor/doctor.h"
#include "source/targets.h"
#include "test.h"

static void write_file(const char *dir, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	mkdir(dir, 0700);
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "we");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static bool has(const struct targets *t, pid_t pid)
{
	for (size_t i = 0; i < t->v.n; i++)
		if (t->v.v[i].pid == pid)
			return true;
	return false;
}

TEST(targets_of_a_cgroup_folder_and_those_below_without_us)
{
	char dir[PATH_MAX], below[PATH_MAX + 8], text[64];
	struct targets t = { 0 };

	snprintf(dir, sizeof(dir), "%s/targets", test_dir());
	snprintf(below, sizeof(below), "%s/below", dir);
	snprintf(text, sizeof(text), "11\n%d\n12\n", (int)getpid());
	write_file(dir, text);
	write_file(below, "13\n11\n");
	CHECK(!targets_add_cgroup(&t, dir));
	CHECK(t.v.n == 3 && has(&t, 11) && has(&t, 12) && has(&t, 13) && t.v.v[0].listed);
	targets_free(&t);
}

TEST(targets_are_there_once_and_files_are_files)
{
	struct targets t = { 0 };
	struct memsrc *m = NULL;
	struct err e = { 0 };

	CHECK(!targets_add_pid(&t, 7) && !targets_add_pid(&t, 7));
	CHECK(!targets_add_file(&t, "/nowhere/at/all"));
	CHECK(t.v.n == 2 && t.v.v[0].pid == 7 && !t.v.v[0].file && !t.v.v[0].listed);
	CHECK(target_open(&t.v.v[1], &m, &e) == -ENOENT && strstr(e.text, "/nowhere/at/all"));
	targets_free(&t);
	targets_free(&t);
}

TEST(targets_by_name_hold_other_processes_of_that_name)
{
	int ready[2];
	struct targets t = { 0 };
	pid_t pid;
	char c;

	CHECK(!pipe2(ready, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, "rs-unit-target");
		(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(!targets_add_name(&t, "rs-unit-target") && has(&t, pid) && !has(&t, getpid()));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	targets_free(&t);
}

TEST(doctor_names_each_row_once)
{
	struct doctor d = { 0 };

	CHECK(!doctor_check(&d) && d.rows.n > 10);
	for (size_t i = 0; i < d.rows.n; i++) {
		const struct doctor_row *r = &d.rows.v[i];

		CHECK(*r->area && *r->name && *doctor_state_name(r->state));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(r->name, d.rows.v[k].name) ||
			      strcmp(r->area, d.rows.v[k].area));
	}
	doctor_free(&d);
}
