/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Types and their names, from the data that reflection needs: no DWARF, and `-s -w` leaves it in.
 *
 * internal/abi/type.go, struct Type, the same in Go 1.22 to 1.27: Size_ 0, PtrBytes 8, TFlag 20,
 * Align_ 21, FieldAlign_ 22, Kind_ 23, Str 40; behind it of a pointer, slice or array the element's
 * type at 48, of an array its length at 64. Names: struct Name of the same file.
 */
#ifndef RSSCOPE_GORUNTIME_TYPENAME_H
#define RSSCOPE_GORUNTIME_TYPENAME_H

#include "base/text.h"
#include "goruntime/goruntime.h"

enum {
	GO_MODULES_MAX = 64,	 /* the program and its plugins */
	GO_TYPE_NAME_MAX = 1024, /* bytes of a name; a longer one ends with "..." */
};

/* Where the linker has put the types of a module: names are offsets from `types`. */
struct go_module {
	uint64_t types, etypes;
};

struct go_typenames {
	const struct go_runtime *rt; /* borrowed */
	const struct bin *bin;	     /* likewise; what of it is not in memory is read there */
	struct go_module module[GO_MODULES_MAX]; /* the program's first */
	size_t n;
};

struct go_type {
	uint64_t addr;
	uint64_t size; /* bytes */
	int32_t str;   /* where its name is; below 0: made by reflect while the program ran */
	uint8_t kind;  /* reflect.Kind */
	bool star;     /* the name has a star in front that is not the type's */
};

/* Borrows both. The list of modules is walked with a bound. 0; -ENOENT: moduledata has no types;
 * -errno. */
int go_typenames_init(struct go_typenames *t, const struct go_runtime *rt, const struct bin *b);

/* Whether a type can lie there, without reading. */
bool go_type_plausible(const struct go_typenames *t, uint64_t addr);

/* The type at addr, of objects that hold pointers; reads 48 bytes. 0; -ENOENT: there is none, or
 * it can't be read; -ESRCH. */
int go_type_read(const struct go_typenames *t, uint64_t addr, struct go_type *out);

/*
 * Appends its name, as reflect's String() has it: "main.Session", "map[string]int"; control
 * characters and what is no UTF-8 as '?'. Of a type that was made by reflect the name is put
 * together from its elements' as far as that goes, else it says so. 0; -ENOENT: it has none;
 * -ENOMEM; -ESRCH.
 */
int go_type_name(const struct go_typenames *t, const struct go_type *type, struct text *out);

#endif
