/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside collect/: what one look holds while it is made. */
#ifndef RSSCOPE_COLLECT_LOOK_H
#define RSSCOPE_COLLECT_LOOK_H

#include "collect/collect.h"
#include "goruntime/goruntime.h"
#include "model/ledger/builder.h"
#include "native/native.h"
#include "proc/maps.h"
#include "proc/status.h"
#include "session/session.h"

/* One Go runtime of the process: what was read of it. */
struct look_go {
	struct session_go *s;
	char path[40]; /* where its books stand in the report: "go", "runtimes[1]" */
	size_t index;  /* of these; 0: the main one */
	struct go_heap heap, again;
	struct go_sums sums;	/* the runtime's own, before heap was read */
	bool has_sums, at_rest; /* nothing of them changed until the second look */
	go_region_vec regions, bits;
	go_thread_vec threads;
	uint32_t first_splitter;		  /* of its spans, which follow each other */
	uint32_t live_row, dead_row, objects_row; /* for the split of spans */
	uint32_t released_row;
	uint64_t any_g;	      /* address of a goroutine's descriptor; 0: none is known */
	uint64_t unread_bits; /* spans whose bitmaps could not be read */
	uint64_t odd_spans;   /* whose number of objects is not their bitmap's */
};

struct look {
	struct session *s;
	struct memsrc *m; /* the session's */
	struct report *r;
	struct ledger_builder ledger; /* of r->ledger */
	const struct collect_opts *opts;

	uint64_t tls;	  /* bytes of thread-local variables: executable and libraries */
	struct maps maps; /* as of the page map */
	bool rss_counted; /* RSS before and after is statm's */
	struct {	  /* of a process that stands still nothing is read twice */
		bool has_cpu, idle;
		uint64_t cpu_ns; /* before the heaps were read */
	} rest;

	struct look_go go[GO_FILES_MAX]; /* those that are open, the main one first */
	size_t ngo;
	struct native native;
	range_vec arenas;	  /* of Go's heaps: address ranges, united */
	range_vec pages;	  /* resident and swapped, of all mappings that count */
	int objects_failed;	  /* what opts->objects returned */
	struct look_types *types; /* NULL: not asked for */
};

/* target.c: who it is, as the session knows. Fills r->target, r->host. */
int look_target(struct look *k);
/* Takes over the runtimes that the session has open; those that are known already stay as they are.
 */
int look_take_runtimes(struct look *k);
/* What is to be said of them, and of those that could not be opened. */
int look_runtimes(struct look *k);
/* The file that one lies in. */
const char *look_go_image(const struct look *k, const struct look_go *g);

/* go.c: between the brackets, and after: each runtime's heap. look_rest_begins comes before the
 * first, look_at_rest after the page map, with time for a thread to leave its CPU before the third.
 */
void look_rest_begins(struct look *k);
int look_read_heaps(struct look *k);
void look_at_rest(struct look *k);
int look_read_heaps_again(struct look *k);
void look_go_free(struct look_go *g);
/* Where its books stand. */
struct report_go *look_report_go(struct look *k, const struct look_go *g);
/* As report_missing, of something in these books. */
int look_go_missing(struct look *k, const struct look_go *g, const char *what, const char *needs,
		    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int look_go_missing_always(struct look *k, const struct look_go *g, const char *what,
			   const char *needs, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* claims.c: what the kernel's mappings and the ELF files say; C's structures. */
int look_claim_vmas(struct look *k);
int look_claim_native(struct look *k);
int look_claim_new_vmas(struct look *k, const struct maps *after);

/* origins.c: who asked for it, as far as opts tell. The first before the sweep, the other after. */
int look_claim_origins(struct look *k);
int look_origins(struct look *k);

/* claims_go.c: the runtime's regions, pages and spans. */
int look_claim_go(struct look *k, struct look_go *g);
int look_claim_again(struct look *k, const struct look_go *g);
ledger_split_fn look_split_span;

/* vmflags.c: of mappings in which there are pages and whose names do not tell whether RSS counts
 * those: sets VMA_COUNTED or VMA_UNCOUNTED. */
int look_vmflags(struct look *k, const range_vec *pages);

/* released.c: after the sweep, why go/heap/released is resident: into rows of its own. */
int look_released(struct look *k);

/* Bytes whose owner changed between two readings of the heap: into the ledger's uncertainty. */
int look_uncertainty(struct look *k, const struct maps *maps_again);

/* facts.c: what findings need beside the ledger: which spans are sparse, what descriptors of
 * goroutines cost, what threads wait in. */
int look_facts(struct look *k);

/* sites.c, sites_goroutines.c: who stands behind the large categories, as far as opts ask. */
int look_sites(struct look *k);
int look_sites_goroutines(struct look *k, struct report_profile *p, size_t most);
int look_sites_heap(struct look *k, struct report_profile *p, size_t most);
int look_sites_buckets(struct look *k, struct report_profile *p, size_t most);
/* Whether any are told: asked for, and of a process or a core. */
bool look_has_sites(const struct look *k);

/* sites_types.c: begin before the sweep, add for each piece of a span while k->types is there, end
 * after it, while the runtimes are open; 0, -ESRCH, -ENOMEM. */
int look_types_begin(struct look *k);
int look_types_add(struct look *k, const struct collect_piece *c);
int look_types_end(struct look *k);
void look_types_free(struct look *k);
int look_sites_types(struct look *k, struct report_profile *p, size_t most);

/* books.c: runtime metrics, kernel memory, cgroup, findings' raw material. */
int look_metrics(struct look *k, struct look_go *g);
/* books_go.c: distributions; finalizers and cleanups that wait, and the one that they wait for. */
int look_histograms(struct look *k, const struct look_go *g);
int look_finals(struct look *k, const struct look_go *g, const struct go_finals *f);
int look_kernel(struct look *k);

#endif
