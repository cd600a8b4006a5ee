/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a look at one process teaches about every process of the same binary: the layout, where the
 * variables and some functions are. All addresses are the file's own (link-time); 0: not known.
 *
 * Little of it is believed by itself. Variables are places where the search looks first, and each
 * must be recognised there by what it holds, as if it had been searched for; a function that gets a
 * probe must have its name. Such facts, when they are wrong, cost time and nothing else. Taken as
 * they are: what only symbols tell, that C or the race detector is linked in, and what the code
 * says, which its user holds against the process.
 */
#ifndef RSSCOPE_GORUNTIME_FACTS_H
#define RSSCOPE_GORUNTIME_FACTS_H

#include "base/text.h"
#include "goruntime/gccode.h"
#include "goruntime/goruntime.h"

enum go_func_id {
	GO_FUNC_CGO,	  /* crosscall2: C is linked in */
	GO_FUNC_RACE,	  /* runtime.raceinit: the race detector is */
	GO_FUNC_GC_END,	  /* runtime.prepareFreeWorkbufs */
	GO_FUNC_GC_START, /* runtime.gcStart */
	GO_FUNC_GROW,	  /* runtime.(*mheap).grow */
	GO_FUNC_COUNT
};

enum go_func_state { GO_FUNC_UNKNOWN, GO_FUNC_FOUND, GO_FUNC_ABSENT };

struct go_facts {
	bool changed; /* something was added since they were read */

	bool has_runtime; /* what follows was found in a process */
	bool own_layout;  /* it is the one that the release's name leads to */
	bool symbols;	  /* the file's symbol table agrees */
	uint32_t layout;  /* index into go_layouts */
	struct go_globals g;
	uint32_t nstack_sizes;
	uint64_t stack_sizes[GO_STACK_SIZES];

	struct {
		uint8_t state; /* enum go_func_state */
		uint64_t entry;
	} func[GO_FUNC_COUNT];

	bool has_gc_code;
	struct go_gc_code gc_code;
};

/* bin_go_lookup, through what is known. f may be NULL; out->end may be 0. text: as the caller
 * always gives it for this function (it is not part of what is known). */
int go_facts_func(struct go_facts *f, struct bin *b, uint64_t text, enum go_func_id id,
		  struct bin_func *out);

/* go_gc_code for the runtime that was found, likewise; link-time addresses. */
int go_facts_gc_code(struct go_facts *f, struct bin *b, const struct go_runtime *rt,
		     struct go_gc_code *out);

/* Takes over what was found in a process: all of it, or (more) only what was not known. A runtime
 * of which something is missing teaches nothing: another process may show it. */
void go_facts_learn(struct go_facts *f, const struct go_runtime *rt, bool own_layout, bool more);

/* Adds what another look at the same binary has told beside: functions, and the code's word on the
 * same variables. */
void go_facts_join(struct go_facts *f, const struct go_facts *other);

/* As bytes, appended; 0 or -ENOMEM. Back: -EINVAL when that is not how they were written, and then
 * *out has nothing known. */
int go_facts_encode(const struct go_facts *f, struct text *out);
int go_facts_decode(const void *p, size_t n, struct go_facts *out);

#endif
