/*
 * subscription_plan: chooses the filters to subscribe, so that every rule gets its messages once,
 * however the broker treats overlapping subscriptions (Mosquitto sends one copy or several, EMQX
 * one for each subscription). Pure.
 *
 * MQTT 5: one subscription for each different filter. Each copy carries the identifiers of the
 * subscriptions that it was sent for (MQTT 5.0, section 3.3.2.3.8; route/plan, route/copies).
 *
 * MQTT 3.1.1: copies have no identifiers. So filters that overlap are replaced by one that covers
 * both ("a/+/c" and "a/b/#" by "a/+/#"), with the highest qos, until none overlap. The router drops
 * the messages that no rule wants. The highest qos matters: of overlapping subscriptions Mosquitto
 * 2.0.11 sends one copy, with the qos of the subscription that it happens to visit first.
 *
 * Shared subscriptions are never merged. Different groups are different subscriptions because the
 * user wants them so, and a filter that is both shared and not shared gives copies of both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_SUBSCRIPTION_PLAN_H
#define MQTT2PG_ROUTE_SUBSCRIPTION_PLAN_H

#include "base/buf.h"
#include "base/problems.h"
#include "core/rule_options.h"
#include "core/subscription.h"
#include "route/topic_filter.h"

struct planned_rule {
    const struct topic_filter *filter;
    const struct rule_options *options; /* qos, share, retained */
};

/* Fills an empty set. The identifiers are added by route/plan. With MQTT 3.1.1 the set ends with
 * the filters that another rule's filter covers, as covered ones. Warns of rules with the same
 * filter that differ in qos (the higher is subscribed) or in `retained` (the one with more messages
 * is subscribed). `problems` may be NULL. */
void subscription_plan(const struct planned_rule *rules, size_t count, bool mqtt5,
                       struct subscription_set *set, struct problems *problems);

/* The filter as it is subscribed, with "$share/GROUP/" when `share` is not empty. The caller's to
 * free. */
char *subscription_full_filter(const char *share, const char *filter);

/* Appends the narrowest MQTT filter that covers both to `out`. The two must overlap; therefore a
 * first level that begins with "$", which no wildcard would cover, is the same in both. */
void mqtt_filter_cover(struct slice left, struct slice right, struct buf *out);

#endif
