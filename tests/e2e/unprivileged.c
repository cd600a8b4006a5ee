/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unprivileged PID: the report of a process as JSON, made by a process that is nobody and may
 * nothing, from what an opener passes to it. Exit 2: this process could open the target by itself,
 * which proves nothing.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/privilege.h"
#include "collect/collect.h"
#include "out/json.h"
#include "source/memsrc.h"
#include "source/opener.h"

enum { NOBODY = 65534 };

static bool may_open(const char *pid, const char *name)
{
	char path[64];
	_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static int print(struct memsrc *m, struct err *e)
{
	struct json_stream json;
	struct report r;
	int rc = collect_once(m, NULL, &(struct collect_opts){ 0 }, &r, e);

	json_begin(&json, stdout, "test");
	if (!rc)
		rc = json_report(&json, &r);
	if (!rc)
		rc = json_end(&json);
	report_free(&r);
	return rc;
}

int main(int argc, char **argv)
{
	struct handle *h = NULL;
	struct memsrc *m = NULL;
	struct err e = { 0 };
	uint64_t caps = 1;
	int sock, rc;
	pid_t pid;

	if (argc != 2)
		return 2;
	rc = opener_start(&sock, &pid, &e);
	if (!rc)
		rc = privilege_drop_all(NOBODY, NOBODY);
	if (rc || getuid() != NOBODY || privilege_permitted(&caps) || caps ||
	    may_open(argv[1], "mem") || may_open(argv[1], "maps") || may_open(argv[1], "exe"))
		return 2;
	rc = opener_open(sock, atoi(argv[1]), &h, &e);
	if (!rc)
		rc = memsrc_open(h, &m, &e);
	if (!rc)
		rc = print(m, &e);
	memsrc_close(m);
	handle_close(h);
	close(sock);
	if (waitpid(pid, &sock, 0) != pid || sock)
		fprintf(stderr, "the opener ends with status %x\n", sock);
	else if (rc)
		fprintf(stderr, "%s\n", e.text[0] ? e.text : strerror(-rc));
	else
		return 0;
	return 1;
}
