/*
 * status_topic: whether the broker lets us use the status topic: the last will in CONNECT, and the
 * publication "online".
 *
 * Some brokers answer a forbidden will or publication by ending the connection (EMQX with
 * deny_action = disconnect, AWS IoT), or refuse CONNECT because of the will (maximum QoS 0, no
 * retained messages). The status topic is on by default, so the service must also work without it:
 *
 *   USED ── CONNECT failed in a way that the will may explain ──▶ WITHOUT (for one attempt)
 *   WITHOUT ── that attempt failed too ──▶ USED
 *   USED, WITHOUT ── proof ──▶ GIVEN_UP ── an hour later, at the next connection ──▶ USED
 *
 * Proof is one of these:
 *   - CONNACK says that will, retain or QoS is the cause;
 *   - CONNECT failed with the will and worked without it, right after;
 *   - the broker ended three connections in a row, with no failed attempt in between, before it
 *     confirmed "online" (one, when DISCONNECT says that publishing is the cause, or after the
 *     status topic was given up before);
 *   - PUBACK refused "online".
 *
 * Pure; one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_STATUS_TOPIC_H
#define MQTT2PG_MQTT_STATUS_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/subscription.h"

enum status_state {
    STATUS_NONE,     /* none is configured; stays so */
    STATUS_USED,     /* at first */
    STATUS_WITHOUT,  /* the next attempt goes without it, to learn whether it is to blame */
    STATUS_GIVEN_UP, /* the broker does not allow it */
};

struct status_topic {
    enum status_state state;
    bool known;             /* the topic was given up before: one more loss is proof */
    unsigned failures;      /* attempts in a row that the will may explain */
    unsigned losses;        /* connections in a row that ended before "online" was confirmed */
    int64_t given_up_at_ms; /* monotonic */
};

/* How an attempt to connect failed. */
enum status_failure {
    STATUS_FAILURE_OTHER,  /* the will is not to blame: not reached, certificate, client id, … */
    STATUS_FAILURE_CLOSED, /* the broker closed the connection instead of answering CONNECT */
    STATUS_FAILURE_DENIED, /* CONNACK says "not authorized", or nothing more exact */
    STATUS_FAILURE_WILL,   /* CONNACK says that the will is the cause */
};

/* Classifies a CONNACK code of MQTT 5 or 3.1.1; 0: there was no CONNACK. */
enum status_failure status_failure_of(int code);

void status_topic_init(struct status_topic *status, bool configured);

/* Does a filter ask for the status topic on purpose, by naming its first level? "#" asks for the
 * messages of devices, and the bridge's own "online" is none. True when `topic` is NULL or "". */
bool status_topic_asked_for(const char *topic, const struct subscription_set *filters);

/* May this attempt, or this connection, use the topic? A topic that was given up an hour ago is
 * used again. */
bool status_topic_wanted(struct status_topic *status, int64_t now_ms);

/* True: try again at once, without the topic. */
bool status_topic_attempt_failed(struct status_topic *status, enum status_failure failure,
                                 int64_t now_ms);

/* True: the topic is given up from now on. */
bool status_topic_connected(struct status_topic *status, int64_t now_ms);

/* The connection ended before "online" was confirmed; `code` of DISCONNECT, 0: there was none. True
 * as above. */
bool status_topic_lost(struct status_topic *status, int code, int64_t now_ms);

/* PUBACK came for "online". `refused`: the topic is given up; else "online" is confirmed. */
void status_topic_answered(struct status_topic *status, bool refused, int64_t now_ms);

#endif
