/* SPDX-License-Identifier: BSD-2-Clause */
/* Which package a linker symbol belongs to. Pure. */
#ifndef RSSCOPE_BINARY_PACKAGE_H
#define RSSCOPE_BINARY_PACKAGE_H

#include <stddef.h>

/*
 * How many bytes at the beginning of a symbol's name are its package, as the linker writes it:
 * "vendor/golang.org/x/net/http%2ehttpguts.Valid" → 32. 0: no package, for what the compiler makes
 * ("type:.eq.…", "go:itab.…") and for names of C. As debug/gosym, Sym.PackageName, does; type
 * arguments in brackets, which have points and slashes too, come behind.
 */
size_t bin_package_of(const char *name);

/* The import path of these n bytes (cmd/internal/objabi, PrefixToPath: %2e is a point), terminated
 * and cut to max − 1. Its length. */
size_t bin_package_path(const char *name, size_t n, char *out, size_t max);

#endif
