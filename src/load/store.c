/* SPDX-License-Identifier: MIT */
#include "load/store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "load/batch_acks.h"
#include "load/transaction.h"
#include "pg/progress.h"

enum store_result store_result_of(const struct pg_failure *failure)
{
    switch (failure->action) {
    case SQL_RECONNECT:
    case SQL_READ_WRITE:
    case SQL_STOP:
        return STORE_LOST;
    case SQL_RETRY:
        return STORE_SOON;
    case SQL_SMALLER:
        return STORE_SMALLER;
    case SQL_ROW:
    case SQL_RULE:
    case SQL_WAIT:
        break;
    }
    return STORE_WAIT;
}

void store_rollback(const struct store *store)
{
    struct pg_failure failure;

    if (pg_is_connected(store->connection) &&
        pg_run(store->connection, "rollback", &failure) != OUTCOME_OK) {
        pg_disconnect(store->connection);
    }
}

/* The outbox refuses in three ways: its disk has failed (FATAL), the disk has no room for so many
 * acknowledgments (REJECT), or the broker must take some first (RETRY). */
enum store_result store_prepare_acks(const struct store *store, const struct batch *batch,
                                     const struct outbox_mark *mark, struct pg_failure *failure)
{
    struct error error;

    if (store->outbox == NULL ||
        outbox_prepare(store->outbox, mark, &batch->acks, &error) == OUTCOME_OK) {
        return STORE_DONE;
    }
    pg_failure_set(failure, SQL_WAIT, "acknowledgments: %.300s", error.text);
    return error.outcome == OUTCOME_FATAL    ? STORE_DISK
           : error.outcome == OUTCOME_REJECT ? STORE_SMALLER
                                             : STORE_ACKS;
}

void store_release_acks(const struct store *store)
{
    if (store->outbox != NULL) {
        outbox_commit(store->outbox);
    }
}

void store_drop_acks(const struct store *store)
{
    if (store->outbox != NULL) {
        outbox_abort(store->outbox);
    }
}

bool store_count_acks(const struct store *store, struct batch *batch)
{
    if (batch->uncounted) {
        for (size_t i = 0; i < batch->later_count; i++) {
            rule_targets_count_each(store->targets, batch->later[i].rule, true);
        }
        return false;
    }
    if (batch->later_count > 0) {
        batch_fill_acks(batch, store->ruleset);
    }
    return true;
}

/* Sends the rows, so that they are counted, then writes the acknowledgments. */
static enum store_result count_rows(struct transaction *transaction, const struct outbox_mark *mark)
{
    const struct store *store = transaction->store;

    if (transaction_flush(transaction) != OUTCOME_OK) {
        return STORE_REFUSED;
    }
    return store_count_acks(store, transaction->batch)
               ? store_prepare_acks(store, transaction->batch, mark, &transaction->failure->pg)
               : STORE_AGAIN;
}

/* Sends all statements of the transaction, COMMIT included. STORE_REFUSED: `failure` names the
 * statement that failed, or the connection is gone. */
static enum store_result send_batch(struct transaction *transaction, const struct outbox_mark *mark)
{
    enum store_result result = STORE_DONE;

    transaction_begin(transaction);
    if (transaction_rows(transaction) != OUTCOME_OK) {
        return STORE_REFUSED;
    }
    if (transaction->batch->later_count > 0) {
        result = count_rows(transaction, mark);
    }
    if (result == STORE_DONE && (transaction_notify(transaction) != OUTCOME_OK ||
                                 transaction_letters(transaction) != OUTCOME_OK ||
                                 transaction_commit(transaction) != OUTCOME_OK)) {
        result = STORE_REFUSED;
    }
    return result;
}

void store_rows_committed(const struct store *store, const struct batch *batch)
{
    assert(batch->rule_count == store->ruleset->count);
    for (unsigned i = 0; i < batch->rule_count; i++) {
        const struct rule_batch *rule = &batch->rules[i];

        if (rule->row_count > 0) {
            rule_targets_stored(store->targets, i);
            rule_targets_count_each(store->targets, i, rule->rows_stored < rule->row_count);
        }
    }
}

/* The statement that moves the row of `progress` fails with this SQLSTATE when the row is not at
 * `from`: another process has stored, or an earlier COMMIT did take effect. */
static bool is_stale(const struct store_failure *failure)
{
    return failure->place.kind == PLACE_BEGIN &&
           strcmp(failure->pg.sqlstate, PROGRESS_STALE_STATE) == 0;
}

/* For acknowledgments that are written only after the rows are sent. Asks for room before anything
 * is sent, because a batch without room in the outbox would have to be rolled back. */
static bool acks_have_room(const struct store *store, const struct batch *batch,
                           struct pg_failure *failure)
{
    struct error error;

    if (store->outbox == NULL ||
        outbox_check_room(store->outbox, &batch->acks, &error) == OUTCOME_OK) {
        return true;
    }
    pg_failure_set(failure, SQL_WAIT, "acknowledgments: %.300s", error.text);
    return false;
}

enum store_result store_batch(const struct store *store, struct batch *batch,
                              struct store_failure *failure)
{
    /* stored_at 0: the position alone decides, see store.h. */
    const struct outbox_mark mark = {.position = batch->to};
    enum store_result result = STORE_DONE;
    struct transaction transaction;

    assert(store->targets != NULL && store->verdicts != NULL && !store->letters);
    assert(batch->rule_count == store->ruleset->count);

    if (batch->later_count == 0) {
        result = store_prepare_acks(store, batch, &mark, &failure->pg);
    } else if (!acks_have_room(store, batch, &failure->pg)) {
        result = STORE_ACKS;
    }
    if (result != STORE_DONE) {
        return result;
    }
    transaction_init(&transaction, store, batch, failure);
    result = send_batch(&transaction, &mark);
    transaction_fini(&transaction);
    if (result == STORE_DONE) {
        (void) FAULT("store.commit.after");
        store_release_acks(store);
        store_rows_committed(store, batch);
        return STORE_DONE;
    }
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST; /* outcome unknown: the outbox file stays until `progress` shows it */
    }
    store_rollback(store);
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST;
    }
    store_drop_acks(store);
    return result == STORE_REFUSED && is_stale(failure) ? STORE_STALE : result;
}

enum store_result store_rehearse(const struct store *store, struct batch *batch,
                                 struct store_failure *failure)
{
    struct transaction transaction;
    enum outcome outcome;

    assert(batch->rule_count == store->ruleset->count && store->outbox == NULL);
    transaction_init(&transaction, store, batch, failure);
    transaction_begin_rehearsal(&transaction);
    outcome = transaction_rows(&transaction);
    if (outcome == OUTCOME_OK) {
        outcome = transaction_check_all(&transaction);
    }
    transaction_fini(&transaction);
    store_rollback(store);
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST;
    }
    return outcome == OUTCOME_OK ? STORE_DONE : STORE_REFUSED;
}
