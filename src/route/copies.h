/*
 * copies: which copy of a message counts, while the broker sends several. Pure but for what it
 * remembers of topics.
 *
 * A broker sends one copy of a message for each subscription that matches, or one for all of them.
 * Around a change of subscriptions both the old and the new ones stand for a moment, and copies for
 * the old ones wait in the broker's queue and in the journal. Each topic follows one plan
 * (route/plan) and only moves forward:
 *
 *   - A copy counts when it carries the identifier of the canonical subscription of the topic's plan.
 *   - The first copy that carries the canonical identifier of a later plan turns the topic to that
 *     plan. It counts too, unless it is the other copy ("twin") of the message that was taken last
 *     on this topic: the same content, and both subscriptions stood when it was published.
 *   - Any other copy with an identifier that is known is a twin and does not count.
 *   - A copy without identifier (MQTT 3.1.1, some brokers), or with none that is known, counts.
 *   - A retained message that the broker sends because of a SUBSCRIBE belongs to the rules that this
 *     subscription serves, and turns nothing.
 *
 * Nothing is lost by that: behind the first copy for a new subscription, every message of the topic
 * has one, and until it comes those for the old one count. A message that was taken before the new
 * plan was made can have no copy for it, so nothing older is remembered.
 *
 * The order that this needs is the one MQTT promises: within a topic, QoS 0 apart from QoS 1 and 2,
 * in the session of one broker. So each of these has a plan of its own ("track").
 *
 * Turns are remembered with the number that their message has in the journal. What is read again (a
 * batch that was not stored, a database that went back) is decided as before. A new process reads
 * the messages behind the last plans once more: copies_first().
 *
 * What can't be told apart:
 *   - Two publications with equal content on one topic, one right before and one right behind the
 *     moment in which the new subscription begins, look like two copies of one: one row is missing.
 *     That is at most one message for each topic and change, and none where a subscription is
 *     replaced by one with the same filter (qos).
 *   - With a change between QoS 0 and a higher one, copies of one message are on two tracks: until
 *     the old subscription is gone a message may be stored twice.
 *
 *   - A rule that leaves or joins a share group while other rules on its topics are in another one
 *     takes other copies from the reload on. A message whose copies stand on both sides of it may be
 *     missing or there twice under this rule.
 *
 * One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_COPIES_H
#define MQTT2PG_ROUTE_COPIES_H

#include "core/message.h"
#include "route/plan.h"

struct copies;

struct copies *copies_new(void);
void copies_free(struct copies *copies); /* NULL is legal */

/* From now on by these plans, which continue those before. Borrows them. Topics stay where they
 * are. */
void copies_use(struct copies *copies, const struct plans *plans);

/* The first message that a new process should judge again, and throw the answer away, before it goes
 * on behind number `stored`: what decides about its copies begins there. */
uint64_t copies_first(const struct copies *copies, uint64_t stored);

/* Who asks: a rule. Borrowed texts. */
struct copy_wish {
    const char *share;   /* its share group, "" for none */
    const char *serving; /* the filter of the subscription that serves it (plans_serving()) */
};

/* Does this copy count for such a rule, whose topic matches? Asked again for the same message it
 * gives the same answer. `copies` may be NULL, or have no plans: every copy counts. */
bool copies_count(struct copies *copies, const struct message *message,
                  const struct copy_wish *wish);

#endif
