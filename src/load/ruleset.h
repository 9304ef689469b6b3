/*
 * ruleset: all compiled rules of a configuration, the router that finds the rules of a message, and
 * the subscriptions that bring the messages.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULESET_H
#define MQTT2PG_LOAD_RULESET_H

#include "base/problems.h"
#include "core/rule_options.h"
#include "core/subscription.h"
#include "load/rule.h"
#include "route/copies.h"
#include "route/plan.h"
#include "route/router.h"

struct ruleset {
    struct rule **rules; /* owned */
    size_t count;
    struct topic_filter **filters; /* owned array: the topics of all rules, for the router */
    unsigned *owners;              /* owned array: the rule of each filter; never goes down */
    size_t filter_count;
    struct router *router;
    struct subscription_set wanted; /* the subscriptions of the rules, without identifiers */
    /* borrowed; the newest plan is this ruleset's; NULL: every copy counts */
    const struct plans *plans;
    char **subscribed;     /* owned array: each filter as it would be subscribed; NULL: no plans */
    const char **serving;  /* owned array: for each filter the one whose subscription serves it */
    const char *client_id; /* borrowed */
};

/* Compiles every rule, so that every mistake is found in one go; NULL when there was one. Borrows
 * the options. */
struct ruleset *ruleset_compile(const struct rule_options *options, size_t count,
                                const char *client_id, bool mqtt5, struct problems *problems);
void ruleset_free(struct ruleset *ruleset);

/* Gives the rules their metrics, because they are about to be in force. Rules that are compiled
 * only for a try (`check`, `explain`) have none. */
void ruleset_enter(struct ruleset *ruleset);

/*
 * The most memory that the service takes when messages have up to `message_bytes`, or up to
 * max_decoded under a rule that decompresses them. Measured:
 *   - 20 MB for the service itself,
 *   - 80 times the size of a payload of nothing but short values: a node of 48 bytes for each two
 *     bytes, its list while it grows, and the array of a column. The number of values is bounded,
 *     so this is not more than 150 MB and four times the payload's size,
 *   - the rows of a rule with `rows`: as much as one message may become (64 MB, see load/mapper).
 */
int64_t ruleset_memory_bytes(const struct ruleset *ruleset, int64_t message_bytes);

/* Gives the ruleset the plans; the newest was made for it. Borrows them. Called before anybody uses
 * the ruleset: afterwards nothing of it changes except the router's cache. */
void ruleset_set_plans(struct ruleset *ruleset, const struct plans *plans);

/* Why a message goes to rules, or to none. */
enum routing {
    ROUTING_TAKEN,     /* by the rules that were found, if their `retained` policy lets it */
    ROUTING_COPY,      /* a copy that does not count: another one does (route/copies) */
    ROUTING_UNMATCHED, /* no rule's topic matches */
};

/* Writes to `routes` (room for ruleset->count) the rules that take this message, and to *count how
 * many. A rule takes a message when its topic matches, the copy counts (with `copies` NULL every
 * copy does), and its `retained` policy allows it. The captures are valid until the next call. */
enum routing ruleset_find(const struct ruleset *ruleset, struct copies *copies,
                          const struct message *message, struct route *routes, size_t *count);

/* Do the rules' subscriptions bring this topic? With MQTT 3.1.1 a subscription that covers several
 * filters may bring topics that no rule asks for. */
bool ruleset_subscribes(const struct ruleset *ruleset, struct slice topic);

#endif
