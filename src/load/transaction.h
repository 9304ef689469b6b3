/*
 * transaction: the statements of one batch's transaction, sent with as few round trips as possible.
 *
 *   begin; move progress                            first, with whatever comes behind it
 *   rows: a long run by COPY, the others by INSERT … FROM unnest()
 *   types; dead letters; gaps; COMMIT               last, with whatever came before it
 *
 * A batch for one large table costs two round trips, one for many small tables costs a single one
 * (load/statements). Runs keep their order, because rows of one rule may refer to rows of an
 * earlier rule.
 *
 * While rules of other tables wait, a statement for rows has a time limit (load/patience). Deferred
 * constraints are checked within that limit, before COMMIT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TRANSACTION_H
#define MQTT2PG_LOAD_TRANSACTION_H

#include "load/statements.h"

/* Fields are private to transaction.c. */
struct transaction {
    const struct store *store;
    struct batch *batch;
    struct store_failure *failure; /* the caller's */
    struct statements statements;
    struct target *letters;
    struct buf notify;
    struct buf limits;
    struct progress_statement move;
};

/* Borrows all. */
void transaction_init(struct transaction *transaction, const struct store *store,
                      struct batch *batch, struct store_failure *failure);
void transaction_fini(struct transaction *transaction);

/* Queues BEGIN and the compare-and-set of `progress`. */
void transaction_begin(struct transaction *transaction);

/* Queues BEGIN alone, for a transaction that is rolled back. */
void transaction_begin_rehearsal(struct transaction *transaction);

/* Queues the time limit of statements for rows, for a caller that does not use
 * transaction_begin(). */
enum outcome transaction_limit(struct transaction *transaction) MUST_CHECK;

/* These functions queue statements, and send a segment when it is full. OUTCOME_RETRY: a statement
 * failed, and `failure` names it. */
enum outcome transaction_rows(struct transaction *transaction) MUST_CHECK;
enum outcome transaction_notify(struct transaction *transaction) MUST_CHECK;
enum outcome transaction_letters(struct transaction *transaction) MUST_CHECK;
enum outcome transaction_commit(struct transaction *transaction) MUST_CHECK;
/* In place of COMMIT: checks the constraints that are deferred to COMMIT. Sends all. */
enum outcome transaction_check_all(struct transaction *transaction) MUST_CHECK;

/* Sends what is queued. */
enum outcome transaction_flush(struct transaction *transaction) MUST_CHECK;

#endif
