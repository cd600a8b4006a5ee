/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/PID/smaps: a mapping's first line as in maps, then its fields, VmFlags the last of them
 * (fs/proc/task_mmu.c, show_smap). Never by sscanf, which takes the length of all that follows:
 * smaps may be megabytes.
 */
#ifndef RSSCOPE_PROC_SMAPS_H
#define RSSCOPE_PROC_SMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the line [s, end) is a mapping's first one, "START-END rwxp …", and what it says; the
 * names of fields begin with a capital. Not whether *from < *to. */
bool smaps_mapping(const char *s, const char *end, uint64_t *from, uint64_t *to);

/* Whether one of n flags of two letters is among the words [s, end), what follows "VmFlags:". */
bool smaps_has_flag(const char *s, const char *end, const char (*flags)[3], size_t n);

/* A walk over one field of all mappings. */
struct smaps_walk {
	uint64_t start, end;	  /* of the mapping, bytes */
	const char *value, *stop; /* behind the field's name; the end of its line */
	const char *next, *last;  /* what is left of the text; set these two to begin with */
};

/* The next line of a mapping that begins with name ("Pss:"). False: there is none. */
bool smaps_next(struct smaps_walk *w, const char *name);
/* Its value, in bytes. */
uint64_t smaps_bytes(const struct smaps_walk *w);

#endif
