/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moduledata: where the linker put what (runtime/symtab.go). Words, by release:
 *
 *   findfunctab minpc maxpc text etext; noptrdata … enoptrbss (8); from 1.20 covctrs ecovctrs;
 *   end gcdata gcbss
 *   types etypes; from 1.27 types typedesclen etypes itaboffset itabsize
 *   from 1.18 rodata gofunc; from 1.26 epclntab; textsectmap (a slice)
 *   up to 1.26 typelinks itablinks (slices)
 */
#include <errno.h>

#include "binary/internal.h"

enum {
	WORDS = 56,
	LINKS_MAX = 1 << 22, /* of types, of itabs */
	SECTIONS_MAX = 256,  /* of text */
};

static bool is_slice(const uint64_t *w, uint64_t most)
{
	return w[1] == w[2] && w[1] <= most && (w[0] || !w[1]);
}

/* What follows gcbss: w[i] is types. */
static void take_rest(struct module *m, const struct pcln *p, const uint64_t *w, size_t i)
{
	bool is_new = w[i + 1] < w[i] && p->magic == PCLN_120;

	m->types = w[i];
	m->etypes = w[is_new ? i + 2 : i + 1];
	if (is_new) {
		m->typedesc = w[i + 1];
		m->itabs = m->types + w[i + 3];
		m->itabs_size = w[i + 4];
		i += 3;
	}
	i += 2;
	if (!p->wide) {
		m->rodata = w[i];
		m->gofunc = w[i + 1];
		i += 2;
	}
	/* a pointer behind which there is another one, instead of that and an equal length and
	 * capacity */
	if (!p->wide && !is_slice(w + i, SECTIONS_MAX) && is_slice(w + i + 1, SECTIONS_MAX))
		m->epclntab = w[i++];
	i += 3;
	if (is_new || !is_slice(w + i, LINKS_MAX) || !is_slice(w + i + 3, LINKS_MAX))
		return;
	m->typelinks = w[i];
	m->ntypelinks = w[i + 1];
	m->itablinks = w[i + 3];
	m->nitablinks = w[i + 4];
}

int module_read(struct bin *b, struct module *out)
{
	const struct pcln *p = &b->pcln;
	/* 1.15 has pclntable, ftab, filetab; later pcHeader and five slices before ftab */
	size_t at = p->magic == PCLN_12 ? 9 : 19;
	uint64_t w[WORDS] = { 0 }, vaddr;
	int r;

	*out = (struct module){ 0 };
	if (!p->nfunc)
		return -ENOENT;
	io_allow(b->io, 4 * io_size(b->io));
	r = moduledata_find(b, p, &vaddr);
	if (!r)
		r = image_words(b, vaddr, w, WORDS);
	if (r)
		return r;
	out->findfunctab = w[at];
	out->minpc = w[at + 1];
	out->maxpc = w[at + 2];
	out->text = w[at + 3];
	out->etext = w[at + 4];
	at += 5;
	for (size_t i = 0; i < 4; i++, at += 2) {
		out->data[i][0] = w[at];
		out->data[i][1] = w[at + 1];
	}
	at += p->magic == PCLN_120 ? 2 : 0;
	out->gcdata = w[at + 1];
	take_rest(out, p, w, at + 3);
	return 0;
}
