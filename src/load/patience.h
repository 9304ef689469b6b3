/*
 * patience: how long one statement may take for the rows of one table, while rules of other tables
 * wait for the same connection. Pure.
 *
 *   a statement takes longer              the rule is held, if rows of another table pass or if
 *                                         that is not known yet
 *   statements of two tables take longer  the server is slow as a whole: no rule is held for it,
 *   and no row passes in between          and the limit doubles, in the end to none
 *   batches are stored in time            the first limit counts again
 *
 * COMMIT has no limit: PostgreSQL takes the transaction for committed when its wait for a
 * synchronous standby is cancelled. (statement_timeout does not count then: see
 * finish_xact_command() in PostgreSQL's postgres.c.)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_PATIENCE_H
#define MQTT2PG_LOAD_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_FIRST_MS 2000
#define PATIENCE_MAX_MS 32000 /* after the next doubling there is no limit */

/* Fields are private to patience.c. */
struct patience {
    int64_t limit_ms; /* 0 = none */
    int suspect;      /* the rule that was held last, if no row was stored since; -1 = none */
    unsigned calm;    /* batches in a row that were stored within the first limit */
};

/* Did rows of other tables pass, a moment before or after the rows that did not? */
enum patience_others { OTHERS_UNKNOWN, OTHERS_PASS, OTHERS_FAIL };

void patience_init(struct patience *patience);

/* The limit of one statement, in milliseconds; 0 = no limit. `patience` NULL: no other rule waits,
 * so there is no limit. */
int64_t patience_limit_ms(const struct patience *patience);

/* How long a single row may take in a trial that looks for the slow rows. A row of a batch that
 * takes longer sets its rule aside. A letter that takes longer is refused, so it has more time. */
int64_t patience_row_ms(const struct patience *patience, bool letters);

/* The rule that may have been held although the server is to blame; -1 = none. */
int patience_suspect(const struct patience *patience);

/* A statement for the rows of this rule has taken too long. True: the table is to blame, and the
 * caller holds the rule. False: the server is to blame, and the limit is twice as long from now on.
 * `same`: the suspect writes to the same table. */
bool patience_blames(struct patience *patience, unsigned rule, enum patience_others others,
                     bool same);

/* Doubles the limit. False: there is no limit, or `patience` is NULL. */
bool patience_doubles(struct patience *patience);

/* A batch or a portion of letters with rows was stored in `took_ms`. */
void patience_stored(struct patience *patience, int64_t took_ms);

#endif
