/*
 * column_name: names for columns, captures, tables and rules, out of the names in topics and
 * payloads. Pure.
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

void name_list_fini(struct name_list *list);

/* Appends the name in snake_case: "batteryLevel" → "battery_level", "Odd Name" → "odd_name", "2nd"
 * → "_2nd". What has no ASCII letter or digit stays as it is. Behind something it is set off by
 * "_". */
void name_append_snake(struct buf *out, struct slice text);

/* Appends the singular of an English word: "devices" → "device", "factories" → "factory", "status"
 * → "status". */
void name_append_singular(struct buf *out, struct slice word);

/* A name of at most 63 bytes that is not in the list yet, "name", "name_2", …; it is added.
 * Borrowed from the list. */
const char *name_list_add(struct name_list *list, struct slice name);

bool name_list_has(const struct name_list *list, const char *name);

/* Only letters, digits and "_", and no digit in front? */
bool name_is_plain(const char *name);

#endif
