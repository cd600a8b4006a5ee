/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader's side of an opener. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "source/opener.h"
#include "source/opener_impl.h"

static int ask(int sock, struct opener_request *q, const char *key, struct opener_reply *r, int *fd,
	       size_t *fds)
{
	size_t n = key ? strlen(key) + 1 : 1;
	ssize_t got;
	int rc;

	if (n > sizeof(q->key))
		return -ENAMETOOLONG;
	memcpy(q->key, key ? key : "", n);
	rc = fdpass_send(sock, q, offsetof(struct opener_request, key) + n, NULL, 0);
	if (rc)
		return rc;
	got = fdpass_receive(sock, r, sizeof(*r), fd, fds);
	if (got <= 0)
		return got ? (int)got : -EPIPE;
	if (got == sizeof(*r) && r->rc <= 0)
		return 0;
	while (*fds)
		close(fd[--*fds]);
	return -EPROTO;
}

/* A request that is answered with one descriptor. */
static int ask_fd(struct handle *h, struct opener_request *q, const char *key, int *out)
{
	struct opener_reply r;
	int fd[FDPASS_MAX], rc;
	size_t fds = 0;

	q->id = h->id;
	rc = ask(h->opener, q, key, &r, fd, &fds);
	if (!rc)
		rc = r.rc ? r.rc : fds == 1 ? 0 : -EPROTO;
	if (!rc)
		*out = fd[--fds];
	while (fds)
		close(fd[--fds]);
	return rc;
}

int handle_ask_fd(struct handle *h, const char *key, int *fd)
{
	struct opener_request q = { .op = OPENER_TEXT };

	return ask_fd(h, &q, key, fd);
}

int handle_ask_text(struct handle *h, const char *key, struct text *out)
{
	_close_ int fd = -1;
	int rc = handle_ask_fd(h, key, &fd);

	return rc ? rc : text_read_fd(fd, HANDLE_TEXT_MAX, out);
}

int handle_ask_file(struct handle *h, const char *path, uint64_t start, uint64_t end, int *fd)
{
	struct opener_request q = { .op = OPENER_FILE, .start = start, .end = end };

	return ask_fd(h, &q, path, fd);
}

void handle_ask_drop(struct handle *h)
{
	struct opener_request q = { .op = OPENER_DROP, .id = h->id };

	/* An opener that has ended has dropped it. */
	(void)fdpass_send(h->opener, &q, offsetof(struct opener_request, key) + 1, NULL, 0);
}

int opener_open(int sock, pid_t pid, struct handle **out, struct err *e)
{
	struct opener_request q = { .op = OPENER_OPEN, .pid = pid };
	struct opener_reply r;
	int fd[FDPASS_MAX], rc;
	size_t fds = 0;

	rc = ask(sock, &q, NULL, &r, fd, &fds);
	if (rc)
		return err_set(e, rc, "the opener does not answer: %s", strerror(-rc));
	if (!r.rc)
		rc = handle_of_wire(&r.handle, fd, fds, out);
	if (rc)
		return err_set(e, rc, "invalid reply from the opener: %s", strerror(-rc));
	if (!r.rc) {
		(*out)->opener = sock;
		return 0;
	}
	while (fds)
		close(fd[--fds]);
	r.text[sizeof(r.text) - 1] = 0;
	return err_set(e, r.rc, "%s", r.text[0] ? r.text : strerror(-r.rc));
}
