/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps memory of the kernel's: the rings of an io_uring, of a perf event, of a BPF map, as far as
 * this kernel lets it, and touches it; and the file that it is given. Says the sizes (0: refused)
 * as a line of JSON and sleeps until stdin ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RING = 1 << 20 };

static volatile unsigned char sink;

static long map(size_t n, int prot, int fd, off_t off)
{
	unsigned char *p = mmap(NULL, n, prot, MAP_SHARED | MAP_POPULATE, fd, off);

	if (p == MAP_FAILED)
		return 0;
	for (size_t i = 0; i < n; i += getpagesize())
		sink += p[i];
	return n;
}

static long map_uring(void)
{
	struct io_uring_params p = { 0 };
	int fd = syscall(SYS_io_uring_setup, 1024, &p);

	if (fd < 0)
		return 0;
	return map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		   PROT_READ | PROT_WRITE, fd, IORING_OFF_SQ_RING) +
	       map(p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, fd,
		   IORING_OFF_SQES);
}

static long map_perf(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_CPU_CLOCK,
				     .disabled = 1 };
	int fd = syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? 0 : map(RING + getpagesize(), PROT_READ | PROT_WRITE, fd, 0);
}

static long map_bpf(void)
{
	union bpf_attr a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_RINGBUF;
	a.max_entries = RING;
	fd = syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
	/* the consumer's page, then the producer's and the data twice */
	return fd < 0 ? 0
		      : map(getpagesize(), PROT_READ | PROT_WRITE, fd, 0) +
				map(getpagesize() + 2 * RING, PROT_READ, fd, getpagesize());
}

static long map_file(const char *name)
{
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;

	return fd < 0 ? 0 : map(lseek(fd, 0, SEEK_END), PROT_READ, fd, 0);
}

int main(int argc, char **argv)
{
	long uring = map_uring(), perf = map_perf(), bpf = map_bpf();
	long file = map_file(argc > 1 ? argv[1] : NULL);
	char buf[64];

	printf("{\"uring\":%ld,\"perf\":%ld,\"bpf\":%ld,\"file\":%ld}\n", uring, perf, bpf, file);
	fflush(stdout);
	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
	return 0;
}
