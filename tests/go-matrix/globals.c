/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * globals PID|CAPTURE: the places of the runtime's variables, and the layout, as found. Without
 * those that only a symbol table has (symbols.c), and without a word of how they were found.
 */
#include <inttypes.h>

#include "target.h"

int main(int argc, char **argv)
{
	struct target t = { 0 };
	struct go_runtime rt;
	struct err e = { 0 };

	if (argc != 2)
		return 2;
	target_open(&t, argv[1]);
	if (go_runtime_open(t.m, t.bin, t.bias, &t.maps, NULL, &rt, &e)) {
		fprintf(stderr, "%s: %s\n", argv[1], e.text);
		return 1;
	}
	const struct {
		const char *name;
		uint64_t at;
	} v[] = {
		{ "firstmoduledata", rt.g.moduledata },
		{ "text", rt.g.text },
		{ "etext", rt.g.etext },
		{ "noptrdata", rt.g.noptrdata },
		{ "enoptrdata", rt.g.enoptrdata },
		{ "end", rt.g.end },
		{ "mheap_", rt.g.mheap },
		{ "memstats", rt.g.memstats },
		{ "gcController", rt.g.gccontroller },
		{ "allp", rt.g.allp },
		{ "allgs", rt.g.allgs },
		{ "allm", rt.g.allm },
		{ "persistentChunks", rt.g.persistent_chunks },
		{ "gcBitsArenas", rt.g.gcbits_arenas },
		{ "buckhash", rt.g.buckhash },
		{ "sched", rt.g.sched },
		{ "gcCPULimiter", rt.g.limiter },
		{ "work", rt.g.work },
		{ "variables that are scanned", rt.globals_bytes },
		{ "their bitmaps", rt.masks_bytes },
		{ "inline marks", rt.inline_marks },
		{ "cgo", rt.cgo },
	};
	printf("layout %s, missing %s\n", rt.layout, rt.missing[0] ? rt.missing : "none");
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		printf("%s %" PRIx64 "\n", v[i].name, v[i].at);
	target_close(&t);
	return 0;
}
