/*
 * broker_kind: which broker this is, and what must be set there so that it keeps messages for a
 * bridge that is slow or away.
 *
 * No broker says its name in MQTT. With MQTT 5 some brokers can be recognized by the properties in
 * their CONNACK:
 *
 *   broker     shared  CONNACK carries                               known from
 *   RabbitMQ   no      QoS 1, session expiry, topic alias maximum    source: 3.13.7, 4.0.5, 4.3.5
 *   ejabberd   no      session expiry, topic alias maximum,          source; seen with 23.01
 *                      keepalive
 *   EMQX       yes     that retain, wildcards, identifiers and       source: 4.0.4, 4.4.19, 5.8.9,
 *                      shared subscriptions are available; not       6.4
 *                      both keepalive and session expiry
 *   FlashMQ    yes     the same; keepalive and session expiry        source; seen with 1.26.2
 *   NanoMQ     yes     that wildcards, identifiers and shared        source; seen with 0.25.5
 *                      subscriptions are available; not retain
 *   Mosquitto  yes     topic alias maximum 10                        seen with 2.0.11, 2.0.20
 *
 * AWS IoT's CONNACK carries the properties of EMQX's, and QoS 1. Other brokers may send the same
 * properties, and settings change them. So the kind only decides which advice is given. README,
 * "Brokers", has the table for people.
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
    BROKER_FLASHMQ,
    BROKER_NANOMQ,
    BROKER_KINDS,
};

/* With MQTT 3.1.1 always BROKER_UNKNOWN. */
enum broker_kind broker_kind_of(const struct paho_connack *connack, bool mqtt5);

/* The topics of retained messages that some brokers publish about themselves, which also works with
 * MQTT 3.1.1. `index` is below BROKER_KIND_TOPICS. */
#define BROKER_KIND_TOPICS 3
const char *broker_kind_topic(size_t index);

/* The broker that has such a message; BROKER_UNKNOWN for any other topic. */
enum broker_kind broker_kind_by_topic(struct slice topic);

const char *broker_kind_name(enum broker_kind kind);

/* The settings of this broker, for a person. */
const char *broker_kind_advice(enum broker_kind kind);

#endif
