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

static const struct {
	const char *name;
	enum go_field f;
} used[] = {
#define F(x)                                                                                       \
	{                                                                                          \
#x, GO_##x                                                                         \
	}
	F(WORK_TSWEEPTERM),    F(WORK_TMARK),
	F(WORK_TMARKTERM),     F(WORK_TEND),
	F(WORK_PAUSENS),       F(WORK_HEAP0),
	F(WORK_HEAP1),	       F(WORK_HEAP2),
	F(WORK_USERFORCED),    F(WORK_STWPROCS),
	F(WORK_MAXPROCS),      F(WORK_HEAPGOAL),
	F(GCC_ASSISTTIME),     F(GCC_DEDICATEDTIME),
	F(GCC_FRACTIONALTIME), F(GCC_IDLETIME),
	F(GCC_LASTHEAPGOAL),   F(GCC_GLOBALSSCAN),
	F(GCC_LASTSTACKSCAN),  F(GCC_MAXSTACKSCAN),
	F(GCC_STACKSCAN),      F(MSTATS_GC_CPU_FRACTION),
	F(MSTATS_NUMGC),
#undef F
};

struct program {
	struct bin *b;
	const struct go_layout *l;
	uint64_t text, lo, hi, memstats;
};

/* With one offset moved something must be refused, unless the field is not used in that release. */
static bool moved(const struct program *p, const struct go_gc_code *right, size_t i, int by)
{
	struct go_layout l = *p->l;
	struct go_gc_code c;

	if (!go_has(&l, used[i].f))
		return true;
	l.f[used[i].f] += by;
	go_gc_code(p->b, &l, p->text, p->lo, p->hi, p->memstats, &c);
	if (used[i].f == GO_GCC_LASTSTACKSCAN || used[i].f == GO_GCC_MAXSTACKSCAN ||
	    used[i].f == GO_GCC_STACKSCAN)
		return right->stack_scan != used[i].f || c.stack_scan == GO_FIELD_COUNT;
	return !c.work || !c.controller || !c.memstats;
}

static bool check(const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct program p = { 0 };
	struct go_gc_code c = { 0 };
	uint64_t size;
	struct err e = { 0 };
	char what[2048] = "";
	bool ok;

	if (fd < 0 || bin_open(fd, &p.b, &e) ||
	    bin_symbol_addr(p.b, "runtime.text", &p.text, &size) ||
	    !bin_section(p.b, ".noptrdata", &p.lo, &size) ||
	    bin_symbol_addr(p.b, "runtime.end", &p.hi, &size) ||
	    bin_symbol_addr(p.b, "runtime.memstats", &p.memstats, &size)) {
		printf("%s: can't be read: %s\n", path, e.text);
		bin_close(p.b);
		return false;
	}
	go_layout_candidates(bin_go(p.b)->version,
			     bin_arch(p.b) == BIN_ARCH_ARM64 ? "arm64" : "amd64", &p.l, 1);
	go_gc_code(p.b, p.l, p.text, p.lo, p.hi, p.memstats, &c);
	ok = is(p.b, "runtime.work", c.work, what) &
	     is(p.b, "runtime.gcController", c.controller, what) &
	     is(p.b, "runtime.runtimeInitTime", c.init_time, what);
	if (!c.memstats || (c.stack_scan == GO_FIELD_COUNT) == !!go_has(p.l, GO_GCC_GLOBALSSCAN)) {
		strcat(what, " not all is named");
		ok = false;
	}
	for (size_t i = 0; i < ARRAY_LEN(used); i++)
		for (int by = -8; by <= 8; by += 16)
			if (!moved(&p, &c, i, by)) {
				sprintf(what + strlen(what), " %s%+d", used[i].name, by);
				ok = false;
			}
	printf("%s %s%s\n", ok ? "ok  " : "FAIL", path, what);
	bin_close(p.b);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;

	for (int i = 1; i < argc; i++)
		ok &= check(argv[i]);
	return !ok;
}
