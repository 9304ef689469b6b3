/*
 * receiver_internal: the struct that receiver.c (the thread's loop), receiver_connect.c (one
 * attempt, one connection) and receiver_status.c (the status topic) share; no other file includes
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_RECEIVER_INTERNAL_H
#define MQTT2PG_MQTT_RECEIVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "mqtt/intake.h"
#include "mqtt/paho_link.h"
#include "mqtt/receiver.h"
#include "mqtt/session_file.h"
#include "mqtt/status_topic.h"
#include "mqtt/subscribe_search.h"

enum attempt {
    ATTEMPT_ONLINE,
    ATTEMPT_UNREACHABLE,
    ATTEMPT_DENIED,
    ATTEMPT_AGAIN, /* try again at once: something was learned */
    /* try again at once, to find the filter at which the broker ends the connection */
    ATTEMPT_SEARCHING,
};

struct receiver {
    struct receiver_options options; /* subscriptions is not used after the start */
    pthread_t thread;

    pthread_mutex_t mutex; /* guards the next three */
    pthread_cond_t cond;
    struct subscription_set wanted;
    bool changed;
    int64_t stop_end_ms; /* monotonic */
    atomic_bool stopping;
    _Atomic int64_t answers_end_ms; /* monotonic; when stopping: no wait for answers after it */
    /* a filter asks for the status topic, so its messages are journaled */
    atomic_bool status_asked_for;
    atomic_bool refused; /* we cut this connection: the journal had no room */

    /* The members below belong to the receiver's thread. */
    struct session_file sessions;
    struct intake *intake;
    struct paho_link *link; /* NULL: not connected */
    size_t url;             /* index of the URL in use, or tried last */
    struct status_topic status;
    struct subscribe_search search;
    size_t refused_count; /* subscriptions that the broker refused on this connection */
    char refusal[160];    /* the first refusal, for a person */
    bool status_pending;  /* "online" was published on this connection and is not confirmed */
    bool searching;       /* the broker ended this connection while filters were not answered */
    bool connected_before;
    int64_t since_ms; /* monotonic; connected since */
    int keepalive_s;
    unsigned advised;     /* bits by enum broker_kind */
    unsigned short_lives; /* connections in a row that did not live long */
    struct backoff backoff, denied, takeover;
    char last_reason[ERROR_TEXT_MAX];
    int64_t last_reason_ms;

    /* Written before each attempt to connect, read in on_connected(). */
    struct intake_session expected;
    struct subscription_set changing; /* struct intake_session */
    struct paho_link *arriving; /* of Paho's receive thread: the link that messages come from */
};

static inline const struct broker_options *broker_of(const struct receiver *receiver)
{
    return receiver->options.broker;
}

/* Drops the bridge's own status messages, unless a rule asks for them. */
static inline void receiver_take(struct receiver *receiver, struct message *message)
{
    if (atomic_load(&receiver->status_asked_for) ||
        !slice_is(message->topic, broker_of(receiver)->status_topic)) {
        (void) intake_take(receiver->intake, message);
    }
}

static inline const char *url_of(const struct receiver *receiver)
{
    return broker_of(receiver)->urls[receiver->url];
}

static inline bool ending(const struct receiver *receiver)
{
    return atomic_load(&receiver->stopping);
}

/* All functions below run in the receiver's thread. */

/* --- receiver_status.c --- */

/* Publishes "online", if there is a status topic and the broker allows it, and waits for the
 * confirmation. */
void receiver_tell_online(struct receiver *receiver, int64_t milliseconds);

/* To be called while the connection is up: notes whether the broker has confirmed or refused
 * "online". */
void receiver_status_look(struct receiver *receiver);

/* To be called after the connection has ended. True when it ended because of the status topic,
 * which is given up then. */
bool receiver_status_lost(struct receiver *receiver);

/* Publishes "online" or "offline". On a connection that is up. */
void receiver_publish_status(struct receiver *receiver, const char *status);

/* Logs that the status topic is given up. */
void receiver_report_status(struct receiver *receiver);

/* Updates what /readyz, the page and `status` show about a connection that is up. */
void receiver_tell_health(struct receiver *receiver);

/* --- receiver_connect.c --- */

/* Tries the URL in use: after ATTEMPT_ONLINE there is a link and all is subscribed. */
enum attempt receiver_attempt(struct receiver *receiver);

/* Makes the connected broker's session hold the subscriptions that are wanted now. OUTCOME_RETRY:
 * end the link. */
enum outcome receiver_resubscribe(struct receiver *receiver, struct error *error) MUST_CHECK;

/* Is it time to try filters again that were left out? */
bool receiver_search_due(struct receiver *receiver);

/* To be called while the connection is up. Notes in the file "session" that the broker has set DUP
 * for the first time in its session, and that its queue has no copies any more. */
void receiver_session_look(struct receiver *receiver);

/* Publishes "offline" and disconnects if the link is up, frees the link and writes the file
 * "session". No link is legal. */
void receiver_end_link(struct receiver *receiver, int64_t milliseconds);

/* Logs why there is no connection: once for each reason, and again after a while. */
void receiver_report(struct receiver *receiver, enum paho_refusal refusal,
                     const struct error *error);

#endif
