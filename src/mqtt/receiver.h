/*
 * receiver: the half that receives. Keeps a connection to one of the brokers, subscribes, and
 * appends the messages that arrive to the journal.
 *
 *   Paho's receive thread       messageArrived → intake (repeat? journal_append) → return = PUBACK
 *   the receiver's own thread   connects, subscribes, notices loss, backs off, takes the next URL,
 *                               pauses while the journal is crowded
 *
 * Paho acknowledges whatever the callback returns, so intake returns only after a successful
 * append. When the journal has no room or the disk failed, intake cuts the socket first: then no
 * PUBACK can leave, and the broker delivers again.
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
    /* borrowed; the receiver writes where it is connected */
    struct broker_place *place;
    const char *directory; /* borrowed; the journal's: the file "session" lives there */
};

/*
 * Starts connecting. Reads the end of the journal to rebuild the redelivery memory. The file
 * "session" (mqtt/session_file.h) keeps what each broker's session holds (subscriptions, time of
 * the last connection). So a restart unsubscribes filters that are no longer wanted, subscribes new
 * ones and leaves the others alone; and it notices a lost session, which is journaled as a gap
 * (core/gap.h, cause "broker session lost"). After a crash between CONNACK and the gap's record the
 * gap may be missing, but the subscriptions are made again.
 *
 * With MQTT 3.1.1 a rule's QoS 2 is subscribed as QoS 1, with a warning: Paho C without its own
 * persistence loses a QoS 2 message when the process dies between PUBREC and PUBREL, while QoS 1
 * and the redelivery memory store each message once.
 */
struct receiver *receiver_start(const struct receiver_options *options);

/* How many of the journal's newest messages the receiver reads at its start, to recognize repeats
 * after a crash. These messages should stay on disk (journal_options.keep_messages). */
uint64_t receiver_tail(const struct broker_options *broker);

/* Changes the subscriptions (reload); copies the set. */
void receiver_subscribe(struct receiver *receiver, const struct subscription_set *subscriptions);

/* Publishes "offline", disconnects without ending the session, and frees the receiver. Takes at
 * most `milliseconds`; longer only while a DNS lookup hangs. No message is appended after it has
 * returned. NULL is legal. */
void receiver_stop(struct receiver *receiver, int64_t milliseconds);

#endif
