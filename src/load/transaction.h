/*
 * transaction: the statements of one batch's transaction, sent with as few round trips as possible.
 *
 *   begin; move progress                            first, with whatever comes behind it
 *   rows: a long run by COPY, the others by INSERT … FROM unnest()
 *   types; dead letters; gaps; COMMIT               last, with whatever came before it
 *
 * Statements are collected in segments. A segment is either steps (pg/pg_steps), one round trip
 * however many they are, or one Query with COPY in it (pg_query_run()), a round trip and one for
 * each COPY: so a batch of one large table costs two, a batch of many small ones one. Runs keep
 * their order, for rows of one rule may refer to those of a rule before it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TRANSACTION_H
#define MQTT2PG_LOAD_TRANSACTION_H

#include "load/store.h"
#include "pg/pg_steps.h"
#include "pg/progress.h"

enum segment {
    SEGMENT_EMPTY,
    SEGMENT_STEPS,
    SEGMENT_QUERY,
};

/* Fields are private to transaction.c. */
struct transaction {
    const struct store *store;
    struct batch *batch;
    struct store_failure *failure; /* the caller's */
    enum segment segment;
    struct store_place *places; /* one per statement of the segment */
    size_t place_count;
    size_t place_capacity;

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
    struct target *letters;
    struct buf notify;
    struct progress_statement move;
    bool begin_queued;
};

/* Borrows all. */
void transaction_init(struct transaction *transaction, const struct store *store,
                      struct batch *batch, struct store_failure *failure);
void transaction_fini(struct transaction *transaction);

/* BEGIN and the compare-and-set of `progress`, queued. */
void transaction_begin(struct transaction *transaction);

/* These add to the transaction, and send what is full. OUTCOME_RETRY: a statement failed, which
 * `failure` names. */
enum outcome transaction_rows(struct transaction *transaction) MUST_CHECK;
enum outcome transaction_notify(struct transaction *transaction) MUST_CHECK;
enum outcome transaction_letters(struct transaction *transaction) MUST_CHECK;
enum outcome transaction_commit(struct transaction *transaction) MUST_CHECK;

/* Sends what is queued. */
enum outcome transaction_flush(struct transaction *transaction) MUST_CHECK;

#endif
