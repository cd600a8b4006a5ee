/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "session/cache_store.h"
#include "version.h"

enum {
	ENTRIES_MAX = 256, /* in the directory */
	STALE_S = 60,	   /* a writer that has left its file behind */
};

static const char tmp_prefix[] = ".new-";

/* ---- the directory */

static void refuse(const char *what, const char *why)
{
	log_warn("the cache in %s is not used: %s; remove it, or use --no-cache", what, why);
}

/* The directory that ours lies in, opened; nobody else may rename what is in it. */
static int open_parent(char *name, size_t size)
{
	bool root = !geteuid();
	const char *path = root ? "/run" : secure_getenv("XDG_RUNTIME_DIR");
	_close_ int fd = -1;
	struct stat st;
	int ret;

	if (!path || *path != '/')
		return -ENOENT;
	snprintf(name, size, "%s/rsscope", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)) {
		refuse(name, "others can write to the directory above it");
		return -EPERM;
	}
	ret = fd;
	fd = -1;
	return ret;
}

static int open_dir(bool make)
{
	char name[4096];
	_close_ int parent = open_parent(name, sizeof(name)), fd = -1;
	struct stat st;
	int ret;

	if (parent < 0)
		return parent;
	if (make && mkdirat(parent, "rsscope", 0700) && errno != EEXIST)
		return -errno;
	fd = openat(parent, "rsscope", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		refuse(name, "it is a symbolic link, or no directory");
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 07777) != 0700) {
		refuse(name, st.st_uid != geteuid() ? "it belongs to somebody else"
						    : "its mode is not 0700");
		return -EPERM;
	}
	ret = fd;
	fd = -1;
	return ret;
}

/* Opened when first needed; what is refused once stays so. */
static int cache_dir(struct cache_store *c, bool make)
{
	if (c->dir >= 0 || c->refused)
		return c->dir;
	c->dir = open_dir(make);
	if (c->dir < 0 && (make || c->dir != -ENOENT)) {
		log_debug("no cache on disk: %s", strerror(-c->dir));
		c->refused = true;
	}
	return c->dir;
}

/* ---- entries */

static int cache_get(void *ctx, const char *name, struct text *out)
{
	int dir = cache_dir(ctx, false);
	char buf[GO_CACHE_ENTRY_MAX + 1];
	_close_ int fd = -1;
	struct stat st;
	ssize_t n;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	n = read(fd, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return n > GO_CACHE_ENTRY_MAX ? -EFBIG : text_add(out, buf, n);
}

static bool is_entry(const char *name)
{
	return strlen(name) == GO_CACHE_NAME && strspn(name, "0123456789abcdef") == GO_CACHE_NAME;
}

/* Makes room for one more: the oldest go, and what a writer that was killed has left. Other files
 * are not ours. */
static void make_room(int dir)
{
	_close_ int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	uint64_t now = clock_ns(CLOCK_REALTIME);
	unsigned int n = 0;

	if (!d)
		return;
	again = -1; /* d has it */
	do {
		char oldest[GO_CACHE_NAME + 1] = "";
		uint64_t first = 0;
		struct dirent *e;

		n = 0;
		rewinddir(d);
		while ((e = readdir(d))) {
			bool tmp = !strncmp(e->d_name, tmp_prefix, sizeof(tmp_prefix) - 1);
			struct stat st;
			uint64_t made;

			if ((!tmp && !is_entry(e->d_name)) ||
			    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
				continue;
			made = timespec_ns(&st.st_mtim);
			if (tmp && made + STALE_S * 1000000000ULL < now)
				unlinkat(dir, e->d_name, 0);
			if (tmp)
				continue;
			n++;
			if (oldest[0] && made >= first)
				continue;
			first = made;
			memcpy(oldest, e->d_name, sizeof(oldest));
		}
		if (n < ENTRIES_MAX || unlinkat(dir, oldest, 0))
			break;
	} while (n > ENTRIES_MAX);
	closedir(d);
}

static void cache_put(void *ctx, const char *name, const void *p, size_t n)
{
	struct cache_store *c = ctx;
	int dir = cache_dir(c, true), r;
	char tmp[64];
	_close_ int fd = -1;

	if (dir < 0)
		return;
	make_room(dir);
	snprintf(tmp, sizeof(tmp), "%s%d-%u", tmp_prefix, (int)getpid(), c->written++);
	unlinkat(dir, tmp, 0); /* of one that had our number */
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : file_write_all(fd, p, n);
	if (!r && renameat(dir, tmp, dir, name))
		r = -errno;
	if (!r)
		return;
	log_debug("the cache takes no entry: %s", strerror(-r));
	if (fd >= 0)
		unlinkat(dir, tmp, 0);
}

/* ---- */

/* What tells this program from another build of it: the version may not. */
static void describe_maker(struct cache_store *c)
{
	struct stat st = { 0 };

	if (stat("/proc/self/exe", &st))
		st.st_size = 0;
	snprintf(c->maker, sizeof(c->maker), "%s %s %" PRIu64 " %" PRIu64 ".%09" PRIu64,
		 RSSCOPE_VERSION, RSSCOPE_GITREV, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
		 (uint64_t)st.st_mtim.tv_nsec);
}

void cache_store_open(struct cache_store *c)
{
	*c = (struct cache_store){ .dir = -1 };
	describe_maker(c);
	c->store = (struct go_cache_store){ .ctx = c, .get = cache_get, .put = cache_put };
	c->go = go_cache_create(&c->store, c->maker);
}

void cache_store_close(struct cache_store *c)
{
	if (!c->go)
		return;
	go_cache_destroy(c->go);
	c->go = NULL;
	close_fd(&c->dir);
}
