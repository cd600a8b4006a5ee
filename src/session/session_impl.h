/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that make a session: session.c, identity.c, exec.c, gc.c, gc_words.c. */
#ifndef RSSCOPE_SESSION_SESSION_IMPL_H
#define RSSCOPE_SESSION_SESSION_IMPL_H

#include "session/session.h"

/* ---- identity.c */

/* Who it is: PID and name. 0 or -errno. */
int session_read_name(struct session *s, struct err *e);
void session_read_exe(struct session *s);
/* All of it, also of one that is known: a process may have renamed itself. 0 or -errno. */
int session_read_identity(struct session *s, struct err *e);

/* ---- session.c */

/* What the probes of GC cycles need: the executable, and the first file with a runtime, which is
 * not looked at. Libraries only where the executable is not Go's. 0 or -ENOMEM. */
int session_find_program(struct session *s, const struct maps *maps);

/* Looks for the runtime of g, which is one of s->go. g->open, or g->why. 0, -ESRCH, -ENOMEM. */
int session_open_go(struct session *s, struct session_go *g, const struct maps *maps);

/* Tells s->names, where there are some, of the runtime in g. */
void session_name_go(struct session *s, const struct session_go *g);

/* Forgets all that is of the program; memory, names and book stay. */
void session_drop_program(struct session *s);

/* ---- gc_words.c */

/* Fills words, no_words and settled of s->gc from what is known of g, which is open. */
void gc_words_set(struct session *s, const struct session_go *g);

#endif
