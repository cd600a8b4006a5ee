/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warm PID [N]: a session of the process: a first snapshot, N more (2), and N + 1 readings of
 * counters. A mark on standard error before each, so that a tracer can count the system calls of
 * one. The CPU time of the last ones is medians of N.
 * warm PID reports: a snapshot for each line of standard input, told as JSON in a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "collect/collect.h"
#include "out/json.h"

enum { MAX_ROUNDS = 1000 };

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *v, int n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static void mark(const char *what)
{
	(void)!write(STDERR_FILENO, what, strlen(what));
}

static void take(struct session *s, struct report *r)
{
	const struct collect_opts o = { 0 };
	struct err e = { 0 };

	if (collect_report(s, &o, r, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
}

static uint64_t snapshot(struct session *s)
{
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct report r;

	take(s, &r);
	report_free(&r);
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
}

static int reports(struct session *s)
{
	int c;

	while ((c = getchar()) != EOF) {
		struct report r;

		if (c != '\n')
			continue;
		take(s, &r);
		if (json_report_line(stdout, "", &r) || fflush(stdout))
			return 1;
		report_free(&r);
	}
	return 0;
}

static uint64_t counters(struct session *s, struct session_counters *c)
{
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	if (session_tick(s, c))
		exit(1);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	session_counters_free(c);
	return cpu;
}

static int costs(struct session *s, int rounds)
{
	static uint64_t warm[MAX_ROUNDS], tick[MAX_ROUNDS + 1];
	struct session_counters c;
	uint64_t cold;

	mark("COLD\n");
	cold = snapshot(s);
	for (int i = 0; i < rounds; i++) {
		mark("WARM\n");
		warm[i] = snapshot(s);
	}
	for (int i = 0; i < rounds + 1; i++) {
		mark("TICK\n");
		tick[i] = counters(s, &c);
	}
	mark("DONE\n");
	printf("{\"cold_ns\":%lu,\"warm_ns\":%lu,\"tick_ns\":%lu,\"rss\":%lu,\"usage\":%lu,"
	       "\"has_rss\":%d}\n",
	       cold, median(warm, rounds), median(tick + 1, rounds), c.rss, c.usage, c.has_rss);
	return 0;
}

int main(int argc, char **argv)
{
	bool told = argc > 2 && !strcmp(argv[2], "reports");
	int rounds = argc > 2 && !told ? atoi(argv[2]) : 2, r;
	struct memsrc *m = NULL;
	struct err e = { 0 };
	struct session s;

	memory_keep_freed(MEMORY_SNAPSHOTS);
	if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS ||
	    memsrc_open_live(atoi(argv[1]), &m, &e))
		return 1;
	mark("OPEN\n");
	if (session_open(m, NULL, NULL, &s, &e))
		return 1;
	r = told ? reports(&s) : costs(&s, rounds);
	session_close(&s);
	memsrc_close(m);
	return r;
}
