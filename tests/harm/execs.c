/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execs N PROGRAM: starts PROGRAM N times by vfork and exec, two at a time, in ten parts: each
 * begins with a line on standard input, and ends with a line that says how many have ended with
 * status 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTS = 10, AT_ONCE = 2 };

struct worker {
	pthread_t thread;
	const char *program;
	long n, ended_well;
};

/* 1: it has ended with status 0. */
static int start_one(const char *program)
{
	int status = 1;
	pid_t p = vfork();

	if (!p) {
		execl(program, program, (char *)NULL);
		_exit(1);
	}
	return p > 0 && waitpid(p, &status, 0) == p && !status;
}

static void *body(void *arg)
{
	struct worker *w = arg;

	for (long i = 0; i < w->n; i++)
		w->ended_well += start_one(w->program);
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker w[AT_ONCE] = { 0 };
	long n = argc > 2 ? atol(argv[1]) : 0;
	char line[16];

	puts("ready");
	fflush(stdout);
	for (int part = 0; part < PARTS && fgets(line, sizeof(line), stdin); part++) {
		long ended = 0;

		for (int i = 0; i < AT_ONCE; i++) {
			w[i].program = argv[2];
			w[i].n = n / PARTS / AT_ONCE;
			if (pthread_create(&w[i].thread, NULL, body, &w[i]))
				return 1;
		}
		for (int i = 0; i < AT_ONCE; i++) {
			pthread_join(w[i].thread, NULL);
			ended += w[i].ended_well;
		}
		printf("%ld\n", ended);
		fflush(stdout);
	}
	return !fgets(line, sizeof(line), stdin); /* it is looked at before it ends */
}
