/* SPDX-License-Identifier: BSD-2-Clause */
/* ticks PID: ticks a second, and where they are from ("runtime", "started", "measured"). */
#include "goruntime/ticks.h"
#include "target.h"

int main(int argc, char **argv)
{
	static const char *const from[] = { "runtime", "started", "measured" };
	struct target t = { 0 };
	struct go_runtime rt;
	struct err e = { 0 };
	double ticks;
	int r;

	if (argc != 2)
		return 2;
	target_open(&t, argv[1]);
	if (go_runtime_open(t.m, t.bin, t.bias, &t.maps, NULL, &rt, &e)) {
		fprintf(stderr, "%s: %s\n", argv[1], e.text);
		return 1;
	}
	r = go_ticks_per_second(&rt, t.bin, &ticks);
	if (r < 0)
		printf("none: %s\n", strerror(-r));
	else
		printf("%.0f %s\n", ticks, from[r]);
	target_close(&t);
	return r < 0;
}
