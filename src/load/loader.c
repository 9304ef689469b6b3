/* SPDX-License-Identifier: MIT */
#include "load/loader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "base/thread.h"
#include "load/batch_report.h"
#include "load/blame.h"
#include "load/copies_recall.h"
#include "load/loader_bridge.h"
#include "load/loader_columns.h"
#include "load/loader_connect.h"
#include "load/loader_heal.h"
#include "load/loader_later.h"
#include "load/loader_partitions.h"
#include "load/loader_state.h"
#include "load/loader_trouble.h"
#include "load/loader_watch.h"
#include "load/recall.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000
#define LOSS_MAX_MS 3000
#define IDLE_WAIT_MS 1000
#define PRUNE_INTERVAL_MS 60000

/* Frees all that was made for the ruleset in use. The reader may stand behind records of a batch
 * that goes with it, so the loader rewinds before it builds the next one. */
static void drop_rules(struct loader *loader)
{
    ahead_free(loader->ahead);
    batch_free(loader->batch);
    rule_targets_free(loader->targets);
    mapper_free(loader->mapper);
    untaken_free(loader->untaken);
    partition_keeper_free(loader->keeper);
    free(loader->later.left);
    loader->later.left = NULL;
    loader->reading = READING_ASTRAY;
    loader->ahead = NULL;
    loader->batch = NULL;
    loader->targets = NULL;
    loader->mapper = NULL;
    loader->untaken = NULL;
    loader->keeper = NULL;
}

/* Makes everything that depends on the ruleset anew; borrows `ruleset`. A batch that was being
 * built is dropped: its messages are still in the journal and are read again. */
static void use_rules(struct loader *loader, const struct ruleset *ruleset)
{
    drop_rules(loader);
    loader->ruleset = ruleset;
    loader->inherited = false;
    loader->mapper = mapper_new(ruleset);
    if (ruleset->plans != NULL) {
        copies_use(loader->copies, ruleset->plans);
        mapper_set_copies(loader->mapper, loader->copies);
    }
    loader->targets = rule_targets_new(ruleset, loader->mapper);
    rule_targets_set_added(loader->targets, loader->options.added);
    loader->untaken = untaken_new(ruleset);
    loader->keeper = partition_keeper_new(ruleset);
    loader->batch = batch_new(ruleset->count);
    loader->ahead = ahead_new(ruleset->count);
    verdicts_reset(&loader->verdicts); /* verdicts name rules by their number */
    verdicts_reset(&loader->heal_verdicts);
    patience_init(&loader->patience); /* patience names a rule by its number, too */
    loader->later = (struct loader_later){.letters = LATER_LETTERS_MAX};
}

/* Counts the metrics of each rule. "Matched" is the sum of stored, filtered and rejected messages;
 * messages that are parked or wait are counted when their end is known. */
static void count_rules(const struct loader *loader, const struct batch *batch)
{
    assert(batch->rule_count == loader->ruleset->count);
    for (size_t i = 0; i < batch->rule_count; i++) {
        const struct rule_batch *rule = &batch->rules[i];
        int metrics = loader->ruleset->rules[i]->metrics;
        int64_t stored = (int64_t) rule->mapped;
        int64_t filtered = (int64_t) rule->filtered;
        int64_t rejected = (int64_t) rule->rejected;

        if (stored + filtered + rejected == 0) {
            continue;
        }
        metric_rule_add(metrics, RULE_METRIC_MATCHED, stored + filtered + rejected);
        metric_rule_add(metrics, RULE_METRIC_STORED, stored);
        metric_rule_add(metrics, RULE_METRIC_FILTERED, filtered);
        metric_rule_add(metrics, RULE_METRIC_REJECTED, rejected);
        metric_rule_add(metrics, RULE_METRIC_ROWS, (int64_t) rule->rows_stored);
    }
}

/* Would a batch of twice the size exceed the time that its statements have? */
static bool would_be_late(struct loader *loader, int64_t took_ms)
{
    int64_t limit_ms = patience_limit_ms(loader_store(loader).patience);

    return limit_ms > 0 && 2 * took_ms > limit_ms;
}

static void tell_stranger(struct loader *loader)
{
    if (copies_know_stranger(loader->copies) && !loader->stranger_told) {
        loader->stranger_told = true;
        log_warn("the session has a subscription that this bridge did not make: its copies are "
                 "left out; remove the session at the broker, and use a client_id of its own for "
                 "each bridge");
    }
}

/* After COMMIT was answered: updates log, metrics and health, moves the position, and forgets past
 * trouble. Not earlier: a batch that is rolled back is built again and would be reported twice. */
static void batch_committed(struct loader *loader, int64_t took_us)
{
    const struct batch *batch = loader->batch;
    const struct batch_time time = {took_us, pg_round_trip_us(loader->connection)};

    batch_report(batch);
    batch_advise(batch, &loader->options.batch, &time, &loader->full);
    assert(batch->from == loader->stored && batch->to > batch->from);
    metric_add(METRIC_MESSAGES_PROCESSED, (int64_t) batch->records);
    metric_add(METRIC_MESSAGES_UNMATCHED, (int64_t) batch->unmatched);
    metric_add(METRIC_BATCHES, 1);
    metric_add(METRIC_GAPS, (int64_t) batch->gap_count);
    metric_observe(HISTOGRAM_BATCH_ROWS, (double) batch->rows, 1);
    metric_observe(HISTOGRAM_COMMIT_SECONDS, (double) took_us / 1e6, 1);
    metric_observe_ages(HISTOGRAM_STORE_DELAY_SECONDS, batch->received_us, batch->count,
                        clock_wall_us());
    count_rules(loader, batch);
    tell_stranger(loader);
    loader_set_stored(loader, batch->to);
    journal_set_place(loader->options.journal, &batch->place);
    loader_later_committed(loader);
    recall_advance(loader->mapper, batch->to);
    if (batch->learned.count > 0 && clock_monotonic_ms() - loader->pruned_ms >= PRUNE_INTERVAL_MS) {
        loader->pruned_ms = clock_monotonic_ms();
        recall_prune(loader->mapper, loader->connection, journal_uuid(loader->options.journal),
                     batch->to);
    }
    verdicts_reset(&loader->verdicts);
    backoff_reset(&loader->wait);
    backoff_reset(&loader->loss);
    loader->history = (struct trouble_history){0};
    if (batch->rows > 0) {
        patience_stored(&loader->patience, took_us / 1000);
    }
    health_set(HEALTH_DATABASE, true, pg_target(loader->connection));
    if (loader->small_left > 0) {
        loader->small_left--;
    } else if (loader->records_max < SIZE_MAX / 2 && !would_be_late(loader, took_us / 1000)) {
        loader->records_max *= 2;
    }
}

/*
 * Waits for a first message, then until a batch is worth its transaction: enough messages have
 * come, or the first one has waited for max_delay. Messages that came while the last batch was
 * stored have waited meanwhile. False: none came in IDLE_WAIT_MS, or a parked rule is due.
 */
static bool wait_for_messages(struct loader *loader)
{
    struct journal *journal = loader->options.journal;
    const struct batch_options *options = &loader->options.batch;
    int64_t parked = rule_targets_wait(loader->targets);
    int64_t idle = parked >= 0 && parked < IDLE_WAIT_MS ? parked : IDLE_WAIT_MS;
    uint64_t worth = (uint64_t) options->max_rows;
    int64_t left;

    assert(loader->records_max >= 1);
    if (worth > loader->records_max) { /* the next batch can't be larger than that */
        worth = loader->records_max;
    }

    if (journal_last(journal) <= loader->stored) {
        if (!journal_wait(journal, loader->stored + 1, loader_stopping(loader) ? 0 : idle)) {
            return false;
        }
        loader->waiting_since_ms = clock_monotonic_ms();
    }
    left = loader->waiting_since_ms + options->max_delay_ms - clock_monotonic_ms();
    if (!loader_stopping(loader) && left > 0) {
        (void) journal_wait(journal, loader->stored + worth, left);
    }
    return true;
}

/* Makes loader->batch the next batch: the one that was built ahead, or a new one. False when
 * there is nothing to store, or the journal can't be read; then the loader has paused already. */
static bool take_next(struct loader *loader, const struct batch_builder *builder)
{
    struct error error;
    bool whole;

    if (loader->reading == READING_AHEAD) {
        loader->reading = READING_READY;
        if (ahead_take(loader->ahead, &loader->batch)) {
            batch_finish(loader->batch);
            return loader->batch->to > loader->batch->from;
        }
        loader_rewind(loader);
    }
    if (loader->reading == READING_ASTRAY) {
        copies_recall(loader->reader, loader->options.journal, loader->ruleset, loader->copies,
                      loader->stored);
        loader_rewind(loader);
        loader->reading = READING_READY;
    }
    assert(loader->reading == READING_READY);
    batch_begin(loader->batch, builder);
    if (batch_extend(loader->batch, builder, loader->records_max, &whole, &error) != OUTCOME_OK) {
        log_error("the journal can't be read", F_TEXT("reason", error.text));
        if (loader_stopping(loader)) {
            loader_advance(loader, LOADER_ABANDONS);
        }
        loader_pause(loader, backoff_next(&loader->wait));
        loader_rewind(loader);
        return false;
    }
    batch_finish(loader->batch);
    return loader->batch->to > loader->batch->from;
}

/* Is it worth building the next batch while the server works on this one? Only when a whole batch
 * waits in the journal, and nothing (a rule that is due, a smaller limit) would change that
 * batch. */
static bool ahead_pays(const struct loader *loader)
{
    uint64_t whole = (uint64_t) loader->options.batch.max_rows;

    return journal_last(loader->options.journal) >= loader->batch->to + whole &&
           loader->records_max >= whole && rule_targets_wait(loader->targets) < 0;
}

/*
 * Stores the loader's batch. While the connection waits for the server, pg_meanwhile() lets this
 * thread build the next batch in small steps, so no second thread touches journal or mapper. When
 * rows are suspected to end the connection, they are tried one by one before the batch is stored.
 */
static enum store_result store_and_build(struct loader *loader, const struct store *store,
                                         const struct batch_builder *builder,
                                         struct store_failure *failure)
{
    enum store_result result;

    assert(loader->reading == READING_READY && loader->batch->to > loader->batch->from);
    if (loader->trial == TRIAL_WANTED) {
        *failure = (struct store_failure){.place.kind = PLACE_COMMIT, .pg.action = SQL_RETRY};
        result = blame(store, loader->batch, failure);
        loader->trial = result == STORE_LOST ? TRIAL_LOST : TRIAL_NONE;
        if (result == STORE_AGAIN || result == STORE_LOST) {
            return result;
        }
    }
    if (ahead_pays(loader)) {
        loader->reading = READING_AHEAD;
        ahead_begin(loader->ahead, builder);
        pg_meanwhile(loader->connection, ahead_step, loader->ahead);
    }
    result = store_batch(store, loader->batch, failure);
    pg_meanwhile(loader->connection, NULL, NULL);
    return result;
}

/* One batch: build, store, and on failure find out why (blame) and what to do (loader_trouble). */
static void store_next(struct loader *loader)
{
    const struct batch_builder builder = {
        .reader = loader->reader,
        .ruleset = loader->ruleset,
        .mapper = loader->mapper,
        .targets = loader->targets,
        .verdicts = &loader->verdicts,
        .untaken = loader->untaken,
        .options = &loader->options.batch,
        .origin = {loader->options.database.client_id, journal_uuid(loader->options.journal)}};
    struct store store = loader_store(loader);
    struct store_failure failure = {.pg.message = ""};
    enum store_result result;
    int64_t started;

    if (!take_next(loader, &builder) || loader_add_columns(loader)) {
        return;
    }
    store.part = loader->batch->to < loader->tried_to;
    started = clock_monotonic_us();
    /* max_delay counts from here: nothing behind this batch has waited longer. */
    loader->waiting_since_ms = started / 1000;
    result = store_and_build(loader, &store, &builder, &failure);
    if (result == STORE_DONE) {
        batch_committed(loader, clock_monotonic_us() - started);
        return;
    }
    if (result == STORE_REFUSED) {
        result = blame(&store, loader->batch, &failure);
    }
    loader->history.fits = failure.fits;
    loader_trouble(loader, result, &failure.pg);
}

/* Takes the ruleset that loader_set_rules() left, between two batches. loader_ruleset() names the
 * new one only when nothing of this thread uses the old one any more. */
static void take_new_rules(struct loader *loader)
{
    struct ruleset *next;
    struct pg_failure failure;

    pthread_mutex_lock(&loader->mutex);
    next = loader->next_ruleset;
    if (next != NULL) {
        loader->options.batch = loader->next_batch;
    }
    loader->next_ruleset = NULL;
    pthread_mutex_unlock(&loader->mutex);
    if (next == NULL) {
        return;
    }
    use_rules(loader, next);
    loader_expect_acks(loader);
    pthread_mutex_lock(&loader->mutex);
    loader->used_ruleset = next;
    pthread_mutex_unlock(&loader->mutex);
    if (pg_is_connected(loader->connection) &&
        (loader_inherit(loader, &failure) != OUTCOME_OK ||
         rule_targets_read(loader->targets, loader->connection, &failure) != OUTCOME_OK ||
         recall(loader->mapper, loader->connection, loader->stored, &failure) != OUTCOME_OK)) {
        loader_trouble(loader, STORE_LOST, &failure);
    }
}

/* One turn of the thread: new rules; connect; the bridge's row; partitions; letters that may pass
 * now; a parked rule that is due; gaps and letters for people; a batch. Each part may lose the
 * connection, so the next one asks again. */
static void loader_step(struct loader *loader)
{
    int parked;

    take_new_rules(loader);
    if (!pg_is_connected(loader->connection)) {
        if (loader->link == LINK_UP) { /* the loss was not noticed yet */
            const char *words = pg_last_words(loader->connection);
            const char *reason = words[0] != '\0' ? words : "the server closed the connection";

            log_warn_state("database", "database connection lost", F_TEXT("reason", reason));
            loader_disconnect(loader, reason);
        }
        if (!loader_connect(loader)) {
            loader_pause(loader, backoff_next(&loader->backoff));
            return;
        }
    }
    loader_check(loader);
    loader_report(loader);
    loader_keep_partitions(loader);
    if (pg_is_connected(loader->connection)) {
        loader_retry_later(loader);
    }
    if (!pg_is_connected(loader->connection)) {
        return;
    }
    parked = loader_stopping(loader) ? -1 : rule_targets_due(loader->targets);
    if (parked >= 0) {
        loader_heal(loader, (unsigned) parked);
    }
    loader_watch(loader);
    if (pg_is_connected(loader->connection) && wait_for_messages(loader)) {
        store_next(loader);
    }
}

/* While stopping: is there still something to store, and somebody to store it? */
static bool drained(struct loader *loader)
{
    return !pg_is_connected(loader->connection) ||
           journal_last(loader->options.journal) <= loader->stored;
}

/* The thread. While draining it ends as soon as all is stored or the connection is lost: what is
 * left is safe in the journal. */
static void *loader_main(void *context)
{
    struct loader *loader = context;

    while (loader->phase < LOADER_ABANDONS && (!loader_stopping(loader) || !drained(loader))) {
        loader_step(loader);
    }
    assert(loader->phase >= LOADER_DRAINS);
    loader_advance(loader, LOADER_FINISHED);
    return NULL;
}

struct loader *loader_start(const struct loader_options *options, const struct ruleset *ruleset)
{
    struct loader *loader = memory_alloc(sizeof(*loader));

    assert(options->journal != NULL && ruleset != NULL);
    loader->options = *options;
    loader->connection = pg_connection_new(&loader->options.database);
    loader->reader = journal_reader_new(options->journal);
    loader->report.started_us = clock_wall_us();
    loader->records_max = SIZE_MAX / 2;
    loader->heal_letters = HEAL_LETTERS_MAX;
    loader->copies = copies_new();
    loader->used_ruleset = ruleset;
    backoff_init(&loader->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS);
    backoff_init(&loader->wait, BACKOFF_FIRST_MS, BACKOFF_MAX_MS);
    backoff_init(&loader->loss, BACKOFF_FIRST_MS, LOSS_MAX_MS);
    pthread_mutex_init(&loader->mutex, NULL);
    thread_cond_init(&loader->changed);
    use_rules(loader, ruleset);
    loader->last_at_start = journal_last(options->journal);
    metric_set(METRIC_JOURNAL_MESSAGES_AT_START, (int64_t) loader_waiting(loader));
    health_set(HEALTH_DATABASE, false, "connecting");
    loader->thread = thread_spawn("loader", loader_main, loader);
    return loader;
}

enum loader_identity loader_identity(struct loader *loader)
{
    enum loader_identity identity;

    pthread_mutex_lock(&loader->mutex);
    identity = loader->identity;
    pthread_mutex_unlock(&loader->mutex);
    return identity;
}

void loader_set_rules(struct loader *loader, struct ruleset *ruleset,
                      const struct batch_options *batch)
{
    assert(ruleset != NULL);
    pthread_mutex_lock(&loader->mutex);
    loader->next_ruleset = ruleset;
    loader->next_batch = *batch;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    journal_wake(loader->options.journal);
}

const struct ruleset *loader_ruleset(struct loader *loader)
{
    const struct ruleset *ruleset;

    pthread_mutex_lock(&loader->mutex);
    ruleset = loader->used_ruleset;
    pthread_mutex_unlock(&loader->mutex);
    return ruleset;
}

bool loader_stop(struct loader *loader, int64_t milliseconds)
{
    int64_t until = clock_monotonic_ms() + milliseconds;
    bool complete;

    if (loader == NULL) {
        return true;
    }
    loader_advance(loader, LOADER_DRAINS);
    journal_wake(loader->options.journal);
    pthread_mutex_lock(&loader->mutex);
    while (loader->phase != LOADER_FINISHED && clock_monotonic_ms() < until) {
        (void) thread_cond_wait(&loader->changed, &loader->mutex, until - clock_monotonic_ms());
    }
    pthread_mutex_unlock(&loader->mutex);
    loader_advance(loader, LOADER_ABANDONS);
    pg_interrupt(loader->connection);
    pthread_join(loader->thread, NULL);
    assert(loader->phase == LOADER_FINISHED);
    complete = journal_last(loader->options.journal) <= loader->stored;
    drop_rules(loader);
    copies_free(loader->copies);
    verdicts_fini(&loader->verdicts);
    verdicts_fini(&loader->heal_verdicts);
    journal_reader_free(loader->reader);
    pg_connection_free(loader->connection);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    free(loader);
    return complete;
}
