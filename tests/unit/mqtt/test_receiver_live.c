/*
 * The receiver against a real Mosquitto: what arrives, what is subscribed, what the broker's
 * session remembers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/gap.h"
#include "core/property.h"
#include "live.h"

static void check_properties(struct slice properties, bool mqtt5)
{
    struct property_item item;
    if (!mqtt5) {
        CHECK_INT_EQ(properties.length, 0);
        return;
    }
    CHECK(property_find(properties, PROPERTY_CONTENT_TYPE, &item));
    CHECK_SLICE_EQ(item.value, "application/json");
    CHECK(property_find(properties, PROPERTY_RESPONSE_TOPIC, &item));
    CHECK_SLICE_EQ(item.value, "answers/1");
    CHECK(property_find(properties, PROPERTY_CORRELATION_DATA, &item));
    CHECK_SLICE_EQ(item.value, "c-1");
    CHECK(property_find_user(properties, slice_of("site"), &item));
    CHECK_SLICE_EQ(item.value, "north");
    CHECK(property_find(properties, PROPERTY_PAYLOAD_FORMAT, &item));
    CHECK_INT_EQ(item.number, 1);
    CHECK(property_find(properties, PROPERTY_SUBSCRIPTION, &item));
    CHECK_INT_EQ(item.number, subscription_identifier("p/#"));
}

static void publish_with_properties(const struct live_broker *broker)
{
    const char *const options[] = {"-V",
                                   "5",
                                   "-q",
                                   "2",
                                   "-t",
                                   "p/x",
                                   "-m",
                                   "{}",
                                   "-D",
                                   "publish",
                                   "content-type",
                                   "application/json",
                                   "-D",
                                   "publish",
                                   "response-topic",
                                   "answers/1",
                                   NULL};
    const char *arguments[32];
    size_t count = 0;
    while (options[count] != NULL) {
        arguments[count] = options[count];
        count++;
    }
    char port[12];
    snprintf(port, sizeof(port), "%d", broker->port);
    const char *command[40] = {"mosquitto_pub", "-h", "127.0.0.1", "-p", port};
    memcpy(command + 5, arguments, count * sizeof(command[0]));
    const char *const more[] = {"-D",    "publish", "correlation-data", "c-1",
                                "-D",    "publish", "user-property",    "site",
                                "north", "-D",      "publish",          "payload-format-indicator",
                                "1",     NULL};
    memcpy(command + 5 + count, more, sizeof(more));
    int status = 0;
    waitpid(live_spawn(command, -1, -1), &status, 0);
    CHECK_INT_EQ(status, 0);
}

static void check_arrival(bool mqtt5)
{
    struct live_broker broker = {0};
    struct live_bridge bridge;
    live_begin(&broker, &bridge, mqtt5);
    live_want(&bridge, "q0/#", 0, RETAIN_SEND_IF_NEW);
    live_want(&bridge, "q1/#", 1, RETAIN_SEND_IF_NEW);
    live_want(&bridge, "q2/#", 2, RETAIN_SEND_IF_NEW);
    live_want(&bridge, "p/#", 2, RETAIN_SEND_IF_NEW);
    metrics_reset();
    live_bridge_start(&bridge);
    LIVE_WAIT(live_connected(), 10);
    live_publish(&broker, "q0/t", 0, 1, 500);
    live_publish(&broker, "q1/t", 1, 1, 500);
    live_publish(&broker, "q2/t", 2, 1, 500);
    publish_with_properties(&broker);
    LIVE_WAIT(journal_last(bridge.journal) >= 1501, 10);
    live_check_all_once(bridge.journal, "q0/t", 500);
    live_check_all_once(bridge.journal, "q1/t", 500);
    live_check_all_once(bridge.journal, "q2/t", 500);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED), 1501);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_JOURNALED), 1501);

    struct journal_reader *reader = journal_reader_new(bridge.journal);
    struct journal_next next;
    CHECK_INT_EQ(journal_reader_seek(reader, 1501, &next.error), OUTCOME_OK);
    CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
    CHECK_SLICE_EQ(next.message.topic, "p/x");
    CHECK_SLICE_EQ(next.message.payload, "{}");
    CHECK_INT_EQ(next.message.qos, mqtt5 ? 2 : 1); /* receiver.h: 3.1.1 asks for qos 1 */
    CHECK(next.message.packet_id != 0);
    CHECK(!next.message.retained && !next.message.duplicate);
    CHECK(next.message.received_at_us > clock_wall_us() - 60000000);
    check_properties(next.message.properties, mqtt5);
    journal_reader_free(reader);
    live_end(&broker, &bridge);
}

static void test_arrival_5(void)
{
    LIVE_SKIP();
    check_arrival(true);
}

static void test_arrival_3(void)
{
    LIVE_SKIP();
    check_arrival(false);
}

/* What was published while the broker was alone, and all after it. */
static void test_broker_restarts(void)
{
    LIVE_SKIP();
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("%s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        live_begin(&broker, &bridge, mqtt5 != 0);
        live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
        metrics_reset();
        live_bridge_start(&bridge);
        LIVE_WAIT(live_connected(), 10);
        live_publish(&broker, "t", 1, 1, 1000);
        live_broker_stop(&broker, SIGTERM);
        LIVE_WAIT(!live_connected(), 10);
        live_broker_start(&broker, "");
        live_publish(&broker, "t", 1, 1001, 2000);
        LIVE_WAIT(live_connected(), 20);
        LIVE_WAIT(metric_get(METRIC_MESSAGES_JOURNALED) >= 2000, 20);
        live_check_all_once(bridge.journal, "t", 2000);
        CHECK_INT_EQ(metric_get(METRIC_BROKER_RECONNECTS), 1);
        CHECK_INT_EQ(journal_last(bridge.journal), 2000); /* no gap */
        live_end(&broker, &bridge);
    }
}

static void test_other_subscriptions(void)
{
    LIVE_SKIP();
    struct live_broker broker = {0};
    struct live_bridge bridge;
    unsigned counts[101];
    bool ordered;
    live_begin(&broker, &bridge, true);
    live_want(&bridge, "old", 1, RETAIN_SEND_IF_NEW);
    live_want(&bridge, "both", 1, RETAIN_SEND_IF_NEW);
    live_bridge_start(&bridge);
    LIVE_WAIT(live_connected(), 10);
    live_publish(&broker, "old", 1, 1, 10);
    live_publish(&broker, "both", 1, 1, 10);
    LIVE_WAIT(journal_last(bridge.journal) >= 20, 10);
    live_bridge_stop(&bridge);
    live_publish(&broker, "both", 1, 11, 20); /* the session keeps them */

    subscription_set_fini(&bridge.wanted);
    live_want(&bridge, "both", 1, RETAIN_SEND_IF_NEW);
    live_want(&bridge, "new", 1, RETAIN_SEND_IF_NEW);
    live_bridge_start(&bridge);
    LIVE_WAIT(live_connected(), 10);
    live_publish(&broker, "old", 1, 11, 20);
    live_publish(&broker, "new", 1, 1, 10);
    LIVE_WAIT(journal_last(bridge.journal) >= 40, 10);
    live_check_all_once(bridge.journal, "both", 20);
    live_check_all_once(bridge.journal, "new", 10);
    CHECK_INT_EQ(live_count(bridge.journal, "old", counts, 100, &ordered), 10);

    /* And while it runs. */
    subscription_set_fini(&bridge.wanted);
    live_want(&bridge, "new", 1, RETAIN_SEND_IF_NEW);
    for (int i = 0; i < 250; i++) {
        char filter[20];
        snprintf(filter, sizeof(filter), "many/%d", i);
        live_want(&bridge, filter, 1, RETAIN_SEND_IF_NEW);
    }
    receiver_subscribe(bridge.receiver, &bridge.wanted);
    int64_t end_ms = clock_monotonic_ms() + 15000;
    while (clock_monotonic_ms() < end_ms &&
           live_count(bridge.journal, "many/249", counts, 100, &ordered) == 0) {
        live_publish(&broker, "many/249", 1, 1, 1);
    }
    CHECK(live_count(bridge.journal, "many/249", counts, 100, &ordered) > 0);
    uint64_t before = journal_last(bridge.journal);
    live_publish(&broker, "both", 1, 21, 30);
    live_publish(&broker, "many/0", 1, 1, 1);
    LIVE_WAIT(live_count(bridge.journal, "many/0", counts, 100, &ordered) == 1, 10);
    CHECK_INT_EQ(live_count(bridge.journal, "both", counts, 100, &ordered), 20);
    CHECK(journal_last(bridge.journal) > before);
    live_end(&broker, &bridge);
}

static unsigned count_gaps(struct journal *journal, struct gap *gap)
{
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    unsigned count = 0;
    CHECK_INT_EQ(journal_reader_seek(reader, journal_first(journal), &next.error), OUTCOME_OK);
    while (journal_reader_next(reader, &next) == JOURNAL_READ_MESSAGE) {
        if (gap_from_message(&next.message, gap)) {
            CHECK_SLICE_EQ(gap->cause, "broker session lost");
            count++;
        }
    }
    journal_reader_free(reader);
    return count;
}

static void test_session_lost(void)
{
    LIVE_SKIP();
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("%s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        struct gap gap = {0};
        live_begin(&broker, &bridge, mqtt5 != 0);
        live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
        live_bridge_start(&bridge);
        LIVE_WAIT(live_connected(), 10);
        live_publish(&broker, "t", 1, 1, 10);
        LIVE_WAIT(journal_last(bridge.journal) >= 10, 10);
        CHECK_INT_EQ(count_gaps(bridge.journal, &gap), 0);
        int64_t lost_us = clock_wall_us();
        live_broker_forget(&broker);
        LIVE_WAIT(!live_connected(), 10);
        live_broker_start(&broker, "");
        LIVE_WAIT(live_connected(), 20);
        live_publish(&broker, "t", 1, 11, 20); /* it subscribed again */
        LIVE_WAIT(journal_last(bridge.journal) >= 21, 10);
        CHECK_INT_EQ(count_gaps(bridge.journal, &gap), 1);
        CHECK(gap.from_us >= lost_us - 5000000 && gap.from_us <= gap.to_us &&
              gap.to_us <= clock_wall_us());

        /* The same while the bridge is down: the file knows. */
        live_bridge_stop(&bridge);
        live_broker_forget(&broker);
        live_broker_start(&broker, "");
        live_bridge_start(&bridge);
        LIVE_WAIT(live_connected(), 20);
        CHECK_INT_EQ(count_gaps(bridge.journal, &gap), 2);
        live_bridge_stop(&bridge);
        live_bridge_start(&bridge);
        LIVE_WAIT(live_connected(), 20);
        CHECK_INT_EQ(count_gaps(bridge.journal, &gap), 2);
        live_end(&broker, &bridge);
    }
}

/* Retained messages: "new" once, "store" at every connection, "ignore" never (MQTT 5). */
static void test_retained(void)
{
    LIVE_SKIP();
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("%s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        unsigned counts[101];
        bool ordered;
        live_broker_start(&broker, "");
        const char *const topics[] = {"new", "store", "ignore"};
        for (int i = 0; i < 3; i++) {
            const char *const options[] = {"-r", "-q", "1", "-t", topics[i], "-m", "7", NULL};
            live_publish_one(&broker, options);
        }
        live_bridge_init(&bridge, broker.url, mqtt5 != 0);
        live_want(&bridge, "new", 1, RETAIN_SEND_IF_NEW);
        live_want(&bridge, "store", 1, RETAIN_SEND);
        live_want(&bridge, "ignore", 1, RETAIN_DO_NOT_SEND);
        for (unsigned connection = 1; connection <= 3; connection++) {
            metrics_reset();
            live_bridge_start(&bridge);
            LIVE_WAIT(live_connected(), 20);
            LIVE_WAIT(live_count(bridge.journal, "store", counts, 100, &ordered) >= connection, 10);
            usleep(200000);
            if (connection == 2) { /* and a reconnect within the process */
                live_broker_stop(&broker, SIGTERM);
                LIVE_WAIT(!live_connected(), 10);
                live_broker_start(&broker, "");
                LIVE_WAIT(live_connected(), 20);
                usleep(300000);
                CHECK_INT_EQ(live_count(bridge.journal, "store", counts, 100, &ordered), 3);
            }
            CHECK_INT_EQ(live_count(bridge.journal, "new", counts, 100, &ordered), 1);
            CHECK_INT_EQ(live_count(bridge.journal, "ignore", counts, 100, &ordered),
                         mqtt5 ? 0 : 1);
            live_bridge_stop(&bridge);
        }
        live_bridge_fini(&bridge);
        live_broker_stop(&broker, SIGTERM);
    }
}

static void bridge_child(void *context)
{
    live_bridge_start(context);
    for (;;) {
        pause();
    }
}

static void test_status(void)
{
    LIVE_SKIP();
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("%s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        live_begin(&broker, &bridge, mqtt5 != 0);
        bridge.options.status_topic = "status/bridge";
        live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
        pid_t child =
            live_child(bridge_child, &bridge); /* before this process has threads of Paho */
        LIVE_WAIT(strcmp(live_retained(&broker, "status/bridge"), "online") == 0, 10);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        LIVE_WAIT(strcmp(live_retained(&broker, "status/bridge"), "offline") == 0, 10);
        live_bridge_fini(&bridge);
        live_broker_stop(&broker, SIGTERM);
    }
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("clean, %s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        live_begin(&broker, &bridge, mqtt5 != 0);
        bridge.options.status_topic = "status/bridge";
        live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
        live_bridge_start(&bridge);
        LIVE_WAIT(strcmp(live_retained(&broker, "status/bridge"), "online") == 0, 10);
        live_bridge_stop(&bridge);
        LIVE_WAIT(strcmp(live_retained(&broker, "status/bridge"), "offline") == 0, 10);
        live_bridge_fini(&bridge);
        live_broker_stop(&broker, SIGTERM);
    }
}

/* "status" first: it forks. */
UNIT_MAIN("receiver_live", {"status", test_status}, {"arrival 5", test_arrival_5},
          {"arrival 3.1.1", test_arrival_3}, {"broker restarts", test_broker_restarts},
          {"other subscriptions", test_other_subscriptions}, {"session lost", test_session_lost},
          {"retained", test_retained})
