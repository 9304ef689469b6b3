/*
 * pairs: tells a second copy from an equal message, for MQTT 3.1.1, where copies carry no mark.
 *
 * A broker may send a copy for each subscription that matches. While a session holds the old and
 * the new filter of a rule, all messages that match both come twice, one right behind the other.
 * Before and after that time, and from other brokers, equal neighbours are two messages. The
 * neighbourhood decides: where copies come, each message comes twice, so the messages are seen as
 * runs of equal neighbours, and
 *   - after enough runs of two in a row, every second message of the next run is a copy;
 *   - after a single message, none is.
 *
 * How many runs of two are enough? One more than the longest row of such runs while the broker
 * sends no copies ("own" runs). pairs_watch() counts those while no copies can come, among the last
 * 1,000 to 2,000 runs.
 *   - No own run is known: the first run of two is taken for a message and its copy. This is a
 *     guess, because its content may be the first that was published twice.
 *   - One own run at a time: the third run of two in a row has a copy, the first two have none.
 *   - A sender that publishes each message twice: no run of two has a copy.
 * Two runs of the same content with a pause between them count as one: they are no proof.
 *
 * The trade-off. Copies can't be told apart with certainty. A loss is worse than a second row, so:
 *   - When two equal messages are the first ones ever, the guess leaves one of them out. A third
 *     equal message, or a single one after them, ends guessing until subscriptions change again: at
 *     most one message a change is lost.
 *   - When the stream has equal neighbours of its own, the first copies are stored: as many as own
 *     runs came in a row, and one more. When all messages are equal, all copies are stored.
 *   - When the stream itself changes at the same time, so that more runs of two follow each other
 *     than before, every second message of these runs is left out until a single message comes.
 *
 * The broker's behaviour at an earlier change of subscriptions does not count. It would spare a few
 * copies, but behind a load balancer, or after a change of the broker's settings, it would lose
 * messages.
 *
 * Pure. One thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAIRS_H
#define MQTT2PG_MQTT_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

struct pairs {
    bool watching;    /* no copies can come */
    unsigned watched; /* runs in the current period */
    /* The most own runs in a row: in the current period of watched runs, in the period before, and
     * (as far as it is known) since copies may come. */
    unsigned own_now, own_before, own_here;
    /* `lone`: runs of two that were followed by a single message. `changes`: how often
     * subscriptions changed since pairs_begin(). Each change may leave one lone run, so guessing
     * ends when there are as many of them as changes. */
    unsigned lone, changes;
    unsigned singles_wanted; /* before the first guess */
    unsigned singles;        /* runs of one in a row, up to now */
    unsigned twos;           /* runs of two in a row, with different contents */
    uint64_t twos_hash;      /* of the last run of two */
    uint64_t hash;           /* of the current run */
    unsigned length;         /* of the current run; 0: there is none */
    bool carried;            /* the current run began before pairs_resume() */
    bool believed;           /* when the current run began, copies were known to come */
};

/* Takes the next message while no copies can come. A zero-initialized struct is legal. */
void pairs_watch(struct pairs *pairs, uint64_t hash);

/* From now on copies may come, until pairs_watch(). `singles_wanted`: how many single messages must
 * come before a guess; 0: copies are likely. */
void pairs_begin(struct pairs *pairs, unsigned singles_wanted);

/* Like pairs_begin() while copies may come already: the run goes on, and one more guess is
 * allowed. */
void pairs_change(struct pairs *pairs, unsigned singles_wanted);

/* Like pairs_begin() on another connection, when copies are likely: the first message may be the
 * second copy of the message that came last before. */
void pairs_resume(struct pairs *pairs);

/* The next message that matches two of the filters: is it a copy? */
bool pairs_take(struct pairs *pairs, uint64_t hash);

/* Ends the run: a message and its copy never stand on both sides of another message, of a pause, or
 * of a second copy that is known already. */
void pairs_break(struct pairs *pairs);

/* The message that came last was not taken, and will come again. */
void pairs_forget_last(struct pairs *pairs);

#endif
