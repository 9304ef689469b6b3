/*
 * subscribe_search: finds the filter at which a broker ends the connection, at SUBSCRIBE or at
 * UNSUBSCRIBE. A filter is wanted or not, so only one of the two is sent for it. A filter that was
 * left out of SUBSCRIBE and is no longer wanted becomes LEFT_OUT again at the first end at its
 * UNSUBSCRIBE.
 *
 * Brokers for MQTT 3.1.1 may answer a forbidden filter, one too many or one too deep by closing the
 * connection instead of with SUBACK (AWS IoT, EMQX with deny_action = disconnect). Then no rule
 * would get messages. But networks, proxies and dying brokers end connections, too, and leaving a
 * filter out by mistake loses messages. So leaving a filter out needs proof:
 *
 *   unknown ── ended, not answered ──▶ SUSPECTED ── STRIKES ends with proof, in a row ──▶ LEFT_OUT
 *      ▲                                   │ answered                                       │
 *      ├───────────────────────────────────┘                         10 s, 20 s, … 1 h later│
 *      └── answered ─────────────────────────────────────────────── RETRIED ◀───────────────┘
 *                                                                      └── ended ──▶ LEFT_OUT
 *
 * The caller subscribes all other filters first, waits until the connection has lived for
 * subscribe_search_quiet_ms(), and then subscribes one suspect at a time, the one with the fewest
 * ends first. The connection's end is proof when it follows at once and nothing on this side caused
 * it. Trouble without a suspect (a connection that can't be made, or that ends meanwhile) takes all
 * strikes back.
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

enum suspect_state {
    SUSPECT_SUSPECTED, /* subscribed alone. Left with an answer or after the last strike. */
    SUSPECT_LEFT_OUT,  /* not subscribed. Left when subscribe_search_due() says so. */
    SUSPECT_RETRIED,   /* subscribed alone once more. Left with an answer or the next end. */
};

struct suspect {
    char *filter; /* owned */
    enum suspect_state state;
    unsigned ends;    /* connections that ended while the filter was not answered */
    unsigned strikes; /* ends in a row that count as proof */
    int64_t retry_ms; /* how long the filter is left out, each time */
    int64_t due_ms;   /* monotonic; left out until then */
};

struct subscribe_search {
    struct suspect *list; /* owned */
    size_t count;
};

void subscribe_search_fini(struct subscribe_search *search);

bool subscribe_search_leaves_out(const struct subscribe_search *search, const char *filter);

/* Connections that ended while this filter was not answered. If not 0: subscribe the filter alone,
 * after all others, filters with fewer ends first. */
unsigned subscribe_search_ends(const struct subscribe_search *search, const char *filter);

/* How long a connection must have lived before this filter is subscribed on it. */
int64_t subscribe_search_quiet_ms(const struct subscribe_search *search, const char *filter);

/* The connection ended while these `count` > 0 filters were not answered. `proof`: as above; the
 * filter was alone, and before a SUBSCRIBE the session did not hold it. Returns the filter that is
 * left out from now on, or NULL; borrowed until the next call. */
const char *subscribe_search_ended(struct subscribe_search *search, const char *const *filters,
                                   size_t count, bool proof, int64_t now_ms);

/* A connection failed or ended, and a suspect can't be the cause. */
void subscribe_search_disturbed(struct subscribe_search *search);

/* The broker has granted or refused this filter. True: it was left out before. */
bool subscribe_search_answered(struct subscribe_search *search, const char *filter);

/* Is it time to subscribe a filter again that was left out? If so, it becomes RETRIED. */
bool subscribe_search_due(struct subscribe_search *search, int64_t now_ms);

/* After a reload: nothing is suspected or left out. */
void subscribe_search_forget(struct subscribe_search *search);

#endif
