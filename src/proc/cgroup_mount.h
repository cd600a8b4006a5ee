/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the hierarchy of memory cgroups is mounted, by mountinfo: of several mounts one that can be
 * reached. Source: fs/proc_namespace.c show_mountinfo(); proc(5).
 */
#ifndef RSSCOPE_PROC_CGROUP_MOUNT_H
#define RSSCOPE_PROC_CGROUP_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

struct cgroup_mount {
	char dir[1024];	  /* the cgroup's directory */
	size_t point_len; /* bytes of dir that are the mount point */
};

/* Whether the files of the cgroup can be read in `dir`. */
typedef bool cgroup_reach_fn(void *ctx, const char *dir);

/*
 * The directory of cgroup `path` in the latest mount of the hierarchy (version 1 or 2) that no
 * other mount hides. Where there are several, `reach` is asked for each, the latest first; the
 * latest is also the answer when none can be reached. Cuts `mountinfo` up.
 * 0; -ENOENT: no mount shows the path; -ENOTDIR: those that do are hidden by others; -ENOMEM.
 */
int cgroup_mount_find(char *mountinfo, int version, const char *path, cgroup_reach_fn *reach,
		      void *ctx, struct cgroup_mount *out);

#endif
