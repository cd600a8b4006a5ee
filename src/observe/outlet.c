/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/outlet.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

size_t outlet_left(const struct outlet *o)
{
	return o->out.n - o->at;
}

bool outlet_full(const struct outlet *o)
{
	return outlet_left(o) >= OUTLET_FULL;
}

uint64_t outlet_stuck_ns(const struct outlet *o, uint64_t now_ns)
{
	return o->since_ns && now_ns > o->since_ns ? now_ns - o->since_ns : 0;
}

/* What fd takes now: the bytes, or -errno; -EAGAIN none. A pipe that is ready takes PIPE_BUF bytes
 * without waiting, unless another writer comes in between: hence RWF_NOWAIT where it is known. */
static ssize_t write_some(struct outlet *o)
{
	struct pollfd p = { o->fd.fd, POLLOUT, 0 };
	struct iovec v = { o->out.p + o->at, outlet_left(o) };
	ssize_t n;

	if (o->file) {
		int r = file_write_all(o->fd.fd, v.iov_base, v.iov_len);

		return r ? r : (ssize_t)v.iov_len;
	}
	if (poll(&p, 1, 0) <= 0)
		return -EAGAIN;
	if (!o->no_nowait) {
		n = pwritev2(o->fd.fd, &v, 1, -1, RWF_NOWAIT);
		if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS))
			return n < 0 ? -errno : n;
		o->no_nowait = true;
	}
	n = write(o->fd.fd, v.iov_base, v.iov_len < PIPE_BUF ? v.iov_len : PIPE_BUF);
	return n < 0 ? -errno : n;
}

void outlet_warn_left(const struct outlet *o)
{
	struct pollfd p = { STDERR_FILENO, POLLOUT, 0 };

	if (poll(&p, 1, 0) > 0)
		log_warn("output blocked: %zu bytes discarded", outlet_left(o));
}

static void drop(struct outlet *o)
{
	o->out.n = o->at = 0;
}

int outlet_flush(struct outlet *o)
{
	enum { AT_ONCE = 64 }; /* writes: the loop has other duties */
	bool wrote = false;
	ssize_t n = 1;

	for (int i = 0; i < AT_ONCE && !o->rc && outlet_left(o) && n > 0; i++) {
		n = write_some(o);
		if (n > 0) {
			o->at += n;
			wrote = true;
		} else if (n < 0 && n != -EAGAIN && n != -EINTR) {
			o->rc = n;
		}
	}
	if (o->rc || !outlet_left(o))
		drop(o);
	/* what is left moves to the front when that is cheap */
	if (o->at > OUTLET_FULL && o->at > outlet_left(o)) {
		memmove(o->out.p, o->out.p + o->at, outlet_left(o) + 1);
		o->out.n -= o->at;
		o->at = 0;
	}
	o->fd.events = outlet_left(o) ? POLLOUT : 0;
	if (!outlet_left(o))
		o->since_ns = 0;
	else if (wrote || !o->since_ns)
		o->since_ns = mono_ns();
	return o->rc;
}

static int on_ready(void *ctx, short revents)
{
	struct outlet *o = ctx;

	/* nobody reads any more: the loop would be woken for nothing */
	if (revents & (POLLERR | POLLNVAL) && !o->rc)
		o->rc = revents & POLLNVAL ? -EBADF : -EPIPE;
	if (o->rc)
		o->fd.fd = -1;
	outlet_flush(o);
	return 0;
}

int outlet_open(struct outlet *o, struct loop *l, int fd)
{
	struct stat st;

	*o = (struct outlet){ .loop = l, .fd = { .fd = fd, .fn = on_ready, .ctx = o } };
	o->file = !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
	return loop_add_fd(l, &o->fd);
}

void outlet_close(struct outlet *o)
{
	if (o->loop)
		loop_remove_fd(o->loop, &o->fd);
	text_free(&o->out);
	*o = (struct outlet){ 0 };
}
