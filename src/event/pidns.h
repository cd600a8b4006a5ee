/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside event/: which pid namespace ids are of. */
#ifndef RSSCOPE_EVENT_PIDNS_H
#define RSSCOPE_EVENT_PIDNS_H

#include <stdint.h>
#include <sys/stat.h>

/* Inode of our pid namespace; 0: the initial one (PROC_PID_INIT_INO, include/linux/proc_ns.h), or
 * it is not known. */
static inline uint32_t pidns_ours(void)
{
	const ino_t initial = 0xEFFFFFFC;
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino != initial ? st.st_ino : 0;
}

#endif
