/*
 * pg_catalog: reads a rule's table from the server's catalog.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_CATALOG_H
#define MQTT2PG_PG_PG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/table_shape.h"
#include "pg/pg_connection.h"

/* A table: its columns and its other properties, for check --database and for storing. */
struct pg_table {
    uint32_t oid;
    struct table_shape *shape; /* owned */
    bool can_insert, can_update, can_select;
    /* False for a view, a table with rules or row-level security: rows go by INSERT … SELECT. */
    bool copy_works;
};

/* The relation that was found for one name. */
struct pg_found {
    struct pg_table *table; /* owned by the caller; NULL: there is none, or it could not be read */
    bool failed;            /* it could not be read, and `failure` says why */
    struct pg_failure failure;
};

/*
 * Reads the tables called `names` ("t", "schema.t", "\"Odd\".t"; search_path applies as in SQL)
 * with a few statements, however many names there are; a name may occur twice. Not inside a
 * transaction. Domains are resolved to their base type (not_null included); generated, identity and
 * default columns are marked. A name in another database has failed as SQL_RULE with SQLSTATE
 * 0A000, one in a schema that may not be used with 42501. A malformed name, which the configuration
 * refuses, has failed with 42602, or since PostgreSQL 16 is just not there. Privileges are those on
 * any column: PostgreSQL tells the rest. OUTCOME_RETRY: the connection is lost, nothing was found.
 */
enum outcome pg_catalog_tables(struct pg_connection *connection, const char *const *names,
                               size_t count, struct pg_found *found,
                               struct pg_failure *failure) MUST_CHECK;

/* Reads one table. OUTCOME_OK with *table NULL when there is none; OUTCOME_RETRY when it could not
 * be read. */
enum outcome pg_catalog_table(struct pg_connection *connection, struct slice name,
                              struct pg_table **table, struct pg_failure *failure) MUST_CHECK;

/* The first of these columns into which this role may not insert; NULL when there is none.
 * PostgreSQL itself would only say "permission denied for table". */
const char *pg_table_denied(const struct pg_table *table, const char *const *names, size_t count);
void pg_table_free(struct pg_table *table);

/* For the name of a missing table, appends " (did you mean …?)" to `hint` with the table whose name
 * differs only in the case of letters, written as in a configuration. Appends nothing when there is
 * none, or when the server could not be asked. */
void pg_catalog_suggest(struct pg_connection *connection, const char *name, struct buf *hint);

/* A question about a key. Borrowed. */
struct pg_key {
    const struct pg_table *table;
    const char *const *columns;
    size_t count; /* of `columns`; 0: any index a row can collide with */
};

/*
 * Is there a unique index (primary key) over exactly these columns, in any order, that ON CONFLICT
 * would take? With `count` 0, exclusion constraints count, too. For a view or foreign table *found
 * is always true: there the indexes of another table count, and only running the statement shows a
 * mistake.
 */
enum outcome pg_catalog_unique(struct pg_connection *connection, const struct pg_key *key,
                               bool *found, struct pg_failure *failure) MUST_CHECK;

/* For a table that is partitioned by time and has no default partition: the first of the moments
 * "now", "in a day", "in a week" for which it has no partition. "" when it has one for each of
 * them, and for any other table. */
enum outcome pg_catalog_partition_gap(struct pg_connection *connection,
                                      const struct pg_table *table, char when[16],
                                      struct pg_failure *failure) MUST_CHECK;

#endif
