/*
 * store: one batch, one transaction.
 *
 *   BEGIN
 *   progress: from → to by compare-and-set       (not there: roll back, read it again)
 *   per rule with rows: COPY                     (refused: isolate the message, or park the rule)
 *   dead letters: COPY;  gaps: INSERT
 *   outbox: acknowledgments written and synced
 *   COMMIT                                       (no answer: `progress` will tell)
 *
 * One bad row does not cost its batch: when PostgreSQL refuses a row, a second transaction that is
 * always rolled back finds every message that it refuses (by the line it names, else by halving);
 * they become verdicts, and the batch is built again with them as dead letters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_STORE_H
#define MQTT2PG_LOAD_STORE_H

#include "ack/outbox.h"
#include "load/batch.h"
#include "pg/pg_connection.h"

enum store_result {
    STORE_DONE,    /* committed */
    STORE_LOST,    /* the connection is gone; whether it was committed, `progress` tells */
    STORE_STALE,   /* `progress` is not where the batch begins: read it again */
    STORE_REFUSED, /* rolled back; something in it is refused: store_blame() finds out what */
    STORE_AGAIN,   /* rolled back; verdicts or targets have changed: build it again, now */
    STORE_SOON,    /* rolled back; a deadlock or a serialization failure: the same again, soon */
    STORE_SMALLER, /* rolled back; build one with half the messages */
    STORE_WAIT,    /* rolled back; the server can't now: again after a pause; `failure` says why */
    STORE_ACKS,    /* rolled back; the broker must take acknowledgments first */
    STORE_STOP,    /* rolled back; the database is damaged */
    STORE_DISK, /* rolled back; the disk below the outbox failed, and a failed sync is not tried again */
};

/* All borrowed. */
struct store {
    struct pg_connection *connection;
    const char *journal;
    const struct ruleset *ruleset;
    struct rule_targets *targets;
    struct verdicts *verdicts;
    struct outbox *outbox; /* NULL: no acknowledgments */
    uint64_t position;     /* of `progress`, for retry_letters() with an outbox */
};

/* Verdicts and targets are only read. *rule is for store_blame(). */
enum store_result store_batch(const struct store *store, const struct batch *batch, unsigned *rule,
                              struct pg_failure *failure) MUST_CHECK;

/* After STORE_REFUSED, with the same arguments: looks for what is to blame, and makes verdicts of
 * it or parks the rule. Any other result. */
enum store_result store_blame(const struct store *store, const struct batch *batch, unsigned rule,
                              struct pg_failure *failure) MUST_CHECK;

/* COPY of the rows of `rule` in the extents from `low` up to `high`, inside a transaction. */
enum outcome store_rows(const struct store *store, const struct batch *batch, unsigned rule,
                        size_t low, size_t high, struct pg_failure *failure) MUST_CHECK;

/* Tells the channels of rules with `notify` of the batch's rows, when the transaction commits. */
enum outcome store_notify(const struct store *store, const struct batch *batch,
                          struct pg_failure *failure) MUST_CHECK;

/* Behind the rows: have all their columns the types still that they were made for (targets_check())?
 * *rule is for store_blame(). */
enum outcome store_check_types(const struct store *store, const struct batch *batch, unsigned *rule,
                               struct pg_failure *failure) MUST_CHECK;

/*
 * Outside a transaction, after PostgreSQL refused data among `rule`'s rows: reads the catalog again,
 * for a column that was altered meanwhile makes every row look bad; if it was none, finds which
 * messages are refused and adds their verdicts. `failure` is why, and is overwritten. STORE_AGAIN
 * when something was learned, else what to do.
 */
enum store_result store_blame_rows(const struct store *store, const struct batch *batch,
                                   unsigned rule, struct pg_failure *failure) MUST_CHECK;

/* The first thing in a transaction after BEGIN: `progress` from batch->from to batch->to.
 * STORE_DONE with what stored_at has become. */
enum store_result store_move(const struct store *store, const struct batch *batch,
                             int64_t *stored_at_us, struct pg_failure *failure) MUST_CHECK;

/*
 * The last thing: writes the batch's acknowledgments down, commits, lets them go out. STORE_DONE,
 * or what to do with the rest rolled back, if there is still a connection; `failure` says why.
 */
enum store_result store_commit(const struct store *store, const struct batch *batch,
                               int64_t stored_at_us, struct pg_failure *failure) MUST_CHECK;

/* What a failed statement outside of rows means for the batch. */
enum store_result store_result_of(const struct pg_failure *failure);

/* ROLLBACK; a connection that does not even take that is closed. */
void store_rollback(const struct store *store);

#endif
