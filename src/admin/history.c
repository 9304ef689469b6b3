/* SPDX-License-Identifier: MIT */
#include "admin/history.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/thread.h"

#define INTERVAL_MS 1000
/* One for the newest second, and one for each of the HISTORY_RECENT_SECONDS before it. */
#define SPREADS (HISTORY_RECENT_SECONDS + 1)

/* A snapshot every five minutes: the oldest one is an hour old, or as old as the process. */
#define SNAPSHOT_SECONDS 300
#define SNAPSHOTS 13

/*
 * Three rings, each with a count of all that was ever put into it:
 *   samples    one a second, for the chart
 *   spreads    one a second, for a minute: the newest less the oldest is what the minute brought
 *   snapshots  one every five minutes, for an hour: how many messages each rule had rejected by
 *              then
 */

/* Each rule's counter of rejected messages at one moment, for the difference of two moments. */
struct snapshot {
    int64_t *rejected; /* owned; by the rule's number */
    int count;
};

static const enum histogram histograms[HISTORY_KINDS] = {
    [HISTORY_DELAY] = HISTOGRAM_STORE_DELAY_SECONDS,
    [HISTORY_COMMIT] = HISTOGRAM_COMMIT_SECONDS,
};

/* Everything since the start of the process. */
struct totals {
    int64_t received;
    int64_t processed;
    int64_t rows;
    int64_t rejected;
    struct distribution spreads[HISTORY_KINDS];
};

struct history {
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t wake;
    bool started;
    bool stopping;
    pthread_t thread;
    uint64_t taken; /* samples; the newest stands before samples[taken % HISTORY_SECONDS] */
    struct history_sample samples[HISTORY_SECONDS];
    struct totals last;
    struct distribution spreads[SPREADS][HISTORY_KINDS]; /* the newest at [taken % SPREADS] */
    struct snapshot snapshots[SNAPSHOTS];                /* a ring */
    uint64_t snapshots_taken;
    uint64_t snapshot_at; /* when `taken` gets there, the next one is due */
};

static void read_totals(struct totals *totals)
{
    totals->received = metric_get(METRIC_MESSAGES_RECEIVED);
    totals->processed = metric_get(METRIC_MESSAGES_PROCESSED);
    totals->rows = 0;
    totals->rejected = 0;
    for (int rule = 0; metrics_rule_name(rule) != NULL; rule++) {
        totals->rows += metric_rule_get(rule, RULE_METRIC_ROWS);
        totals->rejected += metric_rule_get(rule, RULE_METRIC_REJECTED);
    }
    for (int kind = 0; kind < HISTORY_KINDS; kind++) {
        totals->spreads[kind] = distribution_read(histograms[kind]);
    }
}

/* With the mutex. */
static void take_snapshot(struct history *history)
{
    struct snapshot *snapshot = &history->snapshots[history->snapshots_taken % SNAPSHOTS];
    int count = 0;

    while (metrics_rule_name(count) != NULL) {
        count++;
    }
    free(snapshot->rejected);
    snapshot->rejected = memory_alloc((size_t) (count + 1) * sizeof(*snapshot->rejected));
    snapshot->count = count;
    assert(count <= METRICS_RULES_MAX);
    for (int rule = 0; rule < count; rule++) {
        snapshot->rejected[rule] = metric_rule_get(rule, RULE_METRIC_REJECTED);
    }
    history->snapshots_taken++;
    history->snapshot_at = history->taken + SNAPSHOT_SECONDS;
}

int64_t history_rejected(struct history *history, int rule)
{
    int64_t before = 0;

    pthread_mutex_lock(&history->mutex);
    if (history->snapshots_taken >= SNAPSHOTS) {
        const struct snapshot *oldest = &history->snapshots[history->snapshots_taken % SNAPSHOTS];
        before = rule < oldest->count ? oldest->rejected[rule] : 0;
    }
    pthread_mutex_unlock(&history->mutex);
    int64_t rejected = metric_rule_get(rule, RULE_METRIC_REJECTED) - before;
    assert(rule >= 0 && before >= 0);
    return rejected > 0 ? rejected : 0;
}

struct history *history_new(void)
{
    struct history *history = memory_alloc(sizeof(*history));

    pthread_mutex_init(&history->mutex, NULL);
    thread_cond_init(&history->wake);
    read_totals(&history->last);
    for (int kind = 0; kind < HISTORY_KINDS; kind++) {
        history->spreads[0][kind] = history->last.spreads[kind];
    }
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL) {
        return;
    }
    history_stop(history);
    pthread_cond_destroy(&history->wake);
    pthread_mutex_destroy(&history->mutex);
    for (int i = 0; i < SNAPSHOTS; i++) {
        free(history->snapshots[i].rejected);
    }
    free(history);
}

/* A second's share of what came. A counter that has become smaller was set back by a test: 0. */
static int64_t growth(int64_t now, int64_t before, int64_t seconds)
{
    assert(seconds >= 1);
    return now > before ? (now - before) / seconds : 0;
}

/* With the mutex. */
static void push(struct history *history, const struct history_sample *sample,
                 const struct totals *now)
{
    history->samples[history->taken % HISTORY_SECONDS] = *sample;
    history->taken++;
    for (int kind = 0; kind < HISTORY_KINDS; kind++) {
        history->spreads[history->taken % SPREADS][kind] = now->spreads[kind];
    }
}

void history_advance(struct history *history, int64_t elapsed_ms)
{
    int64_t seconds = (elapsed_ms + INTERVAL_MS / 2) / INTERVAL_MS;
    struct history_sample sample;
    struct distribution delay;
    struct totals now;

    if (seconds < 1) {
        seconds = 1;
    }
    read_totals(&now);
    pthread_mutex_lock(&history->mutex);
    delay = distribution_since(&now.spreads[HISTORY_DELAY], &history->last.spreads[HISTORY_DELAY]);
    sample = (struct history_sample){
        .received = growth(now.received, history->last.received, seconds),
        .processed = growth(now.processed, history->last.processed, seconds),
        .rows = growth(now.rows, history->last.rows, seconds),
        .rejected = growth(now.rejected, history->last.rejected, seconds),
        .waiting = metric_get(METRIC_JOURNAL_MESSAGES),
        .delay_seconds = distribution_quantile(&delay, 0.5),
    };
    /* A late sample fills all the seconds that it covers, so that the chart's axis keeps to the
     * clock. */
    for (int64_t i = 0; i < seconds && i < HISTORY_SECONDS; i++) {
        push(history, &sample, &now);
    }
    history->last = now;
    if (history->taken >= history->snapshot_at) {
        take_snapshot(history);
    }
    pthread_mutex_unlock(&history->mutex);
}

/* False: the thread is to end. */
static bool wait_until(struct history *history, int64_t moment_ms)
{
    bool stopping;

    pthread_mutex_lock(&history->mutex);
    while (!history->stopping && clock_monotonic_ms() < moment_ms) {
        thread_cond_wait(&history->wake, &history->mutex, moment_ms - clock_monotonic_ms());
    }
    stopping = history->stopping;
    pthread_mutex_unlock(&history->mutex);
    return !stopping;
}

/* One sample a second, until history_stop(). */
static void *history_main(void *context)
{
    struct history *history = context;
    int64_t last_ms = clock_monotonic_ms();
    int64_t next_ms = last_ms + INTERVAL_MS;

    while (wait_until(history, next_ms)) {
        int64_t now_ms = clock_monotonic_ms();

        history_advance(history, now_ms - last_ms);
        last_ms = now_ms;
        /* A second after the moment planned, not after now: a late sample moves no later one. */
        next_ms += INTERVAL_MS;
        if (next_ms <= now_ms) {
            next_ms = now_ms + INTERVAL_MS;
        }
    }
    return NULL;
}

void history_start(struct history *history)
{
    assert(!history->started);
    history->started = true;
    history->thread = thread_spawn("http-history", history_main, history);
}

void history_stop(struct history *history)
{
    if (!history->started) {
        return;
    }
    pthread_mutex_lock(&history->mutex);
    history->stopping = true;
    pthread_cond_signal(&history->wake);
    pthread_mutex_unlock(&history->mutex);
    pthread_join(history->thread, NULL);
    history->started = false;
    history->stopping = false;
}

size_t history_copy(struct history *history, struct history_sample *samples, size_t max,
                    uint64_t *taken)
{
    size_t count;

    pthread_mutex_lock(&history->mutex);
    count = history->taken < HISTORY_SECONDS ? (size_t) history->taken : HISTORY_SECONDS;
    if (count > max) {
        count = max;
    }
    for (size_t i = 0; i < count; i++) {
        samples[i] = history->samples[(history->taken - count + i) % HISTORY_SECONDS];
    }
    *taken = history->taken;
    assert(count <= max && count <= history->taken);
    pthread_mutex_unlock(&history->mutex);
    return count;
}

double history_rejected_rate(struct history *history)
{
    struct history_sample samples[10];
    uint64_t taken;
    size_t count = history_copy(history, samples, sizeof(samples) / sizeof(samples[0]), &taken);
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += samples[i].rejected;
    }
    return count == 0 ? 0 : (double) sum / (double) count;
}

struct distribution history_recent(struct history *history, enum history_kind kind)
{
    struct distribution recent;
    uint64_t back; /* in seconds; less than a minute while the process is young */

    assert(kind < HISTORY_KINDS);
    pthread_mutex_lock(&history->mutex);
    back = history->taken < HISTORY_RECENT_SECONDS ? history->taken : HISTORY_RECENT_SECONDS;
    recent = distribution_since(&history->spreads[history->taken % SPREADS][kind],
                                &history->spreads[(history->taken - back) % SPREADS][kind]);
    pthread_mutex_unlock(&history->mutex);
    return recent;
}
