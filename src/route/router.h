/*
 * router: finds the rules that match a topic, and the values of their captures.
 *
 * The rules form a trie over topic levels, so a search with a thousand rules costs as much as with
 * one. Answers are kept in a bounded cache, because devices repeat their topics. One thread per
 * router.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_ROUTER_H
#define MQTT2PG_ROUTE_ROUTER_H

#include <stddef.h>

#include "base/slice.h"
#include "route/topic_filter.h"

struct router;

struct route {
    unsigned rule;                /* index in the array given to router_new() */
    const struct slice *captures; /* as topic_filter_match() fills them */
};

/* Borrows the filters. `cache_bytes_max` bounds the cache (0: no cache). */
struct router *router_new(struct topic_filter *const *filters, size_t count,
                          size_t cache_bytes_max);
void router_free(struct router *router);

/* Sets *routes to the matches in ascending order of rules and returns how many. The array, the
 * captures and their bytes are valid until the next call. A topic may have any bytes. */
size_t router_find(struct router *router, struct slice topic, const struct route **routes);

#endif
