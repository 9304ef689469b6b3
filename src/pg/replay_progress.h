/*
 * replay_progress: the table `replay`, which says how far a replay of a rule came.
 *
 * The row moves in the transaction that stores the rows, by compare-and-set as its first statement,
 * like the row of `progress`. The same statement removes the dead letters of the replayed messages,
 * so each message exists once: as rows or as one letter.
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

/* Numbers of messages in ascending order. Zero-initialized memory is empty. */
struct replay_numbers {
    uint64_t *list; /* owned */
    size_t count;
    size_t capacity;
};
void replay_numbers_add(struct replay_numbers *numbers, uint64_t number);
bool replay_numbers_has(const struct replay_numbers *numbers, uint64_t number);
void replay_numbers_fini(struct replay_numbers *numbers);

/* Where an unfinished replay stands. */
struct replay_state {
    bool found;                     /* there is an unfinished replay */
    uint64_t done;                  /* messages up to this one are done */
    uint64_t last;                  /* later messages do not belong to this replay */
    int64_t from_us, to_us;         /* received between, microseconds since 1970 */
    struct replay_numbers left_out; /* owned; messages that it passes over */
};
void replay_state_fini(struct replay_state *state);

/* `state` is to be empty. */
enum outcome replay_progress_read(struct pg_connection *connection, const struct replay_key *key,
                                  struct replay_state *state,
                                  struct pg_failure *failure) MUST_CHECK;

/* Writes the row of a new replay, which replaces a finished one; state->done does not count. *begun
 * is false when there is an unfinished replay. */
enum outcome replay_progress_begin(struct pg_connection *connection, const struct replay_key *key,
                                   const struct replay_state *state, bool *begun,
                                   struct pg_failure *failure) MUST_CHECK;

/* The rule's messages that have dead letters. Zero-initialized memory is empty. */
struct replay_letters {
    /* the replay stores these messages again and deletes their letters */
    struct replay_numbers settled;
    /* The service will store these messages: their letters are parked or wait for retry_for. */
    struct replay_numbers waiting;
};
void replay_letters_fini(struct replay_letters *letters);

/* Adds to `letters`, which is to be empty. `rules`: the names of all rules that there are, as an
 * array of PostgreSQL. */
enum outcome replay_progress_letters(struct pg_connection *connection, const struct replay_key *key,
                                     const char *rules, struct replay_letters *letters,
                                     struct pg_failure *failure) MUST_CHECK;

/* Fills state->left_out, which is to be empty. `before` are the letters when the messages were
 * counted, `now` those when the replay begins, with the letters' lock held (dead_letters_lock).
 * Left out are messages whose letter waits, and those whose letter has gone since: they are
 * stored. */
void replay_state_leave_out(struct replay_state *state, const struct replay_letters *before,
                            const struct replay_letters *now);

/* An unfinished replay, and the dead letters that it will store: `dead-letters retry` leaves these
 * to it. */
struct replay_claim {
    char *rule;    /* owned, like below */
    char *journal; /* UUID */
    struct replay_state state;
};
struct replay_claims {
    struct replay_claim *list; /* owned */
    size_t count;
};
void replay_claims_fini(struct replay_claims *claims);

/* Whose replays; borrowed. */
struct replay_owner {
    const char *client_id;
    const char *journal; /* NULL: the one that the client stored last */
    const char *const *rules;
    size_t rule_count;
};

/* Adds to `claims`, which is to be empty. A replay of a journal other than the one stored last
 * can't continue, so it should have no claim. */
enum outcome replay_claims_read(struct pg_connection *connection, const struct replay_owner *owner,
                                struct replay_claims *claims,
                                struct pg_failure *failure) MUST_CHECK;

/* A dead letter's message, as a claim knows it; borrowed. */
struct replay_message {
    const char *rule;
    const char *journal; /* NULL = not known */
    uint64_t sequence;
    int64_t received_at_us;
};
bool replay_claims_have(const struct replay_claims *claims, const struct replay_message *message);

/* What a batch of a replay does besides its rows. */
struct replay_step {
    const char *rule; /* borrowed, like below */
    /* Messages of the batch with a settled letter: their numbers, and when they were received, as
     * "3,17". */
    const char *superseded, *superseded_us;
    bool finished; /* the replay ends with this batch */
};

/* The statement that moves the row, as progress_statement_init() makes it for `progress`. */
void replay_progress_statement(struct progress_statement *statement,
                               const struct pg_connection *connection,
                               const struct progress_step *step, const struct replay_step *replay);

#endif
