/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/typename.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "goruntime/rd.h"

enum {
	HEAD = 48, /* bytes of a type that all kinds have */
	AT_SIZE = 0,
	AT_PTRBYTES = 8,
	AT_TFLAG = 20,
	AT_ALIGN = 21,
	AT_FIELDALIGN = 22,
	AT_KIND = 23,
	AT_STR = 40,
	AT_ELEM = HEAD,
	AT_LEN = HEAD + 16,
	TFLAG_STAR = 2, /* TFlagExtraStar */
	TFLAGS = 63,
	KIND_MASK = 31, /* up to 1.25 flags are above */
	KIND_ARRAY = 17,
	KIND_POINTER = 22,
	KIND_SLICE = 23,
	KIND_MAX = 26,	/* UnsafePointer */
	ALIGN_MAX = 64, /* 8 so far */
	DEPTH_MAX = 16,
	ADDR_BITS = 48,
	VARINT_MAX = 3, /* bytes of a name's length: 2 MiB */
};

int go_typenames_init(struct go_typenames *t, const struct go_runtime *rt, const struct bin *b)
{
	const struct go_layout *l = rt->l;
	size_t size = l->f[GO_SIZE_MODULEDATA];
	_free_ uint8_t *md = malloc(size);
	uint64_t at = rt->g.moduledata;

	*t = (struct go_typenames){ .rt = rt, .bin = b };
	if (!md)
		return -ENOMEM;
	for (unsigned int i = 0; i < GO_MODULES_MAX && at; i++) {
		struct go_module m;
		int r = rd(rt, PASS_SPANS, at, md, size);

		if (r == -ESRCH)
			return r;
		if (r)
			break;
		m.types = get_u64(l, GO_MODULEDATA_TYPES, md, size);
		m.etypes = get_u64(l, GO_MODULEDATA_ETYPES, md, size);
		if (m.types && m.types < m.etypes && !(m.etypes >> ADDR_BITS))
			t->module[t->n++] = m;
		at = get_u64(l, GO_MODULEDATA_NEXT, md, size);
	}
	return t->n ? 0 : -ENOENT;
}

static const struct go_module *module_of(const struct go_typenames *t, uint64_t addr)
{
	for (size_t i = 0; i < t->n; i++)
		if (addr >= t->module[i].types && addr < t->module[i].etypes)
			return &t->module[i];
	return NULL;
}

/* Of the process; of pages that nobody has touched there, of the program's file: the loader fills
 * in pointers, but no sizes and no offsets. 0; -ENOENT; -ESRCH. */
static int read_data(const struct go_typenames *t, uint64_t addr, void *buf, size_t n)
{
	int r = rd(t->rt, PASS_SPANS, addr, buf, n);

	if (r && r != -ESRCH && t->bin)
		r = bin_read(t->bin, addr - t->rt->bias, buf, n);
	return r == 0 || r == -ESRCH ? r : -ENOENT;
}

/* ---- a type */

bool go_type_plausible(const struct go_typenames *t, uint64_t addr)
{
	const struct go_module *m = module_of(t, addr);

	if (!addr || addr % 8 || addr >> ADDR_BITS)
		return false;
	return !m || m->etypes - addr >= HEAD;
}

static bool is_power(uint8_t align)
{
	return align && align <= ALIGN_MAX && !(align & (align - 1));
}

/* Types of objects without pointers are never wanted: nothing keeps those. */
static bool is_sane(const uint8_t *p)
{
	uint64_t size = load_u64(p + AT_SIZE), ptrs = load_u64(p + AT_PTRBYTES);
	uint8_t kind = p[AT_KIND] & KIND_MASK;

	return size && !(size >> ADDR_BITS) && ptrs && ptrs <= size && !(ptrs % 8) &&
	       is_power(p[AT_ALIGN]) && is_power(p[AT_FIELDALIGN]) && kind && kind <= KIND_MAX &&
	       p[AT_TFLAG] <= TFLAGS;
}

int go_type_read(const struct go_typenames *t, uint64_t addr, struct go_type *out)
{
	uint8_t p[HEAD];
	int r = go_type_plausible(t, addr) ? read_data(t, addr, p, sizeof(p)) : -ENOENT;

	if (r || !is_sane(p))
		return r ? r : -ENOENT;
	*out = (struct go_type){
		.addr = addr,
		.size = load_u64(p + AT_SIZE),
		.str = load_u32(p + AT_STR),
		.kind = p[AT_KIND] & KIND_MASK,
		.star = p[AT_TFLAG] & TFLAG_STAR,
	};
	/* outside all modules only reflect has made it, which counts names downwards */
	return !module_of(t, addr) == (out->str < 0) ? 0 : -ENOENT;
}

/* ---- a name */

static int add_printable(const char *s, struct text *out)
{
	int r = utf8_print(s, GO_TYPE_NAME_MAX, true, out);

	return r < 0 ? r : 0;
}

/* A byte of flags, the length as a varint, the bytes. */
static int add_linked(const struct go_typenames *t, const struct go_type *type, struct text *out)
{
	const struct go_module *m = module_of(t, type->addr);
	uint64_t at = m->types + (uint32_t)type->str, len = 0, left, n;
	uint8_t head[1 + VARINT_MAX] = { 0 };
	char text[GO_TYPE_NAME_MAX + 1];
	unsigned int k = 0;
	int r;

	if (!type->str || at >= m->etypes)
		return -ENOENT;
	left = m->etypes - at;
	r = read_data(t, at, head, left < sizeof(head) ? left : sizeof(head));
	if (r)
		return r;
	do {
		len |= (uint64_t)(head[1 + k] & 127) << 7 * k;
	} while (head[1 + k++] & 128 && k < VARINT_MAX);
	if (head[k] & 128 || len > left - 1 - k || len <= type->star || left < 1 + k)
		return -ENOENT;
	at += 1 + k + type->star;
	len -= type->star;
	n = len < sizeof(text) ? len : sizeof(text) - 1;
	r = read_data(t, at, text, n);
	text[n] = 0;
	if (r || strlen(text) != n)
		return r ? r : -ENOENT;
	r = add_printable(text, out);
	return !r && n < len ? text_printf(out, "...") : r;
}

static const char *kind_name(uint8_t kind)
{
	static const char *const name[] = { [17] = "array",	[18] = "channel", [19] = "function",
					    [20] = "interface", [21] = "map",	  [22] = "pointer",
					    [23] = "slice",	[24] = "string",  [25] = "struct" };

	return kind < ARRAY_LEN(name) && name[kind] ? name[kind] : "type";
}

static int add_element(const struct go_typenames *t, const struct go_type *type, unsigned int depth,
		       struct text *out);

static int add_name(const struct go_typenames *t, const struct go_type *type, unsigned int depth,
		    struct text *out)
{
	size_t before = out->n;
	int r;

	if (type->str >= 0)
		return add_linked(t, type, out);
	r = depth ? add_element(t, type, depth - 1, out) : -ENOENT;
	if (r != -ENOENT)
		return r;
	out->n = before;
	return text_printf(out, "%s of %" PRIu64 " B made by reflect", kind_name(type->kind),
			   type->size);
}

/* What a type that was made while the program ran is made of. */
static int add_element(const struct go_typenames *t, const struct go_type *type, unsigned int depth,
		       struct text *out)
{
	uint64_t elem, len = 0;
	struct go_type of;
	uint8_t p[HEAD];
	int r;

	if (type->kind != KIND_ARRAY && type->kind != KIND_POINTER && type->kind != KIND_SLICE)
		return -ENOENT;
	r = rd_u64(t->rt, PASS_SPANS, type->addr + AT_ELEM, &elem);
	if (!r && type->kind == KIND_ARRAY)
		r = rd_u64(t->rt, PASS_SPANS, type->addr + AT_LEN, &len);
	if (!r)
		r = go_type_plausible(t, elem) ? read_data(t, elem, p, sizeof(p)) : -ENOENT;
	if (r)
		return r == -ESRCH ? r : -ENOENT;
	of = (struct go_type){ .addr = elem,
			       .size = load_u64(p + AT_SIZE),
			       .str = load_u32(p + AT_STR),
			       .kind = p[AT_KIND] & KIND_MASK,
			       .star = p[AT_TFLAG] & TFLAG_STAR };
	if (!module_of(t, elem) != (of.str < 0))
		return -ENOENT;
	r = type->kind == KIND_ARRAY ? text_printf(out, "[%" PRIu64 "]", len)
				     : text_printf(out, type->kind == KIND_SLICE ? "[]" : "*");
	return r ? r : add_name(t, &of, depth, out);
}

int go_type_name(const struct go_typenames *t, const struct go_type *type, struct text *out)
{
	return add_name(t, type, DEPTH_MAX, out);
}
