/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/cache.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "goruntime/rd.h"

enum {
	ENTRIES = 64, /* in memory; then the oldest gives way */
	/* A file changed twice within a tick of the kernel's clock has one ctime for both. */
	SETTLED_NS = 100000000,
};

static const char magic[8] = "rsscgo1";

struct entry {
	char name[GO_CACHE_NAME + 1];
	struct go_facts facts;
};

struct go_cache {
	const struct go_cache_store *store;
	const char *maker;
	uint64_t layouts;     /* hash of the table */
	pthread_mutex_t lock; /* of what follows, and of the store */
	struct entry entry[ENTRIES];
	unsigned int n, next;
};

/* ---- keys */

static uint64_t hash_layouts(void)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *l = &go_layouts[i];

		h = hash_bytes(h, l->arch, strlen(l->arch) + 1);
		h = hash_bytes(h, l->releases, strlen(l->releases) + 1);
		for (size_t k = 0; k < GO_FIELD_COUNT; k++)
			h = (h ^ (uint64_t)l->f[k]) * 1099511628211ULL;
		for (size_t k = 0; k < l->nclasses; k++)
			h = (h ^ l->class_size[k]) * 1099511628211ULL;
	}
	return h;
}

/* All that an entry depends on, as text; its hash is the entry's name. */
static int make_key(const struct go_cache *c, const struct bin *b, struct text *key, char *name)
{
	struct bin_identity id;
	int r;

	bin_identity(b, &id);
	r = text_printf(key,
			"dev %" PRIx64 " inode %" PRIu64 " size %" PRIu64 " ctime %" PRIu64
			"\ngnu %s\ngo %s\nversion %s\nmaker %s\nlayouts %016" PRIx64 "\n",
			id.dev, id.ino, id.size, id.ctime_ns, bin_build_id(b), bin_go_build_id(b),
			bin_go(b)->version, c->maker, c->layouts);
	if (r)
		return r;
	snprintf(name, GO_CACHE_NAME + 1, "%016" PRIx64 "%016" PRIx64,
		 hash_bytes(HASH_START, key->p, key->n), hash_bytes(id.ino, key->p, key->n));
	return 0;
}

static bool is_settled(const struct bin *b)
{
	struct bin_identity id;

	bin_identity(b, &id);
	return id.ctime_ns + SETTLED_NS < clock_ns(CLOCK_REALTIME);
}

/* ---- bytes */

int go_cache_encode(const struct text *key, const struct go_facts *f, struct text *out)
{
	size_t head = out->n + sizeof(magic), body = head + 8;
	uint64_t sum = 0;
	uint32_t n = key->n;
	int r = text_add(out, magic, sizeof(magic));

	r = r ? r : text_add(out, &sum, sizeof(sum));
	r = r ? r : text_add(out, &n, sizeof(n));
	r = r ? r : text_add(out, key->p, key->n);
	r = r ? r : go_facts_encode(f, out);
	if (r)
		return r;
	sum = hash_bytes(HASH_START, out->p + body, out->n - body);
	memcpy(out->p + head, &sum, sizeof(sum));
	return 0;
}

int go_cache_decode(const struct text *key, const void *p, size_t n, struct go_facts *out)
{
	struct cursor c = cursor_make(p, n);
	const void *m = cursor_bytes(&c, sizeof(magic)), *k;
	uint64_t sum = cursor_u64(&c);
	size_t body = c.pos;
	uint32_t nkey = cursor_u32(&c);

	*out = (struct go_facts){ 0 };
	k = cursor_bytes(&c, nkey);
	if (c.bad || memcmp(m, magic, sizeof(magic)) || nkey != key->n || memcmp(k, key->p, nkey) ||
	    sum != hash_bytes(HASH_START, (const char *)p + body, n - body))
		return -EINVAL;
	return go_facts_decode((const char *)p + c.pos, n - c.pos, out);
}

/* ---- entries */

struct go_cache *go_cache_create(const struct go_cache_store *store, const char *maker)
{
	struct go_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->store = store;
	c->maker = maker;
	c->layouts = hash_layouts();
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void go_cache_destroy(struct go_cache *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static bool is_for(const struct go_cache *c, const struct memsrc *m, const struct bin *b)
{
	return c && bin_go(b)->is_go &&
	       (!m || (memsrc_kind(m) == MEMSRC_LIVE && !memsrc_is_saved(m)));
}

static struct entry *find(struct go_cache *c, const char *name)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (!strcmp(c->entry[i].name, name))
			return &c->entry[i];
	return NULL;
}

static void keep(struct go_cache *c, const char *name, const struct go_facts *f)
{
	struct entry *e = find(c, name);

	if (!e && c->n < ENTRIES)
		e = &c->entry[c->n++];
	else if (!e)
		e = &c->entry[c->next++ % ENTRIES];
	memcpy(e->name, name, sizeof(e->name));
	e->facts = *f;
	e->facts.changed = false;
}

static void get(struct go_cache *c, const struct text *key, const char *name, struct go_facts *out)
{
	_text_ struct text bytes = { 0 };
	const struct entry *e = find(c, name);

	if (e) {
		*out = e->facts;
		return;
	}
	if (!c->store || c->store->get(c->store->ctx, name, &bytes) || !bytes.p)
		return;
	if (go_cache_decode(key, bytes.p, bytes.n, out))
		log_debug("the cache's entry %s is damaged: it will be written anew", name);
	else
		keep(c, name, out);
}

void go_cache_get(struct go_cache *c, const struct memsrc *m, const struct bin *b,
		  struct go_facts *out)
{
	_text_ struct text key = { 0 };
	char name[GO_CACHE_NAME + 1];

	*out = (struct go_facts){ 0 };
	if (!is_for(c, m, b) || make_key(c, b, &key, name))
		return;
	pthread_mutex_lock(&c->lock);
	get(c, &key, name, out);
	pthread_mutex_unlock(&c->lock);
}

static void put(struct go_cache *c, const struct text *key, const char *name, struct go_facts *f)
{
	_text_ struct text bytes = { 0 };
	const struct entry *e = find(c, name);

	if (e)
		go_facts_join(f, &e->facts);
	if (go_cache_encode(key, f, &bytes) || bytes.n > GO_CACHE_ENTRY_MAX)
		return;
	f->changed = false;
	keep(c, name, f);
	if (c->store)
		c->store->put(c->store->ctx, name, bytes.p, bytes.n);
}

void go_cache_put(struct go_cache *c, const struct memsrc *m, const struct bin *b,
		  struct go_facts *f)
{
	_text_ struct text key = { 0 };
	char name[GO_CACHE_NAME + 1];

	if (!f->changed || !is_for(c, m, b) || !is_settled(b) || make_key(c, b, &key, name))
		return;
	pthread_mutex_lock(&c->lock);
	put(c, &key, name, f);
	pthread_mutex_unlock(&c->lock);
}
