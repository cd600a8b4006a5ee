/* SPDX-License-Identifier: BSD-2-Clause */
/* frames FILE <ADDRESSES: for each hexadecimal address a line, the Go functions that it is in,
 * innermost first, as NAME, tab, FILE:LINE. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "binary/binary.h"

int main(int argc, char **argv)
{
	_close_ int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	struct bin_frame f[64];
	unsigned long long pc;
	struct err e = { 0 };
	struct bin *b;
	size_t n;

	if (fd < 0 || bin_open(fd, &b, &e)) {
		fprintf(stderr, "frames: %s\n", e.text[0] ? e.text : strerror(errno));
		return 1;
	}
	while (scanf("%llx", &pc) == 1) {
		int r = bin_go_frames(b, 0, pc, f, ARRAY_LEN(f), &n);

		if (r)
			printf("%s", strerror(-r));
		for (size_t i = 0; i < n; i++)
			printf("%s%s\t%s:%u", i ? "\t" : "", f[i].func, f[i].file ? f[i].file : "?",
			       f[i].line);
		printf("\n");
	}
	bin_close(b);
	return 0;
}
