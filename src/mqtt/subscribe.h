/*
 * subscribe: makes a broker's session hold exactly the wanted subscriptions. A covered one
 * (core/subscription) is wanted while the broker refuses the filter that covers it.
 *
 * A subscription that the session holds already is not sent again, because a SUBSCRIBE brings the
 * retained messages again; only RETAIN_SEND wants them at every connection. The log names the
 * filters that the broker refuses, grants with a lower QoS, or answers by ending the connection
 * (mqtt/subscribe_search). While a filter is left out because of such an end, no filter that
 * overlaps it is unsubscribed: an old filter may bring the messages of the missing one. All other
 * unwanted filters are unsubscribed, because the broker may limit the number of filters.
 *
 * A broker with limits may also end the connection at UNSUBSCRIBE, even of a filter that it never
 * granted. Such a filter is found in the same way, logged, and no longer counted as held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_SUBSCRIBE_H
#define MQTT2PG_MQTT_SUBSCRIBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mqtt/paho_link.h"
#include "mqtt/session_file.h"
#include "mqtt/subscribe_search.h"

struct subscribe_job {
    struct paho_link *link;
    struct session *session; /* its `held` and `asked` are kept up to date, also on failure */
    const struct subscription_set *wanted;
    struct subscribe_search *search;
    const atomic_bool *cut;       /* the bridge itself has cut this connection */
    const atomic_bool *cancelled; /* the process stops */
    int64_t since_ms;             /* monotonic; when the connection was made */
    bool connecting;              /* the first call on this connection */
    /* The broker holds exactly session->held. If false, all filters are subscribed. Held filters
     * that are not wanted are unsubscribed in either case. */
    bool trusted;
};

struct subscribe_result {
    size_t subscribed; /* filters that were sent and granted by this call */
    size_t unsubscribed;
    /* filters that the broker refused, that are left out, or that this broker can't serve */
    size_t refused;
    size_t left_out;   /* the part of `refused` that is left out after the connection ended */
    bool ended;        /* the connection ended while filters were not answered */
    char refusal[160]; /* the first refusal, for a person */
};

/* Why a filter is not sent to a broker with this CONNACK; NULL: it is sent. */
const char *subscribe_why_not(const struct paho_connack *connack, const char *filter);

/* Does the session hold a filter that will be unsubscribed? */
bool subscribe_leaves(const struct session *session, const struct subscription_set *wanted);

/* Will some filters be unsubscribed and others subscribed? If so, the session has both for a
 * moment, and a message may come for each. */
bool subscribe_hands_over(const struct session *session, const struct subscription_set *wanted);

/* Subscribes new filters before it unsubscribes unwanted ones, so that no message which matches
 * both is missed. OUTCOME_RETRY: close the link. */
enum outcome subscribe_all(const struct subscribe_job *job, struct subscribe_result *result,
                           struct error *error) MUST_CHECK;

#endif
