/*
 * target: the statements that bring one rule's rows into its table, made once per rule and catalog.
 * Pure but for target_run().
 *
 *   plain        COPY table (columns) FROM STDIN
 *   staged       CREATE TEMP TABLE batch (…) ON COMMIT DROP; COPY batch …; then one INSERT … SELECT … ON CONFLICT, or the rule's own `sql`, statement by
 *                statement; DROP TABLE batch
 *
 * Staged rows are inserted in the order of the key, so that two writers lock rows in the same
 * order; of rows with one key in one batch the last, or the newest by `newest`, is taken (with
 * "nothing" the first). An older row never overwrites a newer one, and one without a time none that
 * has one; of equal times the later message wins. Rows with a null in their key never collide, as
 * in a unique index.
 *
 * A column may get another type between the making of the rows and now. COPY would not notice: in
 * binary a bigint, a double precision and a timestamptz are eight bytes each; nor would INSERT,
 * which rounds and casts. So targets_check() asks for the types once more, behind the rows.
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
#include "row/row_plan.h"

struct target {
    char *before; /* owned; NULL when plain */
    char *copy;   /* owned */
    char **own;   /* owned; the statements of the rule's own `sql`, for pg_run_own() */
    size_t own_count;
    char *after;         /* owned; NULL when plain */
    char *types;         /* owned; what targets_check() selects; NULL for a rule with `sql` */
    uint32_t *type_oids; /* owned; the types that rows are made for */
    size_t type_count;
    bool
        deferred; /* SET CONSTRAINTS ALL IMMEDIATE belongs before COMMIT, so that a deferred constraint fails while the batch can still be halved */
};

/* `table` is NULL for a rule with `sql`, whose columns `plan` has from its declarations. Borrows
 * nothing after the call. */
struct target *target_new(const struct rule_options *rule, const struct pg_table *table,
                          const struct row_plan *plan);
void target_free(struct target *target);

/* For a transaction that is rolled back: the staged way for a rule with `table`, whatever the rule
 * would take, whose `after` returns each stored row as JSON text and leaves the temporary table.
 * Not for target_run(), which has no use for rows. */
struct target *target_rehearsal_new(const struct rule_options *rule, const struct pg_table *table,
                                    const struct row_plan *plan);

/* Runs the statements, inside the caller's transaction, over the rows in `parts` (COPY's stream
 * with header and trailer, in the plan's format). failure->line is the number of a row only when
 * COPY itself refused it. */
enum outcome target_run(struct pg_connection *connection, const struct target *target,
                        const struct slice *parts, size_t part_count,
                        struct pg_failure *failure) MUST_CHECK;

/*
 * Have the columns of these targets (NULL ones are passed over) the types still that the rows were
 * made for? One question for many targets, to be asked behind the rows of all of them, inside their
 * transaction: the rows' locks keep the types as they are until its end. Another type is SQL_ROW
 * with SQLSTATE 42804, and *changed is the target's index.
 */
enum outcome targets_check(struct pg_connection *connection, const struct target *const *targets,
                           size_t count, size_t *changed, struct pg_failure *failure) MUST_CHECK;

/* CREATE TABLE IF NOT EXISTS for a rule with create = true (columns and types from `shape`, primary
 * key from `key`), then ALTER TABLE … ADD COLUMN IF NOT EXISTS for each column. Never drops or
 * changes anything. The ALTER TABLE locks the table against everybody even when nothing is missing,
 * so it is for a table that lacks a column. Nothing is appended when the rule has no `table`, or
 * its name is none. */
void target_create_sql(struct buf *out, const struct rule_options *rule,
                       const struct table_shape *shape);

#endif
