/*
 * status_check: does the broker allow the status topic? For `check --broker`.
 *
 * The running bridge's retained "online" stays as it is: the check makes a connection with the same
 * last will, ends it with DISCONNECT, and publishes "check" without retain. A broker that discards
 * a forbidden publication and confirms it (MQTT 3.1.1 has no other way) goes unnoticed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_STATUS_CHECK_H
#define MQTT2PG_MQTT_STATUS_CHECK_H

#include "mqtt/broker_options.h"

/* Connects to a broker that has just accepted `client_id` without a last will. NULL: the topic is
 * allowed, or none is configured. Otherwise what is refused and why, for a person; the caller frees
 * the text. */
char *status_check(const struct broker_options *broker, const char *url, const char *client_id);

#endif
