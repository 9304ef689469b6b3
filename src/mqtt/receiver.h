/*
 * receiver: the receiving half. Keeps a connection to one of the brokers, subscribed as asked, and
 * appends what arrives to the journal.
 *
 *   Paho's receive thread       messageArrived → intake (repeat? journal_append) → return = PUBACK
 *   the receiver's own thread   connects, subscribes, notices loss, backs off, takes the next URL,
 *                               pauses while the journal is crowded
 *
 * Paho acknowledges whatever the callback returns, so intake returns only after a successful
 * append. When there is no room or the disk failed it cuts the socket first: no PUBACK can leave
 * then, and the broker delivers again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_RECEIVER_H
#define MQTT2PG_MQTT_RECEIVER_H

#include "base/outcome.h"
#include "core/subscription.h"
#include "journal/journal.h"
#include "mqtt/broker_options.h"
#include "mqtt/broker_place.h"

struct receiver;

struct receiver_options {
    const struct broker_options *broker;          /* borrowed */
    const struct subscription_set *subscriptions; /* copied */
    struct journal *journal;                      /* borrowed */
    struct broker_place *place;                   /* borrowed; told where the connection is */
    const char *directory; /* borrowed; the journal's: the file "session" lives there */
};

/*
 * Starts connecting. The end of the journal is read to rebuild the redelivery memory. What each
 * broker's session holds (subscriptions, last time connected) is kept in the file "session"
 * (mqtt/session_file.h), so that a restart unsubscribes what is no longer wanted, subscribes what
 * is new, leaves the rest alone, and knows when a session was lost: that is journaled as a gap
 * (core/gap.h, cause "broker session lost"). A crash in the moment between the broker's CONNACK and
 * the gap's record leaves the gap out; the subscriptions are made again in any case.
 *
 * With MQTT 3.1.1 a rule's QoS 2 is subscribed as QoS 1, with a warning: Paho C without its own
 * persistence loses a QoS 2 message when the process dies between PUBREC and PUBREL, while QoS 1
 * and the redelivery memory store each message once.
 */
struct receiver *receiver_start(const struct receiver_options *options);

/* How many of the journal's newest messages the receiver reads at its start to recognize what the
 * broker repeats after a crash. They should stay on disk (journal_options.keep_messages). */
uint64_t receiver_tail(const struct broker_options *broker);

/* Other subscriptions from now on (reload); copies the set. */
void receiver_subscribe(struct receiver *receiver, const struct subscription_set *subscriptions);

/* Publishes "offline", disconnects without ending the session, and frees the receiver. Takes at
 * most `milliseconds`; longer only while a DNS lookup hangs. No message is appended after it has
 * returned. NULL is legal. */
void receiver_stop(struct receiver *receiver, int64_t milliseconds);

#endif
