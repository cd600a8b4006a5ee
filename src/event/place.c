/* SPDX-License-Identifier: BSD-2-Clause */
#include "event/place.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

bool place_is_nop(const uint8_t *code, size_t n)
{
	size_t i = 0;

	/* operand size, cs and ds segments, REX: Intel SDM, NOP */
	while (i < n &&
	       (code[i] == 0x66 || code[i] == 0x2e || code[i] == 0x3e || (code[i] & 0xf8) == 0x48))
		i++;
	if (i < n && code[i] == 0x90)
		return true;
	return i + 1 < n && code[i] == 0x0f && code[i + 1] == 0x1f;
}

int place_check(int fd, uint64_t offset, const uint8_t code[EV_CODE], struct err *e)
{
	uint8_t now[EV_CODE] = { 0 };
	ssize_t n = pread(fd, now, sizeof(now), (off_t)offset);

	if (n < 0) {
		int r = -errno;

		return err_set(e, r, "cannot read the code to be probed: %s", strerror(-r));
	}
	if (!n)
		return err_set(e, -EINVAL, "the probe offset is beyond the end of the file");
	if (memcmp(now, code, sizeof(now)))
		return err_set(e, -ESTALE,
			       "the file has been overwritten: other code is at the probe offset");
#if defined(__x86_64__)
	if (place_is_nop(now, n))
		return err_set(e, -EINVAL,
			       "the probe offset is at a NOP: a uprobe there can corrupt the "
			       "target's stack");
#endif
	return 0;
}

#if defined(__x86_64__)

/* Gives back its argument, which it keeps in the red zone across the NOP. */
uint64_t place_leaf(uint64_t v);
extern const char place_nop[];
__asm__(".pushsection .text\n"
	".globl place_leaf, place_nop\n"
	".hidden place_leaf, place_nop\n"
	".type place_leaf, @function\n"
	"place_leaf:\n"
	"	mov %rdi, -8(%rsp)\n"
	"place_nop:\n"
	"	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
	"	mov -8(%rsp), %rax\n"
	"	ret\n"
	".size place_leaf, . - place_leaf\n"
	".popsection\n");

static int find_nop(struct dl_phdr_info *info, size_t size, void *out)
{
	uint64_t place = (uintptr_t)place_nop;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && place >= at && place < at + p->p_memsz)
			*(uint64_t *)out = place - at + p->p_offset;
	}
	return 1; /* the first one is ours */
}

/* Waits for the probe, calls, says how many were wrong. */
static void child(int go, int said, uint32_t calls)
{
	uint32_t wrong = 0;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &c, 1) != 1)
		_exit(1);
	for (uint32_t i = 0; i < calls; i++)
		wrong += place_leaf(i) != i;
	_exit(write(said, &wrong, sizeof(wrong)) != sizeof(wrong));
}

static int open_probe(pid_t pid, uint64_t offset)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	unsigned int type = 0;
	int fd;

	if (!f)
		return -errno;
	if (fscanf(f, "%u", &type) != 1)
		type = 0;
	fclose(f);
	attr.type = type;
	attr.config1 = (uintptr_t) "/proc/self/exe";
	attr.config2 = offset;
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int place_try_nop(uint32_t calls, uint32_t *wrong)
{
	_close_ int go_r = -1, go_w = -1, said_r = -1, said_w = -1, probe = -1;
	int go[2], said[2];
	uint64_t offset = 0, hits = 0;
	uint32_t n = 0;
	pid_t pid;
	int r = 0;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	go_r = go[0];
	go_w = go[1];
	if (pipe2(said, O_CLOEXEC))
		return -errno;
	said_r = said[0];
	said_w = said[1];
	dl_iterate_phdr(find_nop, &offset);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(go_w);
		child(go_r, said_w, calls);
	}
	close(said_w);
	said_w = -1;
	probe = open_probe(pid, offset);
	if (probe < 0)
		r = probe;
	else if (write(go_w, "x", 1) != 1 || read(said_r, &n, sizeof(n)) != sizeof(n))
		r = -EIO; /* it died of the probe */
	else if (read(probe, &hits, sizeof(hits)) != sizeof(hits) || !hits)
		r = -EAGAIN;
	close(go_w);
	go_w = -1;
	waitpid(pid, NULL, 0);
	if (!r)
		*wrong = n;
	return r;
}

#else

int place_try_nop(uint32_t calls, uint32_t *wrong)
{
	return -ENOTSUP;
}

#endif
