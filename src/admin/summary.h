/*
 * summary: the state of the service in one sentence, for the status page, `mqtt2pg status` and
 * /status.json. One cause is told once: a full journal because the database is away is the
 * database's fault, not the broker's. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_SUMMARY_H
#define MQTT2PG_ADMIN_SUMMARY_H

#include "base/buf.h"
#include "base/health.h"

enum summary_level {
    SUMMARY_GOOD,
    SUMMARY_STARTING, /* nothing has been tried yet */
    SUMMARY_WARN,     /* somebody should look at it today */
    SUMMARY_BAD,      /* data stands still, or is missing */
};

/* What is known. Rates are messages a second. */
struct summary_facts {
    int64_t now_us;
    struct health parts[HEALTH_PARTS];
    bool broker_connected; /* not well although connected: it refused subscriptions */
    int64_t waiting;       /* messages in the journal */
    int64_t oldest_seconds;
    int64_t received; /* since the start */
    double processed_rate;
    double rejected_rate;
    size_t parked_rules;
    struct health_parked parked; /* one of them */
    size_t gaps_open;
    struct health_gap gap; /* the newest */
    const char *topic;     /* of the first rule; "" = not known */
};

struct summary {
    enum summary_level level;
    struct buf headline; /* one sentence; owned */
    struct buf detail;   /* reason and remedy; owned, may be empty */
};

/* The words for a level: "good", "starting", "warn", "bad". */
const char *summary_level_name(enum summary_level level);

/* `summary` is overwritten; the caller frees it by summary_fini(). */
void summary_find(const struct summary_facts *facts, struct summary *summary);
void summary_fini(struct summary *summary);

#endif
