/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that a process maps. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "source/handle_impl.h"

#define BCACHEFS_SUPER_MAGIC 0xca451a4e /* not in the headers we build with */

/* File systems whose stat gives other device numbers than maps does: that of a layer, of a
 * subvolume.
 */
static bool has_two_devices(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC ||
		fs.f_type == BCACHEFS_SUPER_MAGIC);
}

static bool same_file(int fd, const struct stat *st, const struct vma *v)
{
	if (!v || !v->inode || st->st_ino != v->inode)
		return false;
	return (major(st->st_dev) == v->dev_major && minor(st->st_dev) == v->dev_minor) ||
	       has_two_devices(fd);
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

	if (f < 0 || !same_file(f, &st, v)) {
		close_fd(&f);
		if (*path != '/')
			return denied;
		f = open_by_path(h, path, &st);
	}
	if (f >= 0 && same_file(f, &st, v)) {
		*fd = f;
		return 0;
	}
	if (f < 0 && f != -ENOENT)
		return f;
	close_fd(&f);
	/* deleted or replaced: privilege would have got it */
	return denied == -EPERM ? denied : -ENOENT;
}
