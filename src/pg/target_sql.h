/*
 * target_sql: the SQL texts of a target. Only for pg/target.c and pg/target_create.c; others use
 * pg/target.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_TARGET_SQL_H
#define MQTT2PG_PG_TARGET_SQL_H

#include "base/buf.h"
#include "core/rule_options.h"
#include "pg/pg_catalog.h"
#include "row/row_plan.h"

/* Where a statement's rows come from and go to. */
struct staging {
    const struct rule_options *rule;
    const struct row_plan *plan;
    const char *relation; /* the rule's table, quoted; NULL for a rule with `sql` */
    bool temporary;       /* rows stand in pg_temp.batch; else they are parameters */
};

/* These functions return a text that the caller frees. */
char *target_sql_copy(const struct row_plan *plan, const char *relation);

/* CREATE TEMP TABLE batch. A rule's own `sql` sees its columns and nothing else. */
char *target_sql_temporary(const struct staging *staging);

/* SELECT 1 / (the columns have the types that the plan knows)::int. Needs no privilege on the
 * table. */
char *target_sql_check(const char *relation, const struct row_plan *plan);

/* INSERT … SELECT … [ON CONFLICT …] */
void target_sql_insert(struct buf *sql, const struct staging *staging);

/* A query that yields the rows under the names of their columns, in their order. */
void target_sql_source(struct buf *sql, const struct staging *staging);

/* "schema.table" of the catalog, quoted. */
void target_sql_relation(struct buf *out, const struct pg_table *table);

#endif
