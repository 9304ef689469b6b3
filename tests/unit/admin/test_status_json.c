/* SPDX-License-Identifier: MIT */
#include "admin/status_json.h"

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/metrics.h"
#include "unit.h"

#define ODD_NAME "a \"b\" \\ <script>\n\x01 \xc3\xa9"

static int refreshed;

static void refresh(void *context)
{
    refreshed++;
    metric_set(METRIC_JOURNAL_MESSAGES, *(const int *) context);
}

static void configuration(void *context, struct buf *out)
{
    (void) context;
    buf_append_text(out, "{\"http\":{\"listen\":\"127.0.0.1:9464\"}}");
}

/* The answer, parsed; the caller deletes it. */
static cJSON *status_of(const struct http_sources *sources, struct history *history, size_t max)
{
    const struct status_request request = {
        .sources = sources,
        .history = history,
        .history_max = max,
        .started_us = clock_wall_us(),
        .started_ms = clock_monotonic_ms() - 5000,
    };
    struct buf out = {0};
    cJSON *parsed;

    status_append_json(&out, &request);
    CHECK(memchr(out.data, '\n', out.length) == NULL);
    parsed = cJSON_ParseWithOpts(buf_string(&out), NULL, true);
    CHECK(parsed != NULL);
    buf_fini(&out);
    return parsed;
}

/* "health.broker.well", "rules.0.name". */
static const cJSON *at(const cJSON *node, const char *path)
{
    char names[200];
    char *rest = names;
    char *name;

    snprintf(names, sizeof(names), "%s", path);
    while (node != NULL && (name = strsep(&rest, ".")) != NULL) {
        node = cJSON_IsArray(node) ? cJSON_GetArrayItem(node, (int) strtol(name, NULL, 10))
                                   : cJSON_GetObjectItemCaseSensitive(node, name);
    }
    return node;
}

static double number_at(const cJSON *node, const char *path)
{
    const cJSON *found = at(node, path);

    return cJSON_IsNumber(found) ? found->valuedouble : -1;
}

static const char *text_at(const cJSON *node, const char *path)
{
    const char *text = cJSON_GetStringValue(at(node, path));

    return text == NULL ? "(none)" : text;
}

static void test_nothing_yet(void)
{
    const struct http_sources sources = {0};
    struct history *history;
    cJSON *status;

    metrics_reset();
    history = history_new();
    status = status_of(&sources, history, HISTORY_SECONDS);
    CHECK_TEXT_EQ(text_at(status, "version"), MQTT2PG_VERSION);
    CHECK_INT_EQ(number_at(status, "uptime_seconds"), 5);
    CHECK(cJSON_IsFalse(at(status, "ready")));
    CHECK(cJSON_IsFalse(at(status, "health.broker.well")));
    CHECK(cJSON_IsNull(at(status, "health.broker.since")));
    CHECK_TEXT_EQ(text_at(status, "health.database.text"), "not started");
    CHECK(cJSON_IsNull(at(status, "delay.p50")));
    CHECK(cJSON_IsNull(at(status, "rates.rows")));
    CHECK(cJSON_IsNull(at(status, "configuration")));
    CHECK_INT_EQ(cJSON_GetArraySize(at(status, "rules")), 0);
    CHECK_INT_EQ(cJSON_GetArraySize(at(status, "history.received")), 0);
    cJSON_Delete(status);
    history_free(history);
}

static void test_numbers(void)
{
    int waiting = 42;
    const struct http_sources sources = {
        .refresh = refresh, .configuration = configuration, .context = &waiting};
    struct history *history;
    cJSON *status;
    int rule;

    metrics_reset();
    history = history_new();
    refreshed = 0;
    rule = metrics_rule("telemetry");
    metric_add(METRIC_MESSAGES_RECEIVED, 30);
    metric_add(METRIC_MESSAGES_PROCESSED, 20);
    metric_set(METRIC_JOURNAL_BYTES, INT64_C(5000000000));
    metric_set(METRIC_ACKS_WAITING, 3);
    metric_rule_add(rule, RULE_METRIC_MATCHED, 20);
    metric_rule_add(rule, RULE_METRIC_STORED, 17);
    metric_rule_add(rule, RULE_METRIC_FILTERED, 2);
    metric_rule_add(rule, RULE_METRIC_REJECTED, 1);
    metric_rule_add(rule, RULE_METRIC_ROWS, 34);
    metric_rule_add(rule, RULE_METRIC_ACKS_STORED, 16);
    metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 0.02, 20);
    history_advance(history, 1000);
    status = status_of(&sources, history, HISTORY_SECONDS);
    CHECK_INT_EQ(refreshed, 1);
    CHECK_INT_EQ(number_at(status, "counters.messages_received_total"), 30);
    CHECK_INT_EQ(number_at(status, "counters.journal_messages"), 42);
    CHECK_INT_EQ(cJSON_GetArraySize(at(status, "counters")), METRIC_COUNT);
    CHECK_INT_EQ(number_at(status, "journal.messages"), 42);
    CHECK_INT_EQ(number_at(status, "journal.bytes"), INT64_C(5000000000));
    CHECK_INT_EQ(number_at(status, "acks_waiting"), 3);
    CHECK_INT_EQ(number_at(status, "rates.rows"), 34);
    CHECK_INT_EQ(number_at(status, "delay.count"), 20);
    CHECK(number_at(status, "delay.p95") > 0.01 && number_at(status, "delay.p95") <= 0.025);
    CHECK_TEXT_EQ(text_at(status, "rules.0.name"), "telemetry");
    CHECK_INT_EQ(number_at(status, "rules.0.matched"), 20);
    CHECK_INT_EQ(number_at(status, "rules.0.stored"), 17);
    CHECK_INT_EQ(number_at(status, "rules.0.filtered"), 2);
    CHECK_INT_EQ(number_at(status, "rules.0.rejected"), 1);
    CHECK_INT_EQ(number_at(status, "rules.0.rows"), 34);
    CHECK_INT_EQ(number_at(status, "rules.0.acks_stored"), 16);
    CHECK_INT_EQ(number_at(status, "rules.0.acks_rejected"), 0);
    CHECK_INT_EQ(number_at(status, "history.rows.0"), 34);
    CHECK_TEXT_EQ(text_at(status, "configuration.http.listen"), "127.0.0.1:9464");
    cJSON_Delete(status);
    history_free(history);
}

static void test_history_limit(void)
{
    static const char *const series[] = {"received", "processed", "rows", "waiting",
                                         "delay_seconds"};
    static const size_t limits[] = {0, 3, 5, HISTORY_SECONDS, SIZE_MAX};
    const struct http_sources sources = {0};
    struct history *history;

    metrics_reset();
    history = history_new();
    for (int i = 0; i < 5; i++) {
        history_advance(history, 1000);
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        cJSON *status = status_of(&sources, history, limits[i]);

        UNIT_CASE("%zu", limits[i]);
        CHECK_INT_EQ(number_at(status, "history.taken"), 5);
        for (size_t k = 0; k < sizeof(series) / sizeof(series[0]); k++) {
            CHECK_INT_EQ(cJSON_GetArraySize(at(at(status, "history"), series[k])),
                         limits[i] < 5 ? (int) limits[i] : 5);
        }
        cJSON_Delete(status);
    }
    history_free(history);
}

static void test_odd_texts(void)
{
    const struct http_sources sources = {0};
    struct history *history;
    cJSON *status;
    char topic[400];

    metrics_reset();
    history = history_new();
    metrics_rule(ODD_NAME);
    metrics_rule("r");
    memset(topic, 'x', sizeof(topic));
    memcpy(topic, "t/\xff\"<", 5);
    health_add_reject("r", slice_make(topic, sizeof(topic)), "no \"number\"\n\\", NULL);
    health_add_reject(ODD_NAME, slice_make("a\0b", 3), "r", NULL);
    health_set_parked("r", "no \"table\"");
    health_set(HEALTH_DATABASE, false, "FATAL:  role \"x\\y\"\tis odd \xc3");
    status = status_of(&sources, history, 0);
    CHECK_TEXT_EQ(text_at(status, "rules.0.name"), ODD_NAME);
    CHECK(cJSON_IsTrue(at(status, "rules.0.removed"))); /* nobody has described it */
    CHECK_TEXT_EQ(text_at(status, "rules.0.last_reject.reason"), "r");
    CHECK(cJSON_IsNull(at(status, "rules.0.parked")));
    CHECK_TEXT_EQ(text_at(status, "rules.1.parked.reason"), "no \"table\"");
    CHECK(text_at(status, "rules.1.parked.since") != NULL);
    CHECK(cJSON_IsFalse(at(status, "rules.1.parked.held")));
    CHECK_TEXT_EQ(text_at(status, "rejects.0.rule"), ODD_NAME);
    CHECK_TEXT_EQ(text_at(status, "rejects.0.topic"), "a");
    CHECK_TEXT_EQ(text_at(status, "rejects.1.reason"), "no \"number\"\n\\");
    CHECK_TEXT_EQ(text_at(status, "rules.1.last_reject.reason"), "no \"number\"\n\\");
    CHECK(strncmp(text_at(status, "rejects.1.topic"), "t/\xef\xbf\xbd\"<xxx", 10) == 0);
    CHECK_TEXT_EQ(text_at(status, "health.database.text"),
                  "FATAL:  role \"x\\y\"\tis odd \xef\xbf\xbd");
    health_set_parked("r", NULL);
    cJSON_Delete(status);
    history_free(history);
}

/* A rejected rule's name is kept cut off; one rule's reason must not become that of its
 * namesake. */
static void test_last_reject_of_namesakes(void)
{
    const struct http_sources sources = {0};
    struct history *history;
    cJSON *status;
    char name[100];

    metrics_reset();
    history = history_new();
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    metrics_rule(name);
    metrics_rule("press");
    metrics_rule("pres");
    health_add_reject(name, slice_of("t"), "of the long one", NULL);
    health_add_reject("pres", slice_of("t"), "of pres", NULL);
    status = status_of(&sources, history, 0);
    CHECK_TEXT_EQ(text_at(status, "rules.0.last_reject.reason"), "of the long one");
    CHECK(cJSON_IsNull(at(status, "rules.1.last_reject")));
    CHECK_TEXT_EQ(text_at(status, "rules.2.last_reject.reason"), "of pres");
    cJSON_Delete(status);
    history_free(history);
}

static void test_ready(void)
{
    struct buf out = {0};

    health_set(HEALTH_BROKER, true, "mqtt://localhost");
    health_set(HEALTH_JOURNAL, true, "/var/lib/mqtt2pg");
    health_set(HEALTH_DATABASE, true, "telemetry");
    CHECK(status_is_ready(&out));
    CHECK_INT_EQ(out.length, 0);
    health_set(HEALTH_DATABASE, false, "connection refused\nreally");
    health_set(HEALTH_JOURNAL, false, "no space left");
    CHECK(!status_is_ready(NULL));
    CHECK(!status_is_ready(&out));
    CHECK(strncmp(buf_string(&out), "database: not ready since 20", 28) == 0);
    CHECK(strstr(buf_string(&out),
                 "Z: connection refused\\x0areally\njournal: not ready since 20") != NULL);
    CHECK(strstr(buf_string(&out), "Z: no space left\n") != NULL);
    CHECK(strstr(buf_string(&out), "broker") == NULL);
    buf_fini(&out);
}

UNIT_MAIN("status_json", {"nothing yet", test_nothing_yet}, {"numbers", test_numbers},
          {"history limit", test_history_limit}, {"odd texts", test_odd_texts},
          {"last reject of namesakes", test_last_reject_of_namesakes}, {"ready", test_ready})
