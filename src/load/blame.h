/*
 * blame: what a batch that PostgreSQL refused with an ERROR means: for messages, for rules, for the
 * database.
 *
 * The SQLSTATE alone does not tell: a trigger may raise any of them for one row. So the scope is
 * found by trying, in a transaction that is always rolled back:
 *
 *   what the trial shows                what follows
 *   ----------------------------------  -----------------------------------------------------------
 *   the statements fail without rows    the run's rules are parked, or held when time may help
 *   some messages fail, others pass     the messages that fail become dead letters
 *   all messages of a rule fail         because of data: dead letters. Otherwise the rule is parked
 *                                       or held; but a message that was alone is rejected, until
 *                                       two were rejected like that in a row
 *   all messages pass now               the cause is gone, or only the whole batch shows it: store
 *                                       the batch again, or half of it
 *   locks or memory were used up        half of the batch (SQLSTATE 53200)
 *
 * A half is judged by itself: a row that refers to a row of the other half is refused. Only all
 * rows of one message are certain to share a transaction; `retry_for` is for others (README.md).
 *
 * Rows are tried message by message in the order of the batch, each in a subtransaction of its own
 * that stays when it passes, so that later rows are judged as they will be. Many are tried in one
 * message to the server (pg/pg_steps): the round trips do not grow with the number of bad rows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BLAME_H
#define MQTT2PG_LOAD_BLAME_H

#include "load/store.h"

/* What a refused message or an empty run failed with. */
enum blame_kind {
    BLAME_ROW,   /* data: the message will always be refused */
    BLAME_RULE,  /* the table does not fit, or some of what stands behind it */
    BLAME_TWICE, /* may pass by itself, and was refused twice: a timeout, a serialization failure */
    BLAME_TIME,  /* passes when somebody has done something: a lock, room, a damaged index */
};
enum blame_kind blame_kind_of(const struct pg_failure *failure);

/* May the same row pass later, once somebody has added what is missing: the row that a foreign key
 * refers to, or a partition? PostgreSQL reports a missing partition as check_violation (23514), the
 * SQLSTATE of a CHECK constraint, but without the constraint's name: see ExecFindPartition() in
 * PostgreSQL's execPartition.c. */
bool blame_may_pass(const struct pg_failure *failure);

/* What was found out about the rows of one rule. */
struct blame_tally {
    size_t passed;     /* messages */
    size_t refused[4]; /* messages, by blame_kind */
    unsigned alone;    /* messages before, each refused alone, with no row stored since */
};

/* So many messages in a row may be refused alone before the rule is to blame. */
#define BLAME_ALONE_MAX 2

enum blame_fate {
    BLAME_NOTHING, /* no message of the rule was refused */
    BLAME_REJECT,  /* those that were refused are dead letters */
    /* The rule is set aside; messages that were refused for their data are dead letters. */
    BLAME_PARK,
    BLAME_HOLD,
};

/* Pure. `letters`: the messages have waited as parked letters before. */
enum blame_fate blame_fate_of(const struct blame_tally *tally, bool letters);

/* After store_batch() or retry_letters() has been rolled back. STORE_AGAIN when something was
 * learned: verdicts, parked or held rules, another shape of a table; otherwise what to do. */
enum store_result blame(const struct store *store, const struct batch *batch,
                        struct store_failure *failure) MUST_CHECK;

/* Nobody knows which of its rows ends the connection: all rules that made rows of the batch's only
 * message give it up. False: none did. */
bool blame_message(const struct store *store, const struct batch *batch,
                   const struct pg_failure *failure);

#endif
