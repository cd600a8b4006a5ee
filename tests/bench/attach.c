/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach cold|warm PID: what it takes until a Go program can be looked at and probed: its process,
 * mappings, executable and libraries opened, the runtime found, the places for probes. CPU time in
 * µs: of this process since the first of these, as "total process mappings files runtime probes".
 * cold: everything is searched. warm: through the cache, which a run before has filled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "session/cache_store.h"
#include "session/files.h"

enum { PROCESS, MAPPINGS, FILES, RUNTIME, PROBES, STEPS };

struct attach {
	struct cache_store cache;
	struct memsrc *m;
	struct maps maps;
	char exe[4096];
	struct bin *bin;
	uint64_t bias;
	struct libs libs;
	struct go_file go[GO_FILES_MAX];
	struct go_runtime rt;
	uint64_t at[STEPS + 1];
};

static void step(struct attach *a, int i)
{
	a->at[i + 1] = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static int open_files(struct attach *a, struct err *e)
{
	_text_ struct text exe = { 0 };
	int r = memsrc_text(a->m, "proc/exe", 0, &exe);

	if (!r)
		r = maps_read(memsrc_texts(a->m), 0, &a->maps, e);
	step(a, MAPPINGS);
	if (r)
		return r;
	snprintf(a->exe, sizeof(a->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	r = files_open_exe(a->m, NULL, &a->maps, a->exe, &a->bin, &a->bias, e);
	if (!r && !bin_go(a->bin)->is_go)
		r = libs_add(&a->libs, a->m, &a->maps, a->exe);
	if (!r && !files_with_go(a->bin, a->bias, &a->libs, a->go))
		r = err_set(e, -ENOENT, "no Go program");
	step(a, FILES);
	return r;
}

static int open_go(struct attach *a, struct err *e)
{
	struct go_file *go = a->go;
	struct go_facts known;
	struct go_gc_code code;
	struct bin_func fn;
	int r;

	go_cache_get(a->cache.go, a->m, go->bin, &known);
	go_facts_func(&known, go->bin, 0, GO_FUNC_CGO, &fn);
	r = go_runtime_open(a->m, go->bin, go->bias, &a->maps, &known, &a->rt, e);
	step(a, RUNTIME);
	if (!r)
		r = go_facts_func(&known, go->bin, a->rt.g.text - go->bias, GO_FUNC_GC_END, &fn);
	if (!r)
		r = go_facts_gc_code(&known, go->bin, &a->rt, &code);
	go_cache_put(a->cache.go, a->m, go->bin, &known);
	step(a, PROBES);
	return r;
}

int main(int argc, char **argv)
{
	struct attach a = { 0 };
	struct err e = { 0 };
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: attach cold|warm PID\n");
		return 2;
	}
	a.at[0] = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (!strcmp(argv[1], "warm"))
		cache_store_open(&a.cache);
	r = memsrc_open_live(atoi(argv[2]), &a.m, &e);
	step(&a, PROCESS);
	if (!r)
		r = open_files(&a, &e);
	if (!r)
		r = open_go(&a, &e);
	if (r)
		fprintf(stderr, "attach: %s\n", e.text[0] ? e.text : strerror(-r));
	else
		printf("%.0f", (a.at[STEPS] - a.at[0]) / 1e3);
	for (int i = 0; i < STEPS && !r; i++)
		printf(" %.0f", (a.at[i + 1] - a.at[i]) / 1e3);
	if (!r)
		puts("");
	libs_free(&a.libs);
	bin_close(a.bin);
	maps_free(&a.maps);
	memsrc_close(a.m);
	cache_store_close(&a.cache);
	return r ? 1 : 0;
}
