/* SPDX-License-Identifier: MIT */
#include "admin/status_json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "admin/summary.h"
#include "base/clock.h"
#include "base/health.h"
#include "base/json_out.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"

#define RATE_SECONDS 10

static const char *const metric_names[METRIC_COUNT] = {
#define METRIC(id, name, type, help) [METRIC_##id] = (name),
#define RULE_METRIC(id, name, label, value, help)
#define HISTOGRAM(id, name, bounds, help)
#include "base/metrics.def"
#undef METRIC
#undef RULE_METRIC
#undef HISTOGRAM
};

/* --- the members, in the order of the header --- */

bool status_is_ready(struct buf *out)
{
    bool ready = true;

    for (int part = 0; part < HEALTH_PARTS; part++) {
        struct health health;

        health_get((enum health_part) part, &health);
        if (health.well) {
            continue;
        }
        ready = false;
        if (out == NULL) {
            continue;
        }
        buf_printf(out, "%s: not ready", health_part_names[part]);
        if (health.since_us != 0) {
            buf_append_text(out, " since ");
            text_format_time(out, health.since_us);
        }
        buf_append_text(out, ": ");
        text_append_printable(out, slice_of(health.text[0] == '\0' ? "not started" : health.text),
                              sizeof(health.text));
        buf_append_byte(out, '\n');
    }
    return ready;
}

static void append_health(struct buf *out)
{
    json_out_open(out, "health", '{');
    for (int part = 0; part < HEALTH_PARTS; part++) {
        struct health health;

        health_get((enum health_part) part, &health);
        json_out_open(out, health_part_names[part], '{');
        json_out_bool(out, "well", health.well);
        json_out_bool(out, "paused", health.paused);
        json_out_time(out, "since", health.since_us);
        json_out_text(out, "text", health.since_us == 0 ? "not started" : health.text);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, '}');
}

static void append_counters(struct buf *out)
{
    json_out_open(out, "counters", '{');
    for (int i = 0; i < METRIC_COUNT; i++) {
        json_out_int(out, metric_names[i], metric_get((enum metric) i));
    }
    buf_append_byte(out, '}');
    json_out_open(out, "journal", '{');
    json_out_int(out, "messages", metric_get(METRIC_JOURNAL_MESSAGES));
    json_out_int(out, "messages_at_start", metric_get(METRIC_JOURNAL_MESSAGES_AT_START));
    json_out_int(out, "bytes", metric_get(METRIC_JOURNAL_BYTES));
    json_out_int(out, "oldest_seconds", metric_get(METRIC_JOURNAL_OLDEST_SECONDS));
    buf_append_byte(out, '}');
    json_out_int(out, "acks_waiting", metric_get(METRIC_ACKS_WAITING));
}

static void append_rate(struct buf *out, const char *key, int64_t sum, size_t seconds)
{
    json_out_key(out, key);
    assert(sum >= 0 && seconds <= RATE_SECONDS);
    json_out_real(out, seconds == 0 ? NAN : (double) sum / (double) seconds);
}

static void append_rates(struct buf *out, struct history *history)
{
    struct history_sample samples[RATE_SECONDS];
    struct history_sample sum = {0};
    uint64_t taken;
    size_t count = history_copy(history, samples, RATE_SECONDS, &taken);

    for (size_t i = 0; i < count; i++) {
        sum.received += samples[i].received;
        sum.processed += samples[i].processed;
        sum.rows += samples[i].rows;
    }
    json_out_open(out, "rates", '{');
    json_out_int(out, "window_seconds", RATE_SECONDS);
    append_rate(out, "received", sum.received, count);
    append_rate(out, "processed", sum.processed, count);
    append_rate(out, "rows", sum.rows, count);
    buf_append_byte(out, '}');
}

static void append_spread(struct buf *out, const char *key, struct history *history,
                          enum history_kind kind)
{
    const struct {
        const char *name;
        double quantile;
    } quantiles[] = {{"p50", 0.50}, {"p95", 0.95}, {"p99", 0.99}};
    struct distribution recent = history_recent(history, kind);

    json_out_open(out, key, '{');
    json_out_int(out, "window_seconds", HISTORY_RECENT_SECONDS);
    json_out_int(out, "count", (int64_t) distribution_total(&recent));
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        json_out_key(out, quantiles[i].name);
        json_out_real(out, distribution_quantile(&recent, quantiles[i].quantile));
    }
    buf_append_byte(out, '}');
}

/* `payload` is a member only while http.show_payloads is true: else base/health keeps none. */
static void append_reject(struct buf *out, const struct health_reject *reject)
{
    buf_append_byte(out, '{');
    json_out_time(out, "at", reject->at_us);
    json_out_text(out, "rule", reject->rule);
    json_out_text(out, "topic", reject->topic);
    json_out_text(out, "reason", reject->reason);
    if (reject->payload[0] != '\0') {
        json_out_text(out, "payload", reject->payload);
    }
    buf_append_byte(out, '}');
}

/* The number of messages is counted every few seconds only, and up to a bound. */
static void append_parked(struct buf *out, const char *rule)
{
    struct health_parked parked;

    json_out_key(out, "parked");
    if (!health_parked(rule, &parked)) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '{');
    json_out_time(out, "since", parked.since_us);
    json_out_bool(out, "held", parked.held);
    json_out_text(out, "reason", parked.reason);
    json_out_known(out, "messages", parked.messages);
    buf_append_byte(out, '}');
}

/* Keys of the rule's payloads that no column takes: all are counted, the first ones named. */
static void append_untaken(struct buf *out, const char *rule)
{
    struct health_untaken untaken = {.count = 0};

    (void) health_untaken(rule, &untaken);
    json_out_open(out, "not_taken", '[');
    for (size_t i = 0; i < untaken.count && i < HEALTH_UNTAKEN_MAX; i++) {
        json_out_comma(out);
        text_append_json(out, slice_of(untaken.keys[i]));
    }
    buf_append_byte(out, ']');
    json_out_int(out, "not_taken_count", (int64_t) untaken.count);
}

/* Why the table's partitions can't be made or dropped: null, or the reason. */
static void append_partitions(struct buf *out, const char *rule)
{
    struct health_partitions partitions;

    if (health_partitions(rule, &partitions)) {
        json_out_text(out, "partitions_not_kept", partitions.reason);
    } else {
        json_out_key(out, "partitions_not_kept");
        buf_append_text(out, "null");
    }
}

static void append_rule(struct buf *out, struct history *history, int rule)
{
    static const struct {
        const char *key;
        enum rule_metric metric;
    } members[] = {
        {"matched", RULE_METRIC_MATCHED},
        {"stored", RULE_METRIC_STORED},
        {"filtered", RULE_METRIC_FILTERED},
        {"rejected", RULE_METRIC_REJECTED},
        {"rows", RULE_METRIC_ROWS},
        {"acks_stored", RULE_METRIC_ACKS_STORED},
        {"acks_rejected", RULE_METRIC_ACKS_REJECTED},
    };

    struct health_reject last;
    struct health_rule about = {.topic = ""};

    json_out_comma(out);
    buf_append_byte(out, '{');
    json_out_text(out, "name", metrics_rule_name(rule));
    if (!health_rule(metrics_rule_name(rule), &about)) {
        about.removed = true; /* an acknowledgment waited for it over a restart */
    }
    json_out_text(out, "topic", about.topic);
    json_out_text(out, "table", about.table);
    json_out_bool(out, "removed", about.removed);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_out_int(out, members[i].key, metric_rule_get(rule, members[i].metric));
    }
    json_out_int(out, "rejected_last_hour", history_rejected(history, rule));
    append_parked(out, metrics_rule_name(rule));
    append_untaken(out, metrics_rule_name(rule));
    append_partitions(out, metrics_rule_name(rule));
    json_out_key(out, "last_reject");
    if (health_last_reject(metrics_rule_name(rule), &last)) {
        append_reject(out, &last);
    } else {
        buf_append_text(out, "null");
    }
    buf_append_byte(out, '}');
}

static void append_rules(struct buf *out, struct history *history)
{
    struct health_reject rejects[HEALTH_REJECTS_MAX];
    size_t count = health_rejects(rejects, HEALTH_REJECTS_MAX);

    json_out_open(out, "rules", '[');
    for (int rule = 0; metrics_rule_name(rule) != NULL; rule++) {
        append_rule(out, history, rule);
    }
    buf_append_byte(out, ']');
    json_out_open(out, "rejects", '[');
    for (size_t i = 0; i < count; i++) {
        json_out_comma(out);
        append_reject(out, &rejects[i]);
    }
    buf_append_byte(out, ']');
}

/* A gap that this process has noticed has no number until the database has assigned one. */
static void append_gaps(struct buf *out)
{
    struct health_gap gaps[HEALTH_GAPS_MAX];
    size_t count = health_gaps(gaps, HEALTH_GAPS_MAX);

    json_out_int(out, "gaps_open", (int64_t) health_gaps_open());
    json_out_open(out, "gaps", '[');
    for (size_t i = 0; i < count; i++) {
        json_out_comma(out);
        buf_append_byte(out, '{');
        json_out_known(out, "id", gaps[i].id == 0 ? -1 : gaps[i].id);
        json_out_time(out, "noticed_at", gaps[i].noticed_us);
        json_out_text(out, "cause", gaps[i].cause);
        json_out_time(out, "from", gaps[i].from_us);
        json_out_time(out, "to", gaps[i].to_us);
        json_out_known(out, "messages", gaps[i].messages);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void append_unmatched(struct buf *out)
{
    struct health_unmatched unmatched;

    health_unmatched(&unmatched);
    json_out_key(out, "unmatched");
    if (unmatched.at_us == 0) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '{');
    json_out_time(out, "at", unmatched.at_us);
    json_out_text(out, "topic", unmatched.topic);
    json_out_int(out, "messages", metric_get(METRIC_MESSAGES_UNMATCHED));
    buf_append_byte(out, '}');
}

/* One member of all samples; `offset` is that of an int64_t in the sample. */
static void append_series(struct buf *out, const char *key, const struct history_sample *samples,
                          size_t count, size_t offset)
{
    json_out_open(out, key, '[');
    for (size_t i = 0; i < count; i++) {
        int64_t value;

        assert(offset + sizeof(value) <= sizeof(samples[i]));
        memcpy(&value, (const char *) &samples[i] + offset, sizeof(value));
        json_out_comma(out);
        buf_printf(out, "%lld", (long long) value);
    }
    buf_append_byte(out, ']');
}

/* A reader that has seen samples before asks for the newest ones only (?history=N). */
static void append_history(struct buf *out, const struct status_request *request)
{
    size_t max = request->history_max < HISTORY_SECONDS ? request->history_max : HISTORY_SECONDS;
    struct history_sample *samples = memory_alloc((max + 1) * sizeof(*samples));
    uint64_t taken;
    size_t count = history_copy(request->history, samples, max, &taken);

    assert(count <= max && count <= taken);
    json_out_open(out, "history", '{');
    json_out_int(out, "interval_seconds", 1);
    json_out_int(out, "taken", (int64_t) taken);
    append_series(out, "received", samples, count, offsetof(struct history_sample, received));
    append_series(out, "processed", samples, count, offsetof(struct history_sample, processed));
    append_series(out, "rows", samples, count, offsetof(struct history_sample, rows));
    append_series(out, "waiting", samples, count, offsetof(struct history_sample, waiting));
    json_out_open(out, "delay_seconds", '[');
    for (size_t i = 0; i < count; i++) {
        json_out_comma(out);
        json_out_real(out, samples[i].delay_seconds);
    }
    buf_append_text(out, "]}");
    free(samples);
}

/* The function that writes it leaves the secrets out (config/config_show). */
static void append_configuration(struct buf *out, const struct http_sources *sources)
{
    size_t begin;

    json_out_key(out, "configuration");
    begin = out->length;
    if (sources->configuration != NULL) {
        sources->configuration(sources->context, out);
    }
    if (out->length == begin) {
        buf_append_text(out, "null");
    }
}

static void append_actions(struct buf *out, const struct status_request *request)
{
    json_out_key(out, "actions");
    if (!request->actions) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '{');
    json_out_bool(out, "token", request->token_wanted);
    buf_append_byte(out, '}');
}

/* --- the sentence --- */

static double recent_rate(struct history *history)
{
    struct history_sample samples[RATE_SECONDS];
    uint64_t taken;
    size_t count = history_copy(history, samples, RATE_SECONDS, &taken);
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += samples[i].processed;
    }
    return count == 0 ? 0 : (double) sum / (double) count;
}

/* How many rules are parked or can't keep their partitions, the first of each, how many messages
 * were rejected, and a topic to name while no message has come. */
static void collect_rules(struct summary_facts *facts, struct history *history,
                          struct health_rule *first)
{
    for (int rule = 0; metrics_rule_name(rule) != NULL; rule++) {
        struct health_parked parked;
        struct health_partitions not_kept;

        facts->rejected_last_hour += history_rejected(history, rule);
        if (first->topic[0] == '\0' && health_rule(metrics_rule_name(rule), first) &&
            first->removed) {
            first->topic[0] = '\0';
        }
        if (health_parked(metrics_rule_name(rule), &parked)) {
            if (facts->parked_rules == facts->held_rules &&
                (facts->held_rules == 0 || !parked.held)) {
                facts->parked = parked;
            }
            facts->parked_rules++;
            facts->held_rules += parked.held;
        }
        if (health_partitions(metrics_rule_name(rule), &not_kept)) {
            facts->not_kept = facts->not_kept_rules++ == 0 ? not_kept : facts->not_kept;
        }
    }
    facts->topic = first->topic;
}

/* The sentence on top of the status. It is made here only: the page, `mqtt2pg status` and
 * programs show the same. */
static void append_summary(struct buf *out, struct history *history)
{
    struct health_rule first = {.topic = ""};
    struct summary_facts facts = {
        .now_us = clock_wall_us(),
        .broker_connected = metric_get(METRIC_BROKER_CONNECTED) > 0,
        .waiting = metric_get(METRIC_JOURNAL_MESSAGES),
        .oldest_seconds = metric_get(METRIC_JOURNAL_OLDEST_SECONDS),
        .received = metric_get(METRIC_MESSAGES_RECEIVED),
        .processed_rate = recent_rate(history),
        .rejected_rate = history_rejected_rate(history),
        .gaps_open = health_gaps_open(),
        .clock_ahead_seconds = health_clock(),
    };
    struct summary summary;

    for (int part = 0; part < HEALTH_PARTS; part++) {
        health_get((enum health_part) part, &facts.parts[part]);
    }
    (void) health_gaps(&facts.gap, 1);
    collect_rules(&facts, history, &first);
    assert(facts.processed_rate >= 0 && facts.rejected_rate >= 0);
    summary_find(&facts, &summary);
    json_out_open(out, "summary", '{');
    json_out_text(out, "level", summary_level_name(summary.level));
    json_out_text(out, "headline", buf_string(&summary.headline));
    json_out_text(out, "detail", buf_string(&summary.detail));
    buf_append_byte(out, '}');
    summary_fini(&summary);
}

void status_append_json(struct buf *out, const struct status_request *request)
{
    const struct http_sources *sources = request->sources;

    assert(sources != NULL && request->history != NULL);

    if (sources->refresh != NULL) {
        sources->refresh(sources->context);
    }
    buf_append_byte(out, '{');
    json_out_text(out, "version", MQTT2PG_VERSION);
    json_out_time(out, "started_at", request->started_us);
    json_out_time(out, "now", clock_wall_us());
    json_out_int(out, "uptime_seconds", (clock_monotonic_ms() - request->started_ms) / 1000);
    json_out_bool(out, "ready", status_is_ready(NULL));
    append_summary(out, request->history);
    append_health(out);
    append_counters(out);
    append_rates(out, request->history);
    append_spread(out, "delay", request->history, HISTORY_DELAY);
    append_spread(out, "commit", request->history, HISTORY_COMMIT);
    append_rules(out, request->history);
    append_gaps(out);
    json_out_known(out, "dead_letters_waiting", health_letters());
    json_out_int(out, "clock_ahead_seconds", health_clock());
    append_unmatched(out);
    append_history(out, request);
    append_actions(out, request);
    append_configuration(out, sources);
    buf_append_byte(out, '}');
}
