/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings that came from a target, made fit for printing: names of files and processes can hold
 * any bytes, terminal escapes included. */
#ifndef RSSCOPE_BASE_UTF8_H
#define RSSCOPE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* The character at s (NUL-terminated): its length in bytes and its code point. 0 when the bytes
 * there are not valid UTF-8 (overlong forms, surrogates and cut sequences included). Not for the
 * terminating NUL. */
size_t utf8_next(const char *s, uint32_t *code);

/* Appends s with every invalid byte replaced by U+FFFD. 0 or -ENOMEM. */
int utf8_clean(const char *s, struct text *out);

/* Appends s as at most `columns` characters for a terminal: control characters and invalid bytes
 * become '?', without `utf8` all that is not ASCII; what is longer loses its middle ("..." or the
 * one-character ellipsis in its place). Returns the characters appended, or -ENOMEM. */
int utf8_print(const char *s, unsigned int columns, bool utf8, struct text *out);

#endif
