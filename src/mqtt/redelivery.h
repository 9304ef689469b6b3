/*
 * redelivery: recognises what the broker repeats because it never got our PUBACK or PUBREC.
 *
 * When it happens. A broker repeats a QoS 1 or 2 PUBLISH only when a session goes on with a new
 * connection (MQTT 5.0, 4.4), with DUP set and with the packet id of the first delivery
 * [MQTT-4.4.0-1]. What it repeats is what we did not answer or whose answer it did not read. Some
 * of that is in the journal (we died or were cut between the append and the broker's reading of the
 * answer), some never reached us.
 *
 * What can be repeated. We answer in the order of arrival and TCP cuts off only an end, so what is
 * open when a connection ends is the end of what was delivered on it, and what was open before and
 * not repeated on it. The memory is therefore the last `window` messages, in the order of their
 * first arrival. A repeat may be repeated again on the next connection. How many may be open is the
 * broker's affair: it need not keep to our receive maximum (mqtt/receiver.c), so the window is
 * better too large.
 *
 * A QoS 1 message is a repeat when it has DUP, its session goes on, and
 *   1. the newest delivery with its packet id, or the newest of those by this broker, came on an earlier connection and had the same topic and payload. Only the newest counts: a
 *      broker gives an id to another message only after the first one's acknowledgment. Mosquitto and EMQX number round
 *      and round through 65,535, so an identical message that never reached us has an id that the memory does not know: it is new. Or
 *   2. the broker numbers every connection anew (RabbitMQ 3.10, against the standard, redelivers A=1 C=3 D=4 as A=1 C=2 D=3). That is taken
 *      for granted only while the deliveries of this connection came numbered 1, 2, 3 without exception, and no id came twice on one connection. Then
 *      topic and payload alone decide, and order: only a message behind the last one that was repeated is a candidate.
 *
 * QoS 2. Paho C hides DUP (MQTTAsyncUtils.c, Protocol_processPublication). So rule 1 without DUP,
 * until the first message of the connection that is new: a broker repeats first and sends new ones
 * then (Mosquitto: 100 of 100 reconnects under load). From there on only for ids that were given
 * before the highest one of the connections before: new messages get ids ahead of it, also when they
 * go round. (Mosquitto, restarted with a long queue, has thousands under way, and lets new ones in
 * between when it repeats them.)
 *
 * What is never a repeat: a message of a connection without session, a QoS 0 message, a QoS 1
 * message without DUP (also when it equals an earlier one in every byte and its id: after a crash
 * with an old snapshot Mosquitto gives ids again), and one that equals a delivery of its own
 * connection.
 *
 * What remains undecidable, and which way it errs:
 *   - a broker that reuses a packet id at once (lowest free id), two messages with the same topic and payload one after the other, and the connection
 *     breaks before the second one arrives: it is taken for a repeat of the first, that is, an identical message is missing. QoS 2: the same for a
 *     first message after a reconnect that is identical to the last one before it. Timestamps or counters in payloads avoid it.
 *   - a broker that numbers anew: a message lost on its way and identical to one that is open is taken for its repeat.
 *   - a broker that reuses an id that is still open (Mosquitto after 65,535 messages without our acknowledgment), repeats of a
 *     message that is more than `window` messages old, QoS 2 repeats after new messages from a broker that reuses ids: stored twice.
 *
 * Several brokers (a list of URLs) have sessions of their own, and give the same packet ids;
 * `broker` is any small number for each. In a cluster a session may move from one to the other, so
 * the newest delivery of all of them is a candidate, too; forgetting goes by broker. The journal
 * does not tell which broker a message came from: after a restart all of it is taken for one's, and
 * what one of several that are no cluster repeats may be stored twice, when another has given its
 * ids since.
 *
 * Pure; one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_REDELIVERY_H
#define MQTT2PG_MQTT_REDELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/message.h"

struct redelivery;

/* Remembers the last `window` QoS 1 and 2 messages. At first it is in a connection with session to
 * broker 0. */
struct redelivery *redelivery_new(size_t window);
void redelivery_free(struct redelivery *redelivery); /* NULL is legal */

/* A message that is in the journal; also used to rebuild the memory from the journal's tail at
 * start. */
void redelivery_remember(struct redelivery *redelivery, const struct message *message);

/* The same of one that has been deleted, by its hash (core/message.h). */
void redelivery_remember_hash(struct redelivery *redelivery, uint16_t packet_id, uint64_t hash);

/* A connection was made. `session_present` false: this broker has forgotten, nothing is a
 * repeat. */
void redelivery_connected(struct redelivery *redelivery, unsigned broker, bool session_present);

/* Has this message, which just came, been journaled on an earlier connection? If not
 * the caller journals it and calls redelivery_remember(). */
bool redelivery_is_repeat(struct redelivery *redelivery, const struct message *message);

#endif
