/*
 * partitions: makes and drops partitions of a rule's table.
 *
 * A partition that the bridge makes gets a COMMENT that begins with PARTITION_MARK. The bridge
 * drops only such partitions, and moves rows only out of such a default partition. Every change is
 * one transaction of pg/short_ddl: after kill -9 a partition is there whole, or not at all.
 *
 *   make   CREATE TABLE p (LIKE t); rows of its time move from the default partition into it;
 *          ATTACH PARTITION. Readers and writers of other partitions don't wait for that.
 *   drop   DROP TABLE p locks the table for a moment, when no one else uses it.
 *
 * Two bridges may keep the partitions of one table: PostgreSQL refuses the second one, which finds
 * the partition when it reads the state again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PARTITIONS_H
#define MQTT2PG_PG_PARTITIONS_H

#include "core/table_shape.h"
#include "pg/partition_plan.h"
#include "pg/short_ddl.h"

/* sql/embedded/partition-state.sql has the same text. The time follows: " at 2026-11-29
 * 14:03:00+00", by the server's clock; earlier versions did not write it. */
#define PARTITION_MARK "made by mqtt2pg"

/* One partition of the table, other than the default one. */
struct partition {
    uint32_t oid;
    char *name;      /* owned; with the schema, quoted */
    char *bound;     /* owned; "FOR VALUES FROM …" as the catalog prints it */
    bool mine;       /* a bridge has made it */
    int64_t made_us; /* when, by the server's clock; 0: not known */
};

/* A table as the catalog has it. */
struct partitions {
    char kind;        /* pg_class.relkind; 0: there is no such table */
    char *key;        /* owned; the column of PARTITION BY RANGE; NULL: not one column by range */
    bool key_is_time; /* timestamptz, timestamp or date */
    bool key_is_date;
    bool is_owner;      /* this role may make and drop partitions */
    bool rows_stay;     /* triggers or foreign keys would notice that a row moves */
    int64_t now_us;     /* the server's clock */
    char *default_name; /* owned; with the schema, quoted; NULL: there is no default partition */
    bool default_mine;  /* a bridge has made it */
    struct partition *list; /* owned */
    struct span *spans;     /* owned; of `list` */
    size_t count;
};

/* Reads the table with this oid. OUTCOME_RETRY: it could not be read. */
enum outcome partitions_read(struct pg_connection *connection, uint32_t oid,
                             struct partitions *partitions, struct pg_failure *failure) MUST_CHECK;
void partitions_fini(struct partitions *partitions);

/* A partition that is to be made. Borrowed. */
struct new_partition {
    const struct table_shape *table; /* schema and name */
    const struct partitions *partitions;
    struct span span;
};

/* Makes the partition. `name` gets its name, quoted. */
enum short_ddl partition_make(struct pg_connection *connection, const struct new_partition *new,
                              struct buf *name, struct pg_failure *failure) MUST_CHECK;

/* Drops a partition that a bridge has made. When the partition was detached, or attached with other
 * bounds, since the state was read, it stays: SHORT_DDL_LATER. */
enum short_ddl partition_drop(struct pg_connection *connection, const struct table_shape *table,
                              const struct partition *partition,
                              struct pg_failure *failure) MUST_CHECK;

/* The earliest time within the span of a row in the default partition; span.to_us: no row. */
enum outcome partitions_earliest(struct pg_connection *connection,
                                 const struct partitions *partitions, struct span span,
                                 int64_t *at_us, struct pg_failure *failure) MUST_CHECK;

#endif
