/*
 * The receiver against a real Mosquitto when things go wrong: a full journal, wrong credentials,
 * other URLs, another client with the same id.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/health.h"
#include "live.h"
#include "mqtt/paho_link.h"
#include "mqtt/publisher.h"

/* The number at the front of a payload. */
static int number_of(struct slice payload)
{
    char text[20] = "";
    memcpy(text, payload.data, payload.length < 19 ? payload.length : 19);
    return atoi(text);
}

/* --- the journal is full ---------------------------------------------------------------------- */

static void publish_large(const struct live_broker *broker, int from, int to)
{
    char path[340];
    snprintf(path, sizeof(path), "%s/large", broker->directory);
    for (int i = from; i <= to; i++) {
        FILE *file = fopen(path, "w");
        fprintf(file, "%d %0*d", i, 400000, 0);
        fclose(file);
        const char *const options[] = {"-q", "1", "-t", "t", "-f", path, NULL};
        live_publish_one(broker, options);
    }
}

/* 64 MB of room, 80 MB of messages: it stops, the broker keeps the rest, it goes on; each message
 * once. */
static void test_journal_full(void)
{
    LIVE_SKIP();
    enum { MESSAGES = 200 };
    struct live_broker broker = {0};
    struct live_bridge bridge;
    unsigned seen[MESSAGES + 1] = {0};
    live_begin(&broker, &bridge, true);
    bridge.max_bytes = 64 << 20;
    live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
    metrics_reset();
    live_bridge_start(&bridge);
    LIVE_WAIT(live_connected(), 10);
    live_bridge_stop(
        &bridge); /* the session is there: all at once, so that it overruns the reserve */
    publish_large(&broker, 1, MESSAGES);
    live_bridge_start(&bridge);
    struct health health;
    LIVE_WAIT((health_get(HEALTH_JOURNAL, &health), !health.well), 20);
    LIVE_WAIT(!live_connected(), 20);
    uint64_t full = journal_last(bridge.journal);
    CHECK(full > 50 && full < MESSAGES);
    usleep(500000);
    CHECK_INT_EQ(journal_last(bridge.journal), full); /* it really stays away */

    /* A loader that reads and stores. */
    struct journal_reader *reader = journal_reader_new(bridge.journal);
    struct journal_next next;
    CHECK_INT_EQ(journal_reader_seek(reader, 1, &next.error), OUTCOME_OK);
    unsigned read = 0;
    int64_t end_ms = clock_monotonic_ms() + 30000;
    while (read < MESSAGES && clock_monotonic_ms() < end_ms) {
        if (journal_reader_next(reader, &next) == JOURNAL_READ_MESSAGE) {
            int number = number_of(next.message.payload);
            seen[number >= 1 && number <= MESSAGES ? number : 0]++;
            read++;
            journal_set_stored(bridge.journal, next.message.sequence);
        } else {
            usleep(10000);
        }
    }
    journal_reader_free(reader);
    unsigned wrong = 0;
    for (int i = 1; i <= MESSAGES; i++) {
        wrong += seen[i] != 1;
    }
    CHECK_INT_EQ(wrong, 0);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED),
                 metric_get(METRIC_MESSAGES_DUPLICATE) + metric_get(METRIC_MESSAGES_JOURNALED));
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_JOURNALED), MESSAGES);
    LIVE_WAIT((health_get(HEALTH_JOURNAL, &health), health.well), 10);
    live_end(&broker, &bridge);
}

/* --- cutting ---------------------------------------------------------------------------------- */

struct cutting {
    struct paho_link *link;
    int cut_at; /* number of the message in whose callback the link is cut; 0 = never */
    int first;  /* number of the first message */
    bool first_duplicate;
    int arrived;
};

static void cutting_connected(void *context, struct paho_link *link)
{
    struct cutting *cutting = context;
    cutting->link = link;
}

static void cutting_arrived(void *context, struct message *message)
{
    struct cutting *cutting = context;
    if (cutting->arrived++ == 0) {
        cutting->first = number_of(message->payload);
        cutting->first_duplicate = message->duplicate;
    }
    if (cutting->arrived == cutting->cut_at) {
        paho_link_cut(cutting->link);
    }
}

static struct paho_link *cutting_open(struct cutting *cutting, const struct live_bridge *bridge)
{
    struct paho_link *link = NULL;
    struct error error = {0};
    struct broker_address address;
    struct paho_failure failure;
    struct paho_link_options options = {.broker = &bridge->options,
                                        .client_id = "bridge",
                                        .keepalive_s = 10,
                                        .window = 10,
                                        .context = cutting,
                                        .connected = cutting_connected,
                                        .arrived = cutting_arrived};
    CHECK(broker_address_parse(bridge->urls[0], &address, &error));
    CHECK_INT_EQ(paho_link_open(&link, &options, &address, 10000, &failure), OUTCOME_OK);
    return link;
}

/* What is published while a full journal holds the callback is confirmed all the same:
 * acknowledgments are what makes room. */
static void test_journal_full_holds_nobody(void)
{
    LIVE_SKIP();
    struct live_broker broker = {0};
    struct live_bridge bridge;
    struct error error = {0};
    live_begin(&broker, &bridge, true);
    bridge.max_bytes = 1 << 20;
    live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
    metrics_reset();
    live_bridge_start(&bridge);
    LIVE_WAIT(live_connected(), 10);
    live_bridge_stop(&bridge);
    publish_large(&broker, 1, 6); /* 2.4 MB */
    struct publisher *publisher = publisher_new(&bridge.options, &bridge.place);
    struct publication publication = {.topic = slice_of("ack"), .payload = slice_of("x"), .qos = 1};
    CHECK_INT_EQ(publisher_publish(publisher, &publication, 10000, &error), OUTCOME_OK);
    CHECK_INT_EQ(publisher_flush(publisher, 10000, &error), OUTCOME_OK);

    live_bridge_start(&bridge);
    struct health health = {.well = true};
    int64_t longest_ms = 0;
    int64_t end_ms = clock_monotonic_ms() + 1500;
    while (clock_monotonic_ms() < end_ms ||
           (health.well && clock_monotonic_ms() < end_ms + 20000)) {
        int64_t start_ms = clock_monotonic_ms();
        while (publisher_publish(publisher, &publication, 10000, &error) != OUTCOME_OK ||
               publisher_flush(publisher, 10000, &error) != OUTCOME_OK) {
            CHECK(clock_monotonic_ms() < end_ms + 20000); /* a cut takes this connection too */
        }
        int64_t took_ms = clock_monotonic_ms() - start_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        health_get(HEALTH_JOURNAL, &health);
    }
    CHECK(!health.well);
    CHECK(longest_ms < 4000);
    publisher_free(publisher);
    live_end(&broker, &bridge);
}

/* Cut in the callback of the fifth message: the broker has an answer to four at most, and delivers
 * the rest again. */
static void test_cut(void)
{
    LIVE_SKIP();
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("%s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        live_begin(&broker, &bridge, mqtt5 != 0);
        live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
        live_bridge_start(&bridge);
        LIVE_WAIT(live_connected(), 10);
        live_bridge_stop(&bridge);
        live_publish(&broker, "t", 1, 1, 40);

        struct cutting cutting = {.cut_at = 5};
        struct paho_link *link = cutting_open(&cutting, &bridge);
        LIVE_WAIT(!paho_link_up(link), 20);
        CHECK_INT_EQ(cutting.arrived, 5);
        CHECK_INT_EQ(cutting.first, 1);
        paho_link_close(link);

        cutting = (struct cutting){0};
        link = cutting_open(&cutting, &bridge);
        LIVE_WAIT(cutting.arrived >= 36, 20);
        /* Answers 1 to 4 may be lost as well: closing a socket with unread messages resets the
         * connection. */
        CHECK(cutting.first >= 1 && cutting.first <= 5);
        CHECK(cutting.first_duplicate);
        paho_link_disconnect(link, 2000);
        paho_link_close(link);
        live_bridge_fini(&bridge);
        live_broker_stop(&broker, SIGTERM);
    }
}

/* --- credentials ------------------------------------------------------------------------------ */

static unsigned count_lines(const char *path, const char *part)
{
    char line[2000];
    unsigned count = 0;
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, part) != NULL;
    }
    fclose(file);
    return count;
}

static void test_wrong_password(void)
{
    LIVE_SKIP();
    for (int mqtt5 = 0; mqtt5 < 2; mqtt5++) {
        UNIT_CASE("%s", mqtt5 ? "5" : "3.1.1");
        struct live_broker broker = {0};
        struct live_bridge bridge;
        char extra[400];
        char log[320];
        char command[500];
        snprintf(log, sizeof(log), "%s/log%d", unit_scratch(), mqtt5);
        snprintf(extra, sizeof(extra), "allow_anonymous false\npassword_file %s/passwords\n",
                 unit_scratch());
        snprintf(command, sizeof(command),
                 "mosquitto_passwd -b -c %s/passwords me right 2>/dev/null", unit_scratch());
        CHECK_INT_EQ(system(command), 0);
        live_broker_start(&broker, extra);
        live_bridge_init(&bridge, broker.url, mqtt5 != 0);
        bridge.options.username = "me";
        bridge.options.password = "marker-secret";
        live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);

        int terminal = dup(2);
        int file = open(log, O_CREAT | O_WRONLY | O_TRUNC, 0600);
        dup2(file, 2);
        live_bridge_start(&bridge);
        struct health health;
        LIVE_WAIT((health_get(HEALTH_BROKER, &health), strstr(health.text, "refused") != NULL), 10);
        sleep(11); /* more attempts; and the log counts what repeats within ten seconds */
        receiver_stop(bridge.receiver, 2000);
        journal_close(bridge.journal);
        dup2(terminal, 2);
        CHECK_INT_EQ(count_lines(log, "not authorized"), 1);
        CHECK_INT_EQ(count_lines(log, "marker-secret"), 0);

        bridge.options.password = "right";
        live_bridge_start(&bridge);
        LIVE_WAIT(live_connected(), 10);
        live_end(&broker, &bridge);
    }
}

/* --- URLs ------------------------------------------------------------------------------------- */

static void test_two_urls(void)
{
    LIVE_SKIP();
    struct live_broker brokers[2] = {{0}, {0}};
    struct live_bridge bridge;
    live_broker_start(&brokers[0], "");
    live_broker_start(&brokers[1], "");
    live_broker_stop(&brokers[1], SIGTERM);
    live_bridge_init(&bridge, brokers[0].url, true);
    bridge.urls[1] = brokers[1].url;
    bridge.options.url_count = 2;
    live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
    live_bridge_start(&bridge);
    int at = 0;
    int sent = 0;
    for (int round = 0; round < 6; round++) {
        LIVE_WAIT(live_connected(), 20);
        struct health health;
        health_get(HEALTH_BROKER, &health);
        CHECK(strstr(health.text, brokers[at].url) != NULL);
        live_publish(&brokers[at], "t", 1, sent + 1, sent + 10);
        sent += 10;
        LIVE_WAIT(journal_last(bridge.journal) >= (uint64_t) sent, 10);
        live_broker_stop(&brokers[at], SIGTERM);
        LIVE_WAIT(!live_connected(), 10); /* before there is one that it could be connected to */
        at = 1 - at;
        live_broker_start(&brokers[at], "");
    }
    live_check_all_once(bridge.journal, "t", (unsigned) sent);
    CHECK_INT_EQ(journal_last(bridge.journal),
                 sent); /* a broker that never had a session has lost none */
    live_end(&brokers[at], &bridge);
}

static void test_no_broker(void)
{
    struct live_bridge bridge;
    struct health health;
    char url[60];
    snprintf(url, sizeof(url), "mqtt://127.0.0.1:%d", live_port());
    live_bridge_init(&bridge, url, true);
    live_bridge_start(&bridge);
    LIVE_WAIT(
        (health_get(HEALTH_BROKER, &health), strstr(health.text, "Connection refused") != NULL),
        10);
    live_bridge_stop(&bridge);
    bridge.urls[0] = "mqtt://no-such-host.invalid";
    live_bridge_start(&bridge);
    LIVE_WAIT(
        (health_get(HEALTH_BROKER, &health), strstr(health.text, "no address for host") != NULL),
        20);
    live_bridge_stop(&bridge);
    live_bridge_fini(&bridge);
}

/* --- another client with our id --------------------------------------------------------------- */

static void test_taken_over(void)
{
    LIVE_SKIP();
    struct live_broker broker = {0};
    struct live_bridge bridge;
    struct health health;
    char port[12];
    live_broker_start(&broker, "");
    snprintf(port, sizeof(port), "%d", broker.port);
    live_bridge_init(&bridge, broker.url, true);
    live_want(&bridge, "t", 1, RETAIN_SEND_IF_NEW);
    live_bridge_start(&bridge);
    LIVE_WAIT(live_connected(), 10);
    const char *const arguments[] = {
        "mosquitto_sub", "-h", "127.0.0.1", "-p",   port, "-V",    "5", "-i",
        "bridge",        "-c", "-x",        "3600", "-t", "other", NULL};
    pid_t other = live_spawn(arguments, -1, -1);
    LIVE_WAIT((health_get(HEALTH_BROKER, &health), strstr(health.text, "same client_id") != NULL),
              30);
    usleep(1500000);
    CHECK(!live_connected()); /* no ping-pong */
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    LIVE_WAIT(live_connected(), 20);
    live_end(&broker, &bridge);
}

UNIT_MAIN("receiver_failures_live", {"journal full", test_journal_full},
          {"journal full holds nobody", test_journal_full_holds_nobody}, {"cut", test_cut},
          {"wrong password", test_wrong_password}, {"two urls", test_two_urls},
          {"no broker", test_no_broker}, {"taken over", test_taken_over})
