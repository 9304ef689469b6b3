/*
 * takeover: a rule whose subscription a reload changed takes each message once, while copies for
 * its old and its new one come.
 *
 * The broker can't change subscriptions in one step, so the new one is made before the old one goes
 * (mqtt/subscribe), and between a message comes in both. Also what waits in the broker or the
 * journal came for the old one. A copy's identifier tells its subscription, but not whether the
 * message comes for the other one too. The order does: in a session that delivers in order every
 * message behind the first copy for the new subscription has one. Therefore the rule goes on with
 * copies for its old subscription until the first that comes for the new one, on a topic of both,
 * and takes those from there on. Where the copies of one message stand next to each other, that
 * first one is left out when it equals the last that was taken.
 *
 * A copy for the new subscription may be older than the reload: the filter was that of another
 * rule, or of this one before, was left, and is wanted again, while the loader is behind. Between
 * lie messages without such a copy. Therefore the turning point lies behind what the journal held
 * when the rule turned to the new subscription; up to there the old one has brought all.
 *
 * The turning point is remembered as the number that its message has in the journal, until the
 * process ends: what is read again (a batch that was not stored, a database that went back in time)
 * is decided as before, also behind another reload. The next process finds it again on its way.
 *
 * What this can't do:
 * - Order and neighbourhood are those of a session with one queue (Mosquitto). MQTT 5.0, 4.6,
 *   promises order only within a topic, a QoS and a publisher. A broker that lets other messages in
 *   between may make one missing or twice at the turning point.
 * - QoS 0 overtakes QoS 1 and 2, so each has its own turning point. Where the reload also changes
 *   the subscription's qos from or to 0, a message's copies differ in that, and both are taken until
 *   the old subscription is gone.
 * - What the broker had queued for a filter before it was left comes later, and is no older than
 *   the reload for the journal: when the same filter is wanted again meanwhile, the turning point
 *   may be one of it. So it may in a next process that begins amid such copies.
 * - A message that equals the one before it in topic and payload, at the turning point, is missing.
 * - Of more than 16 changes of one rule the oldest are forgotten.
 *
 * One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TAKEOVER_H
#define MQTT2PG_LOAD_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/message.h"

struct takeover;

/*
 * From one subscription to the next; `filter` is the MQTT filter without "$share/GROUP/", copied.
 * `before` is how the rule got to its former subscription: the chain goes on. NULL: it always had it.
 */
struct takeover *takeover_new(const struct takeover *before, uint32_t former,
                              const char *former_filter, uint32_t identifier);
struct takeover *takeover_copy(const struct takeover *takeover);

/* The subscription at the end is made behind the message with this number. Without it: before the
 * first. */
void takeover_set_behind(struct takeover *takeover, uint64_t sequence);
void takeover_free(struct takeover *takeover); /* NULL is legal */

/* Its steps, oldest first: the subscriptions that are left. They do not change: also while another
 * thread uses it. */
void takeover_each(const struct takeover *takeover,
                   void (*each)(void *context, uint32_t identifier, const char *filter),
                   void *context);

/* A message from before the reload: the first copy for the new subscription may be one of it. */
void takeover_saw(struct takeover *takeover, const struct message *message);

/* Is this copy, whose topic the rule's filter matches, the one for the rule? */
bool takeover_takes(struct takeover *takeover, const struct message *message);

#endif
