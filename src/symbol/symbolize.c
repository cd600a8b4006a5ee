/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbol/symbolize.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "binary/binary.h"
#include "proc/maps.h"

enum {
	CACHE_SIZE = 4096, /* frames; direct-mapped, a power of two */
	OWN_FDS = 64,	   /* of a shelf of its own: what has ended is named by what is open */
	FILES_MAX = 256,   /* beyond that, code is named by its file only */
};

/* A mapped file. Known by device and inode: a name can be reused. */
struct file {
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	char *path;
	struct bin *bin; /* NULL: can't be opened */
	uint64_t bias;
	bool is_exe;
};

/* What an address stands for, innermost first. */
struct names {
	uint64_t addr;
	size_t n; /* 0: free */
	struct frame f[SYMBOLIZER_INLINED];
};

struct symbolizer {
	struct memsrc *m;
	struct shelf *shelf, *own;
	struct maps maps;
	bool may_reread;
	uint64_t go_text;
	char exe[4096];
	VEC(struct file) files;
	struct file program; /* at addresses that no mapping is known of */
	struct names *cache; /* of CACHE_SIZE, a mapping */
};

enum { CACHE_BYTES = CACHE_SIZE * sizeof(struct names) };

/* A mapping of its own: processes come and go, and what is given back of one is free, wherever
 * malloc would have put it; pages in which no name is kept cost nothing. */
static struct names *map_cache(void)
{
	void *p =
		mmap(NULL, CACHE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, CACHE_BYTES, MADV_NOHUGEPAGE);
	return p;
}

static void empty_cache(struct symbolizer *s)
{
	if (madvise(s->cache, CACHE_BYTES, MADV_DONTNEED))
		memset(s->cache, 0, CACHE_BYTES);
}

static void forget_files(struct symbolizer *s)
{
	for (size_t i = 0; i < s->files.n; i++) {
		shelf_put(s->shelf, s->files.v[i].bin, s);
		free(s->files.v[i].path);
	}
	vec_free(&s->files);
	bin_close(s->program.bin);
	free(s->program.path);
	s->program = (struct file){ 0 };
}

static bool is_same_file(const struct file *f, const struct vma *v)
{
	return f->inode == v->inode && f->dev_major == v->dev_major && f->dev_minor == v->dev_minor;
}

static int open_of(void *owner, const char *path, uint64_t start, uint64_t end, int *fd)
{
	struct symbolizer *s = owner;

	return s->m ? memsrc_file(s->m, path, start, end, fd) : -ESRCH;
}

/* A capture holds the executable by that name. */
static const char *path_of(struct symbolizer *s, const struct file *f, const struct vma *v)
{
	bool by_name = memsrc_kind(s->m) != MEMSRC_CAPTURE && !memsrc_is_saved(s->m);

	return f->is_exe && !by_name ? "exe" : v->name;
}

static void open_file(struct symbolizer *s, struct file *f, const struct vma *v)
{
	struct shelf_opener o = { .open = open_of,
				  .owner = s,
				  .path = path_of(s, f, v),
				  .start = v->start,
				  .end = v->end,
				  .lib = !f->is_exe,
				  .fixed = memsrc_kind(s->m) != MEMSRC_LIVE };
	struct err e = { 0 };
	const struct vma *low = v;
	int r = shelf_get(s->shelf, &o, &f->bin, &e);

	if (r) {
		log_debug("%s: no names of functions: %s", v->name,
			  e.text[0] ? e.text : strerror(-r));
		return;
	}
	/* The mappings of one load of the file lie side by side: the lowest gives the bias. */
	while (low > s->maps.vma.v && is_same_file(f, low - 1))
		low--;
	f->bias = bin_bias(f->bin, low->start, low->offset);
}

static struct file *file_of(struct symbolizer *s, const struct vma *v)
{
	struct file f = { .dev_major = v->dev_major,
			  .dev_minor = v->dev_minor,
			  .inode = v->inode,
			  .is_exe = !strcmp(v->name, s->exe) };

	for (size_t i = 0; i < s->files.n; i++)
		if (is_same_file(&s->files.v[i], v))
			return &s->files.v[i];
	if (s->files.n == FILES_MAX)
		return NULL;
	f.path = strdup(v->name);
	if (!f.path)
		return NULL;
	open_file(s, &f, v);
	if (vec_push(&s->files, f)) {
		shelf_put(s->shelf, f.bin, s);
		free(f.path);
		return NULL;
	}
	return &s->files.v[s->files.n - 1];
}

/* Ahead of the first address in them: a short-lived target may have ended by then. */
static void open_files(struct symbolizer *s)
{
	for (size_t i = 0; i < s->maps.vma.n; i++)
		if (s->maps.vma.v[i].flags & VMA_X && s->maps.vma.v[i].inode)
			file_of(s, &s->maps.vma.v[i]);
}

static int read_maps(struct symbolizer *s, struct err *e)
{
	struct maps maps = { 0 };
	_text_ struct text exe = { 0 };
	int r = s->m ? maps_read(memsrc_texts(s->m), 0, &maps, e) : -ESRCH;

	/* What a process that has ended had mapped still names its last events. */
	if (r || !maps.vma.n) {
		maps_free(&maps);
		return r;
	}
	maps_free(&s->maps);
	s->maps = maps;
	if (!memsrc_text(s->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(s->exe, sizeof(s->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	open_files(s);
	return 0;
}

static const struct vma *find_vma(struct symbolizer *s, uint64_t addr)
{
	const struct vma *v = maps_find(&s->maps, addr);

	if ((v && v->flags & VMA_X) || !s->may_reread)
		return v;
	s->may_reread = false;
	if (read_maps(s, NULL))
		return v;
	return maps_find(&s->maps, addr);
}

/* Fills f, of which the first is there and has its address. How many they are. */
static size_t name_in_file(struct symbolizer *s, const struct file *file, uint64_t pc,
			   struct frame *f, size_t max)
{
	uint64_t text = file->is_exe ? s->go_text : 0, at = pc - file->bias, start;
	struct bin_frame fn[SYMBOLIZER_ALL];
	size_t n;

	f->module = file->path;
	if (!file->bin)
		return 1;
	max = max < ARRAY_LEN(fn) ? max : ARRAY_LEN(fn);
	if (!bin_go(file->bin)->is_go || bin_go_frames(file->bin, text, at, fn, max, &n) || !n) {
		bin_symbol(file->bin, at, &f->func, &start);
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		f[i] = (struct frame){ .addr = f->addr,
				       .func = fn[i].func,
				       .file = fn[i].file,
				       .line = fn[i].line,
				       .module = file->path,
				       .go = true };
	return n;
}

static size_t name_in_program(struct symbolizer *s, uint64_t pc, struct frame *f, size_t max)
{
	size_t n = s->program.bin ? name_in_file(s, &s->program, pc, f, max) : 1;

	if (!f->func)
		f->module = NULL;
	return n;
}

size_t symbolizer_all(struct symbolizer *s, uint64_t addr, struct frame *f, size_t max)
{
	/* The call lies before the address that it returns to, which may be another function's. */
	uint64_t pc = addr ? addr - 1 : 0;
	const struct vma *v = find_vma(s, pc);
	const struct file *file;

	*f = (struct frame){ .addr = addr };
	if (!v)
		return name_in_program(s, pc, f, max);
	if (!v->inode) {
		f->module = !strcmp(v->name, "[vdso]") ? "[vdso]" : NULL;
		return 1;
	}
	file = file_of(s, v);
	return file ? name_in_file(s, file, pc, f, max) : 1;
}

bool symbolizer_is_wrapper(struct symbolizer *s, uint64_t addr)
{
	const struct vma *v = addr ? find_vma(s, addr - 1) : NULL;
	const struct file *f = v && v->inode ? file_of(s, v) : NULL;

	return f && f->bin && bin_go(f->bin)->is_go &&
	       bin_go_is_wrapper(f->bin, f->is_exe ? s->go_text : 0, addr - 1 - f->bias);
}

bool symbolizer_mapping(struct symbolizer *s, uint64_t addr, struct code_mapping *out)
{
	const struct vma *v = addr ? find_vma(s, addr - 1) : NULL;
	const struct file *f = v && v->inode ? file_of(s, v) : NULL;

	if (!v)
		return false;
	*out = (struct code_mapping){ .start = v->start,
				      .end = v->end,
				      .offset = v->offset,
				      .file = v->name,
				      .build_id = f && f->bin ? bin_build_id(f->bin) : "" };
	return true;
}

size_t symbolizer_frames(struct symbolizer *s, uint64_t addr, struct frame *f, size_t max)
{
	struct names *c = &s->cache[(addr * 0x9e3779b97f4a7c15ULL) >> 52];
	size_t n;

	_Static_assert(CACHE_SIZE == 1 << 12, "the hash gives 12 bits");
	/* What could not be named may be tomorrow, when its mapping is known. */
	if (!c->n || c->addr != addr || !c->f[0].module) {
		c->addr = addr;
		c->n = symbolizer_all(s, addr, c->f, SYMBOLIZER_INLINED);
	}
	n = c->n < max ? c->n : max;
	memcpy(f, c->f, n * sizeof(*f));
	return n;
}

void symbolizer_frame(struct symbolizer *s, uint64_t addr, struct frame *out)
{
	symbolizer_frames(s, addr, out, 1);
}

/* ---- places in files */

static bool place_in(struct symbolizer *s, const struct vma *v, struct code_file *out)
{
	const struct file *f = v->inode ? file_of(s, v) : NULL;
	struct bin_identity id = { 0 };

	if (!v->inode)
		return false;
	if (f && f->bin)
		bin_identity(f->bin, &id);
	*out = (struct code_file){ .dev = (uint64_t)v->dev_major << 32 | v->dev_minor,
				   .ino = v->inode,
				   .size = id.size,
				   .ctime_ns = id.ctime_ns };
	return true;
}

bool symbolizer_place(struct symbolizer *s, uint64_t addr, struct code_file *file, uint64_t *off)
{
	const struct vma *v = addr ? find_vma(s, addr - 1) : NULL;

	if (!v || !place_in(s, v, file))
		return false;
	*off = v->offset + (addr - v->start);
	return true;
}

uint64_t symbolizer_address(struct symbolizer *s, const struct code_file *file, uint64_t off,
			    uint64_t addr)
{
	const struct vma *v = addr ? maps_find(&s->maps, addr - 1) : NULL;
	struct code_file f;

	/* In the process where it was seen first it lies there still. */
	if (v && v->offset + (addr - v->start) == off && place_in(s, v, &f) &&
	    code_file_is_same(&f, file))
		return addr;
	for (size_t i = 0; i < s->maps.vma.n; i++) {
		v = &s->maps.vma.v[i];
		if (v->inode == file->ino && v->flags & VMA_X && off > v->offset &&
		    off - v->offset <= v->end - v->start && place_in(s, v, &f) &&
		    code_file_is_same(&f, file))
			return v->start + (off - v->offset);
	}
	return addr;
}

size_t symbolizer_stack(struct symbolizer *s, const struct event_call *c, struct frame *f)
{
	size_t depth = event_call_depth(c), n = 0, own;
	bool go = depth == c->nstack;

	for (size_t i = 0; i < c->nstack; i++)
		n += symbolizer_frames(s, c->stack[i], &f[n], EVENT_STACK_MAX - n);
	own = n;
	/* The goroutine's part is taken on trust from memory: it must be code, and Go's. */
	for (size_t i = c->nstack; i < depth; i++)
		n += symbolizer_frames(s, c->stack[i], &f[n], EVENT_STACK_MAX - n);
	for (size_t i = own; i < n; i++)
		go |= f[i].go;
	return go ? n : own;
}

size_t symbolizer_event(struct symbolizer *s, const struct event *e, struct frame *f)
{
	size_t n = 0;

	if (e->type == EVENT_CALL)
		return symbolizer_stack(s, &e->call, f);
	for (size_t i = 0; e->type == EVENT_GC && i < e->gc.nstack; i++)
		n += symbolizer_frames(s, e->gc.stack[i], &f[n], EVENT_STACK_MAX - n);
	return n;
}

static struct symbolizer *create(struct memsrc *m, struct shelf *shelf)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cache = map_cache();
	if (!s->cache || (!shelf && shelf_create(OWN_FDS, &s->own))) {
		symbolizer_close(s);
		return NULL;
	}
	s->m = m;
	s->shelf = shelf ? shelf : s->own;
	return s;
}

int symbolizer_open(struct memsrc *m, struct shelf *shelf, struct symbolizer **out, struct err *e)
{
	struct symbolizer *s = create(m, shelf);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	r = read_maps(s, e);
	if (r) {
		symbolizer_close(s);
		return r;
	}
	*out = s;
	return 0;
}

static void open_program(struct symbolizer *s, int fd)
{
	struct file f = { .is_exe = true };
	char link[32], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || bin_open(fd, &f.bin, NULL))
		return;
	path[n] = 0;
	f.path = bin_is_pie(f.bin) ? NULL : strdup(path);
	if (f.path)
		s->program = f;
	else
		bin_close(f.bin);
}

int symbolizer_open_new(struct memsrc *m, struct shelf *shelf, int fd, struct symbolizer **out)
{
	struct symbolizer *s = create(m, shelf);

	if (!s)
		return -ENOMEM;
	read_maps(s, NULL);
	if (fd >= 0)
		open_program(s, fd);
	*out = s;
	return 0;
}

void symbolizer_close(struct symbolizer *s)
{
	if (!s)
		return;
	forget_files(s);
	if (s->cache)
		munmap(s->cache, CACHE_BYTES);
	maps_free(&s->maps);
	shelf_destroy(s->own);
	free(s);
}

void symbolizer_set_go_text(struct symbolizer *s, uint64_t text)
{
	s->go_text = text;
	empty_cache(s);
}

void symbolizer_tick(struct symbolizer *s)
{
	s->may_reread = true;
}

void symbolizer_reset(struct symbolizer *s)
{
	forget_files(s);
	empty_cache(s);
	s->go_text = 0;
	maps_free(&s->maps);
	s->exe[0] = 0;
	read_maps(s, NULL);
}
