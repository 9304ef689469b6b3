/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_kind.h"

#include <assert.h>

/* Mosquitto's default of max_topic_alias. */
enum { MOSQUITTO_ALIASES = 10 };

static const struct {
    const char *name;
    const char *advice;
} kinds[] = {
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
};

enum broker_kind broker_kind_of(const struct paho_connack *connack, bool mqtt5)
{
    if (!mqtt5) {
        return BROKER_UNKNOWN;
    }
    if (!connack->shared_available) {
        return connack->qos_max == 1 ? BROKER_RABBITMQ : BROKER_EJABBERD;
    }
    if (connack->says_all && connack->qos_max == 2) {
        return BROKER_EMQX;
    }
    return connack->topic_alias_max == MOSQUITTO_ALIASES ? BROKER_MOSQUITTO : BROKER_UNKNOWN;
}

enum broker_kind broker_kind_by_topic(struct slice topic)
{
    if (slice_is(topic, "$SYS/broker/version")) {
        return BROKER_MOSQUITTO;
    }
    return slice_is(topic, "$SYS/brokers") ? BROKER_EMQX : BROKER_UNKNOWN;
}

const char *broker_kind_name(enum broker_kind kind)
{
    assert((size_t) kind < sizeof(kinds) / sizeof(kinds[0]));
    return kinds[kind].name;
}

const char *broker_kind_advice(enum broker_kind kind)
{
    assert((size_t) kind < sizeof(kinds) / sizeof(kinds[0]));
    return kinds[kind].advice;
}
