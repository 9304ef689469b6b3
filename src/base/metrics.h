/*
 * metrics: the counters and gauges of the service, in one table (metrics.def). Any thread.
 *
 * The metrics balance. At a quiet moment
 *   messages_received            = messages_duplicate + messages_journaled
 *   messages_journaled + journal_messages_at_start = messages_processed + journal_messages
 *   messages_processed           ≥ messages_unmatched (no rule took them)
 *   rule_matched{r}              = stored{r} + filtered{r} + rejected{r}
 *
 * Counters are relaxed atomics. Label values come from the configuration (rule names) only, so the
 * number of series never depends on traffic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_METRICS_H
#define MQTT2PG_BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"

/* One row a metric: METRIC(enumerator, "name without mqtt2pg_", type, "help"). */
enum metric {
#define METRIC(id, name, type, help) METRIC_##id,
#define RULE_METRIC(id, name, label, value, help)
#define HISTOGRAM(id, name, bounds, help)
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
    METRIC_COUNT
};

/* Counted for each rule. */
enum rule_metric {
#define METRIC(id, name, type, help)
#define RULE_METRIC(id, name, label, value, help) RULE_METRIC_##id,
#define HISTOGRAM(id, name, bounds, help)
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
    RULE_METRIC_COUNT
};

enum histogram {
#define METRIC(id, name, type, help)
#define RULE_METRIC(id, name, label, value, help)
#define HISTOGRAM(id, name, bounds, help) HISTOGRAM_##id,
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
    HISTOGRAM_COUNT
};

/* A counter is only added to; a gauge is set, or added to by a negative amount too. */
void metric_add(enum metric metric, int64_t amount);
void metric_set(enum metric metric, int64_t value);
int64_t metric_get(enum metric metric);

/* The version of this program, as build_info{version} tells it. */
const char *metrics_version(void);

/* `count` observations of `value` (seconds, rows). */
void metric_observe(enum histogram histogram, double value, uint64_t count);

/* Many observations at once, in seconds: how long before `now_us` each of these times was. */
void metric_observe_ages(enum histogram histogram, const int64_t *since_us, size_t count,
                         int64_t now_us);

/* Reads a histogram: for each bucket its upper bound, inclusive, the last one infinity, and the
 * observations in this bucket alone. Returns how many buckets there are. */
#define HISTOGRAM_BUCKETS_MAX 21
size_t metric_histogram(enum histogram histogram, double bounds[HISTOGRAM_BUCKETS_MAX],
                        uint64_t counts[HISTOGRAM_BUCKETS_MAX]);

/* The number under which a rule is counted: the same for the same name as long as the process
 * lives, so counters survive a reload. At most METRICS_RULES_MAX names; -1 beyond, which the
 * functions below ignore. */
#define METRICS_RULES_MAX 4096
int metrics_rule(const char *name);
const char *metrics_rule_name(int rule); /* NULL beyond the last */
void metric_rule_add(int rule, enum rule_metric metric, int64_t amount);
void metric_rule_set(int rule, enum rule_metric metric, int64_t value);
int64_t metric_rule_get(int rule, enum rule_metric metric);

/* All of it in the Prometheus text exposition format 0.0.4. */
void metrics_write_prometheus(struct buf *out);

/* For tests. */
void metrics_reset(void);

#endif
