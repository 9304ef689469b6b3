/*
 * replay: sends the journal's stored messages through one of today's rules once more and stores
 * the rows, in batches.
 *
 *   BEGIN; mqtt2pg.replay: position by compare-and-set; rows; COMMIT
 *
 * So an interrupted replay goes on where it was, and two at once do not double rows. A message
 * that PostgreSQL refuses is set aside by a savepoint of its own and reported; it becomes no dead
 * letter, for the journal still has it. Nothing is acknowledged. The service may run meanwhile:
 * messages behind its own position are not touched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_REPLAY_H
#define MQTT2PG_LOAD_REPLAY_H

#include "journal/journal_reader.h"
#include "load/mapper.h"
#include "load/rule_targets.h"

/* What is to be replayed, and with what. All borrowed. */
struct replay_options {
    struct pg_connection *connection;
    struct journal *journal;
    const struct ruleset *ruleset;
    struct mapper *mapper;
    const struct rule_target *target; /* of the rule; works */
    unsigned rule;
    int64_t from_us, to_us; /* received at, both included */
    size_t rows_max;        /* of a batch */
    size_t bytes_max;
    bool dry_run; /* count only */
};

struct replay_counts {
    uint64_t messages; /* that the rule takes, of that time, stored, and no copies */
    uint64_t rows, filtered, rejected;
    int64_t first_us, last_us;          /* received at; 0 = none */
    int64_t times_from_us, times_to_us; /* of the rule's first time column, since 2000 */
    bool has_times;
};

/* Where a replay of this rule stands, from mqtt2pg.replay. */
struct replay_state {
    bool found;    /* there is one that did not end */
    uint64_t done; /* messages up to this one are stored again */
    int64_t from_us, to_us;
};

/* Reads how far an unfinished replay of the rule came. */
enum outcome replay_read(const struct replay_options *options, struct replay_state *state,
                         struct pg_failure *failure) MUST_CHECK;

/* Notes a new one, which replaces a finished one. */
enum outcome replay_begin(const struct replay_options *options,
                          struct pg_failure *failure) MUST_CHECK;

/* Goes through the messages; those up to `done` are passed over. With `dry_run` nothing is stored.
 * OUTCOME_RETRY: `failure` says why; what was committed stays. */
enum outcome replay_run(const struct replay_options *options, uint64_t done,
                        struct replay_counts *counts, struct pg_failure *failure) MUST_CHECK;

#endif
