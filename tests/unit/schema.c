/* SPDX-License-Identifier: BSD-2-Clause */
#include "schema.h"

#include "test.h"

struct check {
	const json_t *root;
	char path[512];
	char *why;
	size_t n;
};

static int check(struct check *c, const json_t *schema, const json_t *value);

static int fail(struct check *c, const char *what, const char *name)
{
	if (!c->why[0])
		snprintf(c->why, c->n, "%s: %s%s%s", c->path[0] ? c->path : "the document", what,
			 *name ? " " : "", name);
	return -1;
}

static bool is_type(const char *type, const json_t *v)
{
	return (!strcmp(type, "object") && json_is_object(v)) ||
	       (!strcmp(type, "array") && json_is_array(v)) ||
	       (!strcmp(type, "string") && json_is_string(v)) ||
	       (!strcmp(type, "integer") && json_is_integer(v)) ||
	       (!strcmp(type, "number") && json_is_number(v)) ||
	       (!strcmp(type, "boolean") && json_is_boolean(v));
}

/* Goes one step down: checks value below path/name. */
static int below(struct check *c, const json_t *schema, const json_t *value, const char *name)
{
	size_t n = strlen(c->path);
	int rc;

	snprintf(c->path + n, sizeof(c->path) - n, "/%s", name);
	rc = check(c, schema, value);
	c->path[n] = 0;
	return rc;
}

static int check_object(struct check *c, const json_t *schema, const json_t *value)
{
	const json_t *known = json_object_get(schema, "properties"), *v, *need;
	const json_t *more = json_object_get(schema, "additionalProperties");
	const char *key;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i, need)
	{
		if (!json_object_get(value, json_string_value(need)))
			return fail(c, "lacks", json_string_value(need));
	}
	json_object_foreach((json_t *)value, key, v)
	{
		const json_t *s = json_object_get(known, key);

		if (!s && json_is_false(more))
			return fail(c, "has a key that the schema does not list:", key);
		if (!s && json_is_object(more))
			s = more;
		if (s && below(c, s, v, key))
			return -1;
	}
	return 0;
}

static int check_enum(struct check *c, const json_t *list, const json_t *value)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (json_equal(v, value))
			return 0;
	}
	return fail(c, "is none of the values listed",
		    json_is_string(value) ? json_string_value(value) : "");
}

/* Exactly one. Of those that fail one that knows the value's type says why. */
static int check_one_of(struct check *c, const json_t *list, const json_t *value)
{
	char why[256] = "fits none of the alternatives";
	int fits = 0;
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		c->why[0] = 0;
		if (!check(c, v, value))
			fits++;
		else if (!strstr(c->why, "/type") && !strstr(c->why, ": lacks"))
			snprintf(why, sizeof(why), "%s", c->why);
	}
	if (fits == 1) {
		c->why[0] = 0;
		return 0;
	}
	snprintf(c->why, c->n, "%s", fits ? "fits several alternatives" : why);
	return -1;
}

static int check_keyword(struct check *c, const json_t *schema, const char *word, const json_t *arg,
			 const json_t *value)
{
	const json_t *v;
	char at[24];
	size_t i;

	if (!strcmp(word, "type"))
		return is_type(json_string_value(arg), value)
			       ? 0
			       : fail(c, "is not of type", json_string_value(arg));
	if (!strcmp(word, "const"))
		return json_equal(arg, value) ? 0 : fail(c, "is not the constant", "");
	if (!strcmp(word, "oneOf"))
		return check_one_of(c, arg, value);
	if (!strcmp(word, "enum"))
		return check_enum(c, arg, value);
	if (!strcmp(word, "minimum"))
		return json_number_value(value) >= json_number_value(arg)
			       ? 0
			       : fail(c, "is below the minimum", "");
	if (!strcmp(word, "items")) {
		json_array_foreach(value, i, v)
		{
			snprintf(at, sizeof(at), "%zu", i);
			if (below(c, arg, v, at))
				return -1;
		}
		return 0;
	}
	if (!strcmp(word, "properties"))
		return json_is_object(value) ? check_object(c, schema, value) : 0;
	if (!strcmp(word, "additionalProperties"))
		return json_object_get(schema, "properties") || !json_is_object(value)
			       ? 0
			       : check_object(c, schema, value);
	if (!strcmp(word, "required") || !strcmp(word, "description") || !strcmp(word, "title") ||
	    !strcmp(word, "definitions") || word[0] == '$')
		return 0;
	return fail(c, "the validator does not know the keyword", word);
}

static int check(struct check *c, const json_t *schema, const json_t *value)
{
	const json_t *ref = json_object_get(schema, "$ref"), *arg;
	const char *word;

	if (ref) {
		const char *name = strrchr(json_string_value(ref), '/') + 1;
		const json_t *to = json_object_get(json_object_get(c->root, "definitions"), name);

		return to ? check(c, to, value) : fail(c, "refers to nothing:", name);
	}
	json_object_foreach((json_t *)schema, word, arg)
	{
		if (check_keyword(c, schema, word, arg, value))
			return -1;
	}
	return 0;
}

int schema_check(const json_t *schema, const json_t *value, char *why, size_t n)
{
	struct check c = { .root = schema, .why = why, .n = n };

	why[0] = 0;
	return check(&c, schema, value);
}
