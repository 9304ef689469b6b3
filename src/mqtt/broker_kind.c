/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_kind.h"

#include <assert.h>

/* Mosquitto's default of max_topic_alias. */
enum { MOSQUITTO_ALIASES = 10 };

static const struct {
    const char *name;
    const char *advice;
} kinds[BROKER_KINDS] = {
    [BROKER_UNKNOWN] = {"a broker", "EMQX: mqtt.max_mqueue_len and force_shutdown, with MQTT 3.1.1 "
                                    "mqtt.session_expiry_interval; Mosquitto: max_queued_messages "
                                    "and persistence; others: README, \"Brokers\""},
    [BROKER_EMQX] = {"EMQX", "mqtt.max_mqueue_len = 1000000, mqtt.max_inflight = 1000, "
                             "force_shutdown.max_heap_size = 4GB, "
                             "force_shutdown.max_mailbox_size = 1000000"},
    [BROKER_MOSQUITTO] = {"Mosquitto",
                          "max_queued_messages 0, persistence true, autosave_interval 10, "
                          "max_inflight_messages 1000, set_tcp_nodelay true"},
    [BROKER_RABBITMQ] = {"RabbitMQ", "mqtt.max_session_expiry_interval_seconds = 604800"},
    [BROKER_EJABBERD] = {"ejabberd", "max_queue: 1000000 and session_expiry of mod_mqtt"},
    [BROKER_FLASHMQ] = {"FlashMQ", "max_qos_msg_pending_per_client 65535, "
                                   "max_qos_bytes_pending_per_client 1000000000"},
    [BROKER_NANOMQ] = {"NanoMQ",
                       "nothing helps: NanoMQ loses messages for a bridge that is away or "
                       "connects again (seen with 0.25.3 and 0.25.5)"},
};

/* The brokers without shared subscriptions. */
static enum broker_kind kind_without_shared(const struct paho_connack *connack)
{
    bool expiry = connack->session_expiry_s >= 0;
    bool keepalive = connack->keepalive_s >= 0;
    if (!expiry || connack->topic_alias_max < 0 || !connack->identifiers_available) {
        return BROKER_UNKNOWN;
    }
    if (connack->qos_max == 1) {
        return keepalive ? BROKER_UNKNOWN : BROKER_RABBITMQ;
    }
    return keepalive ? BROKER_EJABBERD : BROKER_UNKNOWN;
}

enum broker_kind broker_kind_of(const struct paho_connack *connack, bool mqtt5)
{
    if (!mqtt5) {
        return BROKER_UNKNOWN;
    }
    if (!connack->shared_available) {
        return kind_without_shared(connack);
    }
    if (connack->says_subscriptions && !connack->says_retain) {
        return BROKER_NANOMQ;
    }
    if (connack->says_subscriptions && connack->qos_max == 2) {
        return connack->keepalive_s >= 0 && connack->session_expiry_s >= 0 ? BROKER_FLASHMQ
                                                                           : BROKER_EMQX;
    }
    return connack->topic_alias_max == MOSQUITTO_ALIASES ? BROKER_MOSQUITTO : BROKER_UNKNOWN;
}

static const struct {
    const char *topic;
    enum broker_kind kind;
} topics[BROKER_KIND_TOPICS] = {
    {"$SYS/broker/version", BROKER_MOSQUITTO},
    {"$SYS/brokers", BROKER_EMQX},
    {"$SYS/broker/clients/mqttconnects/total", BROKER_FLASHMQ},
};

const char *broker_kind_topic(size_t index)
{
    assert(index < BROKER_KIND_TOPICS);
    return topics[index].topic;
}

enum broker_kind broker_kind_by_topic(struct slice topic)
{
    for (size_t i = 0; i < BROKER_KIND_TOPICS; i++) {
        if (slice_is(topic, topics[i].topic)) {
            return topics[i].kind;
        }
    }
    return BROKER_UNKNOWN;
}

const char *broker_kind_name(enum broker_kind kind)
{
    assert(kind < BROKER_KINDS);
    return kinds[kind].name;
}

const char *broker_kind_advice(enum broker_kind kind)
{
    assert(kind < BROKER_KINDS);
    return kinds[kind].advice;
}
