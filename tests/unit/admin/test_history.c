/* SPDX-License-Identifier: MIT */
#include "admin/history.h"

#include <math.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "unit.h"

static struct history_sample samples[HISTORY_SECONDS];

static void test_samples(void)
{
    struct history *history;
    uint64_t taken = 99;
    int rule;

    metrics_reset();
    rule = metrics_rule("r");
    metric_add(METRIC_MESSAGES_RECEIVED, 1000); /* before the history began */
    history = history_new();
    CHECK_INT_EQ(history_copy(history, samples, HISTORY_SECONDS, &taken), 0);
    CHECK_INT_EQ(taken, 0);

    metric_add(METRIC_MESSAGES_RECEIVED, 7);
    metric_add(METRIC_MESSAGES_PROCESSED, 5);
    metric_set(METRIC_JOURNAL_MESSAGES, 2);
    metric_rule_add(rule, RULE_METRIC_ROWS, 11);
    metric_rule_add(metrics_rule("s"), RULE_METRIC_ROWS, 100);
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 0.02, 5);
    history_advance(history, 1000);
    history_advance(history, 1004);
    CHECK_INT_EQ(history_copy(history, samples, HISTORY_SECONDS, &taken), 2);
    CHECK_INT_EQ(taken, 2);
    CHECK_INT_EQ(samples[0].received, 7);
    CHECK_INT_EQ(samples[0].processed, 5);
    CHECK_INT_EQ(samples[0].rows, 111);
    CHECK_INT_EQ(samples[0].waiting, 2);
    CHECK(samples[0].delay_seconds > 0.01 && samples[0].delay_seconds < 0.025);
    CHECK_INT_EQ(samples[1].received, 0);
    CHECK(isnan(samples[1].delay_seconds));

    /* Only the newest, when that is all that is wanted. */
    CHECK_INT_EQ(history_copy(history, samples, 1, &taken), 1);
    CHECK_INT_EQ(samples[0].received, 0);
    CHECK_INT_EQ(history_copy(history, samples, 0, &taken), 0);
    CHECK_INT_EQ(taken, 2);
    history_free(history);
}

static void test_ring(void)
{
    struct history *history;
    uint64_t taken;

    metrics_reset();
    history = history_new();
    for (int i = 1; i <= HISTORY_SECONDS + 10; i++) {
        metric_add(METRIC_MESSAGES_RECEIVED, i);
        history_advance(history, 1000);
    }
    CHECK_INT_EQ(history_copy(history, samples, HISTORY_SECONDS, &taken), HISTORY_SECONDS);
    CHECK_INT_EQ(taken, HISTORY_SECONDS + 10);
    CHECK_INT_EQ(samples[0].received, 11);
    CHECK_INT_EQ(samples[HISTORY_SECONDS - 1].received, HISTORY_SECONDS + 10);
    history_free(history);
}

/* The machine slept, or was busy: what came is spread, and the axis of time stays true. */
static void test_late(void)
{
    struct history *history;
    uint64_t taken;

    metrics_reset();
    history = history_new();
    metric_add(METRIC_MESSAGES_RECEIVED, 40);
    history_advance(history, 4100);
    CHECK_INT_EQ(history_copy(history, samples, HISTORY_SECONDS, &taken), 4);
    for (int i = 0; i < 4; i++) {
        CHECK_INT_EQ(samples[i].received, 10);
    }
    history_advance(history, INT64_C(30) * 24 * 3600 * 1000);
    CHECK_INT_EQ(history_copy(history, samples, HISTORY_SECONDS, &taken), HISTORY_SECONDS);
    metrics_reset();
    history_advance(history, 1000); /* counters were set back */
    history_copy(history, samples, 1, &taken);
    CHECK_INT_EQ(samples[0].received, 0);
    history_free(history);
}

static void test_recent(void)
{
    struct history *history;
    struct distribution recent;

    metrics_reset();
    metric_observe(HISTOGRAM_COMMIT_SECONDS, 0.5, 3); /* before it began */
    history = history_new();
    metric_observe(HISTOGRAM_COMMIT_SECONDS, 0.5, 10);
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 2, 4);
    history_advance(history, 1000);
    recent = history_recent(history, HISTORY_COMMIT);
    CHECK_INT_EQ(distribution_total(&recent), 10);
    recent = history_recent(history, HISTORY_DELAY);
    CHECK_INT_EQ(distribution_total(&recent), 4);
    for (int i = 1; i < HISTORY_RECENT_SECONDS; i++) {
        history_advance(history, 1000);
    }
    recent = history_recent(history, HISTORY_COMMIT);
    CHECK_INT_EQ(distribution_total(&recent), 10);
    history_advance(history, 1000); /* now it is a minute ago */
    recent = history_recent(history, HISTORY_COMMIT);
    CHECK_INT_EQ(distribution_total(&recent), 0);
    history_free(history);
}

static void test_thread(void)
{
    struct history *history;
    int64_t until_ms = clock_monotonic_ms() + 20000;
    uint64_t taken = 0;

    metrics_reset();
    history = history_new();
    history_start(history);
    metric_add(METRIC_MESSAGES_RECEIVED, 5);
    while (history_copy(history, samples, HISTORY_SECONDS, &taken) < 2 &&
           clock_monotonic_ms() < until_ms) {
        usleep(10000);
    }
    CHECK(taken >= 2);
    CHECK_INT_EQ(samples[0].received, 5);
    history_stop(history);
    history_stop(history);
    history_free(history);
    history_free(NULL);
}

UNIT_MAIN("history", {"samples", test_samples}, {"ring", test_ring}, {"late", test_late},
          {"recent", test_recent}, {"thread", test_thread})
