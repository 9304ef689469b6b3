/*
 * history: the last fifteen minutes, one sample a second, so that a status page that is opened now
 * has its chart at once.
 *
 * A thread of its own takes the samples from base/metrics; the pages copy them out under a mutex.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HISTORY_H
#define MQTT2PG_ADMIN_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "admin/distribution.h"

#define HISTORY_SECONDS 900
#define HISTORY_RECENT_SECONDS 60

struct history;

/* What one second brought. */
struct history_sample {
    int64_t received;     /* messages */
    int64_t processed;    /* messages */
    int64_t rows;         /* of all rules */
    int64_t rejected;     /* messages, by all rules */
    int64_t waiting;      /* messages in the journal at the end of the second */
    double delay_seconds; /* median from receive to commit; NAN when nothing was committed */
};

enum history_kind { HISTORY_DELAY, HISTORY_COMMIT, HISTORY_KINDS };

struct history *history_new(void);
void history_free(struct history *history);

/* Takes samples in a thread, from now on until history_stop(). */
void history_start(struct history *history);
void history_stop(struct history *history); /* also of one that was not started */

/* Takes a sample now, of what came in the `elapsed_ms` since the last one. Several seconds (a
 * machine that slept) become as many samples. For the thread, and for tests. */
void history_advance(struct history *history, int64_t elapsed_ms);

/* Copies the newest samples, at most `max`, the oldest of them first; returns how many. *taken is
 * how many were ever taken, so that a reader knows which ones it has seen. Any thread. */
size_t history_copy(struct history *history, struct history_sample *samples, size_t max,
                    uint64_t *taken);

/* Messages that a rule (its number in base/metrics) rejected in the last hour, give or take five
 * minutes, or since the start of a younger process. Any thread. */
int64_t history_rejected(struct history *history, int rule);

/* Messages rejected per second, over the last ten seconds. Any thread. */
double history_rejected_rate(struct history *history);

/* The distribution of the last HISTORY_RECENT_SECONDS. Any thread. */
struct distribution history_recent(struct history *history, enum history_kind kind);

#endif
