/*
 * intake: handles a message inside Paho's callback: journals it, recognizes it as a repeat, or
 * refuses it.
 *
 * When intake_take() returns INTAKE_JOURNALED or INTAKE_DUPLICATE, Paho may acknowledge the
 * message. Before INTAKE_REFUSED the connection was cut, so that no acknowledgment can leave. Then
 * every message is refused until the next intake_connected(): messages in Paho's buffers must not
 * overtake the refused one.
 *
 * When the journal has no room, intake waits and then cuts the connection. All waits of one
 * connection together take `wait_ms` at most, because they hold Paho's threads: neither PINGREQ
 * nor acknowledgments move meanwhile. When the disk fails, intake cuts the connection and asks the
 * process to stop. A QoS 2 message of MQTT 3.1.1 is never refused: Paho hands it over at PUBREL,
 * when the broker has forgotten it already. Intake holds such a message until there is room or the
 * process stops.
 *
 * With MQTT 3.1.1 intake also leaves out second copies while subscriptions change (mqtt/handover).
 *
 * Only a broker of MQTT 3.1.1 sends a message larger than max_packet. Intake journals the head of
 * such a message and lets Paho acknowledge it: a refused message would come again for ever.
 *
 * Intake counts METRIC_MESSAGES_RECEIVED, _DUPLICATE, _UNMARKED and _JOURNALED. It does not count a
 * refused message, which will come again, nor a gap.
 *
 * Threads: intake_connected() and intake_take() run in Paho's receive thread only (so the journal
 * has one appender).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_INTAKE_H
#define MQTT2PG_MQTT_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/message.h"
#include "core/subscription.h"
#include "journal/journal.h"

struct intake_options {
    struct journal *journal;  /* borrowed */
    size_t window;            /* of the redelivery memory, messages */
    int64_t max_packet_bytes; /* larger messages are cut (message_cut()); 0 = no limit */
    int64_t wait_ms;          /* how long the callbacks of one connection may wait for room */
    bool mqtt5;
    /* Shuts the connection down: when it returns, no acknowledgment can leave. */
    void (*cut)(void *context);
    void *context; /* of `cut` */
};

enum intake_verdict { INTAKE_JOURNALED, INTAKE_DUPLICATE, INTAKE_REFUSED };

struct intake;

/* How many of the journal's newest messages are read to rebuild a redelivery memory of this
 * size. */
uint64_t intake_tail(size_t window);

/* Rebuilds the redelivery memory for `broker` (mqtt/redelivery.h), from the end of the journal and
 * from its notes on messages that it had to delete. */
struct intake *intake_new(const struct intake_options *options, uint8_t broker);
void intake_free(struct intake *intake); /* NULL is legal */

struct intake_session {
    uint8_t broker; /* core/message.h */
    bool present;
    bool lost;            /* the session was expected and is not present: a gap is journaled */
    bool perhaps_lost;    /* the session is present, but may be a new one: a gap is journaled */
    bool marks_repeats;   /* its broker has set DUP, perhaps for an earlier process */
    int64_t last_seen_us; /* when the expected session was last seen; 0 = not known */
    /* MQTT 3.1.1. Borrowed; all filters that the session holds or will hold, if some of them will
     * be unsubscribed or `left_between` is set. Otherwise NULL or empty. */
    const struct subscription_set *changing;
    bool left_between; /* the broker's queue may hold copies already: struct session, `doubled` */
};

/* To be called before the first message of a connection. */
void intake_connected(struct intake *intake, const struct intake_session *session);

/* Sets message->sequence when it was journaled. */
enum intake_verdict intake_take(struct intake *intake, struct message *message);

/* MQTT 3.1.1: subscriptions change. _begin() is called before the first SUBSCRIBE, _end() after the
 * last UNSUBACK (mqtt/handover). Any thread. */
void intake_handover_begin(struct intake *intake, const struct subscription_set *filters);
void intake_handover_end(struct intake *intake);

/* May the broker still send copies from a time in which subscriptions changed? Any thread. */
bool intake_sees_copies(struct intake *intake);

/* Has the broker of the connection set DUP in its session? Any thread. */
bool intake_marks_repeats(const struct intake *intake);

/* From now on a message without room is refused at once and does not wait. Any thread. */
void intake_stop(struct intake *intake);

#endif
