/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small JSON Schema validator: type, const, enum, required, properties, additionalProperties,
 * items, minimum, oneOf, $ref into #/definitions. Any other keyword in the schema is a failure, so
 * that nothing is skipped in silence.
 */
#ifndef RSSCOPE_TEST_SCHEMA_H
#define RSSCOPE_TEST_SCHEMA_H

#include <jansson.h>
#include <stddef.h>

/* 0, or −1 with what is wrong, and where, in why. */
int schema_check(const json_t *schema, const json_t *value, char *why, size_t n);

#endif
