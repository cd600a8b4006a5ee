/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/json.h"

#include <errno.h>
#include <string.h>

#include "out/json_build.h"

static const char schema_text[] =
#include "report.schema.inc"
	;

const char *json_schema(void)
{
	return schema_text;
}

/* Where jansson's output goes: `indent` spaces follow each newline, which in JSON text stand
 * between tokens only. */
struct sink {
	FILE *f;
	int indent, rc;
};

static int write_indented(const char *p, size_t n, void *arg)
{
	struct sink *s = arg;

	errno = 0;
	for (size_t i = 0; i < n; i++) {
		if (putc(p[i], s->f) == EOF)
			goto failed;
		if (p[i] == '\n' && s->indent && fprintf(s->f, "%*s", s->indent, "") < 0)
			goto failed;
	}
	return 0;
failed:
	s->rc = errno ? -errno : -EIO;
	return -1;
}

/* 0, -ENOMEM, or -errno of the write. Takes the value (NULL: out of memory). */
static int dump(FILE *f, json_t *value, int indent, size_t flags)
{
	struct sink s = { .f = f, .indent = indent };
	int rc = -ENOMEM;

	if (value && !json_dump_callback(value, write_indented, &s, flags))
		rc = 0;
	else if (s.rc)
		rc = s.rc;
	json_decref(value);
	return rc;
}

void jput_host(struct jbuild *b, json_t *top, const struct report *r)
{
	json_t *host = jput_object(b, top, "host");

	jput_known(b, host, "boot_id", r->host.boot_id);
	jput_known(b, host, "kernel", r->host.kernel);
	jput_known(b, host, "arch", r->host.arch);
	if (r->host.page_size)
		jput_u64(b, host, "page_size", r->host.page_size);
}

/* What stands before the reports. */
static json_t *head_value(const char *type, const char *version, const struct report *r)
{
	struct jbuild b = { 0 };
	json_t *top = json_object();

	jput_known(&b, top, "type", type);
	jput_text(&b, top, "schema", "rsscope.report/1");
	jput_text(&b, jput_object(&b, top, "tool"), "version", version);
	jput_time(&b, top, "time", r->time_unix_ns);
	jput_host(&b, top, r);
	if (!b.failed)
		return top;
	json_decref(top);
	return NULL;
}

void json_begin(struct json_stream *s, FILE *f, const char *version)
{
	*s = (struct json_stream){ .f = f, .version = version };
}

/* The head's keys, one after the other, and the opening of the list of reports. */
static int put_head(const struct json_stream *s, const struct report *r)
{
	json_t *head = head_value(NULL, s->version, r), *value;
	int rc = head ? jwrite(s->f, "{") : -ENOMEM;
	const char *key;

	json_object_foreach(head, key, value)
	{
		if (!rc)
			rc = jwrite(s->f, "\n  \"");
		if (!rc)
			rc = jwrite(s->f, key);
		if (!rc)
			rc = jwrite(s->f, "\": ");
		if (!rc)
			rc = dump(s->f, json_incref(value), 2, JSON_INDENT(2) | JSON_ENCODE_ANY);
		if (!rc)
			rc = jwrite(s->f, ",");
	}
	json_decref(head);
	return rc ? rc : jwrite(s->f, "\n  \"reports\": [\n    ");
}

int json_report(struct json_stream *s, const struct report *r)
{
	int rc = s->n ? jwrite(s->f, ",\n    ") : put_head(s, r);

	s->n++;
	return rc ? rc : dump(s->f, json_report_value(r), 4, JSON_INDENT(2));
}

int json_end(struct json_stream *s)
{
	return s->n ? jwrite(s->f, "\n  ]\n}\n") : 0;
}

int json_report_line(FILE *f, const char *version, const struct report *r)
{
	struct jbuild b = { 0 };
	json_t *top = head_value("report", version, r), *list = jput_array(&b, top, "reports");
	int rc;

	if (json_array_append_new(list, json_report_value(r)))
		b.failed = true;
	if (b.failed) {
		json_decref(top);
		return -ENOMEM;
	}
	rc = dump(f, top, 0, JSON_COMPACT);
	return rc ? rc : jwrite(f, "\n");
}
