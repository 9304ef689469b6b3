/*
 * subscriber: an ordinary Paho C client (MQTTAsync, MQTT 5) with the bridge's own settings: client
 * identifier with a session that lasts, receive maximum 1000, keepalive 30 s, no persistence. What
 * both the counting subscriber and the plain bridge stand on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BENCH_SUBSCRIBER_H
#define MQTT2PG_BENCH_SUBSCRIBER_H

#include <MQTTAsync.h>
#include <stdbool.h>

/* Called in Paho's thread for each message; takes message and topic. When it has returned, Paho
 * sends the PUBACK. */
typedef void subscriber_take(void *context, MQTTAsync_message *message, char *topic);

struct subscriber;

/* Connects to 127.0.0.1, subscribes to "fleet/+/telemetry" with QoS 1 and waits for the answer.
 * Ends the program when that fails. */
struct subscriber *subscriber_start(int port, const char *client_id, subscriber_take *take,
                                    void *context);

/* Disconnects; the session stays. */
void subscriber_stop(struct subscriber *subscriber);

#endif
