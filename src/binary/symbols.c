/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF symbols: .symtab, else .dynsym; an index by address, built when first asked for. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/internal.h"

enum {
	SYMS_MAX = 1 << 21,
	LOOK_BACK = 64, /* symbols before an address that may be long enough to cover it */
	CGO_SYMS_MAX = 8192,
	CGO_NAME = 16,
	VARIABLE_NAME = 64,
	SHARED_NAME = 32, /* longer than the name that is looked for */
};

static const struct bin_sec *sym_section(const struct bin *b, uint32_t type,
					 const struct bin_sec **str)
{
	for (size_t i = 0; i < b->sec.n; i++) {
		const struct bin_sec *s = &b->sec.v[i];

		if (s->type != type || s->entsize != sizeof(Elf64_Sym) || s->link >= b->sec.n ||
		    b->sec.v[s->link].type != SHT_STRTAB)
			continue;
		*str = &b->sec.v[s->link];
		return s;
	}
	return NULL;
}

/* 0: no symbol that names code or data. Global before weak before local, functions first. */
static uint8_t sym_rank(const Elf64_Sym *s)
{
	unsigned int type = ELF64_ST_TYPE(s->st_info), bind = ELF64_ST_BIND(s->st_info);

	if (s->st_shndx == SHN_UNDEF || !s->st_name ||
	    (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE && type != STT_GNU_IFUNC))
		return 0;
	return 1 + (s->st_size ? 8 : 0) + (type != STT_NOTYPE ? 4 : 0) +
	       (bind == STB_GLOBAL ? 2
		: bind == STB_WEAK ? 1
				   : 0);
}

static int add_syms(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct symtab *t = ctx;
	Elf64_Sym s;

	for (size_t i = 0; i + sizeof(s) <= n; i += sizeof(s)) {
		uint8_t rank;

		memcpy(&s, p + i, sizeof(s));
		rank = sym_rank(&s);
		if (!rank)
			continue;
		if (t->v.n >= SYMS_MAX)
			return 1;
		if (vec_push(&t->v, (struct bin_sym){ .addr = s.st_value,
						      .size = s.st_size,
						      .name = s.st_name,
						      .shndx = s.st_shndx,
						      .rank = rank }))
			return -ENOMEM;
	}
	return 0;
}

static int by_addr(const void *x, const void *y)
{
	const struct bin_sym *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static int load(struct bin *b)
{
	struct symtab *t = &b->syms;
	const struct bin_sec *str, *sec;
	uint64_t done = 0, chunk = sizeof(Elf64_Sym) * 8192;
	int r = 0;

	if (t->loaded)
		return 0;
	t->loaded = true;
	sec = sym_section(b, SHT_SYMTAB, &str);
	if (!sec)
		sec = sym_section(b, SHT_DYNSYM, &str);
	if (!sec || str->off > io_size(b->io))
		return 0;
	t->str_off = str->off;
	t->str_end = str->size > io_size(b->io) - str->off ? io_size(b->io) : str->off + str->size;
	io_allow(b->io, io_size(b->io));
	/* in chunks of whole entries, which io_scan's windows need not be */
	for (; done < sec->size && sec->off + done < io_size(b->io) && !r; done += chunk)
		r = io_scan(b->io, sec->off + done,
			    sec->size - done < chunk ? sec->size - done : chunk, 0, add_syms, t);
	if (t->v.n)
		qsort(t->v.v, t->v.n, sizeof(t->v.v[0]), by_addr);
	return r < 0 ? r : 0;
}

static int sym_name(struct bin *b, const struct bin_sym *s, const char **out)
{
	const struct symtab *t = &b->syms;

	if (s->name >= t->str_end - t->str_off)
		return -EINVAL;
	return intern_get(&b->names, b->io, t->str_off + s->name, t->str_end, out);
}

/* Index of the first symbol above addr. */
static size_t upper(const struct symtab *t, uint64_t addr)
{
	size_t lo = 0, hi = t->v.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->v.v[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool same_section(const struct bin *b, const struct bin_sym *s, uint64_t addr)
{
	const struct bin_sec *sec = s->shndx < b->sec.n ? &b->sec.v[s->shndx] : NULL;

	return sec && s->addr >= sec->addr && addr >= sec->addr && addr - sec->addr < sec->size;
}

/* A sized symbol that covers addr; else the nearest one below of unknown size (assembly), unless a
 * sized one lies between, or another section. */
static const struct bin_sym *covering(const struct bin *b, uint64_t addr)
{
	const struct symtab *t = &b->syms;
	const struct bin_sym *sizeless = NULL;
	size_t i = upper(t, addr);
	bool sized = false;

	for (unsigned int k = 0; k < LOOK_BACK && i > 0; k++) {
		/* several at one address lie best first: go to the first of them */
		size_t first = i - 1;

		while (first > 0 && t->v.v[first - 1].addr == t->v.v[i - 1].addr &&
		       i - first < LOOK_BACK)
			first--;
		for (size_t j = first; j < i; j++) {
			const struct bin_sym *s = &t->v.v[j];

			if (s->size && addr - s->addr < s->size)
				return s;
			if (!s->size && !sized && !sizeless && same_section(b, s, addr))
				sizeless = s;
			sized |= s->size != 0;
		}
		i = first;
	}
	return sizeless;
}

int bin_symbol(struct bin *b, uint64_t addr, const char **name, uint64_t *start)
{
	const struct bin_sym *s;
	int r = load(b);

	if (r)
		return r;
	s = covering(b, addr);
	if (!s)
		return -ENOENT;
	r = sym_name(b, s, name);
	if (!r)
		*start = s->addr;
	return r;
}

int bin_symbol_addr(struct bin *b, const char *name, uint64_t *addr, uint64_t *size)
{
	const struct symtab *t = &b->syms;
	const struct bin_sym *best = NULL;
	size_t n = strlen(name);
	int r = load(b);

	if (r)
		return r;
	for (size_t i = 0; i < t->v.n; i++) {
		const struct bin_sym *s = &t->v.v[i];

		if (s->name >= t->str_end - t->str_off || (best && best->rank >= s->rank))
			continue;
		if (n < t->str_end - t->str_off - s->name &&
		    io_streq(b->io, t->str_off + s->name, name, n) == 1)
			best = s;
	}
	if (!best)
		return -ENOENT;
	*addr = best->addr;
	*size = best->size;
	return 0;
}

struct wanted {
	uint64_t lo, hi;
	VEC(struct bin_sym) v;
};

static int add_wanted(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct wanted *w = ctx;
	Elf64_Sym s;

	for (size_t i = 0; i + sizeof(s) <= n; i += sizeof(s)) {
		memcpy(&s, p + i, sizeof(s));
		if (s.st_value < w->lo || s.st_value >= w->hi || !sym_rank(&s) ||
		    ELF64_ST_TYPE(s.st_info) == STT_FUNC)
			continue;
		if (w->v.n >= SYMS_MAX)
			return 1;
		if (vec_push(&w->v, (struct bin_sym){ .addr = s.st_value, .name = s.st_name }))
			return -ENOMEM;
	}
	return 0;
}

int bin_variables(struct bin *b, uint64_t lo, uint64_t hi, const char *const *name, size_t n,
		  uint64_t *addr)
{
	struct wanted w = { .lo = lo, .hi = hi };
	const struct bin_sec *str, *sec = sym_section(b, SHT_SYMTAB, &str);
	uint64_t chunk = sizeof(Elf64_Sym) * 8192, done = 0;
	int r = 0;

	memset(addr, 0, n * sizeof(*addr));
	if (!sec || str->off > io_size(b->io))
		return -ENOENT;
	io_allow(b->io, io_size(b->io));
	for (; done < sec->size && sec->off + done < io_size(b->io) && !r; done += chunk)
		r = io_scan(b->io, sec->off + done,
			    sec->size - done < chunk ? sec->size - done : chunk, 0, add_wanted, &w);
	for (size_t i = 0; i < w.v.n && r >= 0; i++) {
		char s[VARIABLE_NAME] = { 0 };
		uint64_t left = str->size > w.v.v[i].name ? str->size - w.v.v[i].name : 0;

		if (io_read(b->io, str->off + w.v.v[i].name, s,
			    left < sizeof(s) - 1 ? left : sizeof(s) - 1))
			continue;
		for (size_t k = 0; k < n; k++)
			if (!strcmp(s, name[k]))
				addr[k] = addr[k] && addr[k] != w.v.v[i].addr ? UINT64_MAX
									      : w.v.v[i].addr;
	}
	vec_free(&w.v);
	return r < 0 ? r : 0;
}

static int add_sized(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	bin_sym_vec *out = ctx;
	Elf64_Sym s;

	for (size_t i = 0; i + sizeof(s) <= n; i += sizeof(s)) {
		memcpy(&s, p + i, sizeof(s));
		/* variables of threads have offsets, not addresses */
		if (!s.st_size || s.st_size > UINT64_MAX - s.st_value || !sym_rank(&s))
			continue;
		if (out->n >= SYMS_MAX)
			return 1;
		if (vec_push(out, (struct bin_sym){ .addr = s.st_value,
						    .size = s.st_size,
						    .name = s.st_name,
						    .rank = sym_rank(&s) }))
			return -ENOMEM;
	}
	return 0;
}

int symbols_sized(const struct bin *b, bin_sym_vec *out, uint64_t *str, uint64_t *str_end)
{
	const struct bin_sec *names, *sec = sym_section(b, SHT_SYMTAB, &names);
	uint64_t chunk = sizeof(Elf64_Sym) * 8192, done = 0;
	int r = 0;

	*str = *str_end = 0;
	if (!sec || names->off > io_size(b->io))
		return 0;
	*str = names->off;
	*str_end = names->size > io_size(b->io) - names->off ? io_size(b->io)
							     : names->off + names->size;
	for (; done < sec->size && sec->off + done < io_size(b->io) && !r; done += chunk)
		r = io_scan(b->io, sec->off + done,
			    sec->size - done < chunk ? sec->size - done : chunk, 0, add_sized, out);
	if (out->n)
		qsort(out->v, out->n, sizeof(out->v[0]), by_addr);
	return r < 0 ? r : 0;
}

/* .dynsym by its section, else (no section headers) as the loader finds it: there its end is not
 * told, but every linker puts the strings behind it. */
static bool dynsym_place(const struct bin *b, struct bin_sec *sym, struct bin_sec *str)
{
	const struct bin_sec *strsec, *sec = sym_section(b, SHT_DYNSYM, &strsec);
	uint64_t symtab, strtab, strsz, avail;

	if (sec) {
		*sym = *sec;
		*str = *strsec;
		return true;
	}
	*sym = *str = (struct bin_sec){ 0 };
	if (!image_dynamic(b, DT_SYMTAB, &symtab) || !image_dynamic(b, DT_STRTAB, &strtab) ||
	    !image_dynamic(b, DT_STRSZ, &strsz) || strtab <= symtab ||
	    image_off(b, symtab, &sym->off, &sym->size) || image_off(b, strtab, &str->off, &avail))
		return false;
	if (strtab - symtab < sym->size)
		sym->size = strtab - symtab;
	str->size = strsz < avail ? strsz : avail;
	return true;
}

bool symbols_cgo(struct bin *b)
{
	struct bin_sec sym, str;
	Elf64_Sym s;

	if (!dynsym_place(b, &sym, &str))
		return false;
	for (uint64_t i = 0; i < CGO_SYMS_MAX && (i + 1) * sizeof(s) <= sym.size; i++) {
		char name[CGO_NAME] = { 0 };

		if (io_read(b->io, sym.off + i * sizeof(s), &s, sizeof(s)))
			break;
		/* runtime/cgo's exports: cgo_export_dynamic in callbacks.go */
		if (s.st_shndx == SHN_UNDEF || s.st_name >= str.size)
			continue;
		if (!io_read(b->io, str.off + s.st_name, name, sizeof(name) - 1) &&
		    (!strncmp(name, "_cgo_", 5) || !strcmp(name, "crosscall2")))
			return true;
	}
	return false;
}

static int scan_runtime(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	static const char name[] = "runtime.memstats";
	struct bin *b = ctx;
	const uint8_t *at = memmem(p, n, name, sizeof(name));

	if (!at)
		return 0;
	return io_note(b->io, off + (at - p), sizeof(name)) ? -ENOMEM : 1;
}

bool symbols_shared_runtime(struct bin *b)
{
	struct bin_sec sym, str;

	return dynsym_place(b, &sym, &str) &&
	       io_scan(b->io, str.off, str.size, SHARED_NAME, scan_runtime, b) == 1;
}
