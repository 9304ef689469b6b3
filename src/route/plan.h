/*
 * plan: the subscriptions that one configuration wants, and those of the configurations before it
 * whose copies may still come. Pure.
 *
 * A plan is a list of subscriptions. Plans are numbered from 1, and `behind` says where a plan
 * stands in the journal: it was made when the journal's newest message had that number, and before
 * the broker was asked for its subscriptions. So every copy that came for a subscription that this
 * plan made stands behind that number, and its message was published behind it.
 *
 * A subscription keeps its identifier as long as its filter and its options (qos, retain handling)
 * stay the same from plan to plan; anything else gets a new one. So no identifier is used for two
 * things while a plan that had it is remembered. To subscribe a filter again with a new identifier
 * replaces the subscription in one step (MQTT 5.0, 3.8.4).
 *
 * A filter that another one of the same share group covers is left out when both are new in this
 * plan, so that the broker queues one copy of a message; never when it asks for a higher QoS or for
 * other retained messages, and never in favour of a filter that no rule asks for. It stays left out
 * in later plans, as long as it asks for the same and another one covers it: a subscription of its
 * own would bring it the retained messages once more. A plan keeps it as a covered subscription
 * with an identifier of its own, for a broker that refuses the other filter.
 *
 * Former plans are remembered for a week, and as long as the journal has messages that came before
 * the next one; at most PLANS_MAX of them. A copy for a subscription of a forgotten plan goes by
 * its topic alone, as one without any identifier does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_PLAN_H
#define MQTT2PG_ROUTE_PLAN_H

#include <stdbool.h>

#include "base/slice.h"
#include "core/mqtt_filter.h"
#include "core/subscription.h"

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
    bool covered;        /* another one brings its messages, unless the broker refuses that one */
};

struct plan_step {
    uint32_t number;
    uint64_t behind;
    int64_t made_us; /* wall clock */
};

/* Immutable once made. */
struct plans {
    struct planned *list; /* owned; by rank */
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

/* The plans `before` (NULL: none) and a new one for the wanted subscriptions; no new one when the
 * newest plan wants the same. The identifiers of `wanted` are not looked at; subscriptions with
 * `covered_by` are covered ones. The caller's to free. */
struct plans *plans_next(const struct plans *before, const struct subscription_set *wanted,
                         const struct plan_moment *moment);

void plans_free(struct plans *plans);

static inline const struct plan_step *plans_newest(const struct plans *plans)
{
    return &plans->steps[plans->step_count - 1];
}

/* Fills an empty set with the newest plan's subscriptions, the covered ones behind the others. */
void plans_subscriptions(const struct plans *plans, struct subscription_set *set);

/* The filter in the newest plan whose subscription brings the messages of `filter`, which is one of
 * the wanted ones: itself, or the one that covers it. Borrowed; NULL when there is none. */
const char *plans_serving(const struct plans *plans, const char *filter);

/* Asserts what must always hold of plans. */
void plans_check(const struct plans *plans);

#endif
