/*
 * row_plan: decides which column of the table each of a rule's expressions feeds, once for each
 * rule and state of the catalog. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_ROW_PLAN_H
#define MQTT2PG_ROW_ROW_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/outcome.h"
#include "core/table_shape.h"
#include "row/copy_format.h"

/* What a rule gives a table. All borrowed. */
struct row_feed {
    const char *const *names; /* of its expressions */
    size_t count;
    const char *const *computed; /* of the columns that SQL computes from them */
    size_t computed_count;
    /* The columns as the rule declares them; the i-th is the i-th expression's. For expressions
     * without a column in the table, which only serve to compute others. NULL: there are none. */
    const struct table_shape *declared;
};

struct row_plan {
    /* Owned array: the column of each expression, borrowed from the table's shape. */
    const struct column_shape **columns;
    size_t count;
    /* Owned array, borrowed columns: the columns that are written, first those of expressions, then
     * the computed ones. */
    const struct column_shape **stored;
    size_t stored_count;
    size_t computed_count;   /* the last ones of `stored` */
    enum copy_format format; /* binary when every column has a binary form and none is an array */
};

/*
 * `names` are the rule's columns in order. OUTCOME_REJECT when the rule can't write the table, with
 * all reasons joined by "; ": a column is not in the table (did you mean …) or is generated, or no
 * expression feeds a NOT NULL column without a default. Borrows the shape.
 */
enum outcome row_plan_new(const struct table_shape *shape, const char *const *names, size_t count,
                          struct row_plan **plan, struct error *error) MUST_CHECK;

/* row_plan_new() with computed columns. */
enum outcome row_plan_make(const struct table_shape *shape, const struct row_feed *feed,
                           struct row_plan **plan, struct error *error) MUST_CHECK;
void row_plan_free(struct row_plan *plan);

/* Is there a binary form for this column's type? */
bool column_has_binary(const struct column_shape *column);

#endif
