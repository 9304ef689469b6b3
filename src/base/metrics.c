/* SPDX-License-Identifier: MIT */
#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#ifndef MQTT2PG_VERSION
#define MQTT2PG_VERSION "unknown"
#endif

enum metric_type { COUNTER, GAUGE };

#define BOUNDS_MAX (HISTOGRAM_BUCKETS_MAX - 1)
#define BOUNDS_ROWS \
    { \
        1, 10, 100, 1000, 10000, 100000 \
    }
#define BOUNDS_SECONDS \
    { \
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.125, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, \
            300, 3600 \
    }

/* The three kinds of rows of metrics.def, each into its own table. */
static const struct {
    const char *name;
    enum metric_type type;
    const char *help;
} metrics[] = {
#define METRIC(id, name, type, help) {name, type, help},
#define RULE_METRIC(id, name, label, value, help)
#define HISTOGRAM(id, name, bounds, help)
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
};

static const struct {
    const char *name;
    const char *label; /* NULL: the rule is the only label */
    const char *value;
    const char *help;
} rule_metrics[] = {
#define METRIC(id, name, type, help)
#define RULE_METRIC(id, name, label, value, help) {name, label, value, help},
#define HISTOGRAM(id, name, bounds, help)
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
};

static const struct {
    const char *name;
    double bounds[BOUNDS_MAX]; /* ascending; 0 behind the last */
    const char *help;
} histograms[] = {
#define METRIC(id, name, type, help)
#define RULE_METRIC(id, name, label, value, help)
#define HISTOGRAM(id, name, bounds, help) {name, bounds, help},
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
};

/* Relaxed: each figure is right by itself, and no reader relies on the relation of two figures. */
static _Atomic int64_t values[METRIC_COUNT];
static _Atomic int64_t rule_values[METRICS_RULES_MAX][RULE_METRIC_COUNT];

/* Not cumulative; the last bucket that is used counts what is above all bounds. */
static struct {
    _Atomic uint64_t buckets[BOUNDS_MAX + 1];
    _Atomic double sum;
} observations[HISTOGRAM_COUNT];

/* Names are added under the mutex and never change: whoever has read the
 * count may read that many names without it. */
static pthread_mutex_t rules_mutex = PTHREAD_MUTEX_INITIALIZER;
static char *rule_names[METRICS_RULES_MAX];
static atomic_int rules_count;

void metric_add(enum metric metric, int64_t amount)
{
    assert(metric < METRIC_COUNT);
    atomic_fetch_add_explicit(&values[metric], amount, memory_order_relaxed);
}

void metric_set(enum metric metric, int64_t value)
{
    assert(metric < METRIC_COUNT);
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

int64_t metric_get(enum metric metric)
{
    assert(metric < METRIC_COUNT);
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

static size_t bounds_count(enum histogram histogram)
{
    size_t count = 0;
    assert(histogram < HISTOGRAM_COUNT);
    while (count < BOUNDS_MAX && histograms[histogram].bounds[count] > 0) {
        count++;
    }
    return count;
}

/* The bucket that counts `value`; looks from bucket `near` on. */
static size_t bucket_of(enum histogram histogram, double value, size_t near, size_t count)
{
    const double *bounds = histograms[histogram].bounds;
    assert(near <= count);
    while (near > 0 && value <= bounds[near - 1]) {
        near--;
    }
    while (near < count && value > bounds[near]) {
        near++;
    }
    return near;
}

static void add_to_sum(enum histogram histogram, double amount)
{
    double sum = atomic_load_explicit(&observations[histogram].sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&observations[histogram].sum, &sum, sum + amount,
                                                  memory_order_relaxed, memory_order_relaxed)) {
        /* `sum` now holds what another thread has written. */
    }
}

void metric_observe(enum histogram histogram, double value, uint64_t count)
{
    size_t bucket = bucket_of(histogram, value, 0, bounds_count(histogram));
    atomic_fetch_add_explicit(&observations[histogram].buckets[bucket], count,
                              memory_order_relaxed);
    add_to_sum(histogram, value * (double) count);
}

/* Neighbours have nearly the same age, so each search begins at the bucket of the one before. The
 * shared buckets are changed once at the end and not for each observation. */
void metric_observe_ages(enum histogram histogram, const int64_t *since_us, size_t count,
                         int64_t now_us)
{
    uint64_t buckets[BOUNDS_MAX + 1] = {0};
    size_t bounds = bounds_count(histogram);
    size_t bucket = 0;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        double age = (double) (now_us - since_us[i]) / 1e6;
        bucket = bucket_of(histogram, age, bucket, bounds);
        buckets[bucket]++;
        sum += age;
    }
    for (size_t i = 0; i <= bounds; i++) {
        atomic_fetch_add_explicit(&observations[histogram].buckets[i], buckets[i],
                                  memory_order_relaxed);
    }
    add_to_sum(histogram, sum);
}

/* A linear search is enough: called at a start and a reload, not for a message. */
int metrics_rule(const char *name)
{
    pthread_mutex_lock(&rules_mutex);
    int count = atomic_load(&rules_count);
    int rule = 0;
    while (rule < count && strcmp(rule_names[rule], name) != 0) {
        rule++;
    }
    if (rule == METRICS_RULES_MAX) {
        rule = -1;
    } else if (rule == count) {
        rule_names[rule] = memory_strdup(name);
        atomic_store_explicit(&rules_count, count + 1, memory_order_release);
    }
    assert(rule >= -1 && rule < METRICS_RULES_MAX);
    pthread_mutex_unlock(&rules_mutex);
    return rule;
}

static bool rule_is_known(int rule)
{
    return rule >= 0 && rule < atomic_load_explicit(&rules_count, memory_order_acquire);
}

const char *metrics_rule_name(int rule)
{
    return rule_is_known(rule) ? rule_names[rule] : NULL;
}

void metric_rule_add(int rule, enum rule_metric metric, int64_t amount)
{
    assert(metric < RULE_METRIC_COUNT);
    if (rule_is_known(rule)) {
        atomic_fetch_add_explicit(&rule_values[rule][metric], amount, memory_order_relaxed);
    }
}

void metric_rule_set(int rule, enum rule_metric metric, int64_t value)
{
    assert(metric < RULE_METRIC_COUNT);
    if (rule_is_known(rule)) {
        atomic_store_explicit(&rule_values[rule][metric], value, memory_order_relaxed);
    }
}

int64_t metric_rule_get(int rule, enum rule_metric metric)
{
    assert(metric < RULE_METRIC_COUNT);
    if (!rule_is_known(rule)) {
        return 0;
    }
    return atomic_load_explicit(&rule_values[rule][metric], memory_order_relaxed);
}

/* Reads bucket by bucket without a lock, so an observation that comes meanwhile may be counted or
 * not. A reader that wants a total adds up these counts. */
size_t metric_histogram(enum histogram histogram, double bounds[HISTOGRAM_BUCKETS_MAX],
                        uint64_t counts[HISTOGRAM_BUCKETS_MAX])
{
    size_t finite = bounds_count(histogram);

    assert(histogram < HISTOGRAM_COUNT && finite < HISTOGRAM_BUCKETS_MAX);
    for (size_t i = 0; i <= finite; i++) {
        bounds[i] = i < finite ? histograms[histogram].bounds[i] : (double) INFINITY;
        counts[i] = atomic_load_explicit(&observations[histogram].buckets[i], memory_order_relaxed);
    }
    return finite + 1;
}

static void write_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP mqtt2pg_%s %s\n# TYPE mqtt2pg_%s %s\n", name, help, name, type);
}

/* A label value escapes backslash, quote and newline, nothing else. */
static void write_label(struct buf *out, const char *label, const char *value)
{
    buf_printf(out, "%s=\"", label);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            buf_append_text(out, "\\n");
            continue;
        }
        if (*value == '\\' || *value == '"') {
            buf_append_byte(out, '\\');
        }
        buf_append_byte(out, (uint8_t) *value);
    }
    buf_append_byte(out, '"');
}

static void write_rule_metric(struct buf *out, enum rule_metric metric)
{
    for (int rule = 0; rule_is_known(rule); rule++) {
        buf_printf(out, "mqtt2pg_%s{", rule_metrics[metric].name);
        write_label(out, "rule", rule_names[rule]);
        if (rule_metrics[metric].label != NULL) {
            buf_append_byte(out, ',');
            write_label(out, rule_metrics[metric].label, rule_metrics[metric].value);
        }
        buf_printf(out, "} %lld\n", (long long) metric_rule_get(rule, metric));
    }
}

/* The count is the sum of the buckets that were read, so that the two agree although other threads
 * go on counting. */
static void write_histogram(struct buf *out, enum histogram histogram)
{
    const char *name = histograms[histogram].name;
    double bounds[HISTOGRAM_BUCKETS_MAX];
    uint64_t counts[HISTOGRAM_BUCKETS_MAX];
    size_t buckets = metric_histogram(histogram, bounds, counts);
    uint64_t total = 0;

    write_family(out, name, "histogram", histograms[histogram].help);
    for (size_t i = 0; i < buckets; i++) {
        total += counts[i];
        buf_printf(out, "mqtt2pg_%s_bucket{le=\"", name);
        if (isinf(bounds[i])) {
            buf_append_text(out, "+Inf");
        } else {
            buf_printf(out, "%.10g", bounds[i]);
        }
        buf_printf(out, "\"} %llu\n", (unsigned long long) total);
    }
    double sum = atomic_load_explicit(&observations[histogram].sum, memory_order_relaxed);
    buf_printf(out, "mqtt2pg_%s_sum %.10g\nmqtt2pg_%s_count %llu\n", name, sum, name,
               (unsigned long long) total);
}

/* Prometheus' rule of naming: a counter's name ends in "_total". All other metrics of rules are
 * gauges. */
static const char *rule_metric_type(int metric)
{
    const char *ending = strrchr(rule_metrics[metric].name, '_');

    assert(ending != NULL); /* each name has two words at least */

    return strcmp(ending, "_total") == 0 ? "counter" : "gauge";
}

void metrics_write_prometheus(struct buf *out)
{
    write_family(out, "build_info", "gauge", "1, with the version as a label.");
    buf_append_text(out, "mqtt2pg_build_info{");
    write_label(out, "version", MQTT2PG_VERSION);
    buf_append_text(out, "} 1\n");

    for (int i = 0; i < METRIC_COUNT; i++) {
        write_family(out, metrics[i].name, metrics[i].type == COUNTER ? "counter" : "gauge",
                     metrics[i].help);
        buf_printf(out, "mqtt2pg_%s %lld\n", metrics[i].name,
                   (long long) metric_get((enum metric) i));
    }
    for (int i = 0; i < RULE_METRIC_COUNT; i++) {
        /* Rows of one family stand together in the table; only the first opens it. */
        if (i == 0 || strcmp(rule_metrics[i].name, rule_metrics[i - 1].name) != 0) {
            write_family(out, rule_metrics[i].name, rule_metric_type(i), rule_metrics[i].help);
        }
        write_rule_metric(out, (enum rule_metric) i);
    }
    for (int i = 0; i < HISTOGRAM_COUNT; i++) {
        write_histogram(out, (enum histogram) i);
    }
}

void metrics_reset(void)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        metric_set((enum metric) i, 0);
    }
    for (int i = 0; i < HISTOGRAM_COUNT; i++) {
        for (size_t k = 0; k <= BOUNDS_MAX; k++) {
            atomic_store(&observations[i].buckets[k], 0);
        }
        atomic_store(&observations[i].sum, 0);
    }
    int count = atomic_exchange(&rules_count, 0);
    for (int rule = 0; rule < count; rule++) {
        for (int i = 0; i < RULE_METRIC_COUNT; i++) {
            atomic_store(&rule_values[rule][i], 0);
        }
        free(rule_names[rule]);
        rule_names[rule] = NULL;
    }
}

const char *metrics_version(void)
{
    return MQTT2PG_VERSION;
}
