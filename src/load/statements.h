/*
 * statements: collects the statements of a transaction and sends them in as few messages as
 * possible.
 *
 * They are collected in segments. A segment is either steps (pg/pg_steps), one round trip however
 * many they are, or one Query with COPY in it (pg_query_run()), a round trip and one for each COPY.
 * Each statement has a place, so that a failure tells what it was for.
 *
 * Invariants: a segment has a place for each of its statements; SEGMENT_EMPTY has none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_STATEMENTS_H
#define MQTT2PG_LOAD_STATEMENTS_H

#include "load/store.h"
#include "pg/pg_steps.h"
#include "pg/progress.h"

enum segment {
    SEGMENT_EMPTY,
    SEGMENT_STEPS,
    SEGMENT_QUERY,
};

/* Arrays are a second copy of the rows in memory. A segment is sent when its arrays reach this
 * size. */
#define STEPS_BYTES_MAX ((size_t) 1024 * 1024)

/* Fields are private to statements.c. */
struct statements {
    struct pg_connection *connection;
    struct batch *batch;           /* counts the rows that are stored */
    struct store_failure *failure; /* the caller's */
    enum segment segment;
    struct store_place *places; /* one per statement of the segment */
    size_t place_count;
    size_t place_capacity;
    struct progress_statement *move; /* the statement after BEGIN; NULL: none, or sent already */
    const char *lock;                /* the statement after `move` */

    struct pg_steps steps;        /* of SEGMENT_STEPS */
    struct target_values *values; /* of the steps */
    size_t value_count;
    size_t value_capacity;

    struct buf sql; /* of SEGMENT_QUERY, like the next three */
    struct pg_stream *streams;
    struct slice (*parts)[3]; /* of each stream */
    size_t stream_count;
    size_t stream_capacity;

    struct buf header, trailer; /* of COPY BINARY */
};

/* Borrows all. */
void statements_init(struct statements *statements, struct pg_connection *connection,
                     struct batch *batch, struct store_failure *failure);
void statements_fini(struct statements *statements);

/* BEGIN, `move` and `lock` go in front of the first statement. Borrows both. */
void statements_begin(struct statements *statements, struct progress_statement *move,
                      const char *lock);

/* These functions queue a statement. When the statement does not fit into the open segment, they
 * send that segment first. The texts and bytes are borrowed until they are sent. OUTCOME_RETRY: a
 * statement failed, and `failure` names it. */

/* A statement without parameters, which fits into either kind of segment. */
enum outcome statements_add(struct statements *statements, const char *sql,
                            struct store_place place) MUST_CHECK;
/* Rows by COPY, and by the target's statements over arrays. */
enum outcome statements_copy(struct statements *statements, const struct target *target,
                             struct slice bytes, struct store_place place) MUST_CHECK;
enum outcome statements_insert(struct statements *statements, const struct target *target,
                               struct slice bytes, uint64_t rows,
                               struct store_place place) MUST_CHECK;

/* Sends what is queued. */
enum outcome statements_flush(struct statements *statements) MUST_CHECK;

/* Sends what is queued, and BEGIN even when nothing else is queued. For a caller that then runs
 * statements on the connection itself. */
enum outcome statements_send(struct statements *statements) MUST_CHECK;

#endif
