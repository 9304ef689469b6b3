/*
 * plan: the subscriptions that one configuration wants, and those of the configurations before it
 * whose copies may still come. Pure.
 *
 * A plan is a list of subscriptions. Plans are numbered from 1, and `behind` says where a plan
 * stands in the journal: it was made when the journal's newest message had that number, and before
 * the broker was asked for its subscriptions. So every copy that came for a subscription of plan n
 * that plan n-1 did not have stands behind that number, and was published behind it.
 *
 * The canonical subscription of a topic is a pure function of plan, topic and share group: of the
 * plan's filters that match the topic (those of the rule's own share group, or all when the group
 * has none) the one with the highest QoS, then the one that has been there longest. A broker sends
 * one copy with all identifiers, or one copy for each subscription; either way exactly one copy of a
 * message carries the identifier of the canonical subscription. That copy counts (route/copies).
 *
 * A filter keeps its identifier from plan to plan unless
 *   - its options change (qos, retain handling), or
 *   - it becomes the canonical subscription of a topic of another one that was preferred before.
 * Otherwise it gets a new identifier and is subscribed again, which replaces the subscription in one
 * step (MQTT 5.0, 3.8.4). Two invariants follow, on which route/copies stands:
 *   1. No identifier is used for two things while a plan that had it is remembered.
 *   2. An identifier that is canonical for a topic in plan n, and that plan n-1 has too, is canonical
 *      for this topic in plan n-1. So a topic's canonical identifiers follow each other in the order
 *      in which they were made, and each is canonical from the plan on that made it.
 *
 * A filter that another one of the same share group covers is left out when both are new in this
 * plan, so that the broker queues one copy of a message; never when it asks for a higher QoS or for
 * other retained messages, and never in favour of a filter that no rule asks for.
 *
 * Former plans are remembered for a week, and as long as the journal has messages that came before
 * the next one; at most PLANS_MAX of them. A copy for a subscription of a forgotten plan goes by its
 * topic alone, as one without any identifier does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_PLAN_H
#define MQTT2PG_ROUTE_PLAN_H

#include <stdbool.h>

#include "core/subscription.h"
#include "route/router.h"

enum { PLANS_MAX = 64 };

#define PLAN_NEVER UINT32_MAX /* `gone` of a subscription that the newest plan has */

struct planned {
    char *filter; /* owned; as it is subscribed, with "$share/GROUP/" */
    uint8_t qos;
    enum retain_handling retain_handling;
    uint32_t identifier; /* 0: made for MQTT 3.1.1, where copies do not tell */
    uint32_t rank;       /* lower: the filter has been there longer */
    uint32_t born;       /* number of the first plan that has it */
    uint32_t gone;       /* number of the first plan without it, or PLAN_NEVER */
};

struct plan_step {
    uint32_t number;
    uint64_t behind;
    int64_t made_us; /* wall clock */
};

/* Immutable once made. */
struct plans {
    struct planned *list; /* owned; the preferred ones first */
    size_t count;
    struct plan_step *steps; /* owned; the oldest plan that is remembered first, at least one */
    size_t step_count;
};

/* When a plan is made. */
struct plan_moment {
    bool mqtt5;
    uint64_t last;  /* number of the journal's newest message */
    uint64_t first; /* number of the oldest message that is on disk */
    int64_t now_us; /* wall clock */
};

/* The plans `before` (NULL: none) and one for the wanted subscriptions, whose identifiers are not
 * looked at. Without another step when the newest plan wants the same. The caller's to free. */
struct plans *plans_next(const struct plans *before, const struct subscription_set *wanted,
                         const struct plan_moment *moment);

/* One plan with the identifiers as given: what a session holds that was made before there were
 * plans. */
struct plans *plans_adopt(const struct subscription_set *held, int64_t now_us);
void plans_free(struct plans *plans);

static inline const struct plan_step *plans_newest(const struct plans *plans)
{
    return &plans->steps[plans->step_count - 1];
}

/*
 * Fills an empty set with the newest plan's subscriptions in the order in which they are to be made:
 * those that may replace one with the same filter last, and else the preferred ones first. So for each
 * topic the old canonical subscription stands until the new one does.
 */
void plans_subscriptions(const struct plans *plans, struct subscription_set *set);

/* The filter in the newest plan whose subscription brings the messages of `filter`, which is one of
 * the wanted ones: itself, or the one that covers it. Borrowed; NULL when there is none. */
const char *plans_serving(const struct plans *plans, const char *filter);

/* Of the subscriptions that match a topic (`found` as router_find() gives them, for a router over
 * plans->list): the index of the canonical one in plan `number` for a share group ("": none); -1
 * when none of them is in this plan. */
int plans_canonical(const struct plans *plans, uint32_t number, const char *share,
                    const struct route *found, size_t count);

/* The part of a filter behind "$share/GROUP/", and GROUP; "" when it is not shared. */
struct slice filter_unshared(const char *filter);
struct slice filter_share(const char *filter);

/* Asserts what must always hold of plans. */
void plans_check(const struct plans *plans);

#endif
