/*
 * listener: one subscription that shows what a broker sends, for commands. QoS 0, with retained
 * messages, in a clean session under the given client id, so nothing stays in the broker. Nothing
 * is acknowledged, stored or published.
 *
 * Messages wait in a queue of bounded size; what does not fit is dropped and counted, so that the
 * broker never waits for us.
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

/* The next message, waiting for it at most `milliseconds`; borrowed until the next call. False:
 * none came. One thread. */
bool listener_next(struct listener *listener, int64_t milliseconds, struct message *message);

/* Is the connection still there? What was received before can be taken all the same. */
bool listener_is_up(struct listener *listener);

uint64_t listener_dropped(struct listener *listener);

#endif
