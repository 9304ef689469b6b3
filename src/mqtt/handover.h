/*
 * handover: recognizes second copies while subscriptions change, with MQTT 3.1.1.
 *
 * For a moment the session has the old and the new filter of a rule, and some brokers send a copy
 * for each. Copies carry no mark, but come one right behind the other, within 100 ms. MQTT 5 has
 * identifiers instead (route/copies). A message is a second copy when it matches two filters of the
 * session and mqtt/pairs says so. That module states which errors remain, and why.
 *
 *             ┌──────── connected ◀──── a session with filters to be left ────┐
 *             ▼                                                               │
 *          QUEUED ──begin──▶ CHANGING ──end──▶ DRAINING ──no copies left──▶ NONE
 *                               ▲                  │                          │
 *                               └──────begin───────┴──────────begin───────────┘
 *
 * A handover begins before the first SUBSCRIBE and ends after the last UNSUBACK. The broker's queue
 * may still hold copies then: until no message has come for longer than the broker needed to
 * answer, and for 2 s at most.
 *
 * A session that has filters to be left has a queue at the broker. Equal messages that were
 * published hours apart may be neighbours in this queue, so no message is taken for a copy by a
 * guess before 20 single messages have come. A bridge that is killed between SUBSCRIBE and
 * UNSUBSCRIBE leaves both filters in the session, and until the next start the broker queues two
 * copies of each message (`doubled`). There is no time limit for reading that queue: it ends when
 * no message comes for a second, or after 1,000 single messages. Its first message may be the
 * second copy of the last message in the journal. A message of QoS 0, or of another broker, has no
 * copy there.
 *
 * Pure: the caller gives the time. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_HANDOVER_H
#define MQTT2PG_MQTT_HANDOVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/message.h"
#include "core/subscription.h"
#include "mqtt/pairs.h"

enum handover_state {
    HANDOVER_NONE,     /* no copies come. Left at a connection, and when subscriptions change. */
    HANDOVER_QUEUED,   /* connected, and copies may be queued. Left when subscriptions change. */
    HANDOVER_CHANGING, /* from SUBSCRIBE to UNSUBACK. Left after UNSUBACK. */
    HANDOVER_DRAINING, /* the broker's queue may have copies. Left when it has none. */
};

struct handover {
    pthread_mutex_t mutex; /* guards all below */
    enum handover_state state;
    bool doubled;                    /* the queue has copies since the connection was made */
    struct subscription_set filters; /* all that the session has had since copies may come */
    struct pairs pairs;
    int64_t began_ms;  /* monotonic, like all times here */
    int64_t ended_ms;  /* while DRAINING */
    int64_t before_ms; /* when the last message came; 0: none has come on this connection */
    uint8_t broker;    /* the sender of the last message; 0: unknown, or the message had QoS 0 */
};

void handover_init(struct handover *handover);
void handover_fini(struct handover *handover);

/* Begins a connection to `broker` (core/message.h). `filters`: when the session has filters that
 * will be unsubscribed, all that it has or will have; NULL or a single filter: no copies can come.
 * Copied. */
void handover_connected(struct handover *handover, uint8_t broker,
                        const struct subscription_set *filters, bool doubled);

/* Subscriptions change. `filters`: all that the session has, had since copies may come, or will
 * have. Copied. */
void handover_begin(struct handover *handover, const struct subscription_set *filters,
                    int64_t now_ms);
void handover_end(struct handover *handover, int64_t now_ms);

/* May copies still come? */
bool handover_goes_on(struct handover *handover, int64_t now_ms);

/* A delivery that is no repeat, with message_hash() `hash`: is it a second copy? */
bool handover_take(struct handover *handover, const struct message *message, uint64_t hash,
                   int64_t now_ms);

/* The delivery was `taken`, or refused and will come again. The time that this took does not count
 * as a pause before the next delivery: while the disk is slow, deliveries wait that have come
 * already. */
void handover_done(struct handover *handover, bool taken, int64_t now_ms);

/* To be called before the first connection for each message at the end of the journal, and for each
 * copy that was left out. */
void handover_recall(struct handover *handover, const struct message *message);
void handover_recall_copy(struct handover *handover);

#endif
