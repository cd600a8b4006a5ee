/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code addresses of a target by name: Go functions and lines from pclntab (stripped is normal),
 * others from ELF symbols. Mappings are read when opening and again when an address is in none of
 * them; files are opened once, their descriptors are a shelf's; results are cached, within bounds.
 * For one thread, that of its shelf.
 */
#ifndef RSSCOPE_SYMBOL_SYMBOLIZE_H
#define RSSCOPE_SYMBOL_SYMBOLIZE_H

#include "base/err.h"
#include "binary/shelf.h"
#include "model/event/event.h"
#include "source/memsrc.h"

struct symbolizer;

/* m and shelf are borrowed and must outlive it; shelf NULL: one of its own. 0 or -errno. */
int symbolizer_open(struct memsrc *m, struct shelf *shelf, struct symbolizer **out, struct err *e);
/* The same of a process that has just begun and may have ended by now (m is NULL then, or has no
 * mappings any more): the file that it was made of names its code, where that says where it is
 * loaded (no PIE). fd is borrowed for the call, -1: not known. -ENOMEM. */
int symbolizer_open_new(struct memsrc *m, struct shelf *shelf, int fd, struct symbolizer **out);
void symbolizer_close(struct symbolizer *s); /* NULL-safe */

/* Go's moduledata.text of the executable minus its bias (see binary.h); 0 when not known. */
void symbolizer_set_go_text(struct symbolizer *s, uint64_t text);

/* Allows the mappings to be read again (at most once until the next call): the caller's pace
 * bounds the cost when addresses lie in no mapping at all. */
void symbolizer_tick(struct symbolizer *s);

/* The process has called exec: nothing that was known holds. Frames given before become invalid. */
void symbolizer_reset(struct symbolizer *s);

/* Names the code before a return address (or the address after a system call): the functions that
 * were inlined there, innermost first, then the one that holds it, all of the same address. Fills
 * at least one and up to max, returns how many. Strings live until symbolizer_reset or _close. */
enum { SYMBOLIZER_INLINED = 5 };
size_t symbolizer_frames(struct symbolizer *s, uint64_t addr, struct frame *f, size_t max);

/* The same without a bound but max, and past the cache: for one who keeps what he gets. */
enum { SYMBOLIZER_ALL = 64 };
size_t symbolizer_all(struct symbolizer *s, uint64_t addr, struct frame *f, size_t max);

/* Whether the compiler has made the function that holds the call before a return address, to call
 * another one. */
bool symbolizer_is_wrapper(struct symbolizer *s, uint64_t addr);

/* The mapping that holds the call before a return address. False: there is none. Strings as above.
 */
struct code_mapping {
	uint64_t start, end, offset; /* bytes; offset in the file */
	const char *file, *build_id; /* "": none */
};
bool symbolizer_mapping(struct symbolizer *s, uint64_t addr, struct code_mapping *out);

/* Only the innermost. */
void symbolizer_frame(struct symbolizer *s, uint64_t addr, struct frame *out);

/* A mapped file, whichever process maps it. size and ctime_ns are 0 where it can't be opened. */
struct code_file {
	uint64_t dev, ino; /* as /proc/PID/maps has them: major << 32 | minor */
	uint64_t size, ctime_ns;
};

static inline bool code_file_is_same(const struct code_file *a, const struct code_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->ctime_ns == b->ctime_ns;
}

/* The file whose code holds the call before a return address, and the offset there of the byte
 * behind it. False where no file is mapped. */
bool symbolizer_place(struct symbolizer *s, uint64_t addr, struct code_file *file, uint64_t *off);

/* The way back: where that byte lies in this process. `addr` where it is not mapped. */
uint64_t symbolizer_address(struct symbolizer *s, const struct code_file *file, uint64_t off,
			    uint64_t addr);

/* The names of a call's stack, as far as event_call_depth counts, without a goroutine's part that
 * is no Go code. Returns how many. f has room for EVENT_STACK_MAX: what does not fit is left out.
 */
size_t symbolizer_stack(struct symbolizer *s, const struct event_call *c, struct frame *f);

/* The stack of an event, where it has one: of a call, or of who began a GC cycle. */
size_t symbolizer_event(struct symbolizer *s, const struct event *e, struct frame *f);

#endif
