/* SPDX-License-Identifier: BSD-2-Clause */
#include "binary/package.h"

#include <stdbool.h>
#include <string.h>

/* What the compiler and the linker make and no package holds. Up to 1.19 with a point, which a
 * package's path may have there, too (go.uber.org): so these alone. */
static bool is_generated(const char *name)
{
	static const char *const prefix[] = {
		"go:",	    "type:",	   "type..",	     "go.string.",
		"go.func.", "go.itab.",	   "go.map.",	     "go.shape.",
		"go.build", "go.builtin.", "go.importpath.", "go.interface.",
		"go.fips",  "gclocals",
	};

	for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static bool is_path(unsigned char c)
{
	return c > ' ' && !strchr("()[]{}*,;\"", c);
}

size_t bin_package_of(const char *name)
{
	size_t slash = 0, i = 0;

	if (is_generated(name))
		return 0;
	for (; name[i] && is_path(name[i]); i++)
		if (name[i] == '/')
			slash = i;
	/* the first point behind the last slash, which may be the end of what was looked at */
	for (size_t k = slash; k < i; k++)
		if (name[k] == '.')
			return k;
	return 0;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t bin_package_path(const char *name, size_t n, char *out, size_t max)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k + 1 < max; i++) {
		int hi = i + 2 < n && name[i] == '%' ? hex(name[i + 1]) : -1;
		int lo = hi >= 0 ? hex(name[i + 2]) : -1;

		if (lo >= 0 && hi * 16 + lo) {
			out[k++] = (char)(hi * 16 + lo);
			i += 2;
		} else {
			out[k++] = name[i];
		}
	}
	if (max)
		out[k] = 0;
	return k;
}
