/* SPDX-License-Identifier: BSD-2-Clause */
/* host: a C program that runs guest_main() of the library named by GUEST; with GUEST_LATE on a
 * thread of its own. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void (*guest)(void);

static void *run(void *arg)
{
	guest();
	return arg;
}

int main(void)
{
	const char *name = getenv("GUEST");
	void *lib = name ? dlopen(name, RTLD_NOW) : NULL;
	pthread_t t;

	if (lib)
		*(void **)&guest = dlsym(lib, "guest_main");
	if (!guest) {
		fprintf(stderr, "host: %s\n", name ? dlerror() : "GUEST names no library");
		return 1;
	}
	if (!getenv("GUEST_LATE"))
		run(NULL);
	else if (!pthread_create(&t, NULL, run, NULL))
		pthread_join(t, NULL);
	return 0;
}
