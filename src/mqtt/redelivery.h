/*
 * redelivery: recognizes the messages that the broker repeats because it never got our PUBACK or
 * PUBREC.
 *
 * When a broker repeats. MQTT 5.0 (section 4.4) allows a repeat only when a session goes on with a
 * new connection: with DUP set and with the packet id of the first delivery [MQTT-4.4.0-1]. Brokers
 * for MQTT 3.1.1 may also repeat on the same connection after a while (EMQX 4.x and 5.0 to 5.7
 * after 30 s, NanoMQ after 10 s). A broker repeats messages that we did not answer, and messages
 * whose answer the broker did not read. The journal has some of these messages (the process ended
 * or the connection broke between the append and the broker's reading of the answer); others never
 * reached us.
 *
 * What can be repeated. We answer in the order of arrival, and a broken TCP connection loses only
 * the last answers. The open messages are therefore the last messages of a connection, and those
 * that were open before it and were not repeated on it. This module remembers the last `window`
 * messages in the order of their first arrival. A broker may repeat the same message again on each
 * new connection. Not all brokers keep to our receive maximum (mqtt/receiver.c), so the window must
 * be larger than the number of messages that such a broker leaves open.
 *
 * A QoS 1 message with DUP is a repeat when one of three rules holds:
 *   1. The newest delivery with its packet id came on this connection and had the same topic and
 *      payload. (A new message has no DUP, and its id was not free before our PUBACK.)
 *   2. The session goes on, and the newest delivery with its packet id, from any broker or from
 *      this one, came on an earlier connection and had the same topic and payload. Only the newest
 *      delivery counts: a broker gives an id to another message only after the acknowledgment of
 *      the first one. Mosquitto and EMQX count their ids up to 65,535 and start again. When an
 *      identical message comes that never reached us, the former message with its id is therefore
 *      at least half a round old (32,768 messages of its broker) or forgotten, and no repeat is
 *      assumed. The exception: Mosquitto, restarted with a long queue, gives single new messages
 *      ids that are still open. A message that the broker repeats on a connection is remembered
 *      when its id then comes with another message, unless the broker reuses ids soon.
 *   3. The session goes on, and the broker numbers every connection anew (RabbitMQ 3.10, against
 *      the standard, repeats A=1 C=3 D=4 as A=1 C=2 D=3). We assume this only while the deliveries
 *      of this connection came numbered 1, 2, 3 without exception, and no id came twice on one
 *      connection. Then topic, payload and order decide: the candidates are the messages behind the
 *      last one that was repeated.
 *
 * A QoS 1 message without DUP is a repeat (FlashMQ and aedes never set DUP, against
 * [MQTT-3.3.1-1]) when rule 2 holds for it and
 *   - no new message came before it on this connection: a broker sends repeats first;
 *   - it came at most 5 s after the message before it, or after CONNACK: a broker repeats at once;
 *   - this broker has never set DUP in this session (the file "session" keeps that over a restart)
 *     and has never used an id again after a few messages; and
 *   - the connection's ids do not begin with 1, 2, 3: a broker that numbers each connection anew
 *     gives an equal message the id of an older one without repeating anything.
 *
 * A QoS 2 message is a repeat when rule 2 holds for it, with or without DUP, because Paho C hides
 * DUP (MQTTAsyncUtils.c, Protocol_processPublication). Until the first new message of the
 * connection, rule 2 holds for any id: a broker sends repeats first and new messages afterwards
 * (Mosquitto: 100 of 100 reconnects under load). After the first new message, rule 2 holds only for
 * ids that are not ahead of the highest id of the earlier connections, because new messages get ids
 * ahead of it, also when the ids start again at 1. (Mosquitto, restarted with a long queue, has
 * thousands of messages under way and mixes new messages with its repeats.)
 *
 * Never a repeat: a QoS 0 message; and, except by rule 1, a message of a connection without
 * session.
 *
 * Some cases can't be decided. The errors that this module makes: an identical message is missing
 * when
 *   - a broker uses a packet id again at once (lowest free id), two messages with the same topic
 *     and payload follow each other, and the connection breaks before the second one arrives: the
 *     second one is taken for a repeat of the first. With QoS 2 the same holds for the first
 *     message after a reconnect that is identical to the last message before it; with QoS 1 within
 *     5 s after the reconnect, for a broker of which only that message is known. Timestamps or
 *     counters in payloads avoid this;
 *   - a broker comes back with an old snapshot before the first repeat of its session, so that
 *     nobody knows that it sets DUP, and within 5 s gives ids again to messages that are identical
 *     to those that had these ids. METRIC_MESSAGES_UNMARKED counts the repeats that were recognized
 *     without DUP;
 *   - a broker numbers anew, and a message that was lost on its way is identical to an open one.
 * A repeat is stored twice when
 *   - a broker uses an id again that is still open (Mosquitto after 65,535 messages without our
 *     acknowledgment, and for single messages after its restart), and the process is restarted, or
 *     the broker has not yet repeated the first message on that connection;
 *   - the message is more than `window` messages or half a round old;
 *   - the repeat has no DUP and comes behind new messages (aedes: one in nine);
 *   - the repeat is QoS 2 and comes behind new messages, from a broker that uses ids again;
 *   - the repeat has a new id and no DUP (EMQX 5.9 to 6.3, for some messages at a reconnect).
 *
 * Several brokers (a list of URLs) have sessions of their own and use the same packet ids. `broker`
 * is the number of the broker that a message came from (core/message.h); the journal keeps that
 * number. In a cluster a session may move to another broker, so the newest delivery of any broker
 * is a candidate, too. Forgetting concerns one broker.
 *
 * A broker that was killed may come back with an older session (Mosquitto and FlashMQ: up to half
 * an hour old). The messages that it had queued since then are gone, although it says that the
 * session is present. For a broker that numbers in order (its last eight deliveries did), the
 * packet ids show this: the id of the connection's first new message is not ahead of the last one
 * of these.
 *
 * Pure; one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_REDELIVERY_H
#define MQTT2PG_MQTT_REDELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/message.h"

struct redelivery;

/* Remembers the last `window` QoS 1 and 2 messages. Starts in a connection with session to broker
 * 0, which stands for an unknown broker. */
struct redelivery *redelivery_new(size_t window);
void redelivery_free(struct redelivery *redelivery); /* NULL is legal */

/* Remembers a message that is in the journal. A start calls this for the messages at the journal's
 * end. Broker 0 means the connected broker. */
void redelivery_remember(struct redelivery *redelivery, const struct message *message);

/* Remembers a message that the journal has deleted, by its hash (core/message.h). */
void redelivery_remember_hash(struct redelivery *redelivery, uint8_t broker, uint16_t packet_id,
                              uint64_t hash);

/* Forgets this broker's messages: it has lost its session and never repeats them. 0 means the
 * connected broker. */
void redelivery_forget(struct redelivery *redelivery, uint8_t broker);

/* Begins a connection, made at `now_us`. `session_present` false: the broker has no session, so its
 * messages are forgotten and only rule 1 can find a repeat. */
void redelivery_connected(struct redelivery *redelivery, uint8_t broker, bool session_present,
                          int64_t now_us);

/* Has the broker of this connection set DUP in this session? The caller keeps the answer over a
 * restart. */
bool redelivery_marks(const struct redelivery *redelivery);

/* Notes, after a restart and redelivery_connected(), that redelivery_marks() was true. */
void redelivery_note_marks(struct redelivery *redelivery);

enum redelivery_verdict {
    REDELIVERY_NEW,      /* the caller journals the message and calls redelivery_remember() */
    REDELIVERY_REPEAT,   /* the message was journaled before */
    REDELIVERY_UNMARKED, /* a repeat with QoS 1 and without DUP */
};

/* Decides whether a message that has just arrived was journaled before. */
enum redelivery_verdict redelivery_judge(struct redelivery *redelivery,
                                         const struct message *message);

/* Asserts the invariants of redelivery.c. For tests, because it reads the whole window. */
void redelivery_check(const struct redelivery *redelivery);

/* After REDELIVERY_NEW: does this message show that the broker came back with an older session?
 * True at most once a connection. */
bool redelivery_went_back(const struct redelivery *redelivery);

#endif
