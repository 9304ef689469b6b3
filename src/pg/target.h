/*
 * target: the statements that store one rule's rows in its table, made once for each rule and state
 * of the catalog. Pure, except target_run().
 *
 *   COPY         COPY table (columns) FROM STDIN: many rows of a plain rule
 *   statements   INSERT … SELECT … FROM unnest($1::int[], …): few rows of a plain rule,
 *                ON CONFLICT, views; the rule's own `sql` behind
 *                WITH batch AS (SELECT … FROM unnest(…))
 *   temporary    CREATE TEMP TABLE batch (…) ON COMMIT DROP; COPY batch …; the rule's own `sql`,
 *                statement by statement; DROP TABLE batch: own SQL that needs a table
 *
 * Statements take each column as one array (row/copy_arrays), so they make nothing in the catalog,
 * need no privilege beyond the table's, and can be sent with others in one message (pg/pg_steps).
 * Their parameters are the same for all statements of a target that take any.
 *
 * ON CONFLICT. Rows are inserted in the order of their key, so that two writers lock rows in the
 * same order and don't deadlock. One batch may hold several rows with the same key:
 *
 *   update    the row that is newest by `newest` is stored, without `newest` the last one
 *   nothing   the first one is stored
 *
 * With `newest`, a row in the table is overwritten only by a row of the same time or a later one. A
 * row without a time does not overwrite a row that has one. Rows with a null in their key never
 * collide, as in a unique index.
 *
 * ALTER TABLE may change the type of a column after the rows were made. COPY would not notice,
 * because a bigint, a double precision and a timestamptz are eight bytes each in binary form.
 * INSERT would not notice either, because it rounds and casts. So `check` compares the types again
 * after the rows: from then on the locks of the rows' statements keep the types until the
 * transaction ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_TARGET_H
#define MQTT2PG_PG_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/rule_options.h"
#include "core/table_shape.h"
#include "pg/pg_catalog.h"
#include "pg/pg_steps.h"
#include "pg/target_probe.h"
#include "row/row_plan.h"

/* One statement over the rows. */
struct target_statement {
    char *sql;       /* owned */
    bool takes_rows; /* its parameters are the columns' arrays; else it has none */
};

struct target {
    char *copy;     /* owned; NULL: rows do not go by COPY */
    char *relation; /* owned; the target of `copy`, without schema and quotes */

    struct target_statement *statements; /* owned */
    size_t statement_count;              /* 0: rows go by the temporary table */

    char *before; /* owned; of the temporary way, like the next three; else NULL */
    char **own;   /* owned; the statements of the rule's own `sql`, for pg_run_own() */
    size_t own_count;
    char *after; /* owned */

    char *check; /* owned; fails with TARGET_CHECK_STATE when a column has another type than the
                    rows were made for; NULL for a rule with `sql` */
    enum copy_format format;
    struct target_probes probes; /* which column is refused; see pg/target_probe.h */
    uint32_t *elements;          /* owned; of the arrays */
    size_t column_count;
};

/* division_by_zero: what `check` fails with. */
#define TARGET_CHECK_STATE "22012"

/* `table` is NULL for a rule with `sql`, whose columns `plan` has from its declarations. Borrows
 * nothing after the call. */
struct target *target_new(const struct rule_options *rule, const struct pg_table *table,
                          const struct row_plan *plan);
void target_free(struct target *target);

/* For a rehearsal of a rule with `table`: rows always go by the temporary table, and `after`
 * returns each stored row as JSON text. Not for target_run(), which ignores returned rows. */
struct target *target_rehearsal_new(const struct rule_options *rule, const struct pg_table *table,
                                    const struct row_plan *plan);

/* Rows as the parameters of a target's statements. */
struct target_values {
    struct buf *arrays;   /* owned; one per column */
    struct slice *values; /* owned; of the arrays */
    size_t count;
};

/* `rows` as copy_append_row() writes them, without header and trailer. */
void target_values_init(struct target_values *values, const struct target *target,
                        struct slice rows, size_t row_count);
void target_values_fini(struct target_values *values);

/* Adds the statements over these rows, which the steps borrow like the target. */
void target_add_steps(const struct target *target, const struct target_values *values,
                      struct pg_steps *steps);

/* Replaces the failure of `check` by its meaning: SQL_ROW with SQLSTATE 42804. */
void target_check_failure(struct pg_failure *failure);

/* Stores rows inside the caller's transaction, by the temporary table where the target needs it,
 * else by its statements, with `check` behind them. */
enum outcome target_run(struct pg_connection *connection, const struct target *target,
                        struct slice rows, size_t row_count, struct pg_failure *failure) MUST_CHECK;

/* Appends the NOTIFY of a rule with `notify`, for the transaction that stores its rows; nothing for
 * other rules, or without rows. */
void target_notify_sql(struct buf *out, const struct rule_options *rule, size_t rows);

/* CREATE TABLE for a rule with create = true, unless the table is there (columns and types from
 * `shape`, primary key from `key`, then what `partition` and `create_sql` say), then ALTER TABLE …
 * ADD COLUMN IF NOT EXISTS for each column. Never drops or changes anything. The ALTER TABLE takes
 * the strongest lock even when nothing is missing, so call this only for a table that lacks a
 * column. Nothing is appended when the rule has no `table`, or its name is malformed. */
void target_create_sql(struct buf *out, const struct rule_options *rule,
                       const struct table_shape *shape);

#endif
