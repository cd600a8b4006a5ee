/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that a process maps. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "source/handle_impl.h"

/* By inode, then device: overlayfs and btrfs show other device numbers in maps than in stat. */
static bool same_file(const struct stat *st, const struct vma *v)
{
	return v && v->inode && st->st_ino == v->inode;
}

/* The file at its path as the target sees the tree: its root, its mount namespace. */
static int open_by_path(struct handle *h, const char *path, struct stat *st)
{
	_close_ int root = openat(h->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	/* RESOLVE_IN_ROOT: an absolute symlink in there must not lead into our own tree */
	return file_open_regular(root, path + strspn(path, "/"), RESOLVE_IN_ROOT, st);
}

int handle_file_exact(struct handle *h, const char *path, uint64_t start, uint64_t end, int *fd)
{
	char name[64];
	struct stat st;
	int f;

	if (!strcmp(path, "exe"))
		snprintf(name, sizeof(name), "exe");
	else /* takes the exact bounds, too */
		snprintf(name, sizeof(name), "map_files/%lx-%lx", (unsigned long)start,
			 (unsigned long)end);
	f = file_open_regular(h->proc_fd, name, 0, &st);
	if (f < 0)
		return f;
	*fd = f;
	return 0;
}

int handle_file_named(struct handle *h, const char *path, const struct vma *v, int denied, int *fd)
{
	struct stat st;
	int f = file_open_regular(h->proc_fd, "exe", 0, &st);

	if (f < 0 || !same_file(&st, v)) {
		close_fd(&f);
		if (*path != '/')
			return denied;
		f = open_by_path(h, path, &st);
	}
	if (f >= 0 && same_file(&st, v)) {
		*fd = f;
		return 0;
	}
	if (f < 0 && f != -ENOENT)
		return f;
	close_fd(&f);
	/* deleted or replaced: privilege would have got it */
	return denied == -EPERM ? denied : -ENOENT;
}
