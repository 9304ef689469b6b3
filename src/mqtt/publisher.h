/*
 * publisher: publishes acknowledgments over a connection of its own, so that they never wait in
 * front of PUBACKs.
 *
 * Its client id is the bridge's with "-ack" behind it, and its session is clean: the broker keeps
 * nothing of it. Connects on first use or ahead of it, and again after a loss, with backoff. Of
 * several URLs it uses the one that the receiver uses (mqtt/broker_place). One thread.
 *
 * A publication that the broker refuses for good (PUBACK "not authorized", MQTT 5) is logged and
 * counts as confirmed; publishing it again would refuse it again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PUBLISHER_H
#define MQTT2PG_MQTT_PUBLISHER_H

#include "base/outcome.h"
#include "mqtt/broker_options.h"
#include "mqtt/broker_place.h"
#include "mqtt/paho_link.h"

struct publisher;

/* Borrows both; not NULL. */
struct publisher *publisher_new(const struct broker_options *options,
                                const struct broker_place *receiving);
void publisher_free(struct publisher *publisher); /* NULL is legal */

/* Ends an attempt to connect; none is made after it. Any thread. */
void publisher_cancel(struct publisher *publisher);

/*
 * Connects ahead of the first publication, when there is no connection and the time of the next
 * attempt has come. False: there is none; *error is only set after an attempt (the caller clears it
 * before). A lost connection is made again only when the receiving one is up: while one connection
 * is at rest, Paho (1.3.12) looks at a second one only when its poll() of a second is over, which
 * makes the second connection take two seconds.
 */
bool publisher_keep_connected(struct publisher *publisher, struct error *error);

/* Connects if needed, waits for a place in the window (at most `milliseconds`, and as long again
 * for the connection) and hands the message to Paho. OUTCOME_RETRY: not now, and everything since
 * the last successful flush counts as not published: publish it again. OUTCOME_REJECT: this one can
 * never be published; the others are not touched by that. */
enum outcome publisher_publish(struct publisher *publisher, const struct publication *publication,
                               int64_t milliseconds, struct error *error) MUST_CHECK;

/* Waits until everything handed over is confirmed by the broker (QoS 0: written). OUTCOME_RETRY as
 * above. */
enum outcome publisher_flush(struct publisher *publisher, int64_t milliseconds,
                             struct error *error) MUST_CHECK;

/* After OUTCOME_RETRY: has the connection ended with something under way? Else there was none, or
 * the broker did not answer. */
bool publisher_lost(const struct publisher *publisher);

#endif
