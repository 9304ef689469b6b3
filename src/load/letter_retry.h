/*
 * letter_retry: sends dead letters through today's rules, also beside a running service. Each
 * letter leaves the table in the transaction that stores its rows. The command `dead-letters retry`
 * and the status page's action call it.
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
    /* of which bridge; "" = letters without a client_id; NULL = the desk's */
    const char *client_id;
    const char *rule; /* NULL = all */
    int64_t id;       /* 0 = all */
    int64_t until_ms; /* monotonic: begin no further portion after it; 0 = no limit */
};

/* What became of the letters. Zero-initialized memory is an empty report. */
struct letter_report {
    struct retry_counts counts;
    struct buf complaints; /* owned; one line for each problem */
    bool tried;            /* at least one rule was retried, so the counts mean something */
    bool unfinished;       /* the time was over before all letters were retried */
};
void letter_report_fini(struct letter_report *report);

/* Retries the chosen letters, adds to `report`. False when the database refused or some letters
 * could not be tried; `complaints` says why. */
bool letter_retry(const struct letter_desk *desk, const struct letter_choice *choice,
                  struct letter_report *report);

/* "3 dead letters retried: 2 stored (2 rows), 0 filtered, 1 rejected again" and a newline. */
void letter_append_counts(struct buf *out, const struct retry_counts *counts);

/* The client_id of the chosen letters; borrowed. */
const char *letter_client_id(const struct letter_desk *desk, const struct letter_choice *choice);

/* Appends how many letters belong to other bridges and, with `of_rules`, to rules that this
 * configuration does not have: the command does not retry them, and a person should know. */
void letter_append_strays(struct buf *out, const struct letter_desk *desk, bool of_rules);

#endif
