/*
 * actions: carries out the requests of admin/http_actions.
 *
 *   try      topic, body        what each rule makes of this message, as `explain` says it
 *   tap      rule, after        a rule's live messages with their rows (bridge/tap)
 *   letters  rule, after        the dead letters that wait, without payloads
 *   show     id                 one dead letter, whole
 *   retry    rule, id           sends dead letters through the rules once more
 *   purge    rule or all=1      removes dead letters, but not parked ones
 *   ack      id or all=1        acknowledges a gap
 *
 * `tap` uses the rules in force: what it shows is what the service stores. `try` and `retry` use
 * the rules of the configuration file as it is now, as `explain` and `dead-letters retry` do; `try`
 * says so when others are in force.
 *
 * Nothing here touches what the loader uses: each action has its own rules, and its own connection
 * to the database, which is closed after it. Dead letters and gaps are those of the service's
 * client id.
 *
 * Actions run one at a time on the thread of admin/action_queue. Another thread may call only the
 * handler's `interrupt`, which ends a wait for the database.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_ACTIONS_H
#define MQTT2PG_BRIDGE_ACTIONS_H

#include <stdatomic.h>

#include "admin/action_queue.h"
#include "bridge/generation.h"
#include "journal/journal.h"

/* All borrowed. */
struct actions_options {
    const char *config_file;
    const struct generation *running; /* the first generation: database options, client id */
    struct journal *journal;
    const atomic_uint *rule_changes; /* taps take the rules again when it changes */
    /* The configuration in force; the caller calls config_free(). Any thread. */
    struct config *(*in_force)(void *context);
    void *context; /* for in_force() */
};

struct actions;

struct actions *actions_new(const struct actions_options *options);
/* After the queue that runs them has stopped. NULL is legal. */
void actions_free(struct actions *actions);

/* For http_sources. */
struct action_handler actions_handler(struct actions *actions);

#endif
