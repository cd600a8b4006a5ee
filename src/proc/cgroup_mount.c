/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/cgroup_mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/vec.h"

enum {
	DEPTH_MAX = 64,	     /* mounts below mounts */
	CANDIDATES_MAX = 32, /* of the hierarchy, the latest ones */
};

struct mount {
	int id, parent;
	const char *root, *point; /* in the text */
	bool fits;		  /* is of the hierarchy */
};

typedef VEC(struct mount) mount_vec;

/* \040 and the like, as mountinfo writes blanks in paths. In place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* Is `word` one of the comma-separated words of s? */
static bool has_word(const char *s, const char *word)
{
	size_t k = strlen(word);

	for (; *s; s += strcspn(s, ",") + (s[strcspn(s, ",")] == ','))
		if (strcspn(s, ",") == k && !memcmp(s, word, k))
			return true;
	return false;
}

/* One line, cut up in place: false when it is none. */
static bool parse_mount(char *line, int version, struct mount *out)
{
	char *save, *word, *type, *root = NULL, *point = NULL, *tail = strstr(line, " - ");
	int i = 0;

	if (!tail)
		return false;
	*tail = 0;
	for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save), i++) {
		if (i == 0)
			out->id = atoi(word);
		if (i == 1)
			out->parent = atoi(word);
		if (i == 3)
			root = word;
		if (i == 4)
			point = word;
	}
	type = strtok_r(tail + 3, " ", &save);
	if (i < 5 || !type || *point != '/')
		return false;
	unescape(root);
	unescape(point);
	out->root = root;
	out->point = point;
	if (version == 2) {
		out->fits = !strcmp(type, "cgroup2");
		return true;
	}
	strtok_r(NULL, " ", &save);
	word = strtok_r(NULL, " ", &save);
	out->fits = !strcmp(type, "cgroup") && word && has_word(word, "memory");
	return true;
}

static int parse_mounts(char *text, int version, mount_vec *out)
{
	char *next;

	for (char *line = text; *line; line = next) {
		struct mount m = { 0 };

		next = strchrnul(line, '\n');
		if (*next)
			*next++ = 0;
		if (parse_mount(line, version, &m) && vec_push(out, m))
			return -ENOMEM;
	}
	return 0;
}

/* The part of path below root, or NULL when it does not lie there. "" for root itself. */
static const char *below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (!strcmp(root, "/"))
		n = 0;
	if (strncmp(path, root, n) || (path[n] && path[n] != '/'))
		return NULL;
	return strcmp(path + n, "/") ? path + n : "";
}

static const struct mount *by_id(const mount_vec *v, int id)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].id == id)
			return &v->v[i];
	return NULL;
}

/*
 * Whether the way to `dir` in mount m leads into another mount. It goes from the root through m's
 * parents; at each of these it is the next one on the way that must be met, and at m none at all.
 */
static bool is_hidden(const mount_vec *v, const struct mount *m, const char *dir)
{
	const char *target = dir;
	const struct mount *on_way = NULL;
	int depth = 0;

	for (const struct mount *at = m; at && depth < DEPTH_MAX; depth++) {
		for (size_t i = 0; i < v->n; i++) {
			const struct mount *c = &v->v[i];

			if (c->parent == at->id && c != at && c != on_way &&
			    below(target, c->point))
				return true;
		}
		target = at->point;
		on_way = at;
		at = at->parent == at->id ? NULL : by_id(v, at->parent);
	}
	return false;
}

static int choose(const mount_vec *v, const char *path, cgroup_reach_fn *reach, void *ctx,
		  struct cgroup_mount *out)
{
	struct cgroup_mount c[CANDIDATES_MAX];
	bool hidden = false;
	int n = 0;

	for (size_t i = v->n; i-- && n < CANDIDATES_MAX;) {
		const struct mount *m = &v->v[i];
		const char *rest = m->fits ? below(path, m->root) : NULL;

		if (!rest || snprintf(c[n].dir, sizeof(c[n].dir), "%s%s", m->point, rest) >=
				     (int)sizeof(c[n].dir))
			continue;
		c[n].point_len = strlen(m->point);
		if (is_hidden(v, m, c[n].dir))
			hidden = true;
		else
			n++;
	}
	if (!n)
		return hidden ? -ENOTDIR : -ENOENT;
	*out = c[0];
	for (int i = 0; i < n && n > 1; i++)
		if (reach(ctx, c[i].dir)) {
			*out = c[i];
			break;
		}
	return 0;
}

int cgroup_mount_find(char *mountinfo, int version, const char *path, cgroup_reach_fn *reach,
		      void *ctx, struct cgroup_mount *out)
{
	mount_vec v = { 0 };
	int rc = parse_mounts(mountinfo, version, &v);

	if (!rc)
		rc = choose(&v, path, reach, ctx, out);
	vec_free(&v);
	return rc;
}
