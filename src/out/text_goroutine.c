/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_goroutine.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

/* A label's text is the target's word: quotes and what is no printable ASCII are escaped. */
static int put_quoted(const char *s, struct text *out)
{
	int r = text_add(out, "\"", 1);

	for (; *s && !r; s++) {
		if (*s == '"' || *s == '\\')
			r = text_printf(out, "\\%c", *s);
		else if (*s >= ' ' && *s <= '~')
			r = text_add(out, s, 1);
		else
			r = text_printf(out, "\\x%02x", (unsigned char)*s);
	}
	return r ? r : text_add(out, "\"", 1);
}

static int put_labels(const struct goroutine *g, struct text *out)
{
	int r = g->nlabels ? text_add(out, " {", 2) : 0;

	for (size_t i = 0; i < g->nlabels && !r; i++) {
		r = i ? text_add(out, ", ", 2) : 0;
		if (!r)
			r = put_quoted(g->labels[i].key, out);
		if (!r)
			r = text_add(out, ": ", 2);
		if (!r)
			r = put_quoted(g->labels[i].value, out);
	}
	return r || !g->nlabels ? r : text_add(out, "}", 1);
}

static int put_head(const struct goroutine *g, struct text *out)
{
	int r = text_printf(out, "goroutine %" PRIu64 " [%s%s", g->id, g->state,
			    g->scan ? " (scan)" : "");

	if (!r && g->minutes)
		r = text_printf(out, ", %" PRIu64 " minutes", g->minutes);
	if (!r && g->locked)
		r = text_printf(out, ", locked to thread");
	if (!r)
		r = text_add(out, "]", 1);
	if (!r)
		r = put_labels(g, out);
	return r ? r : text_add(out, ":\n", 2);
}

static int put_name(const char *name, struct text *out)
{
	if (name && !strcmp(name, "runtime.gopanic"))
		name = "panic";
	return utf8_clean(name ? name : "?", out);
}

static int put_place(const struct goroutine_frame *f, struct text *out)
{
	int r = text_add(out, "\t", 1);

	if (!r)
		r = utf8_clean(f->file ? f->file : "?", out);
	if (!r)
		r = text_printf(out, ":%" PRIu32, f->line);
	if (!r && f->offset)
		r = text_printf(out, " +0x%" PRIx64, f->offset);
	return r ? r : text_add(out, "\n", 1);
}

static int put_frame(const struct goroutine_frame *f, struct text *out)
{
	int r = put_name(f->func, out);

	if (!r)
		r = text_printf(out, "(...)\n");
	return r ? r : put_place(f, out);
}

static int put_creator(const struct goroutine *g, struct text *out)
{
	int r = text_printf(out, "created by ");

	if (!r)
		r = put_name(g->creator.func, out);
	if (!r && g->parent)
		r = text_printf(out, " in goroutine %" PRIu64, g->parent);
	if (!r)
		r = text_add(out, "\n", 1);
	return r ? r : put_place(&g->creator, out);
}

/* Instead of a stack, or behind it. */
static const char *remark(const struct goroutine *g)
{
	if (g->running)
		return "\tgoroutine running; its stack cannot be read from outside\n";
	if (!g->nframes)
		return "\tgoroutine was running during the read; its stack is unavailable\n";
	if (g->elided)
		return "...additional frames elided...\n";
	return g->incomplete ? "...the rest of the stack could not be read...\n" : "";
}

int text_goroutine(const struct goroutine *g, struct text *out)
{
	int r = put_head(g, out);

	for (size_t i = 0; i < g->nframes && !r; i++)
		r = put_frame(&g->frames[i], out);
	if (!r)
		r = text_add(out, remark(g), strlen(remark(g)));
	if (!r && g->created)
		r = put_creator(g, out);
	return r ? r : text_add(out, "\n", 1);
}
