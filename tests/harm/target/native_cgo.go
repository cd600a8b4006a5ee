// SPDX-License-Identifier: BSD-2-Clause

//go:build cgo
// +build cgo

package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern uint64_t harmCallback(uint64_t);

static void *body(void *arg)
{
	uint64_t *v = arg;
	unsigned char *p = malloc(200000); // beyond mmap's threshold
	uint64_t h = *v;

	memset(p, (int)*v, 200000);
	for (int i = 0; i < 200000; i += 4096)
		h = (h ^ p[i]) * 1099511628211u;
	free(p);
	*v = h;
	return NULL;
}

static uint64_t native(uint64_t kind)
{
	uint64_t v[3] = { kind, kind + 1, kind + 2 };
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, body, &v[i]))
			return 0;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	body(&v[2]);
	return harmCallback(v[0] ^ v[1] * 3 ^ v[2] * 7);
}
*/
import "C"

func native(kind uint64) uint64 { return uint64(C.native(C.uint64_t(kind))) }
