/*
 * subscription: a filter with its options, to send to the broker. route/subscription_plan makes
 * subscriptions from the rules, mqtt/receiver sends them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_SUBSCRIPTION_H
#define MQTT2PG_CORE_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* MQTT 5.0, section 3.8.3.1. */
enum retain_handling {
    RETAIN_SEND = 0,        /* retained messages at every SUBSCRIBE */
    RETAIN_SEND_IF_NEW = 1, /* only when the subscription did not exist */
    RETAIN_DO_NOT_SEND = 2,
};

/* MQTT 5.0, section 3.8.2.1.2: what a variable byte integer can hold. */
#define SUBSCRIPTION_IDENTIFIER_MAX 268435455

/* One MQTT subscription. */
struct subscription {
    char *filter; /* owned; MQTT filter, with "$share/GROUP/" in front when shared */
    uint8_t qos;
    enum retain_handling retain_handling;
    /* MQTT 5.0, section 3.8.2.1.2: 1 to 268,435,455. A function of the filter alone, so that a
     * message that was queued or journaled before a change of the configuration still means the
     * same. 0 with MQTT 3.1.1. */
    uint32_t identifier;
    /* Owned; another filter of the set, which covers this one. This one is subscribed only while
     * the broker refuses that one. NULL: always subscribed. */
    char *covered_by;
};

struct subscription_set {
    struct subscription *list; /* owned */
    size_t count;
};

/* The identifier of a filter, the same in every process. */
uint32_t subscription_identifier(const char *filter);

/* Appends a copy and returns it. */
struct subscription *subscription_set_add(struct subscription_set *set,
                                          const struct subscription *subscription);
const struct subscription *subscription_set_find(const struct subscription_set *set,
                                                 const char *filter);
/* Do two of the filters match the topic? Then a broker may send two copies. */
bool subscription_set_overlaps(const struct subscription_set *set, struct slice topic);
/* Frees the subscriptions with their filters; the set is empty then. */
void subscription_set_fini(struct subscription_set *set);

#endif
