/*
 * rehearsal: stores one message under one rule in a transaction that is always rolled back, to see
 * what PostgreSQL does with it. For `explain --database`.
 *
 *   BEGIN
 *   CREATE TABLE …                when it is missing and the rule has create = true
 *   COPY …                        the rows into a temporary table
 *   INSERT … RETURNING …          the rows as PostgreSQL has stored them
 *   ROLLBACK
 *
 * For a rule with `sql`, the rows are those that its statements have written: the tables that the
 * transaction wrote to are searched for them (a table of more than a million rows is not).
 *
 * Types, defaults, generated columns, constraints and triggers all take part. A rollback does not
 * take back numbers taken from sequences, nor what a trigger does outside of its database. A
 * rehearsal waits at most some seconds for a lock, and neither touches `progress` nor takes a lock
 * that a running service needs for its identity.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_REHEARSAL_H
#define MQTT2PG_LOAD_REHEARSAL_H

#include "load/mapper.h"
#include "pg/pg_connection.h"

enum rehearsal_fate {
    /* `rows` may be empty: on_conflict kept the existing rows, or a trigger suppressed the new
     * ones. */
    REHEARSAL_STORED,
    REHEARSAL_FILTERED,
    REHEARSAL_REJECTED, /* by the rule or by PostgreSQL: `reason`, `sqlstate`, `constraint` */
    REHEARSAL_PARKED,   /* the rule's table does not work: `reason`, `sqlstate` */
};

struct rehearsal {
    enum rehearsal_fate fate;
    size_t sent;       /* rows that the rule made */
    struct buf rows;   /* one JSON object and a newline each, as PostgreSQL has them */
    struct buf tables; /* of a rule with `sql`: for each row the table's name and a newline */
    /* False: the stored rows could not be read back, for a rule with `sql` or without the privilege
     * select; then `rows` are those that were sent. */
    bool returned;
    char reason[RULE_REASON_MAX];
    char sqlstate[6];
    char constraint[128];
};

/* Zero-initialized memory is an empty rehearsal. */
void rehearsal_fini(struct rehearsal *rehearsal);

/* All borrowed. */
struct rehearsal_stage {
    struct pg_connection *connection;
    const struct ruleset *ruleset;
    struct mapper *mapper;
};

/* Rehearses the message under rule `rule_index`, whose topic must match, with the table as it is
 * now. When the rows can't be returned, `rows` gets those that the mapper made. OUTCOME_RETRY with
 * `failure` when the database could not be asked. */
enum outcome rehearse(const struct rehearsal_stage *stage, unsigned rule_index,
                      const struct message *message, struct rehearsal *rehearsal,
                      struct pg_failure *failure) MUST_CHECK;

/* The rows of a mapped message as they would be sent, one JSON object and a newline each. */
void rehearsal_append_rows(struct buf *out, const struct mapped *mapped,
                           const struct column_shape *const *columns);

#endif
