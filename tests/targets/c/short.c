/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * short KIB MS HOW N: touches KIB of memory, lives at least MS milliseconds, ends by `exit` with
 * status N or by `signal` N.
 * short signals: prints a line for each signal that it gets ("N" or "N value"), "ready" first; ends
 * with status 9 at SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int signals(void)
{
	siginfo_t si;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	puts("ready");
	fflush(stdout);
	do {
		if (sigwaitinfo(&all, &si) < 0)
			continue;
		if (si.si_code == SI_QUEUE)
			printf("%d %d\n", si.si_signo, si.si_value.sival_int);
		else
			printf("%d\n", si.si_signo);
		fflush(stdout);
	} while (si.si_signo != SIGTERM);
	return 9;
}

static long ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	long end = ms_now(), left;
	size_t size;
	char *p;

	if (argc == 2 && !strcmp(argv[1], "signals"))
		return signals();
	if (argc != 5)
		return 2;
	size = atol(argv[1]) * 1024;
	end += atol(argv[2]);
	p = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
		 : NULL;
	if (p == MAP_FAILED)
		return 2;
	if (p)
		memset(p, 1, size);
	while ((left = end - ms_now()) > 0)
		usleep(left > 10 ? 5000 : 200);
	if (!strcmp(argv[3], "signal")) {
		kill(getpid(), atoi(argv[4]));
		pause();
	}
	return atoi(argv[4]);
}
