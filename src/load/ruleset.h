/*
 * ruleset: all rules of a configuration, compiled, with the router that finds them and the
 * subscriptions that feed them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULESET_H
#define MQTT2PG_LOAD_RULESET_H

#include "base/problems.h"
#include "core/rule_options.h"
#include "core/subscription.h"
#include "load/rule.h"
#include "route/router.h"

struct ruleset {
    struct rule **rules; /* owned */
    size_t count;
    struct topic_filter **filters; /* owned array: what the router goes by */
    struct router *router;
    struct subscription_set subscriptions;
    uint32_t *retired; /* owned; identifiers that were in use before a reload and are not now */
    size_t retired_count;
    const char *client_id; /* borrowed */
};

/* Compiles every rule, so that every mistake is found in one go; NULL when there was one. Borrows
 * the options. */
struct ruleset *ruleset_compile(const struct rule_options *options, size_t count,
                                const char *client_id, bool mqtt5, struct problems *problems);
void ruleset_free(struct ruleset *ruleset);

/*
 * These rules come after those (reload): they know whose copies may still come, and a rule of the
 * same name with another subscription takes over from its former one (load/takeover), behind the
 * journal's `last` message. To be called by the thread that uses them, when it changes over.
 */
void ruleset_follow(struct ruleset *ruleset, const struct ruleset *before, uint64_t last);

/* Its parts: this identifier was in use; a rule of this name had this subscription, and came to it
 * so (NULL: it always had it). */
void ruleset_retire(struct ruleset *ruleset, uint32_t identifier);
void ruleset_follow_rule(struct ruleset *ruleset, const char *name, uint32_t former,
                         const char *filter, const struct takeover *takeover);

/* One of the last messages that are stored: its other copy may be still to come. `by_these`: these
 * rules stored it, in a process before; else those before them. */
void ruleset_saw(const struct ruleset *ruleset, const struct message *message, bool by_these);

/* The rules that this message is for, written to `routes` (room for ruleset->count); returns how
 * many. A rule applies when its topic matches, the copy came for its subscription, and its
 * `retained` policy takes it. The captures are valid until the next call. */
size_t ruleset_find(const struct ruleset *ruleset, const struct message *message,
                    struct route *routes);

#endif
