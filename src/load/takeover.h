/*
 * takeover: a rule whose subscription a reload changed takes each message once, while copies for
 * its old and its new one come.
 *
 * The broker can't change subscriptions in one step, so the new one is made before the old one goes
 * (mqtt/subscribe), and between a message comes in both. Also what waits in the broker or the
 * journal came for the old one. A copy's identifier tells its subscription, but not whether the
 * message comes for the other one too. The order does: a session delivers in order, so behind the
 * first copy for the new subscription every message has one (MQTT 5.0, 4.6). Therefore the rule
 * goes on with copies for its old subscription until the first that comes for the new one, on a
 * topic of both, and takes those from there on. The copies of one message stand next to each other;
 * so that first one is left out when it equals the last that was taken.
 *
 * QoS 0 overtakes QoS 1 and 2, so each has its own turning point. It is kept as a number in the
 * journal: a batch that is built again decides the same. Undecidable, and then missing: a message
 * that equals the one before it in topic and payload, at the turning point.
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
 * When the rule had not yet turned to its former subscription (two reloads, and the journal not yet
 * read so far), `before` is how it got there: the chain goes on. Else NULL.
 */
struct takeover *takeover_new(const struct takeover *before, uint32_t former,
                              const char *former_filter, uint32_t identifier);
struct takeover *takeover_copy(const struct takeover *takeover);
void takeover_free(struct takeover *takeover); /* NULL is legal */

/* Has it turned to the newest subscription, in every QoS that it could know of? */
bool takeover_done(const struct takeover *takeover);

/* Its steps, oldest first: the subscriptions that are left. They do not change: also while another
 * thread uses it. */
void takeover_each(const struct takeover *takeover,
                   void (*each)(void *context, uint32_t identifier, const char *filter),
                   void *context);

/* A message from before the reload: the first copy may be its. */
void takeover_saw(struct takeover *takeover, const struct message *message);

/* Is this copy, whose topic the rule's filter matches, the one for the rule? */
bool takeover_takes(struct takeover *takeover, const struct message *message);

#endif
