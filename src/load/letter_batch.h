/*
 * letter_batch: a portion of dead letters, mapped by today's rules: rows and acknowledgments in a
 * batch, and for each letter that stays its new reason.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LETTER_BATCH_H
#define MQTT2PG_LOAD_LETTER_BATCH_H

#include "load/store.h"
#include "pg/dead_letter.h"

struct retry_counts;

/* Rules that write to one table. Their letters are stored together, so that rows of one topic are
 * stored in the order of delivery, whichever rules made them. */
struct retry_rules {
    const unsigned *list; /* borrowed; numbers in the ruleset; at least one */
    size_t count;
    struct retry_counts *each; /* borrowed; added to, for each rule of the list; NULL: unwanted */
};

/* The result of one letter under today's rule. */
struct second_verdict {
    size_t of; /* the letter's rule: an index of portion->rules */
    enum verdict verdict;
    char reason[RULE_REASON_MAX]; /* of VERDICT_REJECTED */
    char sqlstate[6];             /* of VERDICT_REJECTED; "" = not PostgreSQL's */
    bool waits;                   /* rejected for now: the service tries the letter again */
    /* left unchanged for an unfinished replay; the other members do not count */
    bool claimed;
};

/* A portion of letters. Its batch has the letters' ids in place of sequences, so that
 * load/blame finds the refused letters as it finds refused messages. */
struct letter_batch {
    const struct store *store;
    const struct retry_rules *rules;
    struct dead_letter_rows letters;
    /* letters that a replay makes again; only `dead-letters retry` asks for them */
    struct replay_claims claims;
    struct second_verdict *verdicts; /* one per letter */
    struct batch *batch;             /* rows and acknowledgments; does not move the position */
};

/* A struct with `store` and `rules` set (borrowed) and the rest zero is empty. */
void letter_batch_fini(struct letter_batch *portion);

/* The names of the rules; the caller frees the list. */
const char **letter_batch_names(const struct letter_batch *portion);

/* Makes `verdicts` and `batch` for the letters. The batch's position does not move: letters are no
 * part of the journal's order. */
void letter_batch_map(struct letter_batch *portion);

#endif
