/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is not what its name says: private copies of a memfd's pages, and a packet ring. Says
 * how large they are as a line of JSON and sleeps until stdin ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMFD = 16 << 20, COPIED = 12 << 20, RING = 8 << 20, BLOCK = 1 << 20 };

static int make_copies(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	char *p;

	if (fd < 0 || ftruncate(fd, MEMFD))
		return -1;
	p = mmap(NULL, MEMFD, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	memset(p, 1, COPIED);
	return 0;
}

/* Protocol 0: it captures nothing. */
static int make_ring(void)
{
	struct tpacket_req3 req = { .tp_block_size = BLOCK,
				    .tp_block_nr = RING / BLOCK,
				    .tp_frame_size = 2048,
				    .tp_frame_nr = RING / 2048 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), v = TPACKET_V3;
	char *p;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return 0;
	p = mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? 0 : RING;
}

int main(void)
{
	char buf[64];
	int ring;

	if (make_copies())
		return 1;
	ring = make_ring();
	printf("{\"copied\":%d,\"ring\":%d}\n", COPIED, ring);
	fflush(stdout);
	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
	return 0;
}
