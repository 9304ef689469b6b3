/* SPDX-License-Identifier: MIT */
#include "base/metrics.h"

#include <ctype.h>

#include "base/thread.h"
#include "unit.h"

static bool output_has(const char *line)
{
    struct buf out = {0};
    buf_append_byte(&out, '\n');
    metrics_write_prometheus(&out);
    char whole[300];
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    bool found = strstr(buf_string(&out), whole) != NULL;
    buf_fini(&out);
    return found;
}

static void test_counters(void)
{
    metrics_reset();
    metric_add(METRIC_MESSAGES_RECEIVED, 3);
    metric_add(METRIC_MESSAGES_RECEIVED, 4);
    metric_set(METRIC_JOURNAL_BYTES, 1000);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED), 7);
    CHECK(output_has("mqtt2pg_messages_received_total 7"));
    CHECK(output_has("# TYPE mqtt2pg_messages_received_total counter"));
    CHECK(output_has("mqtt2pg_journal_bytes 1000"));
    CHECK(output_has("# TYPE mqtt2pg_journal_bytes gauge"));
    CHECK(output_has("mqtt2pg_build_info{version=\"" MQTT2PG_VERSION "\"} 1"));
}

static void test_rules(void)
{
    metrics_reset();
    int one = metrics_rule("one");
    int two = metrics_rule("a\"b\\c\nd");
    CHECK(one >= 0 && two >= 0 && one != two);
    CHECK_INT_EQ(metrics_rule("one"), one);
    CHECK_TEXT_EQ(metrics_rule_name(one), "one");
    CHECK(metrics_rule_name(two + 1) == NULL);
    CHECK(metrics_rule_name(-1) == NULL);

    metric_rule_add(one, RULE_METRIC_STORED, 5);
    metric_rule_add(two, RULE_METRIC_ROWS, 6);
    metric_rule_add(-1, RULE_METRIC_ROWS, 6);
    metric_rule_add(two + 1, RULE_METRIC_ROWS, 6);
    CHECK_INT_EQ(metric_rule_get(one, RULE_METRIC_STORED), 5);
    CHECK_INT_EQ(metric_rule_get(-1, RULE_METRIC_STORED), 0);
    CHECK(output_has("mqtt2pg_rule_messages_total{rule=\"one\",outcome=\"stored\"} 5"));
    CHECK(output_has("mqtt2pg_rule_messages_total{rule=\"one\",outcome=\"rejected\"} 0"));
    CHECK(output_has("mqtt2pg_rows_stored_total{rule=\"a\\\"b\\\\c\\nd\"} 6"));
    CHECK(output_has("# TYPE mqtt2pg_rows_stored_total counter"));
    CHECK(output_has("# TYPE mqtt2pg_rule_parked gauge"));
}

static void test_too_many_rules(void)
{
    metrics_reset();
    char name[20];
    for (int i = 0; i < METRICS_RULES_MAX; i++) {
        snprintf(name, sizeof(name), "rule %d", i);
        metrics_rule(name);
    }
    CHECK_TEXT_EQ(metrics_rule_name(METRICS_RULES_MAX - 1), "rule 4095");
    CHECK_INT_EQ(metrics_rule("one too many"), -1);
    CHECK_INT_EQ(metrics_rule("rule 7"), 7);
    metrics_reset();
}

static void test_histogram(void)
{
    metrics_reset();
    metric_observe(HISTOGRAM_BATCH_ROWS, 1, 1);  /* on a bound: in its bucket */
    metric_observe(HISTOGRAM_BATCH_ROWS, 50, 2); /* between bounds */
    metric_observe(HISTOGRAM_BATCH_ROWS, 1e6, 1);
    CHECK(output_has("# TYPE mqtt2pg_batch_rows histogram"));
    CHECK(output_has("mqtt2pg_batch_rows_bucket{le=\"1\"} 1\n"
                     "mqtt2pg_batch_rows_bucket{le=\"10\"} 1\n"
                     "mqtt2pg_batch_rows_bucket{le=\"100\"} 3\n"
                     "mqtt2pg_batch_rows_bucket{le=\"1000\"} 3"));
    CHECK(output_has("mqtt2pg_batch_rows_bucket{le=\"+Inf\"} 4\n"
                     "mqtt2pg_batch_rows_sum 1000101\n"
                     "mqtt2pg_batch_rows_count 4"));
    metric_observe(HISTOGRAM_COMMIT_SECONDS, 0.0005, 1);
    CHECK(output_has("mqtt2pg_commit_seconds_bucket{le=\"0.001\"} 1"));
}

/* Each family once, HELP before TYPE before samples, and every sample in the family opened last. */
static void test_exposition_format(void)
{
    metrics_reset();
    metrics_rule("r1");
    metrics_rule("r2");
    struct buf out = {0};
    struct buf families = {0};
    metrics_write_prometheus(&out);
    CHECK(out.length > 0 && out.data[out.length - 1] == '\n');

    char *text = out.data;
    char family[100] = "";
    bool typed = false;
    buf_string(&out);
    for (char *line = strsep(&text, "\n"); text != NULL; line = strsep(&text, "\n")) {
        UNIT_CASE("%s", line);
        char name[100] = "";
        if (sscanf(line, "# HELP %99s ", name) == 1) {
            char marked[110];
            snprintf(marked, sizeof(marked), "<%s>", name);
            CHECK(strstr(buf_string(&families), marked) == NULL);
            buf_append_text(&families, marked);
            snprintf(family, sizeof(family), "%s", name);
            typed = false;
        } else if (sscanf(line, "# TYPE %99s ", name) == 1) {
            CHECK_TEXT_EQ(name, family);
            CHECK(!typed);
            typed = true;
        } else {
            size_t length = strcspn(line, "{ ");
            CHECK(typed);
            CHECK(strncmp(line, family, strlen(family)) == 0 && length >= strlen(family));
            CHECK(strncmp(line, "mqtt2pg_", 8) == 0);
            CHECK(isdigit((unsigned char) line[strlen(line) - 1]));
        }
    }
    buf_fini(&out);
    buf_fini(&families);
}

/* Many at once are what one by one would be, whatever their order. */
static void test_ages(void)
{
    static const int64_t since_us[] = {0,       5000000, 9000000,  9999000,
                                       9999500, 8000000, 10000000, 100};
    enum { COUNT = sizeof(since_us) / sizeof(since_us[0]) };
    struct buf one = {0}, all = {0};

    metrics_reset();
    for (size_t i = 0; i < COUNT; i++) {
        metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, (double) (10000000 - since_us[i]) / 1e6, 1);
    }
    metrics_write_prometheus(&one);
    metrics_reset();
    metric_observe_ages(HISTOGRAM_STORE_DELAY_SECONDS, since_us, COUNT, 10000000);
    metrics_write_prometheus(&all);
    CHECK_TEXT_EQ(buf_string(&all), buf_string(&one));
    CHECK(strstr(buf_string(&all), "mqtt2pg_store_delay_seconds_count 8") != NULL);
    buf_fini(&one);
    buf_fini(&all);
    metrics_reset();
}

static void *count_much(void *context)
{
    int rule = metrics_rule("shared");
    for (int i = 0; i < 10000; i++) {
        metric_add(METRIC_BATCHES, 1);
        metric_rule_add(rule, RULE_METRIC_ROWS, 2);
        metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 1, 1);
    }
    return context;
}

static void test_threads(void)
{
    metrics_reset();
    pthread_t threads[4];
    struct buf out = {0};
    for (int i = 0; i < 4; i++) {
        threads[i] = thread_spawn("counter", count_much, NULL);
    }
    metrics_write_prometheus(&out);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT_EQ(metric_get(METRIC_BATCHES), 40000);
    CHECK_INT_EQ(metric_rule_get(metrics_rule("shared"), RULE_METRIC_ROWS), 80000);
    CHECK(output_has("mqtt2pg_store_delay_seconds_sum 40000"));
    buf_fini(&out);
    metrics_reset();
}

UNIT_MAIN("metrics", {"counters", test_counters}, {"rules", test_rules},
          {"too many rules", test_too_many_rules}, {"histogram", test_histogram},
          {"ages", test_ages}, {"exposition format", test_exposition_format},
          {"threads", test_threads})
