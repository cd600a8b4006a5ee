/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope doctor: what this kernel and these privileges allow. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/utf8.h"
#include "doctor/doctor.h"
#include "out/json_build.h"

/* ---- text */

enum { INDENT = 34 };

/* Words, wrapped; the line has INDENT columns already. */
static int put_words(struct text *t, const char *words, unsigned int width)
{
	unsigned int at = INDENT;
	_free_ char *copy = strdup(words);
	char *save = NULL;
	int rc = copy ? 0 : -ENOMEM;

	for (char *w = rc ? NULL : strtok_r(copy, " ", &save); w && !rc;
	     w = strtok_r(NULL, " ", &save)) {
		unsigned int n = strlen(w);

		if (at > INDENT && at + 1 + n > width) {
			rc = text_printf(t, "\n%*s", INDENT + 2, "");
			at = INDENT + 2;
		} else if (at > INDENT) {
			rc = text_add(t, " ", 1);
			at++;
		}
		if (!rc)
			rc = text_add(t, w, n);
		at += n;
	}
	return rc ? rc : text_add(t, "\n", 1);
}

static int put_line(struct text *t, const char *label, const char *s, unsigned int width)
{
	_text_ struct text line = { 0 };
	int rc = text_printf(&line, "%s %s", label, s);

	if (!rc)
		rc = text_printf(t, "%*s", INDENT, "");
	return rc ? rc : put_words(t, line.p, width);
}

static int put_row(struct text *t, const struct doctor_row *r, const struct text_style *s)
{
	static const char *const color[] = { "\033[32m", "\033[33m", "\033[31m" };
	enum doctor_state shown = r->spare ? DOCTOR_WORKS : r->state;
	const char *state = shown == DOCTOR_WORKS ? "ok" : doctor_state_name(shown);
	_text_ struct text found = { 0 };
	int rc = utf8_print(r->found, 400, s->utf8, &found);

	rc = rc < 0 ? rc
		    : text_printf(t, "  %s%-8s%s %-22s ", s->color ? color[shown] : "", state,
				  s->color ? "\033[0m" : "", r->name);
	if (!rc)
		rc = put_words(t, found.p ? found.p : "", s->width);
	if (!rc && r->instead[0])
		rc = put_line(t, "if missing:", r->instead, s->width);
	if (!rc && r->get[0])
		rc = put_line(t, "get it:", r->get, s->width);
	return rc;
}

static int print_text(const struct doctor *d, const struct utsname *u, bool no_color)
{
	struct text_style s = cli_style(&(struct cli_print){ .no_color = no_color });
	_text_ struct text t = { 0 };
	const char *area = "";
	int rc = text_printf(&t, "rsscope %s on %s %s, %s, uid %d\n", cli_version(), u->sysname,
			     u->release, u->machine, (int)geteuid());

	for (size_t i = 0; i < d->rows.n && !rc; i++) {
		const struct doctor_row *r = &d->rows.v[i];

		if (strcmp(area, r->area))
			rc = text_printf(&t, "\n%s\n", r->area);
		area = r->area;
		if (!rc)
			rc = put_row(&t, r, &s);
	}
	return cli_put_code(rc ? rc : cli_put(t.p, t.n));
}

/* ---- JSON: rsscope.doctor/1 */

static int print_json(const struct doctor *d, const struct utsname *u)
{
	struct jbuild b = { 0 };
	json_t *top = json_object(), *o, *list;
	char *text;
	int rc = -ENOMEM;

	jput_text(&b, top, "schema", "rsscope.doctor/1");
	o = jput_object(&b, top, "tool");
	jput_text(&b, o, "version", cli_version());
	jput_known(&b, o, "revision", cli_revision());
	o = jput_object(&b, top, "host");
	jput_text(&b, o, "kernel", u->release);
	jput_text(&b, o, "arch", u->machine);
	list = jput_array(&b, top, "checks");
	for (size_t i = 0; i < d->rows.n; i++) {
		const struct doctor_row *r = &d->rows.v[i];

		o = jadd_object(&b, list);
		jput_text(&b, o, "area", r->area);
		jput_text(&b, o, "name", r->name);
		jput_text(&b, o, "state", doctor_state_name(r->state));
		jput_text(&b, o, "found", r->found);
		jput_known(&b, o, "instead", r->instead);
		jput_known(&b, o, "get", r->get);
	}
	text = b.failed ? NULL : json_dumps(top, JSON_INDENT(2));
	if (text)
		rc = cli_put(text, strlen(text));
	if (!rc)
		rc = cli_put("\n", 1);
	free(text);
	json_decref(top);
	return cli_put_code(rc);
}

/* ---- the command */

struct args {
	struct cli_help help;
	bool json, no_color;
};

enum { KEY_NO_COLOR = 256 };

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "JSON (rsscope.doctor/1)", 0 },
	{ "no-color", KEY_NO_COLOR, NULL, 0, "No colors", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->help;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case KEY_NO_COLOR:
		a->no_color = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(st, "unexpected argument '%s': doctor takes none", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Print what works with this kernel, container and privilege set, what happens "
	       "without it, and how to get it. Tests this by loading small BPF programs; leaves "
	       "nothing behind.\v"
	       "Examples:\n"
	       "  rsscope doctor\n"
	       "  sudo rsscope doctor\n"
	       "  rsscope doctor --json | jq '.checks[] | select(.state != \"works\")'\n"
	       "\n"
	       "Exit: 0 (also when features are missing), 1 output failed.",
	.children = (const struct argp_child[]){ { &cli_help_argp, 0, NULL, 0 }, { 0 } },
};

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = { 0 };
	struct args a = { 0 };
	struct utsname u;
	int code, rc;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		return code;
	if (uname(&u))
		memset(&u, 0, sizeof(u));
	rc = doctor_check(&d);
	cli_shed_all();
	if (rc)
		code = cli_fail(rc, NULL);
	else
		code = a.json ? print_json(&d, &u) : print_text(&d, &u, a.no_color);
	doctor_free(&d);
	return code;
}
