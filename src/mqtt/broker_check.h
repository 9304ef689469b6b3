/*
 * broker_check: tries the broker for `check --broker`: connects, subscribes each filter, reports
 * what is refused, and leaves no session in the broker. A covered filter (core/subscription) is
 * tried when the filter that covers it is refused.
 *
 * The check uses another client id and a clean session, so that a running bridge keeps its session.
 * Permissions that depend on the client id are therefore not tried. The status topic is tried on a
 * connection of its own (mqtt/status_check). A shared subscription is tried under another group
 * name, because a member of the real group would take messages away from it. Messages that arrive
 * meanwhile are ignored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_BROKER_CHECK_H
#define MQTT2PG_MQTT_BROKER_CHECK_H

#include "base/outcome.h"
#include "core/subscription.h"
#include "mqtt/broker_kind.h"
#include "mqtt/broker_options.h"

struct broker_refusal {
    char *filter; /* owned; as wanted */
    char *reason; /* owned */
};

struct broker_report {
    const char *url; /* of the broker that answered; borrowed from the options */
    enum broker_kind kind;
    size_t granted;
    struct broker_refusal *refused; /* owned */
    size_t refused_count;
    char *status_refused; /* owned; why the status topic is refused; NULL: it is not */
};

/* Tries the URLs in turn until one answers. `client_id` must be one that nobody else has.
 * OUTCOME_RETRY: no broker answered; `error` has the reason of the last one. The caller frees
 * `report` in any case. */
enum outcome broker_check(const struct broker_options *broker, const char *client_id,
                          const struct subscription_set *wanted, struct broker_report *report,
                          struct error *error) MUST_CHECK;
void broker_report_fini(struct broker_report *report);

#endif
