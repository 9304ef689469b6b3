/*
 * name_column: which column's value an INSERT could not read.
 *
 * PostgreSQL's error does not name the column. So a statement of its own, the probe, reads each
 * column's value; the probe that fails with the same message names the column.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_NAME_COLUMN_H
#define MQTT2PG_LOAD_NAME_COLUMN_H

#include "pg/target.h"

/* To be called inside the transaction of a trial, after the savepoint mqtt2pg_row. `values` are the
 * rows that were refused; fills in refusal->column when a probe tells it. OUTCOME_RETRY: the
 * connection is lost. */
enum outcome name_column(struct pg_connection *connection, const struct target *target,
                         const struct target_values *values, struct pg_failure *refusal,
                         struct pg_failure *failure) MUST_CHECK;

#endif
