/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "base/cleanup.h"
#include "memsrc_fake.h"
#include "proc/cgroup.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char v2_mount[] =
	"24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"31 24 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static const char hybrid_mounts[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static const struct cgroup_row *row(const struct cgroup *c, const char *name)
{
	for (size_t i = 0; i < c->rows.n; i++)
		if (!strcmp(c->rows.v[i].name, name))
			return &c->rows.v[i];
	return NULL;
}

static struct cgroup read_or_die(const struct fake_text *texts)
{
	struct memsrc_fake f = memsrc_fake(texts);
	struct cgroup c = { 0 };
	struct err e = { 0 };

	if (cgroup_read(memsrc_texts(&f.m), &c, &e)) {
		fprintf(stderr, "%s\n", e.text);
		REQUIRE(false);
	}
	return c;
}

TEST(cgroup_v2_service)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/system.slice/docker-" ID ".scope\n" },
		{ "host/mountinfo", v2_mount },
#define DIR "cgroup/sys/fs/cgroup/system.slice/docker-" ID ".scope"
		{ DIR "/memory.current", "5000000\n" },
		{ DIR "/memory.max", "9000000\n" },
		{ DIR "/memory.swap.max", "max\n" },
		{ "cgroup/sys/fs/cgroup/system.slice/memory.max", "8000000\n" },
		{ DIR "/memory.stat", "anon 1000\nfile 2000\nkernel 300\nkernel_stack 16\n"
				      "pagetables 40\nsock 5\nshmem 7\nslab_reclaimable 11\n"
				      "slab_unreclaimable 12\nslab 23\nworkingset_refault_anon 9\n"
				      "pgfault 77\nanon_thp 0\n" },
#undef DIR
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_INT(c.version, 2);
	CHECK_STR(c.path, "/system.slice/docker-" ID ".scope");
	CHECK_STR(c.dir, "/sys/fs/cgroup/system.slice/docker-" ID ".scope");
	CHECK_STR(c.container_id, ID);
	CHECK(c.has_usage && c.usage == 5000000);
	CHECK(c.has_limit && c.limit == 9000000);
	CHECK(c.has_effective_limit && c.effective_limit == 8000000);
	CHECK(!c.has_swap_limit);
	CHECK_STR(c.missing, ""); /* the root has no memory.max: we see all there is */
	CHECK_INT(row(&c, "anon")->bytes, 1000);
	CHECK_INT(row(&c, "anon")->reclaimable, RECLAIM_NO);
	CHECK_INT(row(&c, "file")->bytes, 2000);
	CHECK_INT(row(&c, "file")->reclaimable, RECLAIM_PART);
	CHECK_INT(row(&c, "slab_reclaimable")->reclaimable, RECLAIM_YES);
	CHECK_INT(row(&c, "slab_unreclaimable")->reclaimable, RECLAIM_NO);
	CHECK_INT(row(&c, "kernel_stack")->bytes, 16);
	CHECK_INT(row(&c, "anon_thp")->bytes, 0); /* known to be 0 */
	CHECK(!row(&c, "percpu"));		  /* not known */
	CHECK(!row(&c, "pgfault"));		  /* not bytes */
	cgroup_free(&c);
}

TEST(cgroup_v2_namespace)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/\n" },
		{ "host/mountinfo", v2_mount },
		{ "cgroup/sys/fs/cgroup/memory.current", "100\n" },
		{ "cgroup/sys/fs/cgroup/memory.max", "max\n" },
		{ "cgroup/sys/fs/cgroup/memory.swap.max", "0\n" },
		{ "cgroup/sys/fs/cgroup/memory.stat", "anon 1\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_INT(c.version, 2);
	CHECK_STR(c.dir, "/sys/fs/cgroup");
	CHECK(!c.has_limit && !c.has_effective_limit);
	CHECK(c.has_swap_limit && c.swap_limit == 0);
	CHECK(strstr(c.no_limit, "above our namespace"));
	CHECK_STR(c.missing, "");
	CHECK_STR(c.container_id, "");
	cgroup_free(&c);
}

/* Memory is charged to the nearest ancestor where the controller is on. */
TEST(cgroup_v2_not_delegated)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/user.slice/app/leaf\n" },
		{ "host/mountinfo", v2_mount },
		{ "cgroup/sys/fs/cgroup/user.slice/memory.current", "7\n" },
		{ "cgroup/sys/fs/cgroup/user.slice/memory.max", "1000\n" },
		{ "cgroup/sys/fs/cgroup/user.slice/memory.stat", "anon 3\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_STR(c.path, "/user.slice/app/leaf");
	CHECK_STR(c.dir, "/sys/fs/cgroup/user.slice");
	CHECK(c.has_usage && c.usage == 7);
	CHECK(c.has_limit && c.limit == 1000);
	cgroup_free(&c);
}

TEST(cgroup_v2_root)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/\n" },
		{ "host/mountinfo", v2_mount },
		{ "cgroup/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n" },
		{ "cgroup/sys/fs/cgroup/memory.stat", "anon 3\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_INT(c.version, 2);
	CHECK(!c.has_usage && strstr(c.missing, "memory.current"));
	CHECK(!c.has_limit && !c.has_effective_limit);
	CHECK(row(&c, "anon"));
	cgroup_free(&c);
}

TEST(cgroup_v2_without_memory)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/x\n" },
		{ "host/mountinfo", v2_mount },
		{ "cgroup/sys/fs/cgroup/cgroup.controllers", "cpuset cpu memoryx pids\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_INT(c.version, 0);
	CHECK(strstr(c.missing, "no memory controller"));
	CHECK_STR(c.path, "/x");
	cgroup_free(&c);
}

TEST(cgroup_v1_hybrid)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "5:devices:/\n4:blkio,memory:/a/b\n2:cpuacct:/\n0::/z\n" },
		{ "host/mountinfo", hybrid_mounts },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "4096000\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
		  "9223372036854771712\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.stat",
		  "cache 100\nrss 200\nmapped_file 10\nhierarchical_memory_limit 7000000\n"
		  "total_cache 110\ntotal_rss 220\ntotal_pgfault 5\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.kmem.usage_in_bytes", "333\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.kmem.tcp.usage_in_bytes", "0\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_INT(c.version, 1);
	CHECK_STR(c.path, "/a/b");
	CHECK_STR(c.dir, "/sys/fs/cgroup/memory/a/b");
	CHECK(c.has_usage && c.usage == 4096000);
	CHECK(!c.has_limit); /* no limit is absent */
	/* the kernel's own word, though an ancestor has less (use_hierarchy = 0) */
	CHECK(c.has_effective_limit && c.effective_limit == 7000000);
	CHECK_INT(row(&c, "cache")->bytes, 110);
	CHECK_INT(row(&c, "rss")->bytes, 220);
	CHECK_INT(row(&c, "mapped_file")->bytes, 10);
	CHECK_INT(row(&c, "kmem")->bytes, 333);
	CHECK_INT(row(&c, "kmem.tcp")->bytes, 0);
	CHECK_STR(c.missing, ""); /* the rows that v1 lacks are named by the report */
	cgroup_free(&c);
}

TEST(cgroup_limit_that_may_not_be_read)
{
	static const struct fake_text v2[] = {
		{ "proc/cgroup", "0::/a\n" },
		{ "host/mountinfo", v2_mount },
		{ "cgroup/sys/fs/cgroup/a/memory.current", "7\n" },
		{ "cgroup/sys/fs/cgroup/a/memory.max", NULL },
		{ "cgroup/sys/fs/cgroup/a/memory.stat", "anon 3\n" },
		{},
	};
	static const struct fake_text v1[] = {
		{ "proc/cgroup", "4:memory:/a\n" },
		{ "host/mountinfo", hybrid_mounts },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "7\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.limit_in_bytes", NULL },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.stat", "cache 1\n" },
		{},
	};
	struct cgroup c = read_or_die(v2);

	CHECK(!c.has_limit && strstr(c.no_limit, "memory.max"));
	CHECK_STR(c.missing, "");
	cgroup_free(&c);
	c = read_or_die(v1);
	CHECK(!c.has_limit && strstr(c.no_limit, "memory.limit_in_bytes"));
	cgroup_free(&c);
}

TEST(cgroup_v1_limits)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/a/b\n" },
		{ "host/mountinfo", hybrid_mounts },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "5000\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.memsw.limit_in_bytes", "7000\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4000\n" },
		{ "cgroup/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854710272\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/b/memory.stat", "cache 1\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK(c.has_limit && c.limit == 5000);
	CHECK(c.has_swap_limit && c.swap_limit == 2000);
	CHECK(c.has_effective_limit && c.effective_limit == 4000);
	CHECK(!c.has_usage && strstr(c.missing, "memory.usage_in_bytes"));
	cgroup_free(&c);
}

/* Docker without a cgroup namespace: the mount shows a part of the tree, at a path with a blank. */
TEST(cgroup_mount_of_a_subtree)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/docker/" ID "/sub\n" },
		{ "host/mountinfo",
		  "9 8 0:32 /dock /other rw - cgroup cgroup rw,memory\n"
		  "9 8 0:32 /docker/" ID " /sys/fs/my\\040cg rw - cgroup cgroup rw,memory\n" },
		{ "cgroup/sys/fs/my cg/sub/memory.usage_in_bytes", "12\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_STR(c.dir, "/sys/fs/my cg/sub");
	CHECK(c.has_usage && c.usage == 12);
	CHECK_STR(c.container_id, ID);
	cgroup_free(&c);
}

TEST(cgroup_out_of_view)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/../../other\n" },
		{ "host/mountinfo", v2_mount },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK_INT(c.version, 0);
	CHECK_STR(c.path, "/");
	CHECK(strstr(c.missing, "outside"));
	cgroup_free(&c);
}

TEST(cgroup_absent)
{
	static const struct fake_text none[] = { {} };
	static const struct fake_text denied[] = { { "proc/cgroup", NULL }, {} };
	static const struct fake_text unmounted[] = { { "proc/cgroup", "4:memory:/a\n" },
						      { "host/mountinfo", v2_mount },
						      {} };
	static const struct fake_text junk[] = { { "proc/cgroup", "::\n:\n\n0:\nx:memory\n" },
						 { "host/mountinfo", " - \n - cgroup\na b c d e" },
						 {} };
	struct memsrc_fake f = memsrc_fake(denied);
	struct cgroup c = read_or_die(none);
	struct err e = { 0 };

	CHECK_INT(c.version, 0);
	CHECK(c.missing[0]);
	cgroup_free(&c);
	c = read_or_die(unmounted);
	CHECK_INT(c.version, 0);
	CHECK(strstr(c.missing, "not mounted"));
	cgroup_free(&c);
	c = read_or_die(junk);
	CHECK_INT(c.version, 0);
	cgroup_free(&c);
	CHECK_INT(cgroup_read(memsrc_texts(&f.m), &c, &e), -EACCES);
	CHECK(e.text[0]);
}

TEST(cgroup_container_ids)
{
	static const struct {
		const char *line, *id;
	} t[] = {
		{ "0::/kubepods/pod1/cri-containerd-" ID ".scope\n", ID },
		{ "0::/libpod-" ID "/container\n", ID },
		{ "0::/x/" ID "0\n", "" }, /* 65 digits */
		{ "0::/x/0123456789\n", "" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct fake_text texts[] = { { "proc/cgroup", t[i].line }, {} };
		struct cgroup c = read_or_die(texts);

		CHECK_STR(c.container_id, t[i].id);
		cgroup_free(&c);
	}
}

/* ---- mounts that others hide */

#define V1_MEMORY " - cgroup cgroup rw,memory\n"

static void expect_dir(const struct fake_text *texts, const char *dir, const char *missing)
{
	struct cgroup c = read_or_die(texts);

	CHECK_STR(c.dir, dir);
	CHECK(!missing || strstr(c.missing, missing));
	CHECK_INT(c.has_usage, dir[0] != 0);
	if (dir[0])
		CHECK_INT(c.usage, 5);
	cgroup_free(&c);
}

/* A second mount of the hierarchy, and a tmpfs on top of it. */
TEST(cgroup_mount_hidden_by_another)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/a\n" },
		{ "host/mountinfo",
		  "20 1 0:20 / / rw - ext4 /dev/vda rw\n"
		  "35 20 0:32 / /sys/fs/cgroup/memory rw" V1_MEMORY
		  "50 20 0:32 / /mnt/b rw" V1_MEMORY "51 50 0:60 / /mnt/b rw - tmpfs tmpfs rw\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "5\n" },
		{ "cgroup/mnt/b/a/memory.usage_in_bytes", "6\n" }, /* another cgroup's */
		{},
	};

	expect_dir(texts, "/sys/fs/cgroup/memory/a", NULL);
}

/* A tmpfs on a folder above it hides it, too; one that lies under the way does not. */
TEST(cgroup_mount_hidden_from_above)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/a\n" },
		{ "host/mountinfo",
		  "20 1 0:20 / / rw - ext4 /dev/vda rw\n"
		  "21 20 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
		  "22 20 0:22 / /sys rw - sysfs sysfs rw\n"
		  "23 22 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
		  "35 23 0:32 / /sys/fs/cgroup/memory rw" V1_MEMORY
		  "50 20 0:32 / /mnt/x/b rw" V1_MEMORY "51 20 0:60 / /mnt rw - tmpfs tmpfs rw\n" },
		{ "cgroup/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "5\n" },
		{},
	};

	expect_dir(texts, "/sys/fs/cgroup/memory/a", NULL);
}

/* The cgroup's own folder is covered in the one mount; of what is left the latest is taken in
 * which its files can be read. */
TEST(cgroup_mount_that_can_be_reached)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/a/b\n" },
		{ "host/mountinfo",
		  "35 20 0:32 / /one rw" V1_MEMORY "36 20 0:32 / /two rw" V1_MEMORY
		  "37 36 0:33 / /two/a rw - tmpfs tmpfs rw\n"
		  "38 20 0:32 / /three rw" V1_MEMORY },
		{ "cgroup/one/a/b/memory.usage_in_bytes", "5\n" },
		{ "cgroup/two/a/b/memory.usage_in_bytes", "6\n" },
		{ "cgroup/three/a/b/memory.usage_in_bytes", NULL },
		{},
	};

	expect_dir(texts, "/one/a/b", NULL);
}

TEST(cgroup_mount_hidden_altogether)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/a\n" },
		{ "host/mountinfo",
		  "35 20 0:32 / /one rw" V1_MEMORY "36 35 0:33 / /one rw - tmpfs tmpfs rw\n" },
		{},
	};
	/* a loop of parents, and a mount that is its own parent, end */
	static const struct fake_text loop[] = {
		{ "proc/cgroup", "4:memory:/a\n" },
		{ "host/mountinfo",
		  "35 36 0:32 / /x/one rw" V1_MEMORY "36 35 0:33 / /x/one/y rw - tmpfs tmpfs rw\n"
		  "38 38 0:33 / / rw - tmpfs tmpfs rw\n" },
		{ "cgroup/x/one/a/memory.usage_in_bytes", "5\n" },
		{},
	};

	expect_dir(texts, "", "another mount hides");
	expect_dir(loop, "/x/one/a", NULL);
}

/* ---- memory.high, working set */

TEST(cgroup_v2_high_and_working_set)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "0::/a/b\n" },
		{ "host/mountinfo", v2_mount },
		{ "cgroup/sys/fs/cgroup/a/b/memory.current", "5000000\n" },
		{ "cgroup/sys/fs/cgroup/a/b/memory.max", "max\n" },
		{ "cgroup/sys/fs/cgroup/a/b/memory.high", "max\n" },
		{ "cgroup/sys/fs/cgroup/a/memory.high", "6000000\n" },
		{ "cgroup/sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 1500000\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK(c.has_high && c.high == 6000000);
	CHECK(!c.has_limit && !c.has_effective_limit);
	CHECK(c.has_working_set && c.working_set == 3500000);
	cgroup_free(&c);
}

TEST(cgroup_working_set_v1_counts_descendants_and_stops_at_zero)
{
	static const struct fake_text texts[] = {
		{ "proc/cgroup", "4:memory:/a\n" },
		{ "host/mountinfo", "35 20 0:32 / /one rw" V1_MEMORY },
		{ "cgroup/one/a/memory.usage_in_bytes", "5000\n" },
		{ "cgroup/one/a/memory.stat", "inactive_file 1\ntotal_inactive_file 7000\n" },
		{},
	};
	struct cgroup c = read_or_die(texts);

	CHECK(c.has_working_set && c.working_set == 0);
	CHECK(!c.has_high);
	cgroup_free(&c);
}
