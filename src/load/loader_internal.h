/*
 * loader_internal: what loader.c (the loop), loader_connect.c (from a TCP connection to the first
 * batch), loader_position.c (where the journal is read on), loader_trouble.c (what was not stored) and loader_heal.c (parked letters) share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_INTERNAL_H
#define MQTT2PG_LOAD_LOADER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "journal/journal_reader.h"
#include "load/ahead.h"
#include "load/batch.h"
#include "load/loader.h"
#include "load/store.h"
#include "load/trouble.h"

/* What loader_bridge.c remembers of the row that it writes. */
struct bridge_report {
    int64_t started_us;   /* wall clock */
    int64_t connected_us; /* wall clock */
    int64_t next_ms;      /* monotonic */
    int64_t measured_us;  /* monotonic; 0 = never */
    int64_t received;     /* messages, at that time */
    int64_t rows;         /* at that time */
    bool off;             /* the table can't be written on this connection */
};

/* Where loader_later.c goes on with letters that may pass later. */
struct loader_later {
    int64_t next_ms;  /* monotonic: when the next portion is due */
    int64_t pause_ms; /* between the last two rounds */
    unsigned rule;    /* the next one */
    int64_t after_id; /* of its letters */
    bool stored;      /* something passed in this round */
};

struct loader {
    struct loader_options options;
    struct pg_connection *connection;
    struct journal_reader *reader;
    struct verdicts verdicts;
    struct copies *copies; /* owned; which copy of a message counts */
    struct backoff backoff;
    struct backoff wait; /* for a server that can't now */
    struct backoff loss; /* for connections that were lost with a batch */
    size_t records_max;  /* of the next batch; small after a data error nobody can be blamed for */
    bool connected_before;
    bool online; /* as metrics and health say */
    bool schema_ready;
    bool recalled;                  /* the copies before where the reader stands */
    bool identity_proved;           /* once */
    uint64_t stored;                /* position in the database */
    uint64_t last_at_start;         /* journal_last() before this process appended anything */
    int64_t waiting_since_ms;       /* monotonic: the first message behind `stored` is not older */
    int64_t watch_again_ms;         /* monotonic: when the database is asked for gaps and letters */
    int64_t pruned_ms;              /* monotonic: when the memory of formats was pruned last */
    struct trouble_history history; /* since the last commit */
    uint64_t lost_at;               /* where the batch began with which the connection was lost */
    bool inquire;                   /* before the next batch is stored */
    bool lost_inquiring;            /* the connection, with the last batch */
    int heal_letters;               /* of the next portion; small after one that was too large */

    struct bridge_report report;
    struct loader_later later;

    /* Made for the ruleset in use. */
    const struct ruleset *ruleset;
    struct mapper *mapper;
    struct rule_targets *targets;
    struct batch *batch;
    struct ahead *ahead;
    bool ahead_begun; /* with what follows `stored`; the reader stands behind it */

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct ruleset *next_ruleset;       /* under mutex; NULL: none */
    struct batch_options next_batch;    /* under mutex */
    const struct ruleset *used_ruleset; /* under mutex */
    enum loader_identity identity;      /* under mutex */
    bool finished;                      /* under mutex */
    _Atomic bool draining;
    _Atomic bool abandon; /* the drain's time is over */
};

/* Connects, becomes the only process of this client, reads the position and the catalog. False: try
 * again later; it has said why. */
bool loader_connect(struct loader *loader);

/* Between the identity and the first batch: takes the journal's position from `progress`, lets the
 * outbox settle its acknowledgments, and puts the reader there. False with the reason; at the start
 * of the process a position that nobody knows ends it with exit code 4. */
bool loader_take_position(struct loader *loader, struct error *error);

/* Behind a pooler: becomes the only process of this client by its row in the table bridge. */
enum outcome loader_take_lease(struct loader *loader, bool *ours, struct pg_failure *failure);

/* A portion of the letters that may pass later, when it is time. */
void loader_retry_later(struct loader *loader);

/* After connecting: the row is written with the next loader_report(). */
void loader_report_start(struct loader *loader);

/* Writes the row when it is time. What fails there is no reason to stop storing, except that behind a
 * pooler another process has taken the identity: then the connection is closed. */
void loader_report(struct loader *loader);

/* Closes the connection and tells health and metrics. */
void loader_disconnect(struct loader *loader, const char *reason);

/* Sleeps, unless the loader is to stop or has new rules. */
void loader_pause(struct loader *loader, int64_t milliseconds);

/* Sleeps, unless the loader is to stop; also while new rules wait. */
void loader_rest(struct loader *loader, int64_t milliseconds);

bool loader_stopping(struct loader *loader);

/* After anything but STORE_DONE: waits, disconnects or stops as it must be, and puts the reader
 * back. */
void loader_trouble(struct loader *loader, enum store_result result,
                    const struct pg_failure *failure);

/* The reader goes back to behind what is stored. */
void loader_rewind(struct loader *loader);

/* Tells the outbox whether rules want acknowledgments, when we are the only process of this
 * client. */
void loader_expect_acks(struct loader *loader);

/* A portion of this parked rule's letters, if its table works again. */
void loader_heal(struct loader *loader, unsigned rule);

/* Now and then: tells health which gaps and dead letters wait for a person. */
void loader_watch(struct loader *loader);

/* Messages in the journal that are not stored. */
uint64_t loader_waiting(const struct loader *loader);

/* What storing needs, borrowed from the loader. */
struct store loader_store(struct loader *loader);

/* The position moved, forward by a batch or anywhere after a reconnect. */
void loader_set_stored(struct loader *loader, uint64_t position);

#endif
