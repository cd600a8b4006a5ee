/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What doctor finds out, a row a feature. Checks add rows; a new one is a function of type
 * doctor_fn and a line in the table of doctor.c. Checks look only at this process and at the
 * system, and at a child of our own, and change nothing.
 */
#ifndef RSSCOPE_DOCTOR_DOCTOR_H
#define RSSCOPE_DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/vec.h"

enum doctor_state { DOCTOR_WORKS, DOCTOR_FALLBACK, DOCTOR_MISSING };

struct doctor_row {
	const char *area;	 /* static: "report", "watch", "privileges" */
	const char *name;	 /* static, stable: it is in the JSON */
	enum doctor_state state; /* fallback: it does not work, but something else does the same */
	bool spare;		 /* and that is the preferred one: text says ok, nothing is lost */
	char found[256];	 /* what was seen */
	char instead[192];	 /* what happens without it; "" when it works */
	char get[192];		 /* how to get it; "" when it works or found says so */
};

struct doctor {
	VEC(struct doctor_row) rows;
};

/* All checks. 0 or -ENOMEM; doctor_free in any case. */
int doctor_check(struct doctor *d);
void doctor_free(struct doctor *d); /* safe on a zeroed struct */

/* "works", "fallback", "missing": in the JSON. */
const char *doctor_state_name(enum doctor_state s);

/* ---- checks */

typedef int doctor_fn(struct doctor *d); /* 0 or -ENOMEM */

/* Adds a row and puts it in *out for filling in (valid until the next). 0 or -ENOMEM. */
int doctor_add(struct doctor *d, const char *area, const char *name, struct doctor_row **out);

/* Sets a text field. */
#define doctor_say(field, ...) snprintf((field), sizeof(field), __VA_ARGS__)

doctor_fn doctor_processes;    /* looking at other processes */
doctor_fn doctor_cgroups;      /* which memory controllers are mounted */
doctor_fn doctor_probes;       /* what watch's probes need */
doctor_fn doctor_capabilities; /* one row a capability */
doctor_fn doctor_kept;	       /* what commands do not give up */

#endif
