/*
 * redelivery: recognizes what the broker repeats because it never got our PUBACK or PUBREC.
 *
 * When a broker repeats. MQTT 5.0 (section 4.4) allows it only when a session goes on with a new
 * connection: with DUP set and with the packet id of the first delivery [MQTT-4.4.0-1]. Brokers for
 * MQTT 3.1.1 may also repeat on the same connection after a while (EMQX 4.x and 5.0 to 5.7 after 30
 * s, NanoMQ after 10 s). A broker repeats what we did not answer or whose answer it did not read.
 * Some of that is in the journal (we died or were cut between the append and the broker's reading
 * of the answer), some never reached us.
 *
 * What can be repeated. We answer in the order of arrival and TCP cuts off only an end. Open
 * messages are therefore the end of what was delivered on a connection, and what was open before
 * and not repeated on it. The memory holds the last `window` messages in the order of their first
 * arrival. A repeat may be repeated again on the next connection. Not all
 * brokers keep to our receive maximum (mqtt/receiver.c), so more messages may be open than we asked
 * for, and the window must be larger than that.
 *
 * A QoS 1 message with DUP is a repeat when
 *   1. the newest delivery with its packet id came on this connection and had the same topic and
 *      payload: a new message has no DUP, and its id was not free before our PUBACK; or
 *   2. its session goes on, and the newest delivery with its packet id, or the newest of those by
 *      this broker, came on an earlier connection and had the same topic and payload. Only the
 *      newest counts: a broker gives an id to another message only after the first one's
 *      acknowledgment. Mosquitto and EMQX number round and round through 65,535, so an identical
 *      message that never reached us has the id of a message that is at least half a round old
 *      (32,768 messages of its broker) or not remembered: it is new; or
 *   3. its session goes on, and the broker numbers every connection anew (RabbitMQ 3.10, against
 *      the standard, repeats A=1 C=3 D=4 as A=1 C=2 D=3). We assume that only while the deliveries
 *      of this connection came numbered 1, 2, 3 without exception, and no id came twice on one
 *      connection. Then topic and payload alone decide, and order: only a message behind the last
 *      one that was repeated is a candidate.
 *
 * A QoS 1 message without DUP is a repeat (FlashMQ and aedes never set DUP, against
 * [MQTT-3.3.1-1]) when rule 2 holds for it and
 *   - no new message came on this connection before it: a broker repeats first;
 *   - it came at most 5 s after the message before, or after CONNACK: a broker repeats at once;
 *   - this broker has never set DUP in this session (the file "session" remembers that over a
 *     restart), and never gave an id again at once, and
 *   - the connection's ids do not begin with 1, 2, 3: a broker that numbers each connection anew
 *     gives an equal message the id of an older one without repeating anything.
 *
 * QoS 2. Paho C hides DUP (MQTTAsyncUtils.c, Protocol_processPublication). So rule 2 holds without
 * DUP until the first message of the connection that is new: a broker repeats first and sends new
 * ones then (Mosquitto: 100 of 100 reconnects under load). From there on it holds only for ids
 * that were given before the highest id of the connections before: new messages get ids ahead of
 * it, also when they go round. (Mosquitto, restarted with a long queue, has thousands under way
 * and lets new ones in between when it repeats them.)
 *
 * Never a repeat: a QoS 0 message; and, except by rule 1, a message of a connection without
 * session.
 *
 * What remains undecidable, and which way it errs:
 *   - A broker reuses a packet id at once (lowest free id), two messages with the same topic and
 *     payload follow each other, and the connection breaks before the second one arrives: the
 *     second is taken for a repeat of the first, that is, an identical message is missing. QoS 2:
 *     the same for a first message after a reconnect that is identical to the last one before it.
 *     QoS 1: the same within 5 s after the reconnect, for a broker of which nothing but that
 *     message is known. Timestamps or counters in payloads avoid it.
 *   - A broker comes back with an old snapshot before the first repeat of its session, so that
 *     nobody knows that it sets DUP. It gives ids again to messages identical to those that had
 *     these ids, within 5 s: taken for repeats. METRIC_MESSAGES_UNMARKED counts the repeats that
 *     were recognized without DUP.
 *   - A broker numbers anew: a message lost on its way and identical to one that is open is taken
 *     for its repeat.
 *   - A broker reuses an id that is still open (Mosquitto after 65,535 messages without our
 *     acknowledgment); a repeat of a message that is more than `window` messages or half a round
 *     old; repeats without DUP behind new messages (aedes: one in nine); QoS 2 repeats after new
 *     messages from a broker that reuses ids; EMQX 5.9 to 6.3 sends some messages twice at a
 *     reconnect, with new ids and without DUP: stored twice.
 *
 * Several brokers (a list of URLs) have sessions of their own, and give the same packet ids.
 * `broker` is the number of the one that a message came from (core/message.h), which the journal
 * remembers. In a cluster a session may move from one to the other, so the newest delivery of all
 * of them is a candidate, too; forgetting goes by broker.
 *
 * A broker that was killed may come back with an older session (Mosquitto and FlashMQ, saved half
 * an hour ago): what it had queued since then is gone, and it says that the session is present.
 * Its packet ids betray it, where it numbers in order (eight deliveries in a row did so far): the
 * first new message of a connection has an id that is not ahead of those before.
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

/* Remembers the last `window` QoS 1 and 2 messages. At first it is in a connection with session to
 * broker 0, which stands for one that is not known. */
struct redelivery *redelivery_new(size_t window);
void redelivery_free(struct redelivery *redelivery); /* NULL is legal */

/* A message that is in the journal; also used to rebuild the memory from the journal's tail at
 * start. One whose broker is 0 came from the one that is connected. */
void redelivery_remember(struct redelivery *redelivery, const struct message *message);

/* The same of one that has been deleted, by its hash (core/message.h). */
void redelivery_remember_hash(struct redelivery *redelivery, uint8_t broker, uint16_t packet_id,
                              uint64_t hash);

/* This broker has lost its session: what came from it is never repeated. 0: the one that is
 * connected. */
void redelivery_forget(struct redelivery *redelivery, uint8_t broker);

/* A connection was made at this time. `session_present` false: this broker has forgotten, only
 * rule 1 can make a repeat. */
void redelivery_connected(struct redelivery *redelivery, uint8_t broker, bool session_present,
                          int64_t now_us);

/* Has the broker of this connection set DUP in this session? The caller keeps the answer over a
 * restart and notes it behind redelivery_connected(). */
void redelivery_note_marks(struct redelivery *redelivery);
bool redelivery_marks(const struct redelivery *redelivery);

enum redelivery_verdict {
    REDELIVERY_NEW,      /* the caller journals it and calls redelivery_remember() */
    REDELIVERY_REPEAT,   /* it has been journaled */
    REDELIVERY_UNMARKED, /* the same, and QoS 1 without DUP */
};

/* Has this message, which just came, been journaled before? */
enum redelivery_verdict redelivery_judge(struct redelivery *redelivery,
                                         const struct message *message);

/* Asserts the invariants that stand in redelivery.c. For tests: it takes as long as the window. */
void redelivery_check(const struct redelivery *redelivery);

/* After REDELIVERY_NEW: is it the first that shows that the broker came back with an older session?
 * At most once a connection. */
bool redelivery_went_back(const struct redelivery *redelivery);

#endif
