/*
 * replay_progress: how far a replay of a rule came, in the table `replay` of the bridge's schema.
 *
 * The row moves in the transaction that stores the rows, by compare-and-set as its first statement,
 * like the row of `progress`. The same statement removes the dead letters of the messages that are
 * made again, so each message is there once: as rows or as one letter.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_REPLAY_PROGRESS_H
#define MQTT2PG_PG_REPLAY_PROGRESS_H

#include "pg/progress.h"

/* Which replay; of the connection's client_id. Borrowed. */
struct replay_key {
    const char *journal;
    const char *rule;
};

/* Where an unfinished replay stands. */
struct replay_state {
    bool found;             /* there is one that did not end */
    uint64_t done;          /* messages up to this one are done */
    int64_t from_us, to_us; /* received between, microseconds since 1970 */
};

enum outcome replay_progress_read(struct pg_connection *connection, const struct replay_key *key,
                                  struct replay_state *state,
                                  struct pg_failure *failure) MUST_CHECK;

/* Notes a new one, which replaces a finished one; of `state` only the times count. */
enum outcome replay_progress_begin(struct pg_connection *connection, const struct replay_key *key,
                                   const struct replay_state *state,
                                   struct pg_failure *failure) MUST_CHECK;

/* Numbers of messages in ascending order. Zero-initialized memory is empty. */
struct replay_numbers {
    uint64_t *list; /* owned */
    size_t count;
    size_t capacity;
};
void replay_numbers_add(struct replay_numbers *numbers, uint64_t number);
bool replay_numbers_has(const struct replay_numbers *numbers, uint64_t number);
void replay_numbers_fini(struct replay_numbers *numbers);

/* The rule's messages that have dead letters. `waiting`: the service stores them by itself, for
 * they are parked or wait for retry_for. Adds to both lists, which are to be empty. */
enum outcome replay_progress_letters(struct pg_connection *connection, const struct replay_key *key,
                                     struct replay_numbers *settled, struct replay_numbers *waiting,
                                     struct pg_failure *failure) MUST_CHECK;

/* What a batch of a replay does besides its rows. */
struct replay_step {
    const char *rule;                        /* borrowed, like below */
    const struct replay_numbers *superseded; /* messages of the batch with a settled letter */
    bool finished;                           /* the replay ends with this batch */
};

/* The statement that moves the row, as progress_statement_init() makes it for `progress`. */
void replay_progress_statement(struct progress_statement *statement,
                               const struct pg_connection *connection,
                               const struct progress_step *step, const struct replay_step *replay);

#endif
