/*
 * copies: decides which copy of a message counts when the broker sends several. Pure, apart from
 * its memory of topics and messages.
 *
 * A broker sends one copy of a message for each subscription that matches, or one for all of them.
 * While subscriptions change, old and new ones exist together for a moment, and copies for the old
 * ones still wait in the broker's queue and in the journal. No particular copy can be relied on: a
 * restarted Mosquitto 2.0.11 queues one copy, for any one of the subscriptions, until the session
 * connects again. So the first copy that comes counts, and a later one does not count when it is a
 * twin: another copy of the same message. A copy is the twin of an earlier message when all of
 * these conditions hold:
 *
 *   - it has the same topic, content and broker as a message that came not long before,
 *   - no copy of that message has come for its subscription yet, nor for one with the same filter
 *     (a subscription that is replaced brings no second copy), and
 *   - that message came behind the plan (route/plan) that made its subscription: what was published
 *     before can have no copy for it, and
 *   - one of these holds: the plan still has a subscription that brought that message; or one that
 *     the session never had without the subscription of this copy has brought it; or the copy came
 *     right behind it: within 64 messages and within a second, or with DUP, since then a connection
 *     ended between the two. (Messages that the broker queued for a subscription that is left come
 *     behind the new plan, and have no copy for the new one.)
 *
 * When equal messages (same topic and content) came before, storing a copy twice is better than
 * leaving an equal message out. Then "right behind" means within 10 ms and half the time since the
 * equal message before, with or without DUP; and a subscription that was made after the message has
 * not brought it, though a former one with the same filter may have.
 *
 * A copy without identifier (MQTT 3.1.1, some brokers) counts. A copy that came for a subscription
 * of QoS 0 does not count while a subscription with a higher QoS brings the topic: a QoS 0 copy
 * overtakes the broker's queue, so the other copy may come thousands of messages later. "Brings"
 * means that the subscription has brought a message not long before: the broker may have refused
 * it. A retained message that the broker sends because of a SUBSCRIBE belongs to the rules that
 * this subscription serves.
 *
 * Shared subscriptions: a rule of a group takes copies for its group alone. It takes others only
 * from the time of plans in which its group had no subscription for the topic.
 *
 * The answer depends on earlier messages. A caller that goes back in the journal must first go back
 * COPIES_REACH messages further, as far as the journal still has them, call copies_rewind() with
 * the first of these, and ask about each of them again. Earlier messages stay known, because a full
 * journal deletes a message as soon as it is stored, and the message's other copy may be thousands
 * of messages behind. A new process learns of deleted messages from their notes.
 *
 * Limits:
 *   - Publications with equal content on one topic are told apart by their subscriptions. When the
 *     broker sends one of them for one subscription only and the next one for another one only, the
 *     second is missing. Where an edit made the other subscription, the second is missing only when
 *     it comes within 10 ms, or within a second when no equal message came before. The price: when
 *     the two copies of an equal message come more than 10 ms apart around an edit, the message is
 *     stored twice. When the process dies between two copies in a stream of equal messages, one
 *     message may be missing or there twice.
 *   - Until the first copy comes for a subscription of no plan, its message counts twice.
 *   - Copies of one message with more than TRACKS_KEPT messages in between are stored twice. So are
 *     copies with QoS 2 around an edit, when a connection ends between them and the second one
 *     comes more than a second later: Paho hides DUP of QoS 2.
 *   - In a new process the reach is COPIES_REACH_START messages. Where the journal has deleted some
 *     of them, their notes name topic and content by a hash, and one subscription. Messages of
 *     QoS 0 have no notes. A note counts only for rules of the same share group as its
 *     subscription.
 *   - A rule that leaves or joins a share group, while other rules on its topics are in another
 *     group, takes other copies from the reload on. A message with copies on both sides of the
 *     reload may be missing or stored twice under this rule.
 *
 * One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_COPIES_H
#define MQTT2PG_ROUTE_COPIES_H

#include "core/message.h"
#include "route/plan.h"

/* How far copies of one message may be apart, in messages of all topics: in a running process, and
 * for a new process, which has no memory yet. */
enum { COPIES_REACH = 4096, COPIES_REACH_START = 16384 };

struct copies;

struct copies *copies_new(void);
void copies_free(struct copies *copies); /* NULL is legal */

/* Uses these plans from now on; they must continue the plans in use. Borrows them. */
void copies_use(struct copies *copies, const struct plans *plans);

/* For commands that read messages which came under former plans (replay, explain --journal): a
 * retained message that came before there was a subscription for the rule's filter belongs to the
 * rule too. When several subscriptions of the plan of that time brought it, the oldest one counts.
 * Not for the service: there the rule's own subscription brings the message once more. */
void copies_look_back(struct copies *copies);

/* Has a copy come for a subscription of no plan? Another bridge has used the session, or the file
 * of plans was deleted. From then on copies are told apart on all topics. */
bool copies_know_stranger(const struct copies *copies);

/* Forgets the messages numbered `first` and higher, because the caller goes back in the journal. */
void copies_rewind(struct copies *copies, uint64_t first);

/* The note on a message that the journal has deleted (journal/journal_deliveries). */
struct copy_note {
    uint64_t sequence;
    uint64_t hash;         /* message_hash() */
    uint32_t subscription; /* identifier of the subscription that the copy came for; 0: unknown */
    uint8_t broker;        /* struct message */
};

/* True when `copies` has plans and copies_take_notes() was not called yet: deleted messages are
 * unknown. */
bool copies_want_notes(const struct copies *copies);

/* Adds deleted messages, in the order of their numbers. To be called before the first question
 * about a later message. Does nothing unless copies_want_notes(). */
void copies_take_notes(struct copies *copies, const struct copy_note *notes, size_t count);

/* The rule that asks. Borrows its texts. */
struct copy_wish {
    const char *share;   /* its share group, "" for none */
    const char *filter;  /* the rule's filter, as it would be subscribed; NULL: no rule asks */
    const char *serving; /* the filter of the subscription that serves it (plans_serving()) */
};

/* Does this copy count for the rule, whose topic matches? The caller asks about messages in the
 * order of their numbers; asking again about the newest one gives the same answer. When `copies` is
 * NULL or has no plans every copy counts. */
bool copies_count(struct copies *copies, const struct message *message,
                  const struct copy_wish *wish);

#endif
