/*
 * publisher: publishes acknowledgments over a connection of its own, so that PUBACKs never wait
 * behind them.
 *
 * Its client id is the bridge's with "-ack" behind it, and its session is clean: the broker keeps
 * nothing for it. The publisher connects at its first use or ahead of it, and again after a loss,
 * with backoff. Of several URLs it uses the receiver's (mqtt/broker_place). One thread.
 *
 * A publication that the broker refuses for good (PUBACK "not authorized", MQTT 5) is logged and
 * counts as confirmed: the broker would refuse it again.
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

/* Ends an attempt to connect; later ones are not made. Any thread. */
void publisher_cancel(struct publisher *publisher);

/*
 * Connects ahead of the first publication, when there is no connection and the time of the next
 * attempt has come. False: there is none; *error is only set after an attempt (the caller clears it
 * before). After a first attempt it connects only while the receiving connection is up: the
 * receiver connects first.
 */
bool publisher_keep_connected(struct publisher *publisher, struct error *error);

/* Connects if needed, waits for a place in the window (at most `milliseconds`, and as long again
 * for the connection) and hands the message to Paho. OUTCOME_RETRY: not now; all publications since
 * the last successful flush count as not published and must be published again. OUTCOME_REJECT:
 * this publication can never be published; the others are not affected. */
enum outcome publisher_publish(struct publisher *publisher, const struct publication *publication,
                               int64_t milliseconds, struct error *error) MUST_CHECK;

/* Waits until everything handed over is confirmed by the broker (QoS 0: written). OUTCOME_RETRY as
 * above. */
enum outcome publisher_flush(struct publisher *publisher, int64_t milliseconds,
                             struct error *error) MUST_CHECK;

/* After OUTCOME_RETRY: has the connection ended with publications under way? If not, there was no
 * connection, or the broker did not answer. */
bool publisher_lost(const struct publisher *publisher);

#endif
