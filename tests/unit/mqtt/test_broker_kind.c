/*
 * Which broker a CONNACK shows: what each broker says in it, from its source or as it was seen
 * (src/mqtt/broker_kind.h), and what others say that look alike.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/broker_kind.h"

#include "unit.h"

#define NOT_SAID (-1)

static const struct {
    const char *name;
    bool shared, identifiers, says_retain, says_subscriptions;
    int qos, aliases, keepalive, expiry;
    enum broker_kind kind;
} cases[] = {
    {"EMQX 5.8.9", true, true, true, true, 2, 65535, NOT_SAID, NOT_SAID, BROKER_EMQX},
    {"EMQX with server_keepalive", true, true, true, true, 2, 65535, 60, NOT_SAID, BROKER_EMQX},
    {"EMQX 6.4 with a shorter session", true, true, true, true, 2, 65535, NOT_SAID, 7200,
     BROKER_EMQX},
    {"FlashMQ 1.26.2", true, true, true, true, 2, 0, 30, 604800, BROKER_FLASHMQ},
    {"NanoMQ 0.25.5", true, true, false, true, 2, 0, NOT_SAID, 604800, BROKER_NANOMQ},
    {"AWS IoT", true, true, true, true, 1, 8, 30, 3600, BROKER_UNKNOWN},
    {"Mosquitto 2.0", true, true, false, false, 2, 10, NOT_SAID, NOT_SAID, BROKER_MOSQUITTO},
    {"RabbitMQ 4.0.5", false, true, false, false, 1, 16, NOT_SAID, 86400, BROKER_RABBITMQ},
    {"ejabberd 23.01", false, true, false, false, 2, 100, 30, 604800, BROKER_EJABBERD},
    {"Zotonic", false, false, false, false, 2, NOT_SAID, 30, 600, BROKER_UNKNOWN},
    {"no shared subscriptions, else nothing", false, true, false, false, 2, NOT_SAID, NOT_SAID,
     NOT_SAID, BROKER_UNKNOWN},
    {"nothing said", true, true, false, false, 2, NOT_SAID, NOT_SAID, NOT_SAID, BROKER_UNKNOWN},
};

static void test_connack(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].name);
        const struct paho_connack connack = {.shared_available = cases[i].shared,
                                             .identifiers_available = cases[i].identifiers,
                                             .says_retain = cases[i].says_retain,
                                             .says_subscriptions = cases[i].says_subscriptions,
                                             .qos_max = cases[i].qos,
                                             .topic_alias_max = cases[i].aliases,
                                             .keepalive_s = cases[i].keepalive,
                                             .session_expiry_s = cases[i].expiry};
        CHECK_TEXT_EQ(broker_kind_name(broker_kind_of(&connack, true)),
                      broker_kind_name(cases[i].kind));
        CHECK_INT_EQ(broker_kind_of(&connack, false), BROKER_UNKNOWN);
    }
}

static void test_words(void)
{
    for (int kind = 0; kind < BROKER_KINDS; kind++) {
        CHECK(broker_kind_name((enum broker_kind) kind)[0] != '\0');
        CHECK(broker_kind_advice((enum broker_kind) kind)[0] != '\0');
    }
    for (size_t i = 0; i < BROKER_KIND_TOPICS; i++) {
        CHECK(broker_kind_by_topic(slice_of(broker_kind_topic(i))) != BROKER_UNKNOWN);
    }
    CHECK_INT_EQ(broker_kind_by_topic(slice_of("$SYS/broker")), BROKER_UNKNOWN);
}

UNIT_MAIN("broker_kind", {"connack", test_connack}, {"words", test_words})
