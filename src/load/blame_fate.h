/*
 * blame_fate: what refusals mean for the messages of a rule, and for the rule. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BLAME_FATE_H
#define MQTT2PG_LOAD_BLAME_FATE_H

#include <stdbool.h>
#include <stddef.h>

#include "pg/pg_failure.h"

/* Why a message, or a run without rows, was refused. */
enum blame_kind {
    BLAME_ROW,   /* data: the message will always be refused */
    BLAME_RULE,  /* the table does not fit, or something that the table depends on */
    BLAME_TWICE, /* may pass by itself, and was refused twice: a timeout, a serialization failure */
    BLAME_TIME,  /* passes when somebody has acted: a lock, room on the disk, a damaged index */
};
enum blame_kind blame_kind_of(const struct pg_failure *failure);

/* May the same row pass later? Yes, once somebody has added the row that a foreign key refers to,
 * or the partition. PostgreSQL reports a missing partition as check_violation (23514), the SQLSTATE
 * of a CHECK constraint, but without the constraint's name: see ExecFindPartition() in PostgreSQL's
 * execPartition.c. */
bool blame_may_pass(const struct pg_failure *failure);

/* The results of trying the rows of one rule. */
struct blame_tally {
    size_t passed;                  /* messages */
    size_t refused[BLAME_TIME + 1]; /* messages, by blame_kind */
    unsigned alone; /* earlier messages, each refused alone, with no row stored since */
};

/* After this many messages in a row that were refused alone, the rule is to blame. */
#define BLAME_ALONE_MAX 2

enum blame_fate {
    BLAME_NOTHING, /* no message of the rule was refused */
    BLAME_REJECT,  /* those that were refused are dead letters */
    /* The rule is set aside; messages that were refused for their data are dead letters. */
    BLAME_PARK, /* its table does not work */
    BLAME_HOLD, /* its table can't take rows now */
};

/* `letters`: the messages have waited as parked letters before. */
enum blame_fate blame_fate_of(const struct blame_tally *tally, bool letters);

/* A statement was cancelled, by statement_timeout or by a person (SQLSTATE 57014). */
bool blame_is_timeout(const struct pg_failure *failure);

/* The transaction has used up the server's locks or memory, by all of its rows together: rows that
 * go to thousands of partitions, for example. No single row is to blame while there are others. */
bool blame_is_used_up(const struct pg_failure *failure);

#endif
