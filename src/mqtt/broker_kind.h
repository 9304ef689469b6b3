/*
 * broker_kind: which broker this is, and what must be set there so that it keeps messages for a
 * bridge that is slow or away.
 *
 * No broker says its name in MQTT. CONNACK of MQTT 5 betrays some: what they say although it is the
 * default, and what they lack (seen: Mosquitto 2.0, ejabberd 23.01; from the source: EMQX 5.8,
 * RabbitMQ 4.0). It is good for advice and for nothing else. README, "Brokers", has the table for
 * people.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_BROKER_KIND_H
#define MQTT2PG_MQTT_BROKER_KIND_H

#include "base/slice.h"
#include "mqtt/paho_link.h"

enum broker_kind {
    BROKER_UNKNOWN,
    BROKER_EMQX,
    BROKER_MOSQUITTO,
    BROKER_RABBITMQ,
    BROKER_EJABBERD,
};

/* With MQTT 3.1.1 always BROKER_UNKNOWN. */
enum broker_kind broker_kind_of(const struct paho_connack *connack, bool mqtt5);

/* By a retained message of `$SYS/broker/version` (Mosquitto) or `$SYS/brokers` (EMQX). */
enum broker_kind broker_kind_by_topic(struct slice topic);

const char *broker_kind_name(enum broker_kind kind);

/* The settings of this broker, for a person. */
const char *broker_kind_advice(enum broker_kind kind);

#endif
