/*
 * summary: the state of the service in one sentence, for the status page, `mqtt2pg status` and
 * /status.json. The sentence names one cause: when the journal is full because the database is
 * away, it blames the database and not the paused broker. Pure.
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
    SUMMARY_BAD,      /* messages are not being stored, or are missing */
};

/* The input of summary_find(). Rates are in messages a second. */
struct summary_facts {
    int64_t now_us;
    struct health parts[HEALTH_PARTS];
    bool broker_connected; /* connected but not well: the broker refused subscriptions */
    int64_t waiting;       /* messages in the journal */
    int64_t oldest_seconds;
    int64_t received; /* since the start */
    double processed_rate;
    double rejected_rate;
    int64_t rejected_last_hour;
    size_t parked_rules;         /* parked or held */
    size_t held_rules;           /* of them */
    struct health_parked parked; /* one of them; none that is held while there is another */
    size_t gaps_open;
    struct health_gap gap;             /* the newest open gap */
    size_t not_kept_rules;             /* rules whose partitions can't be kept */
    struct health_partitions not_kept; /* of one of them */
    int64_t clock_ahead_seconds;       /* of PostgreSQL's clock; 0 = they agree */
    const char *topic;                 /* topic of the first rule; "" = not known */
};

struct summary {
    enum summary_level level;
    struct buf headline; /* one sentence; owned */
    struct buf detail;   /* the reason, then what to do; owned, may be empty */
};

/* The words for a level: "good", "starting", "warn", "bad". */
const char *summary_level_name(enum summary_level level);

/* Overwrites `summary`. The caller frees it with summary_fini(). */
void summary_find(const struct summary_facts *facts, struct summary *summary);
void summary_fini(struct summary *summary);

#endif
