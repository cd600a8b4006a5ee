/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside collect/: what one look holds while it is made. */
#ifndef RSSCOPE_COLLECT_LOOK_H
#define RSSCOPE_COLLECT_LOOK_H

#include "collect/collect.h"
#include "session/files.h"
#include "goruntime/goruntime.h"
#include "model/ledger/builder.h"
#include "native/native.h"
#include "proc/maps.h"
#include "proc/status.h"

struct look {
	struct memsrc *m;
	struct report *r;
	struct ledger_builder ledger; /* of r->ledger */
	const struct collect_opts *opts;

	char exe[4096];	 /* /proc/PID/exe, as maps shows it */
	struct bin *bin; /* the executable; NULL: can't be opened */
	uint64_t bias;
	struct libs libs;
	uint64_t tls;	  /* bytes of thread-local variables: executable and libraries */
	struct maps maps; /* as of the page map */
	bool rss_counted; /* RSS before and after is statm's */

	VEC(uint64_t) tmpfs; /* devices, major << 32 | minor */

	bool has_go;
	bool race; /* built with the race detector, which keeps its shadow at fixed addresses */
	struct go_runtime rt;
	struct go_heap heap;
	struct go_sums sums;	/* the runtime's own, before heap was read */
	bool has_sums, at_rest; /* nothing of them changed until the second look */
	go_region_vec regions;
	go_thread_vec threads;
	struct native native;
	range_vec pages; /* resident and swapped, of all mappings that count */

	uint32_t live_row, dead_row, objects_row; /* for the split of spans */
	uint64_t unread_bits;			  /* spans whose bitmaps could not be read */
	uint64_t odd_spans; /* whose number of objects is not their bitmap's */
};

/* target.c: who it is. Fills r->target, r->host; opens the binary and the libraries. */
int look_target(struct look *k, struct err *e);
/* The Go runtime, in whichever of these files. */
int look_runtime(struct look *k);

/* Whether the race detector puts its shadow memory there. */
bool look_is_race_shadow(const struct vma *v);

/* claims.c: what the kernel's mappings and the ELF files say; C's structures. */
int look_claim_vmas(struct look *k);
int look_claim_native(struct look *k);
int look_claim_new_vmas(struct look *k, const struct maps *after);

/* origins.c: who asked for it, as far as opts tell. The first before the sweep, the other after. */
int look_claim_origins(struct look *k);
int look_origins(struct look *k);

/* claims_go.c: the runtime's regions, pages and spans. */
int look_claim_go(struct look *k);
int look_claim_again(struct look *k, const struct go_heap *again, const go_region_vec *bits);
ledger_split_fn look_split_span;

/* Bytes whose owner changed between two readings of the heap: into the ledger's uncertainty. */
int look_uncertainty(struct look *k, const struct go_heap *again, const struct maps *maps_again);

/* books.c: runtime metrics, kernel memory, cgroup, findings' raw material. */
int look_metrics(struct look *k);
int look_kernel(struct look *k);

#endif
