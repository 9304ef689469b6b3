/*
 * letter_retry: sends dead letters through today's rules, also beside a running service. Each
 * letter leaves the table in the transaction that stores its rows. Behind `dead-letters retry` and
 * the action of the status page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LETTER_RETRY_H
#define MQTT2PG_LOAD_LETTER_RETRY_H

#include "load/retry.h"
#include "load/ruleset.h"
#include "pg/pg_connection.h"

/* Where the dead letters are, and the rules that they are for. Borrows both. */
struct letter_desk {
    const struct ruleset *ruleset;
    struct pg_connection *connection;
};

struct letter_choice {
    const char *client_id; /* of which bridge; "" = those that name none; NULL = the desk's */
    const char *rule;      /* NULL = all */
    int64_t id;            /* 0 = all */
    int64_t until_ms;      /* monotonic: begin no further portion after it; 0 = no limit */
};

/* What became of the letters. Zero-initialized memory is an empty report. */
struct letter_report {
    struct retry_counts counts;
    struct buf complaints; /* owned; a line for each thing that stood in the way */
    bool tried;            /* at least one rule was there: the counts say something */
    bool unfinished;       /* `until_ms` came first: there are more */
};
void letter_report_fini(struct letter_report *report);

/* Retries the chosen letters, adds to `report`. False when the database refused or some letters
 * could not be tried; `complaints` says why. */
bool letter_retry(const struct letter_desk *desk, const struct letter_choice *choice,
                  struct letter_report *report);

/* "3 dead letters retried: 2 stored (2 rows), 0 filtered, 1 rejected again" and a newline. */
void letter_append_counts(struct buf *out, const struct retry_counts *counts);

/* Whose letters are meant; borrowed. */
const char *letter_client_id(const struct letter_desk *desk, const struct letter_choice *choice);

/* Appends how many letters belong to other bridges and, with `of_rules`, to rules that this
 * configuration does not have: the command does not retry them, and a person should know. */
void letter_append_strays(struct buf *out, const struct letter_desk *desk, bool of_rules);

#endif
