/* SPDX-License-Identifier: BSD-2-Clause */
/* One goroutine, for a dump of them all: a pure value, made by collect/, printed by out/. */
#ifndef RSSCOPE_MODEL_PROFILE_GOROUTINE_H
#define RSSCOPE_MODEL_PROFILE_GOROUTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function that is there. Strings are borrowed for the call; NULL: not known. */
struct goroutine_frame {
	const char *func, *file;
	uint32_t line;
	uint64_t offset; /* of the code from where the function begins, bytes; 0: inlined, or there
			  */
};

struct goroutine_label {
	const char *key, *value;
};

struct goroutine {
	uint64_t id, parent; /* parent 0: not known */
	const char *state;   /* "chan receive" */
	uint64_t minutes;    /* that it has been in that state; 0: less than one, or not known */
	bool scan, locked;   /* the collector looks at its stack; it is locked to a thread */
	bool running;	     /* it has no frames: it runs */
	bool incomplete;     /* the stack ends where it could not be read on */
	bool elided;	     /* there are more frames than are told */
	const struct goroutine_label *labels; /* by key */
	size_t nlabels;
	const struct goroutine_frame *frames; /* innermost first; 0 of them: it could not be read */
	size_t nframes;
	bool created; /* by `creator` is known, and code of the program */
	struct goroutine_frame creator;
};

#endif
