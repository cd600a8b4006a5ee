/* SPDX-License-Identifier: BSD-2-Clause */
/* Many processes kept open: children of ours, which come, go and call exec, by a clock of ours. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../self.h"
#include "base/clock.h"
#include "session/fleet_impl.h"
#include "source/opener.h"
#include "test.h"

enum { CHILDREN = 40 };
#define SECOND 1000000000ULL

struct child {
	pid_t pid;
	int go;	    /* a byte: call exec */
	int execed; /* at its end afterwards */
};

struct world {
	struct loop loop;
	struct fleet *f;
	struct child child[CHILDREN];
	size_t n;
	unsigned int ticks, ledgers, execed, ended, lost; /* calls */
	bool no_rss;
	int32_t last; /* whose the last call was */
	int32_t deny; /* open gives -EACCES for this one */
	int32_t fail; /* its ledger gives -EIO */
	int32_t drop; /* removed by its own tick */
	char why[768];
	int opener;
};

static void child_main(int go, int execed)
{
	char byte;

	if (read(go, &byte, 1) == 1) {
		fcntl(execed, F_SETFD, FD_CLOEXEC);
		fcntl(go, F_SETFD, 0); /* sleeps as long as we live */
		execlp("sh", "sh", "-c", "read x; exit 0", NULL);
	}
	_exit(0);
}

static void start_children(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++, w->n++) {
		struct child *c = &w->child[w->n];
		int go[2], execed[2];

		REQUIRE(!pipe2(go, O_CLOEXEC) && !pipe2(execed, O_CLOEXEC));
		c->pid = fork();
		REQUIRE(c->pid >= 0);
		if (!c->pid) {
			dup2(go[0], STDIN_FILENO);
			close(go[1]);
			close(execed[0]);
			child_main(STDIN_FILENO, execed[1]);
		}
		close(go[0]);
		close(execed[1]);
		c->go = go[1];
		c->execed = execed[0];
	}
}

static void end_child(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	c->pid = 0;
	close_fd(&c->go);
	close_fd(&c->execed);
}

static void let_exec(struct child *c)
{
	char byte = 1;

	REQUIRE(write(c->go, &byte, 1) == 1);
	while (read(c->execed, &byte, 1) < 0 && errno == EINTR)
		;
}

static int open_one(void *ctx, int32_t pid, struct handle **out, struct err *e)
{
	struct world *w = ctx;

	if (pid == w->deny)
		return err_set(e, -EACCES, "not this one");
	return w->opener >= 0 ? opener_open(w->opener, pid, out, e) : handle_open_live(pid, out, e);
}

static void on_tick(void *ctx, struct fleet_member *m, const struct session_counters *c)
{
	struct world *w = ctx;

	w->ticks++;
	w->no_rss |= !c->has_rss || !c->rss;
	w->last = m->pid;
	if (m->pid == w->drop)
		fleet_remove(w->f, m->pid);
}

static int on_ledger(void *ctx, struct fleet_member *m)
{
	struct world *w = ctx;

	w->ledgers++;
	w->last = m->pid;
	return m->pid == w->fail ? -EIO : session_begin(&m->s);
}

static void on_change(void *ctx, struct fleet_member *m, enum fleet_change what,
		      const struct err *why)
{
	struct world *w = ctx;

	w->execed += what == FLEET_EXECED;
	w->ended += what == FLEET_ENDED;
	w->lost += what == FLEET_LOST;
	w->last = m->pid;
	CHECK((what == FLEET_LOST) == (why != NULL));
	CHECK((what == FLEET_EXECED) == (fleet_find(w->f, m->pid) == m));
	if (why)
		snprintf(w->why, sizeof(w->why), "%s", why->text);
}

static struct fleet_opts options(struct world *w, uint64_t tick_ns, uint64_t ledger_ns)
{
	return (struct fleet_opts){
		.ops = { open_one, on_tick, on_ledger, on_change, w },
		.tick_ns = tick_ns,
		.ledger_ns = ledger_ns,
		.start_ns = SECOND,
	};
}

static void add_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct err e = { 0 };
		int r = fleet_add(w->f, w->child[i].pid, NULL, &e);

		if (r == -EACCES || r == -EPERM)
			SKIP(e.text);
		REQUIRE(!r);
	}
	/* by the clock of the test */
	for (size_t i = 0; i < w->f->slots.n; i++)
		fleet_schedule(w->f, i, SECOND);
	fleet_arm(w->f);
}

static void begin(struct world *w, size_t n, const struct fleet_opts *o)
{
	w->opener = -1;
	start_children(w, n);
	REQUIRE(!fleet_create(o, &w->loop, &w->f));
	add_all(w);
}

static void end(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		end_child(&w->child[i]);
	fleet_destroy(w->f);
	loop_close(&w->loop);
}

static struct fleet_stats stats_of(const struct world *w)
{
	struct fleet_stats s;

	fleet_stats(w->f, &s);
	return s;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

TEST(fleet_phases_are_even_for_any_number)
{
	for (size_t n = 2; n <= 200; n++) {
		uint64_t at[201], least = SECOND, most = 0;

		for (size_t i = 0; i < n; i++)
			at[i] = fleet_phase(i, SECOND);
		qsort(at, n, sizeof(*at), by_time);
		at[n] = at[0] + SECOND;
		for (size_t i = 0; i < n; i++) {
			uint64_t gap = at[i + 1] - at[i];

			least = gap < least ? gap : least;
			most = gap > most ? gap : most;
		}
		CHECK(least && most <= 2 * least + 1);
	}
}

/* Each turn when the timer says so, for eight intervals of ticks and two of ledgers. */
static void run_spread(size_t n)
{
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, 4 * SECOND);
	unsigned int most_ticks = 0, most_ledgers = 0;
	struct fleet_stats s;
	struct fleet_member *m;
	size_t at = 0;

	begin(&w, n, &o);
	while (w.f->timer.at_ns <= 9 * SECOND) {
		unsigned int ticks = w.ticks, ledgers = w.ledgers;

		CHECK(w.f->timer.at_ns > SECOND);
		CHECK(!fleet_serve(w.f, w.f->timer.at_ns));
		ticks = w.ticks - ticks;
		ledgers = w.ledgers - ledgers;
		most_ticks = ticks > most_ticks ? ticks : most_ticks;
		most_ledgers = ledgers > most_ledgers ? ledgers : most_ledgers;
	}
	CHECK_INT(most_ticks, (n + FLEET_BURSTS - 1) / FLEET_BURSTS);
	CHECK_INT(most_ledgers, 1);
	CHECK(!w.no_rss);
	while ((m = fleet_next(w.f, &at))) {
		CHECK_INT(m->ticks, 8);
		CHECK_INT(m->ledgers, 2);
	}
	s = stats_of(&w);
	CHECK(s.ticks == w.ticks && s.ledgers == 2 * n && s.ledgers == w.ledgers);
	CHECK(!s.ticks_skipped && !s.ledgers_skipped && !s.ticks_failed && !s.ledgers_failed);
	end(&w);
}

TEST(fleet_readings_are_spread_over_the_interval)
{
	run_spread(3);
	run_spread(32);
	run_spread(CHILDREN);
}

TEST(fleet_leaves_out_what_is_late)
{
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, 0);
	uint64_t late = SECOND * 34 / 64, now = 11 * SECOND + late, skipped = 0;

	begin(&w, CHILDREN, &o);
	for (size_t i = 0; i < CHILDREN; i++) {
		uint64_t phase = fleet_phase(i % FLEET_BURSTS, SECOND);

		skipped += phase && phase <= late ? 10 : 9;
	}
	/* ten seconds of nothing: then one reading of each, in bounded turns */
	for (unsigned int turn = 0; turn < 3; turn++) {
		CHECK_INT(w.ticks, turn * FLEET_BATCH);
		CHECK(w.f->timer.at_ns < now);
		CHECK(!fleet_serve(w.f, now));
	}
	CHECK_INT(w.ticks, CHILDREN);
	CHECK(w.f->timer.at_ns > now);
	CHECK_INT(stats_of(&w).ticks_skipped, skipped);
	end(&w);
}

TEST(fleet_members_come_and_go)
{
	size_t before = self_fds();
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, SECOND);
	struct fleet_member *m = NULL;
	struct fleet_stats s;
	struct err e = { 0 };
	uint64_t id;
	size_t at = 0, seen = 0;

	o.max = 5;
	begin(&w, 4, &o);
	start_children(&w, 3);
	CHECK_INT(fleet_add(w.f, w.child[1].pid, NULL, &e), -EEXIST);
	CHECK_INT(fleet_add(w.f, -1, NULL, &e), -ESRCH);
	w.deny = w.child[4].pid;
	e = (struct err){ 0 };
	CHECK_INT(fleet_add(w.f, w.deny, &m, &e), -EACCES);
	CHECK_STR(e.text, "not this one");
	CHECK(!m && !fleet_find(w.f, w.deny));
	CHECK(!fleet_add(w.f, w.child[5].pid, &m, &e) && m == fleet_find(w.f, w.child[5].pid));
	CHECK_INT(fleet_add(w.f, w.child[6].pid, NULL, &e), -ENOSPC);
	CHECK(strstr(e.text, "5 processes"));
	m->user = &w;
	id = m->id;
	CHECK(!fleet_remove(w.f, w.child[0].pid));
	CHECK_INT(fleet_remove(w.f, w.child[0].pid), -ESRCH);
	CHECK_INT(fleet_remove(w.f, w.child[6].pid), -ESRCH);
	CHECK_INT(fleet_want_ledger(w.f, w.child[6].pid), -ESRCH);
	/* the first place, and with it its phase, is given again */
	CHECK(!fleet_add(w.f, w.child[6].pid, &m, &e) && w.f->slots.v[0].m == m && m->id > id);
	while ((m = fleet_next(w.f, &at))) {
		CHECK(m->user == (m->id == id ? &w : NULL));
		seen++;
	}
	CHECK_INT(seen, 5);
	s = stats_of(&w);
	CHECK(s.members == 5 && s.added == 6 && s.removed == 1);
	CHECK(s.refused[FLEET_WHY_GONE] == 1 && s.refused[FLEET_WHY_DENIED] == 1 &&
	      s.refused[FLEET_WHY_FULL] == 1);
	CHECK(!w.ended && !w.lost);
	end(&w);
	CHECK_INT(self_fds(), before);
}

/* Processes come and go for weeks: what one leaves behind would add up. */
TEST(fleet_memory_is_flat_while_members_come_and_go)
{
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, 0);
	size_t used = 0, descriptors = 0;

	begin(&w, 2, &o);
	for (int i = 0; i < 200; i++) {
		REQUIRE(!fleet_remove(w.f, w.child[0].pid));
		REQUIRE(!fleet_add(w.f, w.child[0].pid, NULL, NULL));
		CHECK(!fleet_serve(w.f, SECOND * (2 + i)));
		if (i != 50)
			continue;
		used = mallinfo2().uordblks;
		descriptors = self_fds();
	}
	CHECK(mallinfo2().uordblks <= used + 1024);
	CHECK_INT(self_fds(), descriptors);
	CHECK_INT(w.f->slots.n, 2);
	end(&w);
}

TEST(fleet_sees_ends_at_once_and_lets_go)
{
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, SECOND);
	size_t before = self_fds(), two;
	struct fleet_stats s;
	pid_t first;

	begin(&w, 3, &o);
	fleet_pace(w.f, 0, 0);
	CHECK_INT(w.f->timer.at_ns, 0);
	first = w.child[0].pid;
	kill(first, SIGKILL);
	/* no tick is due: the pidfd alone tells. Its parent has not collected it yet */
	while (!w.ended)
		REQUIRE(!loop_turn(&w.loop));
	CHECK_INT(w.last, first);
	CHECK(!fleet_find(w.f, first));
	CHECK_INT(fleet_add(w.f, first, NULL, NULL), -ESRCH);
	two = self_fds();
	CHECK(!fleet_remove(w.f, w.child[1].pid));
	CHECK(two > (size_t)self_fds() + 4);
	kill(w.child[2].pid, SIGKILL);
	while (w.ended < 2)
		REQUIRE(!loop_turn(&w.loop));
	s = stats_of(&w);
	CHECK(s.members == 0 && s.ended == 2 && s.lost == 0);
	/* files of programs that nobody runs any more are not held */
	CHECK(s.shelf.images >= 1 && s.shelf.images == s.shelf.idle && s.shelf.open == 0);
	/* left: three pairs of pipe ends, the fleet's own descriptor */
	CHECK_INT(self_fds(), before + 6 + 1);
	end(&w);
}

TEST(fleet_follows_an_exec)
{
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, 4 * SECOND);
	struct fleet_member *m;
	char exe[4096];
	uint64_t id;

	begin(&w, 3, &o);
	m = fleet_find(w.f, w.child[1].pid);
	id = m->id;
	snprintf(exe, sizeof(exe), "%s", m->s.id.exe);
	let_exec(&w.child[1]);
	for (uint64_t now = SECOND; now <= 3 * SECOND; now += SECOND / 8)
		CHECK(!fleet_serve(w.f, now));
	CHECK_INT(w.execed, 1);
	CHECK(!w.ended && !w.lost);
	CHECK(fleet_find(w.f, w.child[1].pid) == m && m->id == id && m->execs == 1 && m->open);
	CHECK(m->s.id.exe[0] && strcmp(m->s.id.exe, exe));
	/* of two seconds one tick saw the exec; the others had both */
	CHECK_INT(m->ticks, 1);
	CHECK_INT(fleet_find(w.f, w.child[0].pid)->ticks, 2);
	/* a wish is served at once, and an exec seen by it */
	CHECK(!fleet_want_ledger(w.f, w.child[2].pid));
	fleet_serve(w.f, 3 * SECOND + 1);
	CHECK_INT(w.last, w.child[2].pid);
	CHECK_INT(stats_of(&w).ledgers_skipped, 0);
	end(&w);
}

TEST(fleet_opens_received_handles_anew_after_exec)
{
	struct world w = { .opener = -1 };
	struct fleet_opts o = options(&w, SECOND, 0);
	struct fleet_member *m;
	pid_t opener = 0;

	/* before there are children: it has what is open now */
	REQUIRE(!opener_start(&w.opener, &opener, NULL));
	start_children(&w, 2);
	REQUIRE(!fleet_create(&o, &w.loop, &w.f));
	add_all(&w);
	let_exec(&w.child[0]);
	for (uint64_t now = SECOND; now <= 4 * SECOND; now += SECOND / 8)
		CHECK(!fleet_serve(w.f, now));
	m = fleet_find(w.f, w.child[0].pid);
	CHECK(m && m->execs == 1 && m->ticks == 2);
	/* the opener still has its copies of the descriptors */
	kill(w.child[0].pid, SIGKILL);
	kill(w.child[1].pid, SIGKILL);
	while (w.ended < 2)
		REQUIRE(!loop_turn(&w.loop));
	CHECK(!w.lost);
	end(&w);
	close(w.opener);
	waitpid(opener, NULL, 0);
}

TEST(fleet_keeps_one_members_trouble_from_the_others)
{
	struct world w = { 0 };
	struct fleet_opts o = options(&w, SECOND, SECOND);
	struct fleet_stats s;

	begin(&w, 5, &o);
	w.fail = w.child[0].pid;
	w.drop = w.child[1].pid;
	let_exec(&w.child[2]);
	for (uint64_t now = SECOND; now <= 5 * SECOND + SECOND / 16; now += SECOND / 32)
		CHECK(!fleet_serve(w.f, now));
	s = stats_of(&w);
	CHECK_INT(s.members, 4);
	CHECK_INT(s.removed, 1);
	CHECK_INT(s.ledgers_failed, 4);
	CHECK_INT(s.ticks_failed, 0);
	for (size_t i = 3; i < 5; i++) {
		CHECK_INT(fleet_find(w.f, w.child[i].pid)->ticks, 4);
		CHECK_INT(fleet_find(w.f, w.child[i].pid)->ledgers, 4);
	}
	CHECK_INT(fleet_find(w.f, w.child[0].pid)->ticks, 4);
	CHECK(!w.lost && !w.ended);
	end(&w);
}

/* Takes all descriptors that are left. Returns how many. */
static size_t fill(int *filler, size_t max)
{
	size_t n = 0;

	while (n < max && (filler[n] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) >= 0)
		n++;
	REQUIRE(n < max);
	return n;
}

/* Few descriptors: what does not fit by its number is refused. Then they run out, though there
 * should be some: those of the shelf give way, if it has enough of them. */
static void with_few_descriptors(unsigned int of_shelf, int want)
{
	struct world w = { .opener = -1 };
	struct fleet_opts o = options(&w, SECOND, 0);
	struct rlimit was, few;
	struct fleet_stats s;
	struct err e = { 0 };
	int filler[256];
	size_t n, members = want ? 2 : 3;

	REQUIRE(!getrlimit(RLIMIT_NOFILE, &was));
	start_children(&w, 4);
	few = (struct rlimit){ FLEET_SPARE_FDS + 3 * FLEET_MEMBER_FDS + of_shelf + 5,
			       was.rlim_max };
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &few));
	o.shelf_fds = of_shelf;
	REQUIRE(!fleet_create(&o, &w.loop, &w.f));
	w.n = 3;
	add_all(&w);
	w.n = 4;
	CHECK_INT(fleet_add(w.f, w.child[3].pid, NULL, &e), -EMFILE);
	CHECK(strstr(e.text, "ulimit -n"));
	CHECK(!fleet_remove(w.f, w.child[2].pid));
	n = fill(filler, 256);
	CHECK_INT(fleet_add(w.f, w.child[3].pid, NULL, &e), want);
	/* the others are read on, all the same */
	for (size_t i = 0; i < w.f->slots.n; i++)
		fleet_schedule(w.f, i, SECOND);
	for (uint64_t now = SECOND; now <= 3 * SECOND; now += SECOND / 8)
		CHECK(!fleet_serve(w.f, now));
	s = stats_of(&w);
	CHECK_INT(s.members, members);
	CHECK_INT(s.ticks, 2 * members);
	CHECK_INT(s.ticks_failed, 0);
	CHECK_INT(s.refused[FLEET_WHY_FDS], want ? 2 : 1);
	CHECK(s.shelf.most == of_shelf && s.shelf.open <= of_shelf);
	while (n)
		close(filler[--n]);
	CHECK_INT(fleet_add(w.f, w.child[3].pid, NULL, &e), want ? 0 : -EEXIST);
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &was));
	end(&w);
}

TEST(fleet_refuses_what_has_no_descriptors)
{
	with_few_descriptors(1, -EMFILE);
}

TEST(fleet_takes_descriptors_from_the_shelf)
{
	with_few_descriptors(20, 0);
}
