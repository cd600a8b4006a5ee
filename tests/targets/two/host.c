/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host LIBRARY MIB LIBRARY MIB: a C program with two Go libraries, each with a runtime of its own.
 * A line on standard input loads the next one; a line of JSON says what each runtime says itself.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *symbol(void *lib, const char *name)
{
	void *s = lib ? dlsym(lib, name) : NULL;

	if (!s) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return s;
}

int main(int argc, char **argv)
{
	unsigned long (*heap[8])(void);
	char line[64];
	int n = 0;

	for (int i = 1; i + 1 < argc && n < 8; i += 2) {
		void *lib = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);

		((void (*)(long))symbol(lib, "Hold"))(atol(argv[i + 1]));
		heap[n++] = (unsigned long (*)(void))symbol(lib, "Heap");
		printf("{\"heap\":[");
		for (int k = 0; k < n; k++)
			printf("%s%lu", k ? "," : "", heap[k]());
		printf("]}\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
	}
	return 0;
}
