/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "proc/cgroup.h"
#include "proc/task.h"
#include "test.h"

TEST(task_syscall_is_parsed)
{
	long nr = 77;

	CHECK(task_syscall_parse("0 0x3 0xc000 0x1 0x0 0x0 0x0 0x7ffc 0x4034\n", &nr));
	CHECK_INT(nr, 0);
	CHECK(task_syscall_parse("202 0x0 0x7ffc 0x4034\n", &nr));
	CHECK_INT(nr, 202);
	CHECK(task_syscall_parse("-1 0x7ffc 0x4034\n", &nr));
	CHECK_INT(nr, TASK_OUTSIDE);
	CHECK(task_syscall_parse("running\n", &nr));
	CHECK_INT(nr, TASK_RUNNING);
	CHECK(!task_syscall_parse("", &nr));
	CHECK(!task_syscall_parse("-2 0x0\n", &nr));
	CHECK(!task_syscall_parse("0x3 0x4\n", &nr));
	CHECK(!task_syscall_parse("99999999999999999999 0x0\n", &nr));
}

/* The compiler's own headers are the witness, on the machine that this runs on. */
TEST(task_syscall_names)
{
	static const struct {
		const char *name;
		long nr;
	} here[] = {
#define CALL(x) { #x, SYS_##x }
		CALL(read),	    CALL(write),      CALL(close),	     CALL(fstat),
		CALL(mmap),	    CALL(mprotect),   CALL(munmap),	     CALL(ioctl),
		CALL(pread64),	    CALL(pwrite64),   CALL(readv),	     CALL(writev),
		CALL(sched_yield),  CALL(madvise),    CALL(nanosleep),	     CALL(sendfile),
		CALL(connect),	    CALL(accept),     CALL(sendto),	     CALL(recvfrom),
		CALL(sendmsg),	    CALL(recvmsg),    CALL(wait4),	     CALL(semop),
		CALL(msgrcv),	    CALL(fcntl),      CALL(flock),	     CALL(fsync),
		CALL(fdatasync),    CALL(futex),      CALL(rt_sigtimedwait), CALL(rt_sigsuspend),
		CALL(io_getevents), CALL(getdents64), CALL(semtimedop),	     CALL(clock_nanosleep),
		CALL(waitid),	    CALL(openat),     CALL(newfstatat),	     CALL(unlinkat),
		CALL(pselect6),	    CALL(ppoll),      CALL(splice),	     CALL(sync_file_range),
		CALL(epoll_pwait),  CALL(accept4),    CALL(preadv),	     CALL(pwritev),
		CALL(recvmmsg),	    CALL(sendmmsg),   CALL(statx),
#undef CALL
	};
	struct utsname u;

	REQUIRE(!uname(&u));
	for (size_t i = 0; i < ARRAY_LEN(here); i++) {
		const char *name = task_syscall_name(u.machine, here[i].nr);

		CHECK_STR(name ? name : "none", here[i].name);
	}
	CHECK_STR(task_syscall_name("aarch64", 63), "read");
	CHECK_STR(task_syscall_name("x86_64", 232), "epoll_wait");
	CHECK(!task_syscall_name("x86_64", -1)); /* what one machine does not have is no number */
	CHECK(!task_syscall_name("aarch64", -1));
	CHECK(!task_syscall_name("riscv64", 63));
}

TEST(cgroup_stalls_are_parsed)
{
	uint64_t percent = 0, ns = 0;

	CHECK(cgroup_stalls_parse("some avg10=1.20 avg60=34.56 avg300=0.10 total=123456\n"
				  "full avg10=0.00 avg60=99.00 avg300=0.00 total=9\n",
				  &percent, &ns));
	CHECK_INT(percent, 34);
	CHECK_INT(ns, 123456000);
	CHECK(cgroup_stalls_parse("full avg60=1.00 total=1\nsome avg60=0.00 total=0\n", &percent,
				  &ns));
	CHECK_INT(percent, 0);
	CHECK_INT(ns, 0);
	CHECK(!cgroup_stalls_parse("", &percent, &ns));
	CHECK(!cgroup_stalls_parse("full avg60=1.00 total=1\n", &percent, &ns));
	CHECK(!cgroup_stalls_parse("some avg10=1.00\nfull avg60=1.00 total=1\n", &percent, &ns));
	CHECK(!cgroup_stalls_parse("some avg60=101.00 total=1\n", &percent, &ns));
	CHECK(!cgroup_stalls_parse("some avg60=1.00 total=99999999999999999999\n", &percent, &ns));
}
