// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The maps and the settings that all programs share; see common.h for what each is. */
#include "common.h"

const volatile __u32 cfg_pidns = 0;
const volatile __u64 cfg_wake_bytes = 1 << 20;
__u64 ring_epoch = 0;
__u64 ring_share = 0;
__u32 ring_many = 0;

struct events_map events SEC(".maps");
struct targets_map targets SEC(".maps");
struct rss_state_map rss_state SEC(".maps");
struct tally_map tally SEC(".maps");
struct ended_map ended SEC(".maps");
struct counters_map counters SEC(".maps");
struct calls_map calls SEC(".maps");
struct lost_regions_map lost_regions SEC(".maps");
struct advice_map advice SEC(".maps");
struct followed_map followed SEC(".maps");
struct blank_map blank SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";
