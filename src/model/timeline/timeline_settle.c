/* SPDX-License-Identifier: BSD-2-Clause */
/* The timeline against what is mapped. */
#include "model/timeline/timeline_impl.h"

/* Three sorted lists side by side: stretches in which none of them changes. */
struct walk {
	const struct tl_piece *piece;
	const struct range *map, *doubt;
	size_t npiece, nmap, ndoubt;
	/* the stretch */
	uint64_t start, end;
	bool in_piece, in_map, in_doubt;
};

static void step(uint64_t at, uint64_t start, uint64_t end, bool *in, uint64_t *stop)
{
	uint64_t edge = at < start ? start : end;

	*in = at >= start;
	if (edge < *stop)
		*stop = edge;
}

static bool walk_next(struct walk *w)
{
	uint64_t at = w->end, stop = UINT64_MAX;

	for (; w->npiece && w->piece->end <= at; w->piece++)
		w->npiece--;
	for (; w->nmap && w->map->end <= at; w->map++)
		w->nmap--;
	for (; w->ndoubt && w->doubt->end <= at; w->doubt++)
		w->ndoubt--;
	w->in_piece = w->in_map = w->in_doubt = false;
	if (w->npiece)
		step(at, w->piece->start, w->piece->end, &w->in_piece, &stop);
	if (w->nmap)
		step(at, w->map->start, w->map->end, &w->in_map, &stop);
	if (w->ndoubt)
		step(at, w->doubt->start, w->doubt->end, &w->in_doubt, &stop);
	w->start = at;
	w->end = stop;
	return w->npiece || w->nmap;
}

/* What comes without a call: the kernel's own, and what something that grows downwards has grown
 * by, which is one mapping with it. */
static bool is_grown(const struct walk *w)
{
	return !w->in_piece && w->in_map && w->npiece && w->piece->flags & TL_GROWS &&
	       w->piece->start == w->end && w->map->end > w->end;
}

static bool is_kernels(const struct walk *w)
{
	return (w->in_map && w->map->flags & TL_KERNEL && !w->in_piece) ||
	       (w->in_piece && w->piece->flags & TL_KERNEL && !w->in_map);
}

static int settle_one(struct timeline *t, const struct walk *w)
{
	struct tl_piece p = { .origin = ORIGIN_UNKNOWN };
	bool unknown = w->in_piece && w->piece->flags & TL_UNKNOWN;

	if (w->in_piece) {
		p.enter = w->piece->enter;
		p.born = w->piece->born;
	}
	if (w->in_map)
		p.flags = w->map->flags;
	if (is_grown(w) || is_kernels(w)) {
		p.start = w->start;
		p.end = w->end;
		return w->in_map ? tl_append(t, p) : 0;
	}
	if (w->in_piece && !unknown && (w->in_map || !w->in_doubt))
		p = *w->piece;
	else if (!unknown && w->in_doubt && w->in_piece != w->in_map)
		t->n.settled += w->end - w->start;
	if (w->in_map && (p.flags & TL_PROT_OPEN || w->in_doubt))
		p.flags = (p.flags & ~(TL_PROT | TL_PROT_OPEN)) | (w->map->flags & TL_PROT);
	p.start = w->start;
	p.end = w->end;
	if (unknown || w->in_doubt ? w->in_map : w->in_piece)
		return tl_append(t, p);
	return 0;
}

int timeline_settle(struct timeline *t, const struct range *maps, size_t n)
{
	static const struct range everywhere = { 0, UINT64_MAX, 0 };
	struct walk w;
	int r = timeline_flush(t);

	if (r)
		return r;
	range_unite(&t->doubts);
	w = (struct walk){
		.piece = t->pieces.v,
		.npiece = t->pieces.n,
		.map = maps,
		.nmap = n,
		.doubt = t->doubt_all ? &everywhere : t->doubts.v,
		.ndoubt = t->doubt_all ? 1 : t->doubts.n,
	};
	t->next.n = 0;
	while (!r && walk_next(&w))
		r = settle_one(t, &w);
	if (r)
		return r;
	t->pieces.n = 0;
	if (vec_reserve(&t->pieces, t->next.n))
		return -ENOMEM;
	for (size_t i = 0; i < t->next.n; i++)
		t->pieces.v[i] = t->next.v[i];
	t->pieces.n = t->next.n;
	t->n.unseen += t->ghosts.n;
	t->ghosts.n = t->doubts.n = 0;
	t->doubt_all = false;
	return 0;
}

static void compare_both(const struct walk *w, struct timeline_difference *d)
{
	uint64_t bytes = w->end - w->start;

	d->both += bytes;
	if (w->piece->flags & TL_PROT_OPEN)
		d->protection_open += bytes;
	else if ((w->piece->flags ^ w->map->flags) & TL_PROT)
		d->protection += bytes;
}

void timeline_compare(const struct timeline *t, const struct range *maps, size_t n,
		      struct timeline_difference *out)
{
	struct walk w = {
		.piece = t->pieces.v,
		.npiece = t->pieces.n,
		.map = maps,
		.nmap = n,
	};
	struct timeline_difference d = { 0 };

	while (walk_next(&w)) {
		uint64_t bytes = w.end - w.start;

		if (w.in_piece && w.piece->flags & TL_UNKNOWN)
			d.unknown += w.in_map ? bytes : 0;
		else if (is_grown(&w))
			d.grown += bytes;
		else if (is_kernels(&w))
			d.kernel += bytes;
		else if (w.in_piece && w.in_map)
			compare_both(&w, &d);
		else if (w.in_piece)
			d.here += bytes;
		else if (w.in_map)
			d.there += bytes;
	}
	*out = d;
}
