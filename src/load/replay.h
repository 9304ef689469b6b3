/*
 * replay: sends the journal's stored messages through one of today's rules once more and stores
 * the rows, in batches.
 *
 *   read ─▶ which copy counts, which rule (as the service) ─▶ batch ─▶ store ─▶ blame, when refused
 *
 * Batches are stored as those of the service (load/batch, load/store, load/blame), but each moves
 * the row of `replay` in place of `progress`: an interrupted replay goes on where it was, and two
 * at once do not double rows. A message that is refused becomes a dead letter, and the rest of its
 * batch is stored. A dead letter that the message had before is deleted in the same transaction.
 * Messages whose letters the service will store by itself are left to the service. A replay
 * publishes no acknowledgments. The service may run meanwhile: messages behind its position are not
 * replayed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_REPLAY_H
#define MQTT2PG_LOAD_REPLAY_H

#include "journal/journal_reader.h"
#include "load/batch_options.h"
#include "load/mapper.h"
#include "load/rule_targets.h"
#include "pg/replay_progress.h"

/* What is to be replayed, and with what. All borrowed. */
struct replay_options {
    struct pg_connection *connection;
    struct journal *journal;
    const struct ruleset *ruleset; /* has plans */
    struct mapper *mapper;
    struct rule_targets *targets; /* the rule's table must work */
    unsigned rule;
    struct replay_state state;  /* which messages */
    struct batch_options batch; /* its limits */
    bool dry_run;               /* count only */
    bool rehearses; /* of a dry run: PostgreSQL is asked, in transactions that roll back */
    bool silent;    /* rejected messages are not printed on standard error */
};

struct replay_counts {
    /* stored messages of the requested time that the rule takes, without copies */
    uint64_t messages;
    uint64_t rows, filtered, rejected;
    uint64_t left;                      /* not among `messages`: the service stores their letters */
    int64_t first_us, last_us;          /* the earliest and the latest was received; 0 = none */
    int64_t times_from_us, times_to_us; /* of the rule's first time column, since 2000 */
    bool has_times;
};

/* Which replay this is. */
struct replay_key replay_key(const struct replay_options *options);

/* The rule's messages that have dead letters. Adds to `letters`, which is to be empty. */
enum outcome replay_read_letters(const struct replay_options *options,
                                 struct replay_letters *letters,
                                 struct pg_failure *failure) MUST_CHECK;

/* Replays the messages behind state.done. With `dry_run` nothing is stored. OUTCOME_RETRY:
 * `failure` says why; batches that were committed stay. */
enum outcome replay_run(const struct replay_options *options, struct replay_counts *counts,
                        struct pg_failure *failure) MUST_CHECK;

#endif
