/*
 * loader_state: the loader's struct, and the functions that all parts of the loader use on it.
 *
 *   loader ──▶ loader_connect ──▶ loader_position, loader_bridge
 *     ├──────▶ loader_heal, loader_later, loader_partitions ──▶ loader_trouble
 *     └──────▶ loader_trouble, loader_watch                        all of them ──▶ loader_state
 *
 * One thread runs all parts; members under `mutex` are shared with the callers of load/loader.
 *
 * Invariants, see loader_check():
 *   1  the reader stands behind `stored`, except while the link is not up, or `reading` is
 *      READING_ASTRAY or READING_AHEAD
 *   2  `batch`, `ahead`, `mapper` and `targets` are made for `ruleset`, all or none
 *   3  `records_max`, `heal_letters` and `later.letters` are at least 1
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_STATE_H
#define MQTT2PG_LOAD_LOADER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "journal/journal_reader.h"
#include "load/ahead.h"
#include "load/batch.h"
#include "load/loader.h"
#include "load/partition_keeper.h"
#include "load/store.h"
#include "load/trouble.h"

/*
 * The phases of the loader's life. The phase only goes forward, see loader_advance().
 *
 *   RUNS ──loader_stop()──▶ DRAINS ──all is stored, or no connection──▶ FINISHED
 *     │                        │                                            ▲
 *     │                        └──time is over──▶ ABANDONS ─────────────────┘
 *     └──the process can't go on────────────────────▲
 */
enum loader_phase {
    LOADER_RUNS,
    LOADER_DRAINS,   /* loader_stop(): stores what the journal has, then ends */
    LOADER_ABANDONS, /* the drain's time is over, or the process can't go on: ends now */
    LOADER_FINISHED, /* the thread has left its loop */
};

/* The database, as metrics and health show it. */
enum loader_link {
    LINK_NEVER, /* no batch was possible yet; loader_connect() makes it LINK_UP */
    LINK_UP,    /* loader_disconnect() makes it LINK_DOWN */
    LINK_DOWN,  /* was up before; loader_connect() makes it LINK_UP again */
};

/* The journal's reader. */
enum loader_reading {
    READING_ASTRAY, /* `copies` lacks messages before the next batch: take_next() recalls them */
    READING_READY,  /* behind the last batch that was built or, when it was not stored, `stored` */
    READING_AHEAD,  /* behind the batch that is built ahead; take_next() takes that batch */
};

/* Are the rows of the next batch tried one by one, to find the row that ends the connection? */
enum loader_trial {
    TRIAL_NONE,
    TRIAL_WANTED, /* loader_trouble() asks for it: the rows are tried before they are stored */
    TRIAL_LOST,   /* the connection ended during that trial; loader_trouble() counts it */
};

/* The state that loader_bridge.c keeps about the bridge's row. */
struct bridge_report {
    int64_t started_us;   /* wall clock */
    int64_t connected_us; /* wall clock */
    int64_t next_ms;      /* monotonic */
    int64_t measured_us;  /* monotonic; 0 = never */
    int64_t received;     /* messages, at measured_us */
    int64_t rows;         /* at measured_us */
    /* the last reported difference: seconds ahead of the server's clock; 0 = no difference */
    int64_t clock_told;
    bool off; /* the table can't be written on this connection */
};

/* Where loader_later.c goes on with letters that may pass later. */
struct loader_later {
    int64_t next_ms;  /* monotonic: when the next portion is due */
    int64_t pause_ms; /* between the last two rounds */
    unsigned rule;    /* the next one */
    int64_t after_id; /* of its letters */
    bool stored;      /* a letter was stored in this round */
    bool of_part;     /* letters may wait for the rest of a batch that was cut */
    int letters;      /* of the next portion; small after one that was too large */
    /* Owned; by rule: has it letters of a batch that was cut, or from a time when it had retry_for?
     * NULL: not asked yet. */
    bool *left;
};

struct loader {
    struct loader_options options;
    struct pg_connection *connection;
    struct journal_reader *reader;
    struct verdicts verdicts;
    /* The verdicts of a portion of parked letters that takes several turns (loader_heal.c), and the
     * first rule of these letters. */
    struct verdicts heal_verdicts;
    unsigned heal_rule;
    struct copies *copies; /* owned; which copy of a message counts */
    /* the log already says that the session has a subscription which no plan explains */
    bool stranger_told;
    struct backoff backoff;
    struct backoff wait; /* for a server that can't store now */
    struct backoff loss; /* for connections that were lost with a batch */
    struct patience patience;
    enum loader_link link;
    enum loader_reading reading;
    enum loader_trial trial;
    /* the bridge's own tables are there; false again when one of them is denied */
    bool schema_ready;
    /* this process was the only one of its client at least once; never goes back */
    bool identity_shown;
    /* of the next batch; small after an error for which no message can be blamed */
    size_t records_max;
    unsigned full;       /* batches in a row that could be larger: batch_advise() */
    unsigned small_left; /* batches to store before `records_max` grows again */
    int heal_letters;    /* of the next portion; small after one that was too large */

    uint64_t stored; /* position in the database */
    /* the highest end of a batch that was not stored at its first try */
    uint64_t tried_to;
    uint64_t last_at_start;         /* journal_last() before this process appended anything */
    int64_t waiting_since_ms;       /* monotonic: the first message behind `stored` is not older */
    int64_t watch_again_ms;         /* monotonic: when the database is asked for gaps and letters */
    int64_t pruned_ms;              /* monotonic: when the memory of formats was pruned last */
    struct trouble_history history; /* since the last commit */
    uint64_t lost_at;               /* where the batch began with which the connection was lost */

    struct bridge_report report;
    struct loader_later later;

    /* The members below are made for the ruleset in use. */
    const struct ruleset *ruleset;
    bool inherited; /* parked letters of former rules were given to this ruleset's */
    struct mapper *mapper;
    struct rule_targets *targets;
    struct untaken *untaken;
    struct partition_keeper *keeper;
    struct batch *batch;
    struct ahead *ahead;

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct ruleset *next_ruleset;       /* under mutex; NULL: none */
    struct batch_options next_batch;    /* under mutex */
    const struct ruleset *used_ruleset; /* under mutex */
    enum loader_identity identity;      /* under mutex */
    _Atomic(enum loader_phase) phase;   /* written under mutex */
};

/* Moves to a later phase and wakes all threads that wait; an earlier phase changes nothing. Any
 * thread. */
void loader_advance(struct loader *loader, enum loader_phase phase);

/* Is the loader to end, after a drain or at once? */
bool loader_stopping(const struct loader *loader);

/* Sleeps for so long, and less when the loader is to stop or gets new rules. For pauses that new
 * rules may make pointless: a mended rule should not wait for the end of a backoff. */
void loader_pause(struct loader *loader, int64_t milliseconds);

/* Sleeps for so long, and less only when the loader is to stop. For pauses that new rules would not
 * shorten, such as the wait for the identity: with loader_pause() that loop would spin. */
void loader_rest(struct loader *loader, int64_t milliseconds);

/* Closes the connection and tells health and metrics. */
void loader_disconnect(struct loader *loader, const char *reason);

/* Moves the reader back to the first message that is not stored, and drops a batch that was built
 * ahead. A journal that can't be read ends the process with exit code 1: nothing could be stored
 * any more, and only a person can mend the disk. */
void loader_rewind(struct loader *loader);

/* Messages in the journal that are not stored. Any thread. */
uint64_t loader_waiting(const struct loader *loader);

/* A struct store whose members are borrowed from the loader. */
struct store loader_store(struct loader *loader);

/* Sets the position: forward after a batch, anywhere after a reconnect. Tells the journal, which
 * may then delete segments up to that position. */
void loader_set_stored(struct loader *loader, uint64_t position);

/* Asserts the invariants above as far as this module can see them. The loader's thread. */
void loader_check(const struct loader *loader);

#endif
