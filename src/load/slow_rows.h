/*
 * slow_rows: decides, after a statement for rows took too long while rules of other tables wait,
 * whether the table or the server is to blame.
 *
 * The trial (load/blame) shows which rows take too long. When rows of another table pass a moment
 * before or after, the table is to blame. When the batch has rows of one table only, load/patience
 * decides by what happened to earlier batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_SLOW_ROWS_H
#define MQTT2PG_LOAD_SLOW_ROWS_H

#include "load/trial.h"

struct slow_rows {
    const struct store *store;
    const struct batch *batch;
    enum patience_others *seen; /* owned; for each run: were its rows quick enough? */
    int64_t started_ms;         /* monotonic */
    size_t tried;               /* messages */
    bool immediate; /* deferred constraints or triggers failed, so a trial checks them, too */
    /* a statement took too long while other rules wait; if false, any rule may be held */
    bool timed;
    bool server; /* the server is to blame */
};

/* Borrows all. `failure` is that of the batch. */
void slow_rows_init(struct slow_rows *slow, const struct store *store, const struct batch *batch,
                    const struct store_failure *failure);
void slow_rows_fini(struct slow_rows *slow);

/* Monotonic: when all trials are to end. */
int64_t slow_rows_deadline_ms(const struct slow_rows *slow);

/* Notes which rows of this trial were quick enough; or that the run's statements failed without any
 * row. */
void slow_rows_note(struct slow_rows *slow, const struct trial *trial);
void slow_rows_note_empty(struct slow_rows *slow, size_t run, const struct pg_failure *failure);

/* Rows of this rule were refused with `failure`, which would hold the rule. True: the rule is held.
 * False: the server is slow, so no rule is held, and the rule that was held last is released. To be
 * called inside the transaction of the trial. */
bool slow_rows_blame(struct slow_rows *slow, size_t run, unsigned rule,
                     const struct pg_failure *failure);

/* How many messages should be stored in a quarter of the limit; 0 = not known. */
size_t slow_rows_fit(const struct slow_rows *slow);

#endif
