/*
 * subscribe_search: which filter makes a broker end the connection.
 *
 * Brokers for MQTT 3.1.1 may answer a forbidden filter, one too many or one too deep by closing the
 * connection instead of with SUBACK (AWS IoT, EMQX with deny_action = disconnect). Every rule would
 * starve. So the filters that were not answered when the connection ended are suspects, and on the
 * next connection fewer of them are under way at once:
 *
 *   100 ── ended ──▶ a quarter of the suspects ── … ──▶ one at a time ── ended ──▶ that one is left out
 *
 * A filter is left out after two connections that ended while it was not answered, the last one
 * while it was alone. It is tried again an hour later, and after a reload.
 *
 * Pure; one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_SUBSCRIBE_SEARCH_H
#define MQTT2PG_MQTT_SUBSCRIBE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suspect {
    char *filter;     /* owned */
    unsigned strikes; /* connections that ended while it was not answered */
    bool left_out;
    int64_t since_ms; /* monotonic, left out since */
};

struct subscribe_search {
    struct suspect *list; /* owned */
    size_t count;
    size_t limit; /* filters under way at once; 0: no limit yet */
};

void subscribe_search_fini(struct subscribe_search *search);

/* How many filters may be under way at once, at most `max`. */
size_t subscribe_search_limit(const struct subscribe_search *search, size_t max);

bool subscribe_search_leaves_out(const struct subscribe_search *search, const char *filter);

/* The connection ended while these `count` > 0 filters were not answered. The filter that is left
 * out from now on, else NULL; borrowed until the next call. */
const char *subscribe_search_ended(struct subscribe_search *search, const char *const *filters,
                                   size_t count, int64_t now_ms);

/* The broker answered this filter, whatever it said. */
void subscribe_search_answered(struct subscribe_search *search, const char *filter);

/* All filters were answered or left out: the next time there is no limit. */
void subscribe_search_done(struct subscribe_search *search);

/* Is there a filter that has been left out for an hour? It is not any more. */
bool subscribe_search_due(struct subscribe_search *search, int64_t now_ms);

/* After a reload: nothing is left out. */
void subscribe_search_forget(struct subscribe_search *search);

#endif
