/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gccode FILE…: what the code of Go programs with symbols says of the collector's variables,
 * against the symbols. A line each; status 1 when one is wrong or not said.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "goruntime/gccode.h"

static bool is(struct bin *b, const char *name, uint64_t said, char *what)
{
	uint64_t addr = 0, size;

	if (!bin_symbol_addr(b, name, &addr, &size) && addr == said)
		return true;
	sprintf(what + strlen(what), " %s 0x%" PRIx64 " not 0x%" PRIx64, name, said, addr);
	return false;
}

static bool check(const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t text, lo, hi, size;
	struct go_gc_code c = { 0 };
	struct bin *b = NULL;
	struct err e = { 0 };
	const struct go_layout *l[1];
	char what[512] = "";
	bool ok;

	if (fd < 0 || bin_open(fd, &b, &e) || bin_symbol_addr(b, "runtime.text", &text, &size) ||
	    !bin_section(b, ".noptrdata", &lo, &size) ||
	    bin_symbol_addr(b, "runtime.end", &hi, &size)) {
		printf("%s: can't be read: %s\n", path, e.text);
		bin_close(b);
		return false;
	}
	go_layout_candidates(bin_go(b)->version, bin_arch(b) == BIN_ARCH_ARM64 ? "arm64" : "amd64",
			     l, 1);
	go_gc_code(b, l[0], text, lo, hi, &c);
	ok = is(b, "runtime.work", c.work, what) &
	     is(b, "runtime.gcController", c.controller, what) &
	     is(b, "runtime.runtimeInitTime", c.init_time, what);
	printf("%s %s%s\n", ok ? "ok  " : "FAIL", path, what);
	bin_close(b);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;

	for (int i = 1; i < argc; i++)
		ok &= check(argv[i]);
	return !ok;
}
