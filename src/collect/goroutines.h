/* SPDX-License-Identifier: BSD-2-Clause */
/* What profiles and dumps of goroutines have in common, and the dump. */
#ifndef RSSCOPE_COLLECT_GOROUTINES_H
#define RSSCOPE_COLLECT_GOROUTINES_H

#include "collect/profile_impl.h"
#include "goruntime/labels.h"
#include "goruntime/stacks.h"
#include "model/profile/goroutine.h"

/* Whether it is the runtime's own, as runtime/traceback.go, isSystemGoroutine, has it: one that
 * runs finalizers or cleanups is the program's while it does. One that runs while it is read counts
 * so, too. */
bool goroutine_is_system(struct symbolizer *names, const struct go_stack *s);

/* The target's nanotime(); 0: not known (a core). */
uint64_t goroutine_clock(struct memsrc *m);

/* Whole minutes that it waits; 0: less than one, or not known. */
uint64_t goroutine_minutes(const struct go_stack *s, uint64_t now_ns);

/* The function that started it, not one that was inlined there; "": not known. */
const char *goroutine_creator(struct symbolizer *names, const struct go_stack *s);

/* k->stack becomes that of a goroutine; "[running]" where it can't be read. 0 or -errno. */
int profile_take_goroutine(struct making *k, const struct go_stack *s);

/* Adds to p what is to be said of so many goroutines whose stacks can't be read, or not to the end.
 * 0 or -errno. */
int profile_say_unread(struct profile *p, uint64_t running, uint64_t cut);

#endif
