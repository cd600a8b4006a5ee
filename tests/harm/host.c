/* SPDX-License-Identifier: BSD-2-Clause */
/* host LIBRARY: a C program whose Go is in a library. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *lib = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void (*work)(void) = lib ? (void (*)(void))dlsym(lib, "HarmWork") : NULL;

	if (!work) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	work();
	return 0;
}
