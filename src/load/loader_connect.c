/* SPDX-License-Identifier: MIT */
#include "load/loader_connect.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "load/inheritance.h"
#include "load/loader_bridge.h"
#include "load/loader_position.h"
#include "load/recall.h"
#include "pg/bridge_row.h"
#include "pg/progress.h"

enum {
    IDENTITY_WAIT_MS = 10000, /* how long the holder of the identity has to show that it lives */
    IDENTITY_TELL_MS = 2000,  /* after so long the log tells for whom this process waits */
    /* The backend of a killed process may be busy with its last statement for as long as a batch
     * may take. A process that lives does not write its row during a batch, either. */
    IDENTITY_WAIT_MAX_MS = 90000,
};

/* Sets what loader_identity() returns. UNREACHABLE and WAITS replace only each other and UNKNOWN:
 * once the identity is ours or taken, that stays while the database is away. */
static void set_identity(struct loader *loader, enum loader_identity identity)
{
    pthread_mutex_lock(&loader->mutex);
    if (loader->identity == LOADER_IDENTITY_UNKNOWN ||
        loader->identity == LOADER_IDENTITY_UNREACHABLE ||
        loader->identity == LOADER_IDENTITY_WAITS || identity == LOADER_IDENTITY_OURS ||
        identity == LOADER_IDENTITY_TAKEN) {
        loader->identity = identity;
    }
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
}

/* The broker has an acknowledgment for each message that this process took while the database was
 * away, so only this journal still has these messages. The log says so, for the person who stops
 * the other process. */
static void tell_what_waits(const struct loader *loader)
{
    if (loader_waiting(loader) > 0) {
        log_error("acknowledged messages stay in this journal: start a bridge on it when the other "
                  "process has stopped, or with a client_id of its own, and they are stored",
                  F_INT("waiting", loader_waiting(loader)),
                  F_TEXT("journal", journal_uuid(loader->options.journal)));
    }
}

/* Asks for the identity once. On a direct connection the identity is an advisory lock, which ends
 * with the session. Behind a pooler a session outlives its client, and the next client would get
 * the lock with it; there the identity is a lease in the row of the table `bridge`. */
static enum outcome try_identity(struct loader *loader, struct progress_lock *lock,
                                 struct pg_failure *failure)
{
    if (!pg_is_pooled(loader->connection)) {
        return progress_lock(loader->connection, lock, failure);
    }
    *lock = (struct progress_lock){.holder = "mqtt2pg.bridge has its row"};
    return loader_take_lease(loader, &lock->taken, failure);
}

/* The wait for an identity that another session has. */
struct identity_wait {
    int64_t began_ms;                  /* monotonic */
    bool told;                         /* the log says for whom this process waits */
    char refreshed[BRIDGE_WHEN_BYTES]; /* when the holder wrote its row last, at the beginning */
};

static void tell_wait(struct identity_wait *wait, const struct progress_lock *lock)
{
    struct buf words = {0};

    if (wait->told || clock_monotonic_ms() < wait->began_ms + IDENTITY_TELL_MS) {
        return;
    }
    wait->told = true;
    buf_printf(&words, "waiting for another session of this client_id to end (in PostgreSQL: %s)",
               lock->holder);
    log_warn("another session has the identity of this client_id: waiting for it to end, as that "
             "of a killed process does when its last statement is done",
             F_TEXT("holder", lock->holder), F_INT("seconds_max", IDENTITY_WAIT_MAX_MS / 1000));
    health_set(HEALTH_DATABASE, false, buf_string(&words));
    buf_fini(&words);
}

/* May the holder still be the session of a process that was killed? A live process writes its row
 * in the table bridge every few seconds. OUTCOME_REJECT: it lives, or nobody can tell and the wait
 * is over. */
static enum outcome may_end(struct loader *loader, struct identity_wait *wait,
                            const struct progress_lock *lock, struct pg_failure *failure)
{
    char refreshed[BRIDGE_WHEN_BYTES];
    int64_t waited_ms = clock_monotonic_ms() - wait->began_ms;

    assert(!lock->taken);
    if (bridge_row_refreshed(loader->connection, refreshed, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    if (waited_ms < IDENTITY_TELL_MS / 2) { /* its last statement may have written the row */
        snprintf(wait->refreshed, sizeof(wait->refreshed), "%s", refreshed);
        return OUTCOME_OK;
    }
    tell_wait(wait, lock);
    return waited_ms < IDENTITY_WAIT_MS ||
                   (waited_ms < IDENTITY_WAIT_MAX_MS && strcmp(refreshed, wait->refreshed) == 0)
               ? OUTCOME_OK
               : OUTCOME_REJECT;
}

/* Another process stores for this client. Ends this one with exit code 4, unless it had the
 * identity before: then the holder may be its own former session, and the loader tries again. */
static void not_the_only_one(struct loader *loader, const struct progress_lock *lock,
                             struct pg_failure *failure)
{
    snprintf(failure->message, sizeof(failure->message),
             "another process stores as client_id \"%.200s\" (in PostgreSQL: %s; the table bridge "
             "has its host): stop it, or give this one its own",
             pg_client_id(loader->connection), lock->holder);
    if (!loader_stopping(loader) && !loader->identity_shown) {
        log_error("not the only one: stopping", F_TEXT("reason", failure->message));
        tell_what_waits(loader);
        set_identity(loader, LOADER_IDENTITY_TAKEN);
        stop_request(4);
    }
}

/* Becomes the only process that stores for this client. Waits for a holder that may be the session
 * of a killed process: a server notices only after a while that its client is gone. */
static bool take_identity(struct loader *loader, struct pg_failure *failure)
{
    struct identity_wait wait = {.began_ms = clock_monotonic_ms()};
    struct progress_lock lock = {.holder = ""};
    enum outcome outcome = OUTCOME_OK;

    while (outcome == OUTCOME_OK && !loader_stopping(loader)) {
        if (try_identity(loader, &lock, failure) != OUTCOME_OK) {
            return false;
        }
        if (lock.taken) {
            loader->identity_shown = true;
            loader_expect_acks(loader);
            set_identity(loader, LOADER_IDENTITY_OURS);
            return true;
        }
        /* the holder waits in a COMMIT: most likely the process before this one, not a second
         * one */
        if (lock.holder_waits) {
            snprintf(failure->message, sizeof(failure->message),
                     "a COMMIT under this client_id waits for a synchronous standby (%s)",
                     lock.holder);
            return false;
        }
        set_identity(loader, LOADER_IDENTITY_WAITS);
        outcome = may_end(loader, &wait, &lock, failure);
        if (outcome == OUTCOME_OK) {
            loader_rest(loader, wait.told ? 1000 : 200);
        }
    }
    if (outcome != OUTCOME_RETRY) {
        not_the_only_one(loader, &lock, failure);
    }
    return false;
}

void loader_expect_acks(struct loader *loader)
{
    bool expected = false;

    if (loader->options.outbox == NULL || !loader->identity_shown) {
        return;
    }
    for (size_t i = 0; i < loader->ruleset->count; i++) {
        expected = expected || loader->ruleset->rules[i]->ack != NULL ||
                   rule_rebirth(loader->ruleset->rules[i]) != REBIRTH_NEVER;
    }
    outbox_expect(loader->options.outbox, expected);
}

enum outcome loader_inherit(struct loader *loader, struct pg_failure *failure)
{
    enum outcome outcome =
        inheritance_settle(loader->ruleset, loader->connection, !loader->inherited, failure);

    loader->inherited = loader->inherited || outcome == OUTCOME_OK;
    return outcome;
}

/* Makes the bridge's own tables if they are missing. False, with `error`, when they are missing and
 * can't be made. At the start that ends the process with exit code 4; later the loader tries
 * again. */
static bool ensure_schema(struct loader *loader, struct error *error)
{
    enum outcome outcome;

    if (loader->schema_ready) {
        return true;
    }
    outcome = progress_ensure_schema(loader->connection, error);
    loader->schema_ready = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_FATAL && loader->link == LINK_NEVER) {
        log_error("the bridge's own tables are missing", F_TEXT("reason", error->text));
        stop_request(4);
        /* the tables worked before: try again until a person has put them right */
    } else if (outcome == OUTCOME_FATAL) {
        error->outcome = OUTCOME_RETRY;
    }
    return loader->schema_ready;
}

/* Everything between a TCP connection and the first batch. The order matters: the position is read
 * under the identity, because without the identity another process may still move it. The letters
 * of a former client_id become ours together with the position; only then can the rules learn which
 * of them are parked. The memory of formats is read last, because it belongs to that position. */
static bool establish(struct loader *loader, struct error *error)
{
    struct pg_failure failure = {.message = ""};

    assert(loader->ruleset != NULL && loader->targets != NULL);
    if (pg_connect(loader->connection, error) != OUTCOME_OK || !ensure_schema(loader, error)) {
        return false;
    }
    if (!take_identity(loader, &failure)) {
        error_set(error, OUTCOME_RETRY, "%s", failure.message);
        return false;
    }
    if (!loader_take_position(loader, error)) {
        return false;
    }
    if (loader_inherit(loader, &failure) != OUTCOME_OK ||
        rule_targets_read(loader->targets, loader->connection, &failure) != OUTCOME_OK ||
        recall(loader->mapper, loader->connection, loader->stored, &failure) != OUTCOME_OK) {
        error_set(error, OUTCOME_RETRY, "%s", failure.message);
        return false;
    }
    return true;
}

bool loader_connect(struct loader *loader)
{
    struct error error = {.text = ""};

    if (establish(loader, &error)) {
        metric_set(METRIC_DATABASE_CONNECTED, 1);
        if (loader->link != LINK_NEVER) {
            metric_add(METRIC_DATABASE_RECONNECTS, 1);
        }
        loader->link = LINK_UP;
        loader_report_start(loader);
        backoff_reset(&loader->backoff);
        health_set(HEALTH_DATABASE, true, pg_target(loader->connection));
        log_info_state("database", "connected to the database",
                       F_TEXT("database", pg_target(loader->connection)),
                       F_INT("position", loader->stored), F_INT("waiting", loader_waiting(loader)));
        return true;
    }
    if (error.outcome == OUTCOME_FATAL && loader->link != LINK_NEVER) {
        log_error("the journal can't be read", F_TEXT("reason", error.text));
        stop_request(1);
    }
    if (error.text[0] != '\0' && !loader_stopping(loader)) {
        log_warn_state("database", "the database can't be used: messages wait in the journal",
                       F_TEXT("reason", error.text));
    }
    loader_disconnect(loader, error.text);
    set_identity(loader, LOADER_IDENTITY_UNREACHABLE);
    return false;
}
