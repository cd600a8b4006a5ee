/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fleet SECONDS TICK_MS LEDGER_MS PID…
 *
 * Keeps these processes open for that long, reads their counters and takes their ledgers, and says
 * what it cost, as a line of JSON: CPU of ours after all are open, RSS after opening, after the
 * first round of ledgers, at the end and at most; descriptors of a member at most; what was not as
 * it should be. Lets go of all of them before it says so. "ready" on standard error when all are
 * open.
 */
#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../self.h"
#include "base/clock.h"
#include "collect/collect.h"
#include "session/fleet.h"

struct usage {
	uint64_t rss, anon; /* bytes */
};

struct run {
	struct fleet *f;
	struct loop loop;
	struct loop_timer each_second, stop;
	bool over;
	uint64_t ledger_ns, from_ns;
	unsigned long unbalanced, empty, without_go, go_ticks;
	struct usage open, first, max;
	bool has_first;
	size_t fds_before, fds_member; /* of a member at most, the shelf's left out */
	uint64_t looking_ns;	       /* CPU of looking at ourselves, which is not the fleet's */
};

static struct usage own_usage(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	struct usage u = { 0 };
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "VmRSS: %" SCNu64, &u.rss);
		sscanf(line, "RssAnon: %" SCNu64, &u.anon);
	}
	if (f)
		fclose(f);
	return (struct usage){ u.rss << 10, u.anon << 10 };
}

static uint64_t own_cpu(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- what the fleet calls */

static void on_tick(void *ctx, struct fleet_member *m, const struct session_counters *c)
{
	struct run *r = ctx;
	bool go = false;

	for (size_t i = 0; i < GO_FILES_MAX; i++)
		go |= c->go[i].v.n > 0;
	r->empty += !c->has_rss || !c->rss;
	r->go_ticks += go;
	r->without_go += !go && session_main_go(&m->s);
}

static int on_ledger(void *ctx, struct fleet_member *m)
{
	const struct collect_opts o = { 0 };
	struct run *r = ctx;
	struct report report;
	struct err e = { 0 };
	uint64_t sum = 0;
	int rc = collect_report(&m->s, &o, &report, &e);

	for (size_t i = 0; i < CAT_COUNT; i++)
		sum += report.ledger.cat[i].resident;
	if (!rc && (sum != report.rss.scanned || !sum))
		r->unbalanced++;
	if (rc && rc != -ESRCH)
		fprintf(stderr, "%s\n", e.text);
	report_free(&report);
	return rc;
}

static void on_change(void *ctx, struct fleet_member *m, enum fleet_change what,
		      const struct err *why)
{
	(void)ctx;
	fprintf(stderr, "%d %s%s%s\n", (int)m->pid,
		what == FLEET_EXECED  ? "runs another program"
		: what == FLEET_ENDED ? "has ended"
				      : "is lost",
		why ? ": " : "", why ? why->text : "");
}

static int on_second(void *ctx, uint64_t now)
{
	struct run *r = ctx;
	uint64_t cpu = own_cpu();
	struct usage u = own_usage();
	struct fleet_stats s;

	fleet_stats(r->f, &s);
	if (s.members) {
		size_t each =
			(self_fds() - r->fds_before - s.shelf.open + s.members - 1) / s.members;

		r->fds_member = each > r->fds_member ? each : r->fds_member;
	}
	r->max.rss = u.rss > r->max.rss ? u.rss : r->max.rss;
	r->max.anon = u.anon > r->max.anon ? u.anon : r->max.anon;
	/* each had a ledger, and the one whose turn comes first a second */
	if (!r->has_first && now > r->from_ns + r->ledger_ns + r->ledger_ns / 8) {
		r->first = u;
		r->has_first = true;
	}
	r->each_second.at_ns = now + 1000000000;
	r->looking_ns += own_cpu() - cpu;
	return 0;
}

static int on_stop(void *ctx, uint64_t now)
{
	struct run *r = ctx;

	(void)now;
	r->over = true;
	return 0;
}

/* ---- */

static void print(const struct run *r, const struct fleet_stats *s, uint64_t cpu, uint64_t opening,
		  uint64_t wall, const struct usage *end)
{
	printf("{\"members\":%zu,\"seconds\":%.1f,\"ticks\":%" PRIu64
	       ",\"go_ticks\":%lu,\"ledgers\":%" PRIu64,
	       s->members, wall / 1e9, s->ticks, r->go_ticks, s->ledgers);
	printf(",\"cpu_percent\":%.3f,\"opening_cpu_ms\":%.1f", 100.0 * cpu / wall, opening / 1e6);
	printf(",\"rss\":{\"open\":%" PRIu64 ",\"first\":%" PRIu64 ",\"end\":%" PRIu64
	       ",\"max\":%" PRIu64 "}",
	       r->open.rss, r->first.rss, end->rss, r->max.rss);
	printf(",\"anon\":{\"open\":%" PRIu64 ",\"first\":%" PRIu64 ",\"end\":%" PRIu64
	       ",\"max\":%" PRIu64 "}",
	       r->open.anon, r->first.anon, end->anon, r->max.anon);
	printf(",\"images\":%zu,\"shared\":%" PRIu64
	       ",\"fds\":{\"member\":%zu,\"shelf\":%zu,\"left\":%ld}",
	       s->shelf.images, s->shelf.shared, r->fds_member, s->shelf.open,
	       (long)self_fds() - (long)r->fds_before);
	printf(",\"ended\":%" PRIu64 ",\"execed\":%" PRIu64 ",\"lost\":%" PRIu64, s->ended,
	       s->execed, s->lost);
	printf(",\"skipped\":{\"ticks\":%" PRIu64 ",\"ledgers\":%" PRIu64 "}", s->ticks_skipped,
	       s->ledgers_skipped);
	printf(",\"errors\":{\"ticks\":%" PRIu64 ",\"ledgers\":%" PRIu64
	       ",\"unbalanced\":%lu,\"empty\":%lu,\"without_go\":%lu",
	       s->ticks_failed, s->ledgers_failed, r->unbalanced, r->empty, r->without_go);
	for (int i = 0; i < FLEET_WHY_COUNT; i++)
		printf(",\"%s\":%" PRIu64, fleet_why_name(i), s->refused[i]);
	printf("}}\n");
}

static void add_all(struct run *r, char **pids, int n)
{
	for (int i = 0; i < n; i++) {
		struct err e = { 0 };

		if (fleet_add(r->f, atoi(pids[i]), NULL, &e))
			fprintf(stderr, "%s\n", e.text);
	}
}

static void run_for(struct run *r, uint64_t ns)
{
	r->each_second = (struct loop_timer){ .at_ns = 1, .fn = on_second, .ctx = r };
	r->stop = (struct loop_timer){ .at_ns = mono_ns() + ns, .fn = on_stop, .ctx = r };
	if (loop_add_timer(&r->loop, &r->each_second) || loop_add_timer(&r->loop, &r->stop))
		exit(1);
	while (!r->over && !loop_turn(&r->loop))
		;
}

static void remove_all(struct run *r)
{
	struct fleet_member *m;
	size_t at = 0;

	while ((m = fleet_next(r->f, &at)))
		fleet_remove(r->f, m->pid);
}

int main(int argc, char **argv)
{
	static struct run r;
	struct fleet_opts o = {
		.ops = { .tick = on_tick, .ledger = on_ledger, .changed = on_change, .ctx = &r }
	};
	struct fleet_stats s;
	struct usage end;
	uint64_t cpu, opening, wall;

	if (argc < 5)
		return 2;
	o.tick_ns = atoll(argv[2]) * 1000000;
	o.ledger_ns = r.ledger_ns = atoll(argv[3]) * 1000000;
	/* what a ledger needed goes back to the kernel, as in a program that runs for weeks */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 2 << 20);
	r.fds_before = self_fds();
	opening = own_cpu();
	if (fleet_create(&o, &r.loop, &r.f))
		return 1;
	r.fds_before++; /* the fleet's own */
	add_all(&r, argv + 4, argc - 4);
	fprintf(stderr, "ready\n");
	r.open = own_usage();
	r.from_ns = wall = mono_ns();
	cpu = own_cpu();
	opening = cpu - opening;
	run_for(&r, atoll(argv[1]) * 1000000000);
	cpu = own_cpu() - cpu - r.looking_ns;
	wall = mono_ns() - wall;
	end = own_usage();
	fleet_stats(r.f, &s);
	remove_all(&r);
	print(&r, &s, cpu, opening, wall, &end);
	fleet_destroy(r.f);
	loop_close(&r.loop);
	return 0;
}
