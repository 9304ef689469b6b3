/*
 * gaps: the table `gap`: spans of time from which messages may be missing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_GAPS_H
#define MQTT2PG_PG_GAPS_H

#include "core/gap.h"
#include "pg/pg_connection.h"

/* Inside a transaction: inserts one row for this client. */
enum outcome gap_insert(struct pg_connection *connection, const struct gap *gap,
                        struct pg_failure *failure) MUST_CHECK;

/* Which gaps. */
struct gap_query {
    const char *client_id;    /* NULL = of all bridges in the schema */
    int64_t id;               /* 0 = all */
    bool unacknowledged_only; /* of gaps_read() */
};

/* One row of the table. Times in microseconds since 1970; 0 = not known. */
struct gap_row {
    int64_t id;
    const char *client_id; /* owned by the list's `store`, like `cause` */
    const char *cause;
    int64_t noticed_at_us;
    int64_t from_us;
    int64_t to_us;
    int64_t messages;           /* -1 = not known */
    int64_t acknowledged_at_us; /* 0 = not acknowledged */
};

struct gap_rows {
    struct gap_row *list; /* owned */
    size_t count;         /* at most 1000, the oldest */
    struct buf store;     /* owned */
};

/* In the order of their ids. */
enum outcome gaps_read(struct pg_connection *connection, const struct gap_query *query,
                       struct gap_rows *rows, struct pg_failure *failure) MUST_CHECK;
void gap_rows_fini(struct gap_rows *rows);

/* Marks the gaps of query->client_id and query->id as acknowledged by a person. *count is the
 * number of gaps that were not acknowledged before. */
enum outcome gaps_acknowledge(struct pg_connection *connection, const struct gap_query *query,
                              int64_t *count, struct pg_failure *failure) MUST_CHECK;

#endif
