/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for libFuzzer where clang's runtime is not installed: runs every file of the named
 * files and folders through LLVMFuzzerTestOneInput, then simple mutations of each (bytes set,
 * words set to edge values, cuts), from a fixed seed. Options (-…) are ignored.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MUTATIONS = 300, INPUT_MAX = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* An own allocation of exactly that size, so that ASan sees the first byte past it. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return;
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void mutate(const uint8_t *data, size_t size, uint64_t seed)
{
	static const uint64_t edges[] = { 0,	     1,		 0x7fffffff, 0xffffffff,
					  INT64_MAX, UINT64_MAX, 1ull << 40 };
	uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
	uint8_t *copy = malloc(size);

	for (int i = 0; copy && i < MUTATIONS; i++) {
		size_t n = size;

		memcpy(copy, data, size);
		for (uint64_t k = next(&state) % 4; k != UINT64_MAX; k--) {
			size_t at = next(&state) % size;

			if (next(&state) % 2 && at + 8 <= size)
				memcpy(copy + at, &edges[next(&state) % 7], 8);
			else
				copy[at] = (uint8_t)next(&state);
		}
		if (next(&state) % 4 == 0)
			n = next(&state) % size;
		run(copy, n);
	}
	free(copy);
}

static int run_file(const char *path, unsigned *count)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *data = malloc(INPUT_MAX);
	size_t n;

	if (!f || !data) {
		fprintf(stderr, "driver: cannot read %s\n", path);
		free(data);
		if (f)
			fclose(f);
		return -1;
	}
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	run(data, n);
	if (n)
		mutate(data, n, ++*count);
	free(data);
	return 0;
}

static int run_path(const char *path, unsigned *count)
{
	struct stat st;
	struct dirent *e;
	int err = 0;
	DIR *d;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return run_file(path, count);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			err |= run_file(name, count);
	}
	if (d)
		closedir(d);
	return err;
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	int err = 0;

	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-')
			err |= run_path(argv[i], &count);
	printf("%u inputs, %u mutations of each\n", count, MUTATIONS);
	return err ? 1 : 0;
}
