/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/doctor.h"

static doctor_fn *const checks[] = { doctor_processes, doctor_cgroups, doctor_probes,
				     doctor_capabilities, doctor_kept };

int doctor_add(struct doctor *d, const char *area, const char *name, struct doctor_row **out)
{
	if (vec_push(&d->rows, (struct doctor_row){ .area = area, .name = name }))
		return -ENOMEM;
	*out = &d->rows.v[d->rows.n - 1];
	return 0;
}

int doctor_check(struct doctor *d)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(checks) && !rc; i++)
		rc = checks[i](d);
	return rc;
}

void doctor_free(struct doctor *d)
{
	vec_free(&d->rows);
}

const char *doctor_state_name(enum doctor_state s)
{
	static const char *const name[] = { "works", "fallback", "missing" };

	return name[s];
}
