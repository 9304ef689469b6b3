/* SPDX-License-Identifier: MIT */
#include "load/loader_trouble.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/stop.h"
#include "load/blame.h"

#define ACKS_PATIENCE_MS 200 /* a longer wait is reported in the log */
#define ACKS_WAIT_MS 5000    /* then the batch is tried again, and the wait is reported again */

/* Health shows this trouble until a batch is stored: see batch_committed(). */
static void server_waits(struct loader *loader, const struct pg_failure *failure)
{
    health_set(HEALTH_DATABASE, false, failure->message);
    log_error_state("database", "the database can't store now: messages wait in the journal",
                    F_TEXT("reason", failure->message), F_TEXT("sqlstate", failure->sqlstate));
    loader_pause(loader, backoff_next(&loader->wait));
}

/* Waits until the broker has taken enough acknowledgments for the outbox to have room again, or for
 * ACKS_WAIT_MS. A short wait is normal and is not reported. */
static void acks_wait(struct loader *loader, const struct pg_failure *failure)
{
    int64_t until = clock_monotonic_ms() + ACKS_WAIT_MS;

    assert(loader->options.outbox != NULL);
    if (outbox_wait_room(loader->options.outbox, ACKS_PATIENCE_MS)) {
        return;
    }
    health_set(HEALTH_DATABASE, false, failure->message);
    log_warn("storing waits until the broker has taken acknowledgments",
             F_TEXT("reason", failure->message));
    while (!loader_stopping(loader) && clock_monotonic_ms() < until &&
           !outbox_wait_room(loader->options.outbox, ACKS_PATIENCE_MS)) {
    }
}

/* Counts this trouble into the history since the last commit. Losses of the connection count only
 * while the batch begins at the same message: a message that ends the connection each time is found
 * by ever smaller batches. */
static void note_trouble(struct loader *loader, enum store_result result)
{
    struct trouble_history *history = &loader->history;

    assert(result != STORE_DONE);
    history->messages = loader->batch->count;
    history->stopping = loader_stopping(loader);
    history->soon = result == STORE_SOON ? history->soon + 1 : 0;
    if (result != STORE_LOST) {
        return;
    }
    if (loader->lost_at != loader->batch->from) {
        history->losses = history->alone = 0;
        loader->lost_at = loader->batch->from;
    }
    history->losses++;
    history->alone = loader->trial == TRIAL_LOST && history->messages == 1 ? history->alone + 1 : 0;
}

/* Closes the connection; loader_step() connects again and reads the position, which tells whether
 * a COMMIT without an answer took effect. */
static void reconnect(struct loader *loader, enum store_result result,
                      const struct pg_failure *failure)
{
    if (result == STORE_STALE) {
        log_warn("progress is not where this process left it: reading it again",
                 F_INT("position", loader->stored));
        loader_disconnect(loader, "progress was moved by somebody else");
        return;
    }
    log_warn_state("database", "database connection lost", F_TEXT("reason", failure->message));
    loader_disconnect(loader, failure->message);
    if (loader->history.losses > 0 && !loader_stopping(loader)) {
        loader_pause(loader, backoff_next(&loader->loss));
    }
}

/* The message that ends the connection becomes a dead letter when the batch is built again. */
static void give_up_message(struct loader *loader, const struct pg_failure *failure)
{
    const struct store store = loader_store(loader);
    struct pg_failure reason;

    assert(loader->batch->count == 1);
    pg_failure_set(&reason, SQL_ROW, "the connection ends each time it is stored: %.300s",
                   failure->message);
    memcpy(reason.sqlstate, failure->sqlstate, sizeof(reason.sqlstate));
    (void) blame_message(&store, loader->batch, &reason);
    loader->history = (struct trouble_history){0};
}

/* The outbox can't be written. Exit code 1, for without it an acknowledgment could be lost. */
static void stop(struct loader *loader, const struct pg_failure *failure)
{
    log_error("could not write acknowledgments, stopping", F_TEXT("reason", failure->message));
    stop_request(1);
    loader_advance(loader, LOADER_ABANDONS);
}

/* Carries out what trouble_remedy() decided. `failure` has no values of rows, for it goes to log
 * and health. */
static void act(struct loader *loader, enum remedy_act act, enum store_result result,
                const struct pg_failure *failure)
{
    switch (act) {
    case REMEDY_NONE:
    case REMEDY_AGAIN:
        break;
    case REMEDY_PAUSE:
        loader_pause(loader, backoff_next(&loader->wait));
        break;
    case REMEDY_WAIT:
        server_waits(loader, failure);
        break;
    case REMEDY_SCHEMA:
        server_waits(loader, failure);
        loader->schema_ready = false;
        loader_disconnect(loader, failure->message);
        break;
    case REMEDY_RECONNECT:
        reconnect(loader, result, failure);
        break;
    case REMEDY_ACKS:
        acks_wait(loader, failure);
        break;
    case REMEDY_ABANDON:
        health_set(HEALTH_DATABASE, false, failure->message);
        log_error_state("database", "the database can't store now: messages wait in the journal",
                        F_TEXT("reason", failure->message), F_TEXT("sqlstate", failure->sqlstate));
        loader_advance(loader, LOADER_ABANDONS);
        break;
    case REMEDY_STOP:
        stop(loader, failure);
        break;
    }
}

void loader_trouble(struct loader *loader, enum store_result result,
                    const struct pg_failure *failure)
{
    struct pg_failure told = *failure;
    struct remedy remedy;

    health_hide_detail(told.message);
    note_trouble(loader, result);
    remedy = trouble_remedy(result, failure, &loader->history);
    if (remedy.records_max > 0 && remedy.records_max < loader->records_max) {
        loader->records_max = remedy.records_max;
    }
    if (remedy.small_batches > 0) {
        loader->small_left = remedy.small_batches;
    }
    assert(loader->records_max >= 1);
    loader->tried_to = loader->batch->to > loader->tried_to ? loader->batch->to : loader->tried_to;
    loader->trial = remedy.inquire ? TRIAL_WANTED : TRIAL_NONE;
    if (remedy.give_up) {
        give_up_message(loader, failure);
    }
    act(loader, remedy.act, result, &told);
    if (remedy.act != REMEDY_NONE && pg_is_connected(loader->connection)) {
        loader_rewind(loader); /* when the connection is lost, connecting reads the position */
    }
}
