/*
 * plan: the subscriptions that one configuration wants, and those of the configurations before it
 * whose copies may still come. Pure.
 *
 * A plan is a list of subscriptions. Plans are numbered from 1. `behind` is a plan's place in the
 * journal: the sequence of the newest message when the plan was made. The bridge subscribes only
 * after that. So every copy for a subscription that this plan made has a higher sequence, and was
 * published after the plan was made.
 *
 * A subscription keeps its identifier as long as its filter and its options (qos, retain handling)
 * stay the same from plan to plan; after any change it gets a new identifier. So an identifier has
 * one meaning only, as long as a plan with it is remembered. Subscribing a filter again with a new
 * identifier replaces the subscription in one step (MQTT 5.0, 3.8.4).
 *
 * A filter is left out when another one of the same share group covers it and both are new in this
 * plan, so that the broker queues one copy of a message. It is not left out when it wants a higher
 * QoS or other retained messages than the wider filter, or when no rule has the wider filter. A
 * filter stays left out in later plans, as long as it wants the same and another filter covers it:
 * subscribing it would bring the retained messages once more. The plan has such a filter as a
 * covered subscription with an identifier of its own, in case the broker refuses the wider filter.
 *
 * Former plans are remembered for a week, and as long as the journal has messages from before the
 * next plan, but at most PLANS_MAX of them. For a copy with the identifier of a forgotten plan only
 * its topic matters, as for a copy without any identifier.
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
    uint32_t identifier; /* 0: made for MQTT 3.1.1, where copies carry none */
    uint32_t rank;       /* lower: the filter has been there longer */
    uint32_t born;       /* number of the first plan that has it */
    uint32_t gone;       /* number of the first plan without it, or PLAN_NEVER */
    /* another filter brings its messages, unless the broker refuses that filter */
    bool covered;
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

/* The time at which a plan is made, and the journal's state then. */
struct plan_moment {
    bool mqtt5;
    uint64_t last;  /* number of the journal's newest message */
    uint64_t first; /* number of the oldest message that is on disk */
    int64_t now_us; /* wall clock */
};

/* Returns the plans `before` (NULL: none) with a new plan for the wanted subscriptions, or without
 * one when the newest plan wants the same. Ignores the identifiers of `wanted`; subscriptions with
 * `covered_by` are covered ones. The caller's to free. */
struct plans *plans_next(const struct plans *before, const struct subscription_set *wanted,
                         const struct plan_moment *moment);

void plans_free(struct plans *plans);

static inline const struct plan_step *plans_newest(const struct plans *plans)
{
    return &plans->steps[plans->step_count - 1];
}

/* The number of the newest plan that was made before the message with this sequence came. */
uint32_t plans_at(const struct plans *plans, uint64_t sequence);

/* The member `behind` of the plan with this number; 0: the plan is older than all remembered
 * ones. */
uint64_t plans_behind(const struct plans *plans, uint32_t number);

/* Fills an empty set with the newest plan's subscriptions, the covered ones after the others. */
void plans_subscriptions(const struct plans *plans, struct subscription_set *set);

/* The filter of the newest plan's subscription that brings the messages of the wanted `filter`:
 * itself, or the filter that covers it. Borrowed; NULL when there is none. */
const char *plans_serving(const struct plans *plans, const char *filter);

/* Asserts the invariants of plans. */
void plans_check(const struct plans *plans);

#endif
