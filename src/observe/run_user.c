/* SPDX-License-Identifier: BSD-2-Clause */
/* The user of --user. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "observe/run_impl.h"

#ifdef RSSCOPE_STATIC
/* A static program can't load what /etc/nsswitch.conf names: the files only. */
static int find_passwd(const char *name, struct passwd *pw, char *buf, size_t n)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p;
	int r = f ? -ENOENT : -errno;

	while (f && r == -ENOENT && !fgetpwent_r(f, pw, buf, n, &p))
		if (!strcmp(pw->pw_name, name))
			r = 0;
	if (f)
		fclose(f);
	return r;
}

static int add_group(struct run_user *u, gid_t gid)
{
	gid_t *v = realloc(u->groups, (u->ngroups + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	u->groups = v;
	v[u->ngroups++] = gid;
	return 0;
}

static int find_groups(struct run_user *u)
{
	FILE *f = fopen("/etc/group", "re");
	char buf[65536];
	struct group g, *p;
	int r = add_group(u, u->gid);

	while (f && !r && !fgetgrent_r(f, &g, buf, sizeof(buf), &p))
		for (char **m = g.gr_mem; *m && !r; m++)
			if (!strcmp(*m, u->name) && g.gr_gid != u->gid)
				r = add_group(u, g.gr_gid);
	if (f)
		fclose(f);
	return r;
}
#else
static int find_passwd(const char *name, struct passwd *pw, char *buf, size_t n)
{
	struct passwd *p;
	int r = getpwnam_r(name, pw, buf, n, &p);

	return r ? -r : p ? 0 : -ENOENT;
}

static int find_groups(struct run_user *u)
{
	int n = 0;

	getgrouplist(u->name, u->gid, NULL, &n);
	u->groups = calloc(n + 1, sizeof(*u->groups));
	if (!u->groups)
		return -ENOMEM;
	u->ngroups = n;
	return getgrouplist(u->name, u->gid, u->groups, &u->ngroups) < 0 ? -EAGAIN : 0;
}
#endif

/* "1000" or "1000:100". */
static bool parse_ids(const char *spec, struct run_user *u)
{
	const char *colon = strchr(spec, ':');
	char first[32];
	uint64_t uid, gid;

	snprintf(first, sizeof(first), "%.*s", colon ? (int)(colon - spec) : (int)strlen(spec),
		 spec);
	if (!text_parse_u64(first, &uid) || uid >= UINT32_MAX)
		return false;
	gid = uid;
	if (colon && (!text_parse_u64(colon + 1, &gid) || gid >= UINT32_MAX))
		return false;
	u->uid = uid;
	u->gid = gid;
	return true;
}

int run_user_find(const char *spec, struct run_user *out, struct err *e)
{
	struct run_user u = { 0 };
	struct passwd pw;
	char buf[16384];
	int r;

	if (parse_ids(spec, &u)) {
		*out = u;
		return 0;
	}
	r = find_passwd(spec, &pw, buf, sizeof(buf));
	if (r == -ENOENT)
		return err_set(e, r, "no user '%s'; --user takes a name, UID or UID:GID", spec);
	if (r)
		return err_set(e, r, "looking up user '%s': %s", spec, strerror(-r));
	u.uid = pw.pw_uid;
	u.gid = pw.pw_gid;
	snprintf(u.name, sizeof(u.name), "%s", pw.pw_name);
	snprintf(u.home, sizeof(u.home), "%s", pw.pw_dir);
	r = find_groups(&u);
	if (r) {
		run_user_free(&u);
		return err_set(e, r, "the groups of user '%s': %s", spec, strerror(-r));
	}
	*out = u;
	return 0;
}

void run_user_free(struct run_user *u)
{
	free(u->groups);
	u->groups = NULL;
}
