/*
 * letter_batch: a portion of dead letters, and what today's rules make of it: rows and
 * acknowledgments in a batch, and letters that stay, with their new reasons.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LETTER_BATCH_H
#define MQTT2PG_LOAD_LETTER_BATCH_H

#include "load/store.h"
#include "pg/dead_letter.h"

struct retry_counts;

/* Rules that write to one table: their letters are stored together, since rows of one topic stand
 * in the order of delivery whatever rules made them. */
struct retry_rules {
    const unsigned *list; /* borrowed; numbers in the ruleset; at least one */
    size_t count;
    struct retry_counts *each; /* borrowed; added to, for each rule of the list; NULL: unwanted */
};

/* What today's rule makes of a letter. */
struct second_verdict {
    size_t of; /* whose letter it is: a place in portion->rules */
    enum verdict verdict;
    char reason[RULE_REASON_MAX]; /* of VERDICT_REJECTED */
    char sqlstate[6];             /* of VERDICT_REJECTED; "" = not PostgreSQL's */
    bool waits;                   /* rejected for now: the service tries the letter again */
    bool claimed;                 /* left as it is for an unfinished replay; nothing else counts */
};

/* A portion of letters. Its batch has the letters' ids in place of sequences, so that
 * load/blame finds the refused letters as it finds refused messages. */
struct letter_batch {
    const struct store *store;
    const struct retry_rules *rules;
    struct dead_letter_rows letters;
    struct replay_claims claims;     /* on letters; those of `dead-letters retry` only */
    struct second_verdict *verdicts; /* one per letter */
    struct batch *batch;             /* rows and acknowledgments; does not move the position */
};

/* Zero-initialized but for `store` and `rules`, which are borrowed, is empty. */
void letter_batch_fini(struct letter_batch *portion);

/* The names of the rules; the caller frees the list. */
const char **letter_batch_names(const struct letter_batch *portion);

/* Makes `verdicts` and `batch` for the letters. The batch's position does not move: letters are no
 * part of the journal's order. */
void letter_batch_map(struct letter_batch *portion);

#endif
