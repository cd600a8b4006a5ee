/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asked for memory: the mappings since the program's first instruction. */
#include "observe/run_impl.h"

void run_book_open(struct run_book *b, pid_t pid, int program_fd, struct shelf *shelf)
{
	*b = (struct run_book){ 0 };
	session_init(&b->s, shelf, NULL);
	/* Where it has ended by now, its events can still be named. */
	session_open_new(&b->s, pid, program_fd);
	b->on = b->s.m && b->s.names && !session_open_book(&b->s, NULL);
}

void run_book_close(struct run_book *b)
{
	session_close(&b->s);
	b->on = false;
}

void run_book_event(struct run_book *b, const struct event *e)
{
	if (b->on && e->type == EVENT_CALL && mapbook_event(b->s.book, e))
		b->on = false; /* out of memory: the rest would be wrong without it */
}

void run_book_turn(struct run_book *b)
{
	if (b->on)
		symbolizer_tick(b->s.names);
}

void run_book_losses(struct run_book *b, const struct ev_region *g, size_t n)
{
	for (size_t i = 0; i < n && b->on; i++)
		if (g[i].pid == memsrc_pid(b->s.m))
			b->on = !mapbook_lost(b->s.book, g[i].start, g[i].end, g[i].ns);
}

void run_book_give(struct run_book *b, struct collect_opts *o)
{
	*o = (struct collect_opts){ 0 };
	if (b->on && (mapbook_settle(b->s.book, NULL) || mapbook_give(b->s.book, &o->known)))
		*o = (struct collect_opts){ 0 };
}
