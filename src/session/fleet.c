/* SPDX-License-Identifier: BSD-2-Clause */
/* The members of a fleet: how they come, change and go. When they are read is fleet_turn.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "session/fleet_impl.h"

enum {
	OPEN_TRIES = 3, /* of a process that calls exec meanwhile */
	ENDS = 16,	/* of a turn */
};

/* ---- refusals */

const char *fleet_why_name(enum fleet_why w)
{
	static const char *const names[FLEET_WHY_COUNT] = {
		[FLEET_WHY_GONE] = "gone",     [FLEET_WHY_DENIED] = "denied",
		[FLEET_WHY_FULL] = "full",     [FLEET_WHY_FDS] = "descriptors",
		[FLEET_WHY_MEMORY] = "memory", [FLEET_WHY_OTHER] = "other",
	};

	return names[w];
}

static enum fleet_why why_of(int r)
{
	switch (-r) {
	case ESRCH:
		return FLEET_WHY_GONE;
	case EACCES:
	case EPERM:
		return FLEET_WHY_DENIED;
	case ENOSPC:
		return FLEET_WHY_FULL;
	case EMFILE:
	case ENFILE:
		return FLEET_WHY_FDS;
	case ENOMEM:
		return FLEET_WHY_MEMORY;
	default:
		return FLEET_WHY_OTHER;
	}
}

static int check_room(const struct fleet *f, struct err *e)
{
	struct shelf_stats shelf;
	struct rlimit l;
	uint64_t want;

	if (f->stats.members >= f->o.max)
		return err_set(e, -ENOSPC,
			       "%zu processes are watched already, the most there can be",
			       f->stats.members);
	shelf_stats(f->shelf, &shelf);
	want = (f->stats.members + 1) * FLEET_MEMBER_FDS + shelf.most + FLEET_SPARE_FDS;
	if (!getrlimit(RLIMIT_NOFILE, &l) && want > l.rlim_cur)
		return err_set(
			e, -EMFILE,
			"%zu processes are watched, and there are no descriptors for another "
			"one; raise ulimit -n",
			f->stats.members);
	return 0;
}

/* ---- opening and closing */

static void close_program(struct fleet_member *m)
{
	if (m->open)
		session_close(&m->s);
	m->open = false;
	memsrc_close(m->m);
	m->m = NULL;
}

/* A session of what runs behind the handle now. Of a failure nothing is left. */
static int open_program(struct fleet *f, struct fleet_member *m, struct err *e)
{
	struct go_cache *cache = f->o.cache ? f->o.cache : f->own_cache;
	int r = memsrc_open(m->handle, &m->m, e);

	if (r)
		return r;
	r = session_open(m->m, f->shelf, cache, &m->s, e);
	m->open = !r;
	if (r) {
		session_close(&m->s);
		close_program(m);
		return r;
	}
	memsrc_rest(m->m);
	return 0;
}

static int open_handle(struct fleet *f, int32_t pid, struct handle **out, struct err *e)
{
	return f->o.ops.open ? f->o.ops.open(f->o.ops.ctx, pid, out, e)
			     : handle_open_live(pid, out, e);
}

static int try_to_open(struct fleet *f, struct fleet_member *m, struct err *e)
{
	int r = open_handle(f, m->pid, &m->handle, e);

	if (r)
		return r;
	r = open_program(f, m, e);
	if (r) {
		handle_close(m->handle);
		m->handle = NULL;
	}
	return r;
}

/* Descriptors of the shelf are for speed: they give way. */
static int open_member(struct fleet *f, struct fleet_member *m, struct err *e)
{
	int r = -ESRCH;

	for (int i = 0; i < OPEN_TRIES && (r == -ESRCH || r == -EMFILE); i++) {
		if (r == -EMFILE)
			shelf_rest(f->shelf);
		*e = (struct err){ 0 };
		r = try_to_open(f, m, e);
	}
	return r;
}

static void member_free(struct fleet *f, struct fleet_member *m)
{
	int pidfd = m->handle ? handle_pidfd(m->handle) : -1;

	/* a handle that was received has its descriptors in another process, too: closing ours is
	 * not enough */
	if (pidfd >= 0)
		epoll_ctl(f->ends.fd, EPOLL_CTL_DEL, pidfd, NULL);
	close_program(m);
	handle_close(m->handle);
	free(m);
}

/* Out of its slot: it is no member any more. */
static struct fleet_member *take_out(struct fleet *f, size_t i)
{
	struct fleet_member *m = f->slots.v[i].m;

	f->slots.v[i] = (struct fleet_slot){ NULL, UINT64_MAX, UINT64_MAX };
	f->stats.members--;
	return m;
}

static void leave(struct fleet *f, size_t i, enum fleet_change what, const struct err *why)
{
	struct fleet_member *m = take_out(f, i);

	*(what == FLEET_ENDED ? &f->stats.ended : &f->stats.lost) += 1;
	if (f->o.ops.changed)
		f->o.ops.changed(f->o.ops.ctx, m, what, why);
	member_free(f, m);
}

static int watch_end(struct fleet *f, struct fleet_member *m)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = m->id };
	int pidfd = handle_pidfd(m->handle);

	/* without one (kernels before 5.3) ticks see the end */
	if (pidfd < 0)
		return 0;
	return epoll_ctl(f->ends.fd, EPOLL_CTL_ADD, pidfd, &ev) ? -errno : 0;
}

/* ---- what becomes of a process */

/* The handle to what runs now. One that was received can't be bound anew: it is opened again. */
static int rebind(struct fleet *f, struct fleet_member *m, struct err *e)
{
	struct handle *h = NULL;
	int r = handle_reopen(m->handle, e);

	if (r == -EMFILE || r == -ENFILE) {
		shelf_rest(f->shelf);
		r = handle_reopen(m->handle, e);
	}
	if (r != -ENOTSUP)
		return r;
	r = open_handle(f, m->pid, &h, e);
	if (r)
		return r;
	if (handle_start_time(h) != handle_start_time(m->handle)) {
		handle_close(h);
		return err_set(e, -ESRCH, "PID %d is another process now", (int)m->pid);
	}
	if (handle_pidfd(m->handle) >= 0)
		epoll_ctl(f->ends.fd, EPOLL_CTL_DEL, handle_pidfd(m->handle), NULL);
	handle_close(m->handle);
	m->handle = h;
	return watch_end(f, m);
}

/* Another program has come. It may be gone again before it is open: then the next tick sees. */
static void execed(struct fleet *f, size_t i)
{
	struct fleet_member *m = f->slots.v[i].m;
	struct err e = { 0 };
	int r;

	close_program(m);
	r = rebind(f, m, &e);
	if (!r)
		r = open_program(f, m, &e);
	if (r == -ESRCH)
		return;
	if (r) {
		if (!e.code)
			err_set(&e, r, "process %d: %s", (int)m->pid, strerror(-r));
		leave(f, i, FLEET_LOST, &e);
		return;
	}
	f->stats.execed++;
	m->execs++;
	if (f->o.ops.changed)
		f->o.ops.changed(f->o.ops.ctx, m, FLEET_EXECED, NULL);
}

bool fleet_check(struct fleet *f, size_t i)
{
	struct fleet_member *m = f->slots.v[i].m;
	enum handle_state now = handle_check(m->handle);

	if (now == HANDLE_SAME && m->open)
		return false;
	if (now == HANDLE_GONE)
		leave(f, i, FLEET_ENDED, NULL);
	else
		execed(f, i);
	return true;
}

long fleet_slot_of(const struct fleet *f, uint64_t id)
{
	for (size_t i = 0; i < f->slots.n; i++)
		if (f->slots.v[i].m && f->slots.v[i].m->id == id)
			return i;
	return FLEET_NONE;
}

/* loop_fd's. */
static int on_ends(void *fleet, short revents)
{
	struct fleet *f = fleet;
	struct epoll_event ev[ENDS];
	int n = epoll_wait(f->ends.fd, ev, ENDS, 0);

	for (int k = 0; k < n; k++) {
		long i = fleet_slot_of(f, ev[k].data.u64);

		if (i != FLEET_NONE)
			leave(f, i, FLEET_ENDED, NULL);
	}
	fleet_arm(f);
	return 0;
}

/* ---- members */

long fleet_slot_of_pid(const struct fleet *f, int32_t pid)
{
	for (size_t i = 0; i < f->slots.n; i++)
		if (f->slots.v[i].m && f->slots.v[i].m->pid == pid)
			return i;
	return FLEET_NONE;
}

struct fleet_member *fleet_find(const struct fleet *f, int32_t pid)
{
	long i = fleet_slot_of_pid(f, pid);

	return i == FLEET_NONE ? NULL : f->slots.v[i].m;
}

struct fleet_member *fleet_next(const struct fleet *f, size_t *at)
{
	while (*at < f->slots.n) {
		struct fleet_member *m = f->slots.v[(*at)++].m;

		if (m)
			return m;
	}
	return NULL;
}

static long free_slot(struct fleet *f)
{
	for (size_t i = 0; i < f->slots.n; i++)
		if (!f->slots.v[i].m)
			return i;
	if (vec_push(&f->slots, (struct fleet_slot){ NULL, UINT64_MAX, UINT64_MAX }))
		return FLEET_NONE;
	return f->slots.n - 1;
}

static int add_new(struct fleet *f, int32_t pid, struct fleet_member **out, struct err *e)
{
	struct fleet_member *m = calloc(1, sizeof(*m));
	long i = free_slot(f);
	int r = m && i != FLEET_NONE ? 0 : -ENOMEM;

	if (!r) {
		m->pid = pid;
		m->id = ++f->last_id;
		r = open_member(f, m, e);
	}
	if (!r)
		r = watch_end(f, m);
	if (r) {
		if (m)
			member_free(f, m);
		return r;
	}
	f->slots.v[i].m = m;
	f->stats.members++;
	f->stats.added++;
	fleet_schedule(f, i, mono_ns());
	fleet_arm(f);
	*out = m;
	return 0;
}

int fleet_add(struct fleet *f, int32_t pid, struct fleet_member **out, struct err *e)
{
	long i = fleet_slot_of_pid(f, pid);
	struct fleet_member *m = NULL;
	struct err mine = { 0 };
	int r;

	/* the PID may be another process's by now */
	if (i != FLEET_NONE && handle_check(f->slots.v[i].m->handle) != HANDLE_GONE)
		return err_set(e, -EEXIST, "process %d is watched already", (int)pid);
	if (i != FLEET_NONE)
		leave(f, i, FLEET_ENDED, NULL);
	r = check_room(f, &mine);
	if (!r)
		r = add_new(f, pid, &m, &mine);
	if (r) {
		if (!mine.code)
			err_set(&mine, r, "process %d: %s", (int)pid, strerror(-r));
		f->stats.refused[why_of(r)]++;
		if (e)
			*e = mine;
		return r;
	}
	if (out)
		*out = m;
	return 0;
}

int fleet_remove(struct fleet *f, int32_t pid)
{
	long i = fleet_slot_of_pid(f, pid);

	if (i == FLEET_NONE)
		return -ESRCH;
	member_free(f, take_out(f, i));
	f->stats.removed++;
	fleet_arm(f);
	return 0;
}

/* ---- the fleet */

static int join_loop(struct fleet *f)
{
	int r;

	f->ends.fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->ends.fd < 0)
		return -errno;
	r = loop_add_fd(f->loop, &f->ends);
	return r ? r : loop_add_timer(f->loop, &f->timer);
}

int fleet_create(const struct fleet_opts *o, struct loop *l, struct fleet **out)
{
	struct fleet *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->o = *o;
	f->o.max = o->max ? o->max : FLEET_MAX;
	f->o.start_ns = o->start_ns ? o->start_ns : mono_ns();
	f->loop = l;
	f->timer = (struct loop_timer){ .fn = fleet_serve, .ctx = f };
	f->ends = (struct loop_fd){ .fd = -1, .events = POLLIN, .fn = on_ends, .ctx = f };
	r = shelf_create(o->shelf_fds, &f->shelf);
	if (!r && !o->cache) {
		f->own_cache = go_cache_create(NULL, "");
		r = f->own_cache ? 0 : -ENOMEM;
	}
	if (!r)
		r = join_loop(f);
	if (r) {
		fleet_destroy(f);
		return r;
	}
	*out = f;
	return 0;
}

void fleet_destroy(struct fleet *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->slots.n; i++)
		if (f->slots.v[i].m)
			member_free(f, take_out(f, i));
	loop_remove_timer(f->loop, &f->timer);
	loop_remove_fd(f->loop, &f->ends);
	close_fd(&f->ends.fd);
	vec_free(&f->slots);
	shelf_destroy(f->shelf);
	go_cache_destroy(f->own_cache);
	free(f);
}

void fleet_stats(const struct fleet *f, struct fleet_stats *out)
{
	*out = f->stats;
	shelf_stats(f->shelf, &out->shelf);
}
