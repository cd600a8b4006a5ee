/* SPDX-License-Identifier: BSD-2-Clause */
/* Meaning of events: errno, callers, stacks in two parts; their lines as text and JSON. */
#include <errno.h>
#include <jansson.h>

#include "event/stream.h"
#include "event_records.h"
#include "out/watch.h"
#include "schema.h"
#include "test.h"

TEST(event_errno_of_calls)
{
	struct event_call c = { .call = CALL_MMAP, .ret = -12 };

	CHECK_INT(event_call_errno(&c), ENOMEM);
	c.ret = -4095;
	CHECK_INT(event_call_errno(&c), 4095);
	c.ret = -4096; /* an address near the top, not an error: MAX_ERRNO is 4095 */
	CHECK_INT(event_call_errno(&c), 0);
	c.ret = 0x7f0000000000;
	CHECK_INT(event_call_errno(&c), 0);
	/* brk(2) answers with the break, whatever was asked for */
	c = (struct event_call){ .call = CALL_BRK, .args = { 0 }, .ret = 0x5000 };
	CHECK_INT(event_call_errno(&c), 0);
	c.args[0] = 0x6000;
	CHECK_INT(event_call_errno(&c), ENOMEM);
	c.ret = 0x6000;
	CHECK_INT(event_call_errno(&c), 0);
}

TEST(event_goroutine_part_is_dropped_when_the_chain_has_it)
{
	/* Go 1.21 and later: the chain runs across the system stack */
	struct event_call c = { .nstack = 4, .ngo = 3, .stack = { 1, 2, 30, 40, 9, 30, 40 } };

	CHECK_INT(event_call_depth(&c), 4);
	/* before: it ends on the system stack */
	c = (struct event_call){ .nstack = 2, .ngo = 3, .stack = { 1, 2, 9, 30, 40 } };
	CHECK_INT(event_call_depth(&c), 5);
	c = (struct event_call){ .nstack = 2, .stack = { 1, 2 } };
	CHECK_INT(event_call_depth(&c), 2);
	c = (struct event_call){ .ngo = 2, .stack = { 7, 7 } };
	CHECK_INT(event_call_depth(&c), 2);
}

static const char libc[] = "/usr/lib/x86_64-linux-gnu/libc.so.6";

TEST(event_caller_is_past_the_wrappers)
{
	struct frame go[] = {
		{ .go = true, .func = "internal/runtime/syscall.Syscall6" },
		{ .go = true, .func = "syscall.RawSyscall6" },
		{ .go = true, .func = "golang.org/x/sys/unix.Mmap" },
		{ .go = true, .func = "example.org/cache.(*Cache).load" },
		{ .go = true, .func = "main.main" },
	};
	struct frame cgo[] = {
		{ .func = "mmap", .module = libc },
		{ .func = "sysmalloc", .module = libc },
		{ .go = true, .func = "runtime.systemstack_switch" },
		{ .go = true, .func = "main._Cfunc_leak" },
		{ .go = true, .func = "main.cacheLoad" },
	};
	struct frame lib[] = {
		{ .func = "mmap64", .module = libc },
		{ .module = "/usr/lib/libz.so.1" }, /* stripped */
		{ .func = "compress_block", .module = "/usr/lib/libz.so.1" },
	};
	struct frame bare[] = {
		{ .func = "brk", .module = libc },
		{ .module = "/opt/plugin.so" },
	};
	struct frame user[] = { { .func = "free_list", .module = "/opt/app" } };

	CHECK_INT(event_caller(go, 5), 3);
	CHECK_INT(event_caller(cgo, 5), 4);
	CHECK_INT(event_caller(lib, 3), 2);
	CHECK_INT(event_caller(bare, 2), 1);
	CHECK_INT(event_caller(user, 1), 0);
	CHECK_INT(event_caller(bare, 1), 0);
	CHECK_INT(event_caller(NULL, 0), -1);
	CHECK_INT(event_maker(go, 5), -1);
	CHECK_INT(event_maker(cgo, 5), -1);
}

/* The caller of a stack of C or Go functions, innermost first, NULL at its end. */
static const char *caller_of(bool go, const char *const *func)
{
	struct frame f[8] = { 0 };
	size_t n = 0;
	int i;

	for (; func[n]; n++)
		f[n] = (struct frame){ .func = func[n], .go = go, .module = "/opt/app" };
	i = event_caller(f, n);
	return i < 0 ? "none" : f[i].func;
}
#define CALLER(go, ...) caller_of(go, (const char *const[]){ __VA_ARGS__, NULL })

TEST(event_caller_is_past_cgo)
{
	struct frame mixed[] = {
		{ .func = "malloc", .module = libc },
		{ .func = "_cgo_22ec1f_C2func_work", .module = "/opt/app" },
		{ .go = true, .func = "runtime.asmcgocall" },
		{ .go = true, .func = "runtime.cgocall" },
		{ .go = true, .func = "main._cgo_cmalloc" },
		{ .go = true, .func = "main._Cfunc_CString" },
		{ .go = true, .func = "main.setOption" },
	};

	CHECK_INT(event_caller(mixed, 7), 6);
	CHECK_STR(CALLER(true, "main._Cfunc__CMalloc", "main.load"), "main.load");
	CHECK_STR(CALLER(true, "example.org/x.y/z._Cfunc_GoBytes", "z.read"), "z.read");
	CHECK_STR(CALLER(true, "_cgoexp_22ec1f_callback", "runtime.cgocallbackg1", "main.f"),
		  "main.f");
	CHECK_STR(CALLER(true, "main._cgoCheckPointer", "main.f"), "main.f");
	CHECK_STR(CALLER(true, "C.CString", "main.f"), "main.f");
	CHECK_STR(CALLER(false, "x_cgo_thread_start", "crosscall1", "helper"), "helper");
	/* but not what only resembles them */
	CHECK_STR(CALLER(true, "main.cgo_pool", "main.f"), "main.cgo_pool");
	CHECK_STR(CALLER(true, "_cgroup.Read", "main.f"), "_cgroup.Read");
}

TEST(event_caller_is_past_allocators)
{
	static const char *const alloc[] = {
		"malloc",
		"calloc",
		"realloc",
		"sysmalloc",
		"_int_malloc",
		"mmap64",
		"brk",
		"sbrk",
		"new_heap",
		"arena_get2",
		"_Znwm",
		"_ZnamRKSt9nothrow_t",
		"posix_memalign",
		"aligned_alloc",
		"operator new(unsigned long)",
	};

	for (size_t i = 0; i < sizeof(alloc) / sizeof(*alloc); i++)
		CHECK_STR(CALLER(false, alloc[i], "decode", "main"), "decode");
	CHECK_STR(CALLER(false, "malloc_trim_hook", "main"), "malloc_trim_hook");
	CHECK_STR(CALLER(false, "_Znode_add", "main"), "_Znode_add");
}

TEST(event_caller_is_past_thin_wrappers)
{
	CHECK_STR(CALLER(true, "syscall.Syscall6", "main.mmap", "main.punchHole"),
		  "main.punchHole");
	CHECK_STR(CALLER(true, "syscall.(*mmapper).Mmap", "syscall.Mmap", "main.f"), "main.f");
	CHECK_STR(CALLER(true, "golang.org/x/sys/unix.Mmap", "main.f"), "main.f");
	CHECK_STR(CALLER(true, "store.(*File).Mmap", "store.Open"), "store.Open");
	CHECK_STR(CALLER(true, "store.Mmap[...]", "store.Open"), "store.Open");
	CHECK_STR(CALLER(true, "main.mremap", "main.growMove"), "main.growMove");
	CHECK_STR(CALLER(false, "mmap", "store::mmap(int)", "load"), "load");
	/* nobody but the wrapper is there */
	CHECK_STR(CALLER(true, "syscall.Syscall6", "main.mmap", "runtime.main"), "main.mmap");
	CHECK_STR(CALLER(true, "main.mmapFile", "main.f"), "main.mmapFile");
}

TEST(event_chain_is_caller_and_its_callers)
{
	struct frame f[] = {
		{ .go = true, .func = "syscall.Syscall6" },  { .go = true, .func = "main.mmap" },
		{ .go = true, .func = "main.walk" },	     { .go = true, .func = "main.walk" },
		{ .go = true, .func = "main._Cfunc_visit" }, { .module = "/opt/app" },
		{ .go = true, .func = "main.run" },	     { .go = true, .func = "main.main" },
		{ .go = true, .func = "runtime.main" },
	};
	int at[EVENT_CHAIN];

	REQUIRE(event_chain(f, 9, event_caller(f, 9), at, EVENT_CHAIN) == 3);
	CHECK_INT(at[0], 2);
	CHECK_INT(at[1], 6);
	CHECK_INT(at[2], 7);
	CHECK_INT(event_chain(f, 9, 7, at, EVENT_CHAIN), 1);
	CHECK_INT(event_chain(f, 9, -1, at, EVENT_CHAIN), 0);
	CHECK_INT(event_chain(f, 9, 9, at, EVENT_CHAIN), 0);
}

TEST(event_maker_is_what_the_runtime_wanted)
{
	struct frame grow[] = {
		{ .go = true, .func = "runtime.sysMmap" },
		{ .go = true, .func = "runtime.sysMapOS" },
		{ .go = true, .func = "runtime.(*mheap).grow" },
		{ .go = true, .func = "runtime.systemstack" },
		{ .go = true, .func = "runtime.mallocgc" },
		{ .go = true, .func = "main.growHeap" },
	};
	struct frame alone[] = {
		{ .func = "mmap", .module = libc }, /* cgo programs map through libc */
		{ .go = true, .func = "runtime.callCgoMmap" },
		{ .go = true, .func = "runtime.sysAllocOS" },
		{ .go = true, .func = "runtime.persistentalloc1" },
		{ .go = true, .func = "runtime.gcBgMarkWorker" },
	};

	CHECK_INT(event_maker(grow, 6), 2);
	CHECK_INT(event_caller(grow, 6), 5);
	CHECK_INT(event_maker(alone, 5), 3);
	CHECK_INT(event_caller(alone, 5), 3);
}

/* ---- lines */

static const struct watch_clock epoch = { .offset_ns = 1700000000000000000 };

/* A line of the stream, which must keep to its schema. */
static json_t *parse_line(const char *text)
{
	json_t *schema = json_loads(watch_json_schema(), JSON_REJECT_DUPLICATES, NULL);
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	char why[512] = "not JSON";

	REQUIRE(schema);
	if (!j || schema_check(schema, j, why, sizeof(why)))
		test_failed(__FILE__, __LINE__, "%s in %s", why, text);
	json_decref(schema);
	return j;
}

static json_t *line_of(const struct event *e, const struct frame *f, size_t n)
{
	struct watch_seen seen = { .clock = epoch };
	_text_ struct text t = { 0 };

	if (watch_json_event(&seen, e, f, n, &t))
		return NULL;
	/* one line, ended */
	CHECK(t.n && t.p[t.n - 1] == '\n' && strchr(t.p, '\n') == t.p + t.n - 1);
	return parse_line(t.p);
}

TEST(event_json_of_a_call)
{
	struct rsc_rec_call r = rec_mmap(2, 0);
	struct frame f[] = {
		{ .addr = 0x400000, .func = "syscall.Mmap", .go = true },
		{ .addr = 0x400010,
		  .func = "main.\"odd\"\n\xff",
		  .file = "a\\b.go",
		  .line = 7,
		  .module = "/x",
		  .go = true },
	};
	struct event e;
	const char *type, *caller, *result, *func, *file, *arg;
	json_int_t length, fd, prot, line;
	json_t *j;

	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	j = line_of(&e, f, 2);
	REQUIRE(j);
	REQUIRE(!json_unpack(j, "{s:s, s:s, s:s, s:I, s:I, s:I, s:[s, s]}", "type", &type, "caller",
			     &caller, "result", &result, "length", &length, "fd", &fd, "prot",
			     &prot, "args", &arg, &arg));
	CHECK_STR(type, "mmap");
	CHECK_STR(result, "0x7f0000000000");
	CHECK_INT(length, 8192);
	CHECK_INT(fd, -1);
	CHECK_INT(prot, 3);
	CHECK_STR(arg, "0x2000");
	CHECK(json_is_false(json_object_get(j, "failed")));
	REQUIRE(!json_unpack(json_array_get(json_object_get(j, "stack"), 1), "{s:s, s:s, s:I}",
			     "func", &func, "file", &file, "line", &line));
	CHECK_STR(func, "main.\"odd\"\n\xef\xbf\xbd");
	CHECK_STR(caller, func);
	CHECK_STR(file, "a\\b.go");
	CHECK_INT(line, 7);
	CHECK_STR(json_string_value(json_object_get(j, "time")), "2023-11-14T22:13:20.000002500Z");
	json_decref(j);
}

TEST(event_json_of_failures)
{
	struct rsc_rec_call r = rec_mmap(0, 0);
	struct event e;
	json_t *j;

	r.ret = -ENOMEM;
	r.args[1] = 1ULL << 63; /* no reader's integer */
	r.hdr.flags = RSC_F_STACK_FAILED;
	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	j = line_of(&e, NULL, 0);
	REQUIRE(j);
	CHECK(json_is_true(json_object_get(j, "failed")));
	CHECK_STR(json_string_value(json_object_get(j, "error")), "ENOMEM");
	CHECK_INT(json_integer_value(json_object_get(j, "result")), -ENOMEM);
	CHECK(!json_object_get(j, "length"));
	CHECK_STR(json_string_value(json_object_get(j, "stack_note")), "unreadable");
	json_decref(j);
}

/* Every kind of event, with every bit of garbage in its numbers, is a line of JSON and of text. */
TEST(event_lines_of_all_kinds)
{
	struct watch_text w = { .seen.clock = epoch };

	for (int type = 0; type < EVENT_TYPE_COUNT; type++)
		for (int i = 0; i < 16; i++) {
			_text_ struct text t = { 0 };
			struct event e;
			json_t *j;

			memset(&e, i * 17, sizeof(e));
			e.type = type;
			if (type == EVENT_CALL) {
				e.call.call = i % CALL_COUNT;
				e.call.nstack = e.call.ngo = 0;
				e.call.name[EVENT_NAME_MAX - 1] = 0;
				e.call.stack_failed = e.call.go_failed = e.call.stack_cut = i & 1;
			}
			if (type == EVENT_THREAD_START || type == EVENT_THREAD_EXIT ||
			    type == EVENT_EXEC) {
				e.task.comm[16] = 0;
				e.task.new_process = e.task.group_dead = i & 1;
				e.task.followed = e.task.shares_memory = i & 2;
			}
			j = line_of(&e, NULL, 0);
			REQUIRE(j);
			CHECK_STR(json_string_value(json_object_get(j, "type")),
				  event_kind_name(event_kind(&e)));
			json_decref(j);
			REQUIRE(!watch_text_event(&w, &e, NULL, 0, &t));
			CHECK(t.p[t.n - 1] == '\n' && strchr(t.p, '\n') == t.p + t.n - 1);
		}
}

static void check_text(const struct event *e, const struct frame *f, size_t n, const char *want)
{
	struct watch_text w = { .seen.clock = epoch };
	_text_ struct text t = { 0 };

	REQUIRE(!watch_text_event(&w, e, f, n, &t));
	if (!strstr(t.p, want))
		test_failed(__FILE__, __LINE__, "no \"%s\" in %s", want, t.p);
}

TEST(event_text)
{
	struct rsc_rec_call r = rec_mmap(1, 0);
	struct frame f = { .func = "main.load", .file = "/src/x/cache.go", .line = 41, .go = true };
	struct event e;

	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	check_text(&e, &f, 1, "   8.0 KiB at 0x7f0000000000  rw- private  main.load cache.go:41\n");
	r.ret = -ENOMEM;
	REQUIRE(!ev_decode(&r, sizeof(r), &e));
	check_text(&e, &f, 1, "failed: ENOMEM");
	e = (struct event){ .type = EVENT_RSS, .rss = { .file = 1 << 20, .anon = 3 << 20 } };
	check_text(&e, NULL, 0, "4.0 MiB  (anon 3.0, file 1.0, shm 0.0 MiB)  max");
	e = (struct event){ .type = EVENT_GC, .gc = { .have = 1, .v = { 17 } } };
	check_text(&e, NULL, 0, "17\n"); /* what is not known is not there */
}

TEST(event_stream_begins_and_ends)
{
	struct watch_program p = { "mmap_enter", "tracepoint x", "did not \"attach\"", false };
	const char *missing = "gc: no";
	struct watch_start s = { .pid = 7,
				 .comm = "a\x1b[2J",
				 .now_ns = 5,
				 .programs = &p,
				 .nprograms = 1,
				 .has_overhead = true,
				 .overhead_ns = 17.25,
				 .mapping_overhead_ns = 90.5,
				 .overhead_noise_ns = 3.5,
				 .missing = &missing,
				 .nmissing = 1 };
	struct watch_end end = { .now_ns = 2000000005, .start_ns = 5, .why = "signal", .lost = 3 };
	struct watch_text w = { .seen.clock = epoch };
	_text_ struct text a = { 0 }, b = { 0 }, c = { 0 };
	json_t *j;

	end.events[KIND_GC] = 4;
	REQUIRE(!watch_json_start(&epoch, &s, &a));
	j = parse_line(a.p);
	REQUIRE(j);
	CHECK(json_real_value(json_object_get(j, "syscall_tax_ns")) > 17);
	CHECK(json_real_value(json_object_get(j, "mapping_call_tax_ns")) == 90.5);
	CHECK(json_real_value(json_object_get(j, "tax_noise_ns")) == 3.5);
	json_decref(j);
	REQUIRE(!watch_json_end(&epoch, &end, &b));
	j = parse_line(b.p);
	REQUIRE(j);
	CHECK_INT(json_integer_value(json_object_get(json_object_get(j, "events"), "gc")), 4);
	CHECK_INT(json_integer_value(json_object_get(j, "lost")), 3);
	json_decref(j);
	REQUIRE(!watch_text_start(&w, &s, &c));
	CHECK(!strchr(c.p, '\x1b')); /* names can't drive the terminal */
	CHECK(strstr(c.p,
		     "on this host: 17 ns per system call, 90 ns per mapping call, +/- 4 ns ("));
	CHECK(strstr(c.p, "not watched: gc: no\n"));
	REQUIRE(!watch_text_end(&w, &end, &c));
	CHECK(strstr(c.p, "watched for 2.0 s (signal): 4 gc; lost: 3\n"));
}

TEST(event_stream_of_children)
{
	struct watch_exec x = { .pid = 8,
				.now_ns = 7,
				.comm = "c",
				.exe = "/x/c",
				.go_version = "go1.99",
				.no_gc = "no" };
	struct watch_child p = { .pid = 9, .comm = "d\x1b[2J", .mappings = { .known = true } };
	struct watch_advice advice = { .advice = 4, .calls = 3, .failed = 1, .bytes = 8192 };
	struct watch_loss losses[] = { { 9, 7, 5 }, { 0, 2, 0 } };
	struct watch_end end = { .why = "exit",
				 .by_process = losses,
				 .nby_process = 2,
				 .mappings = { .known = true, .compared = true, .grown = 4096 },
				 .advice = &advice,
				 .nadvice = 1,
				 .followed = 5,
				 .children_ended = 4 };
	struct watch_text w = { .seen.clock = epoch, .pids = true };
	_text_ struct text t = { 0 };
	json_t *j;

	REQUIRE(!watch_json_exec(&epoch, &x, &t));
	json_decref(parse_line(t.p));
	t.n = 0;
	REQUIRE(!watch_json_child(&epoch, &p, &t));
	json_decref(parse_line(t.p));
	t.n = 0;
	REQUIRE(!watch_json_mapping(9, 4096, 8192, "seen", "rw-p", "Go: heap", &t));
	json_decref(parse_line(t.p));
	t.n = 0;
	REQUIRE(!watch_json_end(&epoch, &end, &t));
	j = parse_line(t.p);
	CHECK_INT(json_integer_value(json_object_get(j, "children_followed")), 5);
	CHECK_STR(json_string_value(json_object_get(
			  json_array_get(json_object_get(j, "madvise"), 0), "advice")),
		  "MADV_DONTNEED");
	CHECK(strstr(t.p, "\"losses_by_process\":[{\"pid\":9,\"lost\":7,\"over_share\":5},"
			  "{\"lost\":2,\"over_share\":0}]"));
	json_decref(j);
	t.n = 0;
	REQUIRE(!watch_text_exec(&w, &x, &t));
	CHECK(strstr(t.p, "        8  program ") && strstr(t.p, "/x/c (go1.99); GC cycles"));
	REQUIRE(!watch_text_child(&w, &p, &t));
	CHECK(!strchr(t.p, '\x1b'));
	REQUIRE(!watch_text_end(&w, &end, &t));
	CHECK(strstr(t.p, "including 5 children, 4 of which exited; lost: 0\n"));
	CHECK(strstr(t.p, "4.0 KiB mapped by the kernel"));
	CHECK(strstr(t.p, "madvise: DONTNEED 3 times for 8.0 KiB (1 failed)\n"));
}
