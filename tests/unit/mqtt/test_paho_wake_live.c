/*
 * A connection is made at once although another one of the process is at rest: Paho alone takes two
 * seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/live.h"
#include "mqtt/publisher.h"

/* Milliseconds; the link must come about. */
static int64_t connect_ms(struct publisher *publisher)
{
    struct error error = {0};
    int64_t before_ms = clock_monotonic_ms();
    CHECK(publisher_keep_connected(publisher, &error));
    return clock_monotonic_ms() - before_ms;
}

/* The best of several attempts counts, for the machine may be busy. */
static void check(bool mqtt5)
{
    struct live_broker broker = {0};
    struct live_bridge bridge;
    live_broker_start(&broker, "");
    live_bridge_init(&bridge, broker.url, mqtt5);
    struct broker_options options = bridge.options;
    options.client_id = "at_rest";
    struct publisher *at_rest = publisher_new(&options, &bridge.place);
    connect_ms(at_rest);

    int64_t best_ms = INT64_MAX;
    for (int attempt = 0; attempt < 8 && best_ms > 500; attempt++) {
        usleep(50000); /* Paho is in its poll() of a second */
        struct publisher *second = publisher_new(&bridge.options, &bridge.place);
        int64_t took_ms = connect_ms(second);
        best_ms = took_ms < best_ms ? took_ms : best_ms;
        publisher_free(second);
    }
    UNIT_CASE("%d ms", (int) best_ms);
    CHECK(best_ms <= 500);
    unit_case[0] = '\0';
    publisher_free(at_rest);
    live_bridge_fini(&bridge);
    live_broker_stop(&broker, SIGTERM);
}

static void test_second(void)
{
    LIVE_SKIP();
    check(true);
}

static void test_second_3(void)
{
    LIVE_SKIP();
    check(false);
}

UNIT_MAIN("paho_wake_live", {"second connection", test_second},
          {"second connection 3.1.1", test_second_3})
