/* What becomes of a batch that could not be stored. SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/stop.h"
#include "load/loader_internal.h"

#define ACKS_PATIENCE_MS 200 /* then it is worth a word */
#define ACKS_WAIT_MS 5000    /* then it is tried again, to be told that it goes on */
#define SOON_MAX 3           /* then it is no coincidence any more */

void loader_rewind(struct loader *loader)
{
    struct error error;

    loader->ahead_begun = false;
    if (journal_reader_seek(loader->reader, loader->stored + 1, &error) != OUTCOME_OK) {
        log_error("the journal can't be read", F_TEXT("reason", error.text));
        stop_request(1);
        atomic_store(&loader->abandon, true);
    }
}

static void server_waits(struct loader *loader, const struct pg_failure *failure)
{
    health_set(HEALTH_DATABASE, false, failure->message);
    log_error("the database can't store now: messages wait in the journal",
              F_TEXT("reason", failure->message), F_TEXT("sqlstate", failure->sqlstate));
    if (loader_stopping(loader)) { /* what waits is safe in the journal */
        atomic_store(&loader->abandon, true);
        return;
    }
    loader_pause(loader, backoff_next(&loader->wait));
    if (failure->action == SQL_RULE) { /* our own tables: gone or denied */
        loader->schema_ready = false;
        loader_disconnect(loader, failure->message);
        return;
    }
    health_set(HEALTH_DATABASE, true, pg_target(loader->connection));
}

/* Goes on as soon as the broker has taken enough. */
static void acks_wait(struct loader *loader, const struct pg_failure *failure)
{
    int64_t until = clock_monotonic_ms() + ACKS_WAIT_MS;

    if (loader_stopping(loader)) { /* what waits is safe in the journal */
        atomic_store(&loader->abandon, true);
        return;
    }
    if (outbox_wait_room(loader->options.outbox, ACKS_PATIENCE_MS)) {
        return;
    }
    health_set(HEALTH_DATABASE, false, failure->message);
    log_warn("storing waits until the broker has taken acknowledgments",
             F_TEXT("reason", failure->message));
    while (!loader_stopping(loader) && clock_monotonic_ms() < until &&
           !outbox_wait_room(loader->options.outbox, ACKS_PATIENCE_MS)) {
    }
    health_set(HEALTH_DATABASE, true, pg_target(loader->connection));
}

/* Deadlocks and the like pass by themselves, but not when they come back each time. */
static void soon_again(struct loader *loader, const struct pg_failure *failure)
{
    if (++loader->soon_count > SOON_MAX) {
        server_waits(loader, failure);
    } else {
        loader_pause(loader, backoff_next(&loader->wait));
    }
}

void loader_trouble(struct loader *loader, enum store_result result,
                    const struct pg_failure *failure)
{
    switch (result) {
    case STORE_DONE:
        return;
    case STORE_LOST:
        log_warn("database connection lost", F_TEXT("reason", failure->message));
        loader_disconnect(loader, failure->message);
        return; /* connecting reads the position */
    case STORE_STALE:
        log_warn("progress is not where this process left it: reading it again",
                 F_INT("position", loader->stored));
        loader_disconnect(loader, "progress was moved by somebody else");
        return;
    case STORE_REFUSED: /* store_blame() has said more */
    case STORE_AGAIN:
        break;
    case STORE_SOON:
        soon_again(loader, failure);
        break;
    case STORE_SMALLER:
        loader->records_max = loader->batch->count > 1 ? loader->batch->count / 2 : 1;
        if (loader->batch->count <= 1) {
            server_waits(loader, failure);
        }
        break;
    case STORE_WAIT:
        server_waits(loader, failure);
        break;
    case STORE_ACKS:
        acks_wait(loader, failure);
        break;
    case STORE_STOP:
        log_error("the database is damaged: stopping", F_TEXT("reason", failure->message),
                  F_TEXT("sqlstate", failure->sqlstate));
        stop_request(1);
        atomic_store(&loader->abandon, true);
        break;
    case STORE_DISK:
        log_error("could not write acknowledgments, stopping", F_TEXT("reason", failure->message));
        stop_request(1);
        atomic_store(&loader->abandon, true);
        break;
    }
    loader_rewind(loader);
}
