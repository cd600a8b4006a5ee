/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench read N FILE        reads FILE to its end N times
 * bench run N CMD ARG…     runs CMD N times, its output thrown away
 * Prints the medians: wall time and CPU time in µs, peak RSS in KiB (0 for read).
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RUNS = 1000 };

struct cost {
	uint64_t wall, cpu, rss;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t cpu_us(const struct rusage *r)
{
	return (uint64_t)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
}

static int run_read(const char *path, struct cost *out)
{
	static char buf[1 << 16];
	struct rusage before, after;
	uint64_t start = now_us();
	ssize_t n;
	int fd;

	getrusage(RUSAGE_SELF, &before);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		;
	close(fd);
	getrusage(RUSAGE_SELF, &after);
	*out = (struct cost){ now_us() - start, cpu_us(&after) - cpu_us(&before), 0 };
	return n < 0 ? -EIO : 0;
}

static int run_command(char **argv, struct cost *out)
{
	uint64_t start = now_us();
	struct rusage r;
	int status;
	pid_t pid = fork();

	if (!pid) {
		int fd = open("/dev/null", O_WRONLY);

		dup2(fd, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &r) != pid)
		return -errno;
	*out = (struct cost){ now_us() - start, cpu_us(&r), (uint64_t)r.ru_maxrss };
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ECHILD;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(const struct cost *c, int n, size_t field)
{
	uint64_t v[MAX_RUNS];

	for (int i = 0; i < n; i++)
		memcpy(&v[i], (const char *)&c[i] + field, sizeof(v[i]));
	qsort(v, (size_t)n, sizeof(v[0]), compare);
	return v[n / 2];
}

int main(int argc, char **argv)
{
	static struct cost c[MAX_RUNS];
	int n = argc > 3 ? atoi(argv[2]) : 0;

	if (n < 1 || n > MAX_RUNS) {
		fprintf(stderr, "usage: bench read N FILE | bench run N CMD ARG...\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		int err = strcmp(argv[1], "read") ? run_command(argv + 3, &c[i])
						  : run_read(argv[3], &c[i]);

		if (err) {
			fprintf(stderr, "bench: %s: %s\n", argv[3], strerror(-err));
			return 1;
		}
	}
	printf("%llu %llu %llu\n", (unsigned long long)median(c, n, offsetof(struct cost, wall)),
	       (unsigned long long)median(c, n, offsetof(struct cost, cpu)),
	       (unsigned long long)median(c, n, offsetof(struct cost, rss)));
	return 0;
}
