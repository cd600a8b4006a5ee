/* SPDX-License-Identifier: BSD-2-Clause */
#include "event/detach.h"

static void *destroy(void *link)
{
	bpf_link__destroy(link);
	return NULL;
}

/* Of those that are done nothing has to be kept. */
static void reap(struct detacher *d)
{
	for (size_t i = d->threads.n; i--;)
		if (!pthread_tryjoin_np(d->threads.v[i], NULL))
			d->threads.v[i] = d->threads.v[--d->threads.n];
}

void detach_link(struct detacher *d, struct bpf_link *link)
{
	pthread_t t;

	reap(d);
	if (!link)
		return;
	if (vec_reserve(&d->threads, d->threads.n + 1) || pthread_create(&t, NULL, destroy, link))
		bpf_link__destroy(link);
	else
		d->threads.v[d->threads.n++] = t;
}

void detach_wait(struct detacher *d)
{
	for (size_t i = 0; i < d->threads.n; i++)
		pthread_join(d->threads.v[i], NULL);
	vec_free(&d->threads);
}
