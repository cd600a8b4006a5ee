/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading records of many small parts: their places lie compressed behind their bytes. */
#include <errno.h>
#include <string.h>

#include "source/capture_record.h"

/* The steps of a record, checked against its bytes as they are taken. */
struct steps {
	struct record *k;
	uint8_t *body; /* owned */
	uint32_t n, i;
	uint64_t at;	    /* end of the last one */
	uint64_t off, data; /* bytes taken, of so many */
};

/* One of them. */
struct part {
	uint64_t start, end, off;
	unsigned int state;
};

static int steps_begin(struct steps *s, struct record *k, uint32_t n, uint64_t start)
{
	uint64_t len = (uint64_t)n * sizeof(struct capture_step);

	*s = (struct steps){ .k = k, .n = n, .at = start };
	if (!n || len > k->body.raw_len)
		return record_bad(k, "a record of no parts, or of too many");
	s->data = k->body.raw_len - len;
	s->body = malloc(k->body.raw_len);
	if (!s->body)
		return -ENOMEM;
	return capture_body(k->c, &k->body, s->body) ? record_bad(k, "a body that does not inflate")
						     : 0;
}

static int steps_next(struct steps *s, struct part *out)
{
	struct capture_step x;
	uint64_t len;

	memcpy(&x, s->body + s->data + s->i * sizeof(x), sizeof(x));
	len = x.len_state >> 2;
	*out = (struct part){ .start = s->at + x.gap, .off = s->off, .state = x.len_state & 3 };
	out->end = out->start + len;
	if (!len || out->start < s->at || out->end < out->start ||
	    (!out->state && len > s->data - s->off))
		return record_bad(s->k, "bad part %u", s->i);
	s->at = out->end;
	s->off += out->state ? 0 : len;
	if (++s->i == s->n && s->off != s->data)
		return record_bad(s->k, "bytes of no part");
	return 0;
}

static int add_words(struct record *k, const struct capture_words *w, struct steps *s)
{
	struct capture *c = k->c;
	struct cap_stream *to;
	struct part x;
	int rc = record_stream(k, w->pass, w->epoch, true, &to);

	if (!rc && to->x.n && to->x.v[to->x.n - 1].end > w->start)
		return record_bad(k, "memory out of order");
	while (s->i < s->n && !rc) {
		rc = steps_next(s, &x);
		if (!rc)
			rc = vec_push(&to->x, (struct cap_extent){ .start = x.start,
								   .end = x.end,
								   .block = c->blocks.n,
								   .off = x.off,
								   .state = x.state });
	}
	return rc ? rc : vec_push(&c->blocks, k->body);
}

int record_add_words(struct record *k)
{
	struct capture_words w;
	struct steps s;
	int rc;

	memcpy(&w, k->meta, sizeof(w));
	k->words += w.count;
	if (!record_meta_is(k, sizeof(w), 0) || k->words > CAPTURE_WORDS_MAX)
		return record_bad(k, "bad record of words");
	rc = steps_begin(&s, k, w.count, w.start);
	if (!rc)
		rc = add_words(k, &w, &s);
	free(s.body);
	return rc;
}

static int add_scrap(struct record *k, struct cap_file *f, const struct part *x)
{
	int rc;

	if (x->state || x->end > f->size)
		return record_bad(k, "part beyond the end of its file");
	rc = record_count_piece(k, x->end - x->start);
	return rc ? rc
		  : vec_push(&f->pieces,
			     (struct cap_piece){ x->start, x->off, x->end - x->start, k->body });
}

int record_add_scraps(struct record *k)
{
	struct capture_scraps p;
	struct part x;
	struct steps s;
	int rc;

	memcpy(&p, k->meta, sizeof(p));
	if (!record_meta_is(k, sizeof(p), 0) || p.file >= k->c->files.n)
		return record_bad(k, "bad record of parts of a file");
	rc = steps_begin(&s, k, p.count, p.start);
	while (!rc && s.i < s.n) {
		rc = steps_next(&s, &x);
		if (!rc)
			rc = add_scrap(k, &k->c->files.v[p.file], &x);
	}
	free(s.body);
	return rc;
}
