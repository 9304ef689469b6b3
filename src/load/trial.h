/*
 * trial: finds the messages of one run whose rows PostgreSQL refuses.
 *
 *   window   savepoint mqtt2pg_window; chunks, sent in one message
 *   chunk    rollback to savepoint mqtt2pg_row; rows; release and savepoint mqtt2pg_row
 *
 * The savepoint mqtt2pg_row comes after the last chunk that passed, so ROLLBACK TO it undoes a
 * chunk that failed, and nothing when the chunk passed. A chunk is a number of messages. When a
 * chunk fails, the window is tried again with that chunk message by message, so that each message
 * meets all rows that passed before it.
 *
 * A table whose rows take long must not hold up the other rules. A row may take a second (less in
 * a trial that is `timed`), and a trial is cut off when its time is over: the messages behind
 * `tested` are neither refused nor passed.
 *
 * A constraint that is deferred to COMMIT may be satisfied by later rows, also of another rule.
 * With `immediate` it is checked after each chunk; refused messages are tried again when all runs
 * have been tried, as long as one more passes (trial_again()).
 *
 * A chunk that is rolled back holds no lock, so other sessions may change the table between two
 * tries. Once a chunk has passed, the trial holds a lock on the table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_TRIAL_H
#define MQTT2PG_LOAD_TRIAL_H

#include "load/store.h"

#define TRIAL_MS 3000

/* A message's rows that were refused. */
struct refusal {
    size_t extent;
    struct pg_failure failure;
};

typedef bool refusal_test(const struct refusal *refusal);

struct trial {
    const struct store *store;
    const struct batch *batch;
    size_t run;
    bool immediate; /* constraints that are deferred to COMMIT are checked after each chunk */
    bool timed;     /* looks for rows that take too long; as given to trial_begin() */
    struct refusal *refusals; /* owned; in the order of extents */
    size_t count;
    size_t capacity;
    size_t named;        /* refused messages whose column was looked for */
    size_t tested;       /* extents below this index were tried */
    int64_t deadline_ms; /* monotonic; the trial is cut off after it; 0 = never */
    bool cut_off;        /* the deadline came first, or enough is known of a `timed` trial */
};

/* Begins the transaction of a trial. `timed`: the batch was refused because a statement took too
 * long, so a row is refused sooner, and windows are small. OUTCOME_RETRY as below. */
enum outcome trial_begin(const struct store *store, bool timed,
                         struct pg_failure *failure) MUST_CHECK;

/* Tries the statements of this run without rows. *passes: do they succeed? If not, `failure` says
 * why. */
enum outcome trial_empty(const struct trial *trial, bool *passes,
                         struct pg_failure *failure) MUST_CHECK;

/* Tries every message of the run; rows that pass stay in the transaction. OUTCOME_RETRY: the
 * connection is lost. */
enum outcome trial_run(struct trial *trial, struct pg_failure *failure) MUST_CHECK;

/* Can rows that are stored later make this row pass? Only when it was refused by a constraint
 * (SQLSTATE class 23). */
bool trial_may_be_met(const struct refusal *refusal);

/* Tries the refused messages that `wanted` names once more, together with all rows that have passed
 * since; messages that pass now leave the list. May set `cut_off`: messages that it did not reach
 * stay in the list. Not after `cut_off`. OUTCOME_RETRY as above. */
enum outcome trial_again(struct trial *trial, refusal_test *wanted,
                         struct pg_failure *failure) MUST_CHECK;

void trial_fini(struct trial *trial);

#endif
