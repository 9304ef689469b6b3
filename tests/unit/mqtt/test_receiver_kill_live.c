/*
 * kill -9 of a receiver under load, again and again, against a real Mosquitto.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>

#include "live.h"

static void bridge_child(void *context)
{
    live_bridge_start(context);
    for (;;) {
        pause();
    }
}

struct first {
    struct live_bridge *bridge;
    int told_fd; /* closed when the broker has the session and its subscription */
};

static void first_child(void *context)
{
    struct first *first = context;
    live_bridge_start(first->bridge);
    while (!live_connected()) {
        usleep(5000);
    }
    close(first->told_fd);
    for (;;) {
        pause();
    }
}

/* Starts the child that makes the session: what is published before there is one never comes. */
static pid_t start_first(struct live_bridge *bridge)
{
    int told[2];
    if (pipe2(told, O_CLOEXEC) != 0) {
        abort();
    }
    pid_t child = live_child(first_child, &(struct first){bridge, told[1]});
    close(told[1]);
    struct pollfd wait = {.fd = told[0], .events = POLLIN};
    CHECK_INT_EQ(poll(&wait, 1, 60000), 1);
    close(told[0]);
    return child;
}

struct publish {
    const struct live_broker *broker;
    int qos;
    int count;
};

static void publish_child(void *context)
{
    const struct publish *publish = context;
    live_publish(publish->broker, "t", publish->qos, 1, publish->count);
}

/* A child that dies again and again while messages flow; in the end each is in the journal once. */
static void check_kill(bool mqtt5, int qos)
{
    const unsigned messages = qos == 2 ? 12000 : 30000; /* Paho is slow with QoS 2 */
    enum { KILLS = 15, PATIENCE_MS = 10000 };
    struct live_broker broker = {0};
    struct live_bridge bridge;
    unsigned *counts = calloc(messages + 1, sizeof(*counts));
    bool ordered;
    struct error error;
    live_begin(&broker, &bridge, mqtt5);
    live_want(&bridge, "t", qos, RETAIN_SEND_IF_NEW);
    pid_t child = start_first(&bridge);
    pid_t publisher = live_child(publish_child, &(struct publish){&broker, qos, (int) messages});
    unsigned random = 1;
    for (int round = 0; round < KILLS; round++) {
        random = random * 1103515245 + 12345;
        usleep(50000 + (random >> 16) % 60000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = live_child(bridge_child, &bridge);
    }
    waitpid(publisher, NULL, 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    /* The last one in a child too: this process stays without Paho, so that it can go on
     * forking. */
    child = live_child(bridge_child, &bridge);
    unsigned read = 0;
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (read < messages && clock_monotonic_ms() < end_ms) {
        struct journal_options options = {
            .directory = bridge.directory, .max_bytes = 256 << 20, .read_only = true};
        unsigned before = read;
        usleep(300000);
        if (journal_open(&bridge.journal, &options, &error) == OUTCOME_OK) {
            read = live_count(bridge.journal, "t", counts, messages, &ordered);
            journal_close(bridge.journal);
        }
        end_ms = read > before ? clock_monotonic_ms() + PATIENCE_MS : end_ms;
    }
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    struct journal_options options = {
        .directory = bridge.directory, .max_bytes = 256 << 20, .read_only = true};
    if (journal_open(&bridge.journal, &options, &error) == OUTCOME_OK) {
        live_check_all_once(bridge.journal, "t", messages);
        journal_close(bridge.journal);
    } else {
        CHECK_TEXT_EQ(error.text, "");
    }
    live_bridge_fini(&bridge);
    live_broker_stop(&broker, SIGTERM);
    free(counts);
}

static void test_kill_qos_1(void)
{
    LIVE_SKIP();
    check_kill(true, 1);
}

static void test_kill_qos_2(void)
{
    LIVE_SKIP();
    check_kill(true, 2);
}

static void test_kill_3_1_1(void)
{
    LIVE_SKIP();
    check_kill(false, 1);
}

UNIT_MAIN("receiver_kill_live", {"kill, qos 1", test_kill_qos_1}, {"kill, qos 2", test_kill_qos_2},
          {"kill, 3.1.1", test_kill_3_1_1})
