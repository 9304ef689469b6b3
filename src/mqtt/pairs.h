/*
 * pairs: tells a second copy from an equal message in a queue that may hold two copies of each
 * message, for MQTT 3.1.1, where copies carry no mark.
 *
 * A broker may send a copy for each subscription that matches. While a session holds the old and
 * the new filter of a rule, all messages that match both come twice, one right behind the other.
 * Before and after that time, and from other brokers, equal neighbours are two messages. The
 * neighbourhood decides: where copies come, each message comes twice, so the messages of the queue
 * are seen as runs of equal neighbours, and
 *   - after a run of two, every second message of the next run is a copy;
 *   - after a single message, none is;
 *   - the first run of two behind single messages is a guess: a copy, unless equal neighbours have
 *     been seen that are no copies. After those it takes two runs of two to believe in copies.
 * A wrong guess leaves one message out, and is found out at the next one: by a third equal message,
 * or by a single one. Where all messages are equal, no more than that one is left out, and copies
 * are stored. A sender that publishes each message exactly twice can't be told from a broker that
 * sends copies.
 *
 * Pure. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAIRS_H
#define MQTT2PG_MQTT_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

struct pairs {
    unsigned singles_wanted; /* before the first guess */
    unsigned singles;        /* runs of one in a row, up to now */
    unsigned twos;           /* runs of two in a row */
    bool equals;             /* equal neighbours were seen that are no copies */
    uint64_t hash;           /* of the run that goes on */
    unsigned length;         /* of it; 0: there is none */
    bool repeated;           /* it began with a message of an earlier connection */
    bool believed;           /* when it began, copies were known to come */
};

/* `singles_wanted`: how many single messages must come before a guess; 0: copies are likely. */
void pairs_begin(struct pairs *pairs, unsigned singles_wanted);

/* The next message that matches two of the filters: is it a copy? `repeat`: the broker repeats it,
 * and it is known by that already; the answer means nothing then. */
bool pairs_take(struct pairs *pairs, uint64_t hash, bool repeat);

/* Another message, or a pause: copies do not stand on both sides of it. */
void pairs_break(struct pairs *pairs);

#endif
