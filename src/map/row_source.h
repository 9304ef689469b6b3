/*
 * row_source: a rule's `rows`, which says which parts of a payload are rows: "$.readings[*]",
 * "$.values.*", "$.groups[*].readings[*]". Pure.
 *
 * The path begins with "$" and holds at least one "[*]" (elements of an array) or ".*" (members of
 * an object); the last step may be a name behind a wildcard ("$.groups[*].value").
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_ROW_SOURCE_H
#define MQTT2PG_MAP_ROW_SOURCE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "core/document.h"
#include "core/value.h"
#include "map/subject.h"

struct row_source;
struct path_step;

/* One part of the payload that becomes a row. */
struct row_item {
    const struct node *node; /* "$" */
    struct value key; /* "@key": TEXT name or NUMBER index (from 0) of the innermost wildcard */
    const struct row_level *outer; /* the elements around it; NULL for one wildcard */
};

struct row_items {
    struct row_item *list;
    size_t count;
};

enum outcome row_source_compile(struct slice text, struct row_source **source,
                                struct error *error) MUST_CHECK;

/* How many wildcards it has, at least 1: how far "$^" can go. */
size_t row_source_levels(const struct row_source *source);
void row_source_free(struct row_source *source);

/* The steps behind "$"; they live as long as the row_source. */
const struct path_step *row_source_steps(const struct row_source *source);

/*
 * The items in document order, in `arena`. A missing or null part, an empty array or object give no
 * items; "[*]" on something that is no array, ".*" on something that is no object: OUTCOME_REJECT.
 */
enum outcome row_source_items(const struct row_source *source, const struct node *payload,
                              struct arena *arena, struct row_items *items,
                              struct error *error) MUST_CHECK;

#endif
