/*
 * The outbox against a real Mosquitto: everything arrives, also when the broker dies in between.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ack/ack_publish.h"
#include "ack/outbox.h"
#include "mqtt/live.h"

enum { BATCH_ACKS = 20 }; /* fewer than are under way at a time */

static struct outbox *open_outbox(const struct broker_options *broker)
{
    char directory[300];
    static int number;
    snprintf(directory, sizeof(directory), "%s/outbox%d", unit_scratch(), ++number);
    struct outbox *outbox = NULL;
    struct error error = {0};
    static const struct broker_place nowhere;
    struct outbox_options options = {.directory = directory,
                                     .journal = "01234567-89ab-cdef-0123-456789abcdef",
                                     .max_bytes = 1 << 20,
                                     .broker = broker,
                                     .place = &nowhere};
    CHECK_INT_EQ(outbox_open(&outbox, &options, &error), OUTCOME_OK);
    CHECK_INT_EQ(outbox_settle(outbox, &(struct outbox_mark){0}, &error), OUTCOME_OK);
    return outbox;
}

/* Batch number n (from 1) holds the numbers of its acknowledgments. */
static void commit_batch(struct outbox *outbox, unsigned n)
{
    struct ack_batch batch = {0};
    struct error error = {0};
    for (unsigned i = 0; i < BATCH_ACKS; i++) {
        char payload[20];
        snprintf(payload, sizeof(payload), "%u", (n - 1) * BATCH_ACKS + i + 1);
        ack_batch_append(&batch, &(struct ack){.rule = slice_of(n % 2 ? "odd" : "even"),
                                               .stored = i % 10 != 0,
                                               .topic = slice_of("ack/t"),
                                               .payload = slice_of(payload),
                                               .qos = 1});
    }
    const struct outbox_mark mark = {n * 1000, n};
    CHECK_INT_EQ(outbox_prepare(outbox, &mark, &batch, &error), OUTCOME_OK);
    outbox_commit(outbox);
    ack_batch_fini(&batch);
}

/* The broker's other side: a client with a session, whose journal tells what came. */
static void check(bool mqtt5, bool kill_broker)
{
    const unsigned batches = kill_broker ? 400 : 100;
    const unsigned acks = batches * BATCH_ACKS;
    struct live_broker broker = {0};
    struct live_bridge listener;
    live_broker_start(&broker, "");
    live_bridge_init(&listener, broker.url, mqtt5);
    listener.options.client_id = "listener";
    live_want(&listener, "ack/#", 1, RETAIN_SEND_IF_NEW);
    metrics_reset();
    live_bridge_start(&listener);
    LIVE_WAIT(live_connected(), 10);

    struct broker_options options = listener.options;
    options.client_id = "bridge";
    struct outbox *outbox = open_outbox(&options);
    for (unsigned n = 1; n <= batches; n++) {
        commit_batch(outbox, n);
    }
    if (kill_broker) {
        LIVE_WAIT(journal_last(listener.journal) > acks / 10, 20);
        live_broker_stop(&broker, SIGTERM); /* SIGKILL would lose what Mosquitto has confirmed */
        CHECK(outbox_waiting(outbox) > 0);
        LIVE_WAIT(!live_connected(), 10);
        live_broker_start(&broker, "");
    }
    LIVE_WAIT(outbox_waiting(outbox) == 0, 40);
    LIVE_WAIT(journal_last(listener.journal) >= acks, 20);
    unsigned *counts = calloc(acks + 1, sizeof(*counts));
    bool ordered;
    unsigned read = live_count(listener.journal, NULL, counts, acks, &ordered);
    unsigned missing = 0;
    for (unsigned i = 1; i <= acks; i++) {
        missing += counts[i] == 0;
    }
    CHECK_INT_EQ(missing, 0);
    if (!kill_broker) {
        CHECK_INT_EQ(read, acks);
        CHECK(ordered);
        CHECK_INT_EQ(metric_get(METRIC_ACKS_WAITING), 0);
        CHECK_INT_EQ(metric_rule_get(metrics_rule("odd"), RULE_METRIC_ACKS_STORED),
                     acks / 2 * 9 / 10);
        CHECK_INT_EQ(metric_rule_get(metrics_rule("even"), RULE_METRIC_ACKS_REJECTED),
                     acks / 2 / 10);
    }
    free(counts);
    outbox_close(outbox, 5000);
    live_bridge_stop(&listener);
    live_bridge_fini(&listener);
    live_broker_stop(&broker, SIGTERM);
}

static void test_all_confirmed(void)
{
    LIVE_SKIP();
    check(true, false);
}

static void test_all_confirmed_3(void)
{
    LIVE_SKIP();
    check(false, false);
}

static void test_broker_restarts(void)
{
    LIVE_SKIP();
    check(true, true);
}

/* Milliseconds from one file to its confirmation, for 20 of them one after the other. */
static int64_t one_by_one_ms(struct outbox *outbox, unsigned *n)
{
    int64_t begin_ms = clock_monotonic_ms();
    for (unsigned i = 0; i < 20; i++) {
        commit_batch(outbox, ++*n);
        while (outbox_waiting(outbox) > 0 && clock_monotonic_ms() < begin_ms + 10000) {
            usleep(500);
        }
    }
    CHECK_INT_EQ(outbox_waiting(outbox), 0);
    return clock_monotonic_ms() - begin_ms;
}

/*
 * With nothing more to send, Mosquitto's PUBACKs must not wait for the TCP acknowledgment that the
 * kernel sends after 40 ms: 800 ms for 20 files. The best of several attempts counts, for the
 * machine may be busy.
 */
static void test_no_wait_for_tcp(void)
{
    LIVE_SKIP();
    struct live_broker broker = {0};
    struct live_bridge bridge;
    live_broker_start(&broker, "");
    live_bridge_init(&bridge, broker.url, true);
    struct outbox *outbox = open_outbox(&bridge.options);
    unsigned n = 1;
    commit_batch(outbox, n); /* connects */
    LIVE_WAIT(outbox_waiting(outbox) == 0, 20);
    int64_t best_ms = INT64_MAX;
    for (int attempt = 0; attempt < 8 && best_ms > 500; attempt++) {
        int64_t took_ms = one_by_one_ms(outbox, &n);
        best_ms = took_ms < best_ms ? took_ms : best_ms;
    }
    UNIT_CASE("%d ms", (int) best_ms);
    CHECK(best_ms <= 500);
    unit_case[0] = '\0';
    outbox_close(outbox, 1000);
    live_broker_stop(&broker, SIGTERM);
}

/* No broker: closing keeps to its time, and the files stay. */
static void test_no_broker(void)
{
    char url[60];
    struct live_bridge bridge;
    snprintf(url, sizeof(url), "mqtt://127.0.0.1:%d", live_port());
    live_bridge_init(&bridge, url, true);
    struct outbox *outbox = open_outbox(&bridge.options);
    commit_batch(outbox, 1);
    usleep(300000);
    int64_t before_ms = clock_monotonic_ms();
    outbox_close(outbox, 500);
    CHECK(clock_monotonic_ms() - before_ms < 3000);
}

static struct ack one(const char *topic, const char *payload)
{
    return (struct ack){.rule = slice_of("r"),
                        .stored = true,
                        .topic = slice_of(topic),
                        .payload = slice_of(payload),
                        .qos = 1,
                        .retain = true};
}

/* Acknowledgments that can never be published (a topic that nobody may publish to, more bytes than
 * the broker takes) do not stop the others. They count neither as published nor as confirmed: the
 * broker has seen nothing of them, so they say nothing about the topics that it takes. */
static void test_unpublishable(void)
{
    LIVE_SKIP();
    struct live_broker broker = {0};
    struct live_bridge bridge;
    struct error error = {0};
    char large[3000];
    live_broker_start(&broker, "max_packet_size 2000\n");
    live_bridge_init(&bridge, broker.url, true);
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    const struct ack acks[] = {one("first", "1"), one("a/#", "2"), one("l/a/r/g/e", large),
                               one("last", "4")};
    struct ack_batch batch = {0};
    for (size_t i = 0; i < 4; i++) {
        ack_batch_append(&batch, &acks[i]);
    }
    metrics_reset();

    static const struct broker_place nowhere;
    struct publisher *publisher = publisher_new(&bridge.options, &nowhere);
    struct slice rest = buf_slice(&batch.bytes);
    static const enum outcome wanted[] = {OUTCOME_OK, OUTCOME_REJECT, OUTCOME_REJECT, OUTCOME_OK};
    for (size_t i = 0; i < 4; i++) {
        uint32_t count;
        UNIT_CASE("acknowledgment %zu", i + 1);
        CHECK_INT_EQ(ack_publish(publisher, 10, &rest, &count, &error), wanted[i]);
        CHECK_INT_EQ(count, 1);
    }
    unit_case[0] = '\0';
    CHECK_INT_EQ(rest.length, 0);
    CHECK_INT_EQ(metric_rule_get(metrics_rule("r"), RULE_METRIC_ACKS_STORED), 2);
    publisher_free(publisher);

    struct outbox *outbox = open_outbox(&bridge.options);
    CHECK_INT_EQ(outbox_prepare(outbox, &(struct outbox_mark){7, 1}, &batch, &error), OUTCOME_OK);
    outbox_commit(outbox);
    LIVE_WAIT(outbox_waiting(outbox) == 0, 20);
    LIVE_WAIT(strcmp(live_retained(&broker, "last"), "4") == 0, 10);
    CHECK_INT_EQ(metric_rule_get(metrics_rule("r"), RULE_METRIC_ACKS_STORED), 4);
    outbox_close(outbox, 1000);
    ack_batch_fini(&batch);
    live_broker_stop(&broker, SIGTERM);
}

UNIT_MAIN("outbox_live", {"all confirmed", test_all_confirmed},
          {"all confirmed 3.1.1", test_all_confirmed_3}, {"broker restarts", test_broker_restarts},
          {"no wait for TCP", test_no_wait_for_tcp}, {"no broker", test_no_broker},
          {"unpublishable", test_unpublishable})
