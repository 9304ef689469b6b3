/*
 * trouble: decides what to do after a batch that was not stored. Pure: the loader acts.
 *
 *   result          remedy                            besides
 *   --------------  --------------------------------  --------------------------------------------
 *   STORE_LOST      reconnect                         from the second loss on: a quarter of the
 *                                                     batch, tried row by row; a message alone is
 *                                                     given up in the end
 *   STORE_STALE     reconnect, which reads `progress`
 *   STORE_AGAIN     again
 *   STORE_SOON      pause                             from the fourth in a row on: wait
 *   STORE_SMALLER   again, with half of the batch,    one message alone: wait
 *                   or with what fits
 *   STORE_WAIT      wait, or see to our own tables    while draining: abandon
 *   STORE_ACKS      wait for the broker               while draining: abandon
 *   STORE_DISK      stop the process
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TROUBLE_H
#define MQTT2PG_LOAD_TROUBLE_H

#include <stddef.h>

#include "load/store.h"

/* What happened since the last commit. */
struct trouble_history {
    size_t messages; /* of the batch */
    size_t fits;     /* messages that should be stored in time; 0 = not known */
    bool stopping;   /* the service drains: what can't be stored at once stays in the journal */
    unsigned soon;   /* STORE_SOON in a row, this one counted */
    unsigned losses; /* of the connection, with batches that begin at the same message */
    unsigned alone;  /* losses in a row during the trial of a batch of one message */
};

enum remedy_act {
    REMEDY_NONE,  /* it was stored */
    REMEDY_AGAIN, /* build it again, now */
    REMEDY_PAUSE, /* build it again after a short pause */
    REMEDY_WAIT,  /* the database can't store: report it, and build again after a longer pause */
    REMEDY_RECONNECT, /* the connection is lost, or `progress` is not where we think */
    /* like REMEDY_WAIT; the bridge's own tables are gone or denied: look at them again */
    REMEDY_SCHEMA,
    REMEDY_ACKS,    /* the broker must take acknowledgments first */
    REMEDY_ABANDON, /* the drain ends here */
    REMEDY_STOP,    /* the process ends with exit code 1 */
};

struct remedy {
    enum remedy_act act;
    size_t records_max; /* of the next batch; 0 = as before */
    bool give_up;       /* the batch's only message is rejected */
    /* The next batch is tried row by row before it is stored: one of its rows may end the
     * connection. */
    bool inquire;
    unsigned small_batches; /* to store before batches grow again; 0 = at once */
};

/* `history` must include this trouble. STORE_DONE gives REMEDY_NONE. */
struct remedy trouble_remedy(enum store_result result, const struct pg_failure *failure,
                             const struct trouble_history *history);

#endif
