/*
 * column_name: names for columns, captures, tables and rules, out of the names in topics and
 * payloads. Pure.
 *
 *   member "batteryLevel"     column  battery_level
 *   level  "Wohnzimmer Süd"   rule    wohnzimmer_sued
 *   level  "devices"          capture device
 *
 * Names are in snake_case because PostgreSQL folds unquoted names to lower case: a column
 * "batteryLevel" would have to be quoted in each query.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_COLUMN_NAME_H
#define MQTT2PG_LEARN_COLUMN_NAME_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* Names already given in one rule, or in one proposal. Zero-initialized memory is an empty list. */
struct name_list {
    char **names; /* owned */
    size_t count;
    size_t capacity;
};

/* Frees the names. The list is empty afterwards and can be used again. */
void name_list_fini(struct name_list *list);

/* Appends the name in snake_case: "batteryLevel" → "battery_level", "Odd Name" → "odd_name",
 * "2nd" → "_2nd". A name without an ASCII letter or digit stays as it is. When `out` holds a name
 * already, "_" stands between the two. */
void name_append_snake(struct buf *out, struct slice text);

/* Appends the singular of an English word: "devices" → "device", "factories" → "factory", "status"
 * → "status". */
void name_append_singular(struct buf *out, struct slice word);

/* Adds the name to the list and returns it, cut to the 63 bytes of a PostgreSQL identifier. A name
 * that the list has already gets a number: "name", "name_2", "name_3". The result is borrowed from
 * the list, until name_list_fini(). */
const char *name_list_add(struct name_list *list, struct slice name);

/* Is exactly this name in the list? Upper and lower case are different. */
bool name_list_has(const struct name_list *list, const char *name);

/* Can the name be written in SQL and in a path without quotes: only ASCII letters, digits and "_",
 * and no digit in front? False for "". */
bool name_is_plain(const char *name);

#endif
