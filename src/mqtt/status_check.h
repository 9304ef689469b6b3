/*
 * status_check: does the broker allow the status topic? For `check --broker`.
 *
 * The check does not change the running bridge's retained "online": it connects with the same last
 * will, publishes "check" without retain, and ends the connection with DISCONNECT. With MQTT 3.1.1
 * a broker may confirm and discard a forbidden publication; the check can't see that.
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
