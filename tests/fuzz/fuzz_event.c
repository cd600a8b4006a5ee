/* SPDX-License-Identifier: BSD-2-Clause */
/* Event records as the input says, one after the other; what decodes must print. */
#include <stdlib.h>
#include <string.h>

#include "event/stream.h"
#include "out/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sink {
	struct watch_seen json;
	struct watch_text text;
	struct text out;
};

static int print(void *ctx, const struct event *e)
{
	struct frame f[EVENT_STACK_MAX] = { 0 };
	struct sink *s = ctx;
	size_t n = 0;

	if (e->type == EVENT_CALL) {
		n = event_call_depth(&e->call);
		if (n > EVENT_STACK_MAX)
			abort();
		for (size_t i = 0; i < n; i++)
			f[i].addr = e->call.stack[i];
		if (event_caller(f, n) >= (int)n && n)
			abort();
	}
	s->out.n = 0;
	watch_json_event(&s->json, e, f, n, &s->out);
	watch_text_event(&s->text, e, f, n, &s->out);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ev_synth_record r[64];
	struct sink s = { 0 };
	struct ev *ev;
	size_t n = 0;

	/* Records lie one behind the other, each as long as it says. */
	while (n < 64 && size) {
		uint32_t len = size;

		if (size >= 8)
			memcpy(&len, data + 4, 4);
		if (len < 8 || len > size)
			len = size;
		r[n++] = (struct ev_synth_record){ data, len };
		data += len;
		size -= len;
	}
	if (ev_open_synthetic(r, n, NULL, &ev))
		return 0;
	while (ev_poll(ev, 0, print, &s) >= 0)
		;
	if (ev_lost(ev) > n)
		abort();
	ev_close(ev);
	text_free(&s.out);
	return 0;
}
