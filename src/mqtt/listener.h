/*
 * listener: one subscription for commands that show what a broker sends. QoS 0, with retained
 * messages, in a clean session under the given client id, so the broker keeps nothing. Nothing is
 * acknowledged, stored or published.
 *
 * Messages wait in a queue of bounded size. Messages that do not fit are dropped and counted, so
 * the broker never waits for the command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_LISTENER_H
#define MQTT2PG_MQTT_LISTENER_H

#include "mqtt/paho_link.h"

struct listener;

/* Connects to the first URL that answers and subscribes; both are borrowed until the close.
 * `filter` is an MQTT filter. OUTCOME_RETRY with the reason of the last URL. */
enum outcome listener_open(struct listener **listener, const struct broker_options *broker,
                           const char *client_id, const char *filter,
                           struct error *error) MUST_CHECK;
void listener_close(struct listener *listener);

/* Waits at most `milliseconds` for the next message, which is borrowed until the next call. False:
 * none came. One thread. */
bool listener_next(struct listener *listener, int64_t milliseconds, struct message *message);

/* Is the connection still there? Messages received before its end can still be taken. */
bool listener_is_up(struct listener *listener);

uint64_t listener_dropped(struct listener *listener);

#endif
