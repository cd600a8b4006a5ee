/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warm PID: a session of the process: a first snapshot, two more, and three readings of counters.
 * A mark on standard error before each, so that a tracer can count the system calls of one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/collect.h"

static void mark(const char *what)
{
	(void)!write(STDERR_FILENO, what, strlen(what));
}

static uint64_t snapshot(struct session *s)
{
	const struct collect_opts o = { 0 };
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct err e = { 0 };
	struct report r;

	if (collect_report(s, &o, &r, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	report_free(&r);
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
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

int main(int argc, char **argv)
{
	struct session_counters c;
	struct memsrc *m = NULL;
	struct err e = { 0 };
	struct session s;
	uint64_t cold, warm = 0, tick = 0;

	if (argc != 2 || memsrc_open_live(atoi(argv[1]), &m, &e))
		return 1;
	mark("OPEN\n");
	if (session_open(m, NULL, NULL, &s, &e))
		return 1;
	mark("COLD\n");
	cold = snapshot(&s);
	for (int i = 0; i < 2; i++) {
		mark("WARM\n");
		warm = snapshot(&s);
	}
	for (int i = 0; i < 3; i++) {
		mark("TICK\n");
		tick = counters(&s, &c);
	}
	mark("DONE\n");
	printf("{\"cold_ns\":%lu,\"warm_ns\":%lu,\"tick_ns\":%lu,\"rss\":%lu,\"usage\":%lu,"
	       "\"has_rss\":%d}\n",
	       cold, warm, tick, c.rss, c.usage, c.has_rss);
	session_close(&s);
	memsrc_close(m);
	return 0;
}
