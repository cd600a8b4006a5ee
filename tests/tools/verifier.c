/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verifier OBJECT…: what the kernel's verifier spends on each BPF program of these object files,
 * one line a program: "NAME INSNS INSNS". Instructions that it has looked at, over all paths: in
 * the initial pid namespace, and in another one, where ids are looked for (a constant of the object
 * decides, and the verifier leaves out the half that it excludes). "-": this kernel does not load
 * it. Each program is loaded by itself, so that one that does not load takes no other with it.
 * Exit 77 with a line SKIP: nothing can be measured here. Runs as root; Linux 5.16 or later.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

enum { INITIAL, NESTED, NAMESPACES };

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

/* Sets cfg_pidns in .rodata, where the object has it: its place is known to BTF. */
static int set_namespace(struct bpf_object *obj, uint32_t ns)
{
	const struct btf *btf = bpf_object__btf(obj);
	int id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -1;
	const struct btf_type *sec = id > 0 ? btf__type_by_id(btf, id) : NULL;
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata");
	size_t size = 0;
	char *data = map ? (char *)bpf_map__initial_value(map, &size) : NULL;

	for (int i = 0; sec && data && i < btf_vlen(sec); i++) {
		const struct btf_var_secinfo *v = btf_var_secinfos(sec) + i;
		const char *name =
			btf__name_by_offset(btf, btf__type_by_id(btf, v->type)->name_off);

		if (strcmp(name, "cfg_pidns"))
			continue;
		if (v->size != sizeof(ns) || v->offset + v->size > size)
			return -EINVAL;
		memcpy(data + v->offset, &ns, sizeof(ns));
		return 0;
	}
	return -ENOENT;
}

/* Instructions, or -errno of loading. */
static long cost(const char *path, const char *name, int ns, bool *has_namespace)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *p, *it;
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	long r;

	if (!obj)
		return -errno;
	p = bpf_object__find_program_by_name(obj, name);
	bpf_object__for_each_program(it, obj) bpf_program__set_autoload(it, it == p);
	r = set_namespace(obj, ns == NESTED);
	*has_namespace = !r;
	if (!r || r == -ENOENT)
		r = bpf_object__load(obj);
	if (!r)
		r = bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len);
	bpf_object__close(obj);
	return r ? r : info.verified_insns;
}

static int one(const char *path, const char *name)
{
	long n[NAMESPACES];
	bool has = true;

	for (int ns = 0; ns < NAMESPACES; ns++) {
		n[ns] = cost(path, name, ns, &has);
		if (!n[ns]) {
			printf("SKIP no verified_insns of a program: needs Linux 5.16\n");
			return 77;
		}
		if (n[ns] == -EPERM && geteuid()) {
			printf("SKIP loading BPF programs needs root\n");
			return 77;
		}
	}
	printf("%s", name);
	for (int ns = 0; ns < NAMESPACES; ns++)
		if (n[ns] > 0)
			printf(" %ld", n[ns]);
		else
			printf(" -");
	printf("\n");
	if (n[INITIAL] < 0)
		fprintf(stderr, "%s does not load: %s\n", name, strerror(-n[INITIAL]));
	return 0;
}

int main(int argc, char **argv)
{
	int r = 0;

	libbpf_set_print(quiet);
	if (argc < 2)
		return 2;
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		printf("SKIP this kernel has no BTF\n");
		return 77;
	}
	for (int i = 1; i < argc && !r; i++) {
		struct bpf_object *obj = bpf_object__open_file(argv[i], NULL);
		struct bpf_program *p;

		if (!obj) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		bpf_object__for_each_program(p, obj)
		{
			if (!r)
				r = one(argv[i], bpf_program__name(p));
		}
		bpf_object__close(obj);
	}
	return r;
}
