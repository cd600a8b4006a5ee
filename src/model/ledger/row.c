/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/row.h"

#include <inttypes.h>
#include <string.h>

const char *row_kind_name(enum row_kind k)
{
	static const char *const name[] = { "file", "thread", "arena", "origin", "type" };

	return name[k];
}

static const char *label_of(const struct row_id *id)
{
	return id->label ? id->label : "";
}

static const char *image_of(const struct row_id *id)
{
	return id->image ? id->image : "";
}

int row_name_with_image(const struct row_id *id, const char *name, struct text *out)
{
	const char *base = strrchr(image_of(id), '/');

	return id->image ? text_printf(out, "%s, %s", name, base ? base + 1 : id->image)
			 : text_printf(out, "%s", name);
}

int row_name(const struct row_id *id, struct text *out)
{
	const char *label = label_of(id);

	if (id->kind == ROW_THREAD && id->tid)
		return text_printf(out, "thread %" PRId32 "%s%s", id->tid, *label ? " " : "",
				   label);
	if (id->kind == ROW_ARENA && id->start && !id->label)
		return text_printf(out, "thread arena %" PRIx64, id->start);
	if (row_is_mapping(id) && !id->label)
		return text_printf(out, "anonymous %" PRIx64 "-%" PRIx64, id->start, id->end);
	return text_printf(out, "%s", label);
}

int row_name_of_all(const struct row_id *id, struct text *out)
{
	const char *label = label_of(id);

	if (id->kind == ROW_THREAD && id->tid)
		return text_printf(out, "threads%s%s", *label ? " " : "", label);
	if (id->kind == ROW_ARENA && id->start && !id->label)
		return text_printf(out, "thread arenas");
	if (row_is_mapping(id) && !id->label)
		return text_printf(out, "anonymous, each of 1 MiB or more");
	return text_printf(out, "%s", label);
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int row_compare(const struct row_id *a, const struct row_id *b)
{
	int c = order(a->kind, b->kind);

	if (!c)
		c = order(a->tid, b->tid);
	if (!c)
		c = order(a->start, b->start);
	if (!c)
		c = order(a->end, b->end);
	if (!c)
		c = strcmp(label_of(a), label_of(b));
	return c ? c : strcmp(image_of(a), image_of(b));
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	for (int i = 0; i < 64; i += 8)
		h = (h ^ (v >> i & 0xff)) * 1099511628211u; /* FNV-1a */
	return h;
}

uint64_t row_hash(const struct row_id *id)
{
	uint64_t h = mix(mix(14695981039346656037u, (uint64_t)id->kind << 32 | (uint32_t)id->tid),
			 id->start);

	h = mix(h, id->end);
	for (const char *s = label_of(id); *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	for (const char *s = image_of(id); *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h ^ h >> 32;
}
