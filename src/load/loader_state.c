/* SPDX-License-Identifier: MIT */
#include "load/loader_state.h"

#include <assert.h>

#include "base/health.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "base/thread.h"

void loader_advance(struct loader *loader, enum loader_phase phase)
{
    assert(phase > LOADER_RUNS && phase <= LOADER_FINISHED);
    pthread_mutex_lock(&loader->mutex);
    if (phase > atomic_load(&loader->phase)) {
        atomic_store(&loader->phase, phase);
    }
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
}

bool loader_stopping(const struct loader *loader)
{
    return atomic_load(&loader->phase) != LOADER_RUNS;
}

void loader_pause(struct loader *loader, int64_t milliseconds)
{
    assert(milliseconds >= 0);
    pthread_mutex_lock(&loader->mutex);
    if (!loader_stopping(loader) && loader->next_ruleset == NULL) {
        (void) thread_cond_wait(&loader->changed, &loader->mutex, milliseconds);
    }
    pthread_mutex_unlock(&loader->mutex);
}

void loader_rest(struct loader *loader, int64_t milliseconds)
{
    assert(milliseconds >= 0);
    pthread_mutex_lock(&loader->mutex);
    if (!loader_stopping(loader)) {
        (void) thread_cond_wait(&loader->changed, &loader->mutex, milliseconds);
    }
    pthread_mutex_unlock(&loader->mutex);
}

void loader_disconnect(struct loader *loader, const char *reason)
{
    pg_disconnect(loader->connection);
    if (loader->link == LINK_UP) {
        loader->link = LINK_DOWN;
    }
    assert(loader->link != LINK_UP);
    metric_set(METRIC_DATABASE_CONNECTED, 0);
    health_set(HEALTH_DATABASE, false, reason);
}

void loader_rewind(struct loader *loader)
{
    struct error error;

    loader->reading = READING_ASTRAY;
    if (journal_reader_seek(loader->reader, loader->stored + 1, &error) != OUTCOME_OK) {
        log_error("the journal can't be read", F_TEXT("reason", error.text));
        stop_request(1);
        loader_advance(loader, LOADER_ABANDONS);
    }
}

uint64_t loader_waiting(const struct loader *loader)
{
    struct journal_info info;

    journal_info(loader->options.journal, &info);
    return info.waiting;
}

struct store loader_store(struct loader *loader)
{
    return (struct store){
        .connection = loader->connection,
        .journal = journal_uuid(loader->options.journal),
        .ruleset = loader->ruleset,
        .mapper = loader->mapper,
        .targets = loader->targets,
        .verdicts = &loader->verdicts,
        .outbox = loader->options.outbox,
        .patience = rule_targets_several(loader->targets) ? &loader->patience : NULL,
        .position = loader->stored,
    };
}

void loader_set_stored(struct loader *loader, uint64_t position)
{
    loader->stored = position;
    journal_set_stored(loader->options.journal, position);
}

void loader_check(const struct loader *loader)
{
    assert((loader->batch != NULL) == (loader->ruleset != NULL));
    assert((loader->ahead != NULL) == (loader->ruleset != NULL));
    assert((loader->mapper != NULL) == (loader->ruleset != NULL));
    assert((loader->targets != NULL) == (loader->ruleset != NULL));
    assert(loader->records_max >= 1 && loader->heal_letters >= 1 && loader->later.letters >= 1);
    assert(loader->link != LINK_UP || loader->reading != READING_READY ||
           journal_reader_position(loader->reader) == loader->stored + 1);
}
