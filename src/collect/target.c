/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the target is, and which Go runtimes are in it: what the session knows, as a report tells it.
 */
#include "collect/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int look_target(struct look *k)
{
	const struct session_identity *id = &k->s->id;
	struct report_target *t = &k->r->target;
	struct report *r = k->r;

	r->host.page_size = memsrc_page_size(k->m);
	snprintf(r->host.boot_id, sizeof(r->host.boot_id), "%s", id->boot_id);
	snprintf(r->host.kernel, sizeof(r->host.kernel), "%s", id->kernel);
	snprintf(r->host.arch, sizeof(r->host.arch), "%s", id->arch);
	t->pid = id->pid;
	t->ns_pid = id->ns_pid;
	snprintf(t->comm, sizeof(t->comm), "%s", id->comm);
	t->start_ticks = id->start_ticks;
	t->start_time_unix_ns = id->start_time_unix_ns;
	t->exe = id->exe[0] ? strdup(id->exe) : NULL;
	t->cmdline = id->cmdline ? strdup(id->cmdline) : NULL;
	if ((id->exe[0] && !t->exe) || (id->cmdline && !t->cmdline))
		return -ENOMEM;
	if (k->s->bin) {
		t->has_binary = true;
		t->stripped = bin_is_stripped(k->s->bin);
		t->pie = bin_is_pie(k->s->bin);
		snprintf(t->build_id, sizeof(t->build_id), "%s", bin_build_id(k->s->bin));
		return 0;
	}
	r->partial = true;
	if (report_missing(r, "go", "",
			   "executable unreadable, so no Go runtime can be searched for"))
		return -ENOMEM;
	return report_missing(r, "target.binary",
			      "an ELF file for 64-bit amd64 or arm64 that can be opened",
			      "the executable: %s", k->s->no_bin.text);
}

/* ---- Go */

static bool is_taken(const struct look *k, const struct session_go *s)
{
	for (size_t i = 0; i < k->ngo; i++)
		if (k->go[i].s == s)
			return true;
	return false;
}

const char *look_go_image(const struct look *k, const struct look_go *g)
{
	return g->s->lib ? g->s->lib : k->s->id.exe;
}

/* A runtime beside the main one has books of its own in the report. */
static int add_books(struct look *k, const struct look_go *g)
{
	const struct bin_go *b = bin_go(g->s->bin);
	struct report_runtime x = { .image = strdup(look_go_image(k, g)) };

	snprintf(x.go_version, sizeof(x.go_version), "%s", b->version);
	snprintf(x.module, sizeof(x.module), "%s", b->module);
	if (x.image && !vec_push(&k->r->runtimes, x))
		return 0;
	free(x.image);
	return -ENOMEM;
}

int look_take_runtimes(struct look *k)
{
	for (size_t i = 0; i < k->s->ngo; i++) {
		struct look_go *g = &k->go[k->ngo];

		if (!k->s->go[i].open || is_taken(k, &k->s->go[i]))
			continue;
		*g = (struct look_go){ .s = &k->s->go[i], .index = k->ngo };
		if (g->index)
			snprintf(g->path, sizeof(g->path), "runtimes[%zu]", g->index);
		else
			snprintf(g->path, sizeof(g->path), "go");
		if (g->index && add_books(k, g))
			return -ENOMEM;
		k->ngo++;
	}
	return 0;
}

static const char *image_of(const struct session_go *s)
{
	return s->lib ? s->lib : "the executable";
}

static int describe_go(struct look *k, const struct session_go *s)
{
	struct report_target *t = &k->r->target;
	const struct bin_go *g = bin_go(s->bin);

	t->is_go = true;
	t->cgo = k->s->cgo;
	snprintf(t->go_version, sizeof(t->go_version), "%s", g->version);
	snprintf(t->module, sizeof(t->module), "%s", g->module);
	if (!s->lib)
		return 0;
	free(t->go_file);
	t->go_file = strdup(s->lib);
	return t->go_file ? 0 : -ENOMEM;
}

/* Those beside the main one that could not be opened: their memory is not told apart. */
static int name_others(struct look *k, const struct session_go *used)
{
	for (size_t i = 0; i < k->s->ngo; i++) {
		const struct session_go *s = &k->s->go[i];
		int r;

		if (s == used || s->open || !s->why.code || bin_go(s->bin)->shared)
			continue;
		k->r->partial = true;
		r = report_missing(k->r, "go", "",
				   "another Go runtime, %s in %s: not decoded; shown as plain "
				   "mappings",
				   bin_go(s->bin)->version, image_of(s));
		if (r)
			return r;
	}
	return 0;
}

static int name_packed(struct look *k)
{
	if (!k->s->packed)
		return 0;
	k->r->partial = true;
	return report_missing(k->r, "go", "the unpacked program (upx -d)",
			      "the executable is packed: its program lies in anonymous memory; "
			      "rsscope does not search for a Go runtime there");
}

int look_runtimes(struct look *k)
{
	const struct session_go *s = k->ngo ? k->go[0].s : k->s->go;
	int r;

	if (!k->s->ngo)
		return name_packed(k);
	if (k->ngo) {
		r = describe_go(k, s);
		return r ? r : name_others(k, s);
	}
	k->r->partial = true;
	r = describe_go(k, s);
	return r ? r : report_missing(k->r, "go", "", "%s", s->why.text);
}
