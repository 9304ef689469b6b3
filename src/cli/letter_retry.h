/*
 * letter_retry: sends dead letters through today's rules, also beside a running service. Each
 * letter leaves the table in the transaction that stores its rows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_LETTER_RETRY_H
#define MQTT2PG_CLI_LETTER_RETRY_H

#include "bridge/generation.h"
#include "pg/pg_connection.h"

/* Where the dead letters are: borrows both. */
struct letter_desk {
    struct generation *generation;
    struct pg_connection *connection;
};

struct letter_choice {
    const char *client_id; /* of which bridge; "" = those that name none; NULL = the desk's */
    const char *rule;      /* NULL = all */
    int64_t id;            /* 0 = all */
};

/* Prints what became of them; returns the exit code: CLI_FAILED when some could not be tried. */
int letter_retry(const struct letter_desk *desk, const struct letter_choice *choice);

/* Whose letters are meant; borrowed. */
const char *letter_client_id(const struct letter_desk *desk, const struct letter_choice *choice);

/* Says on standard error how many letters belong to other bridges and, with `of_rules`, to rules
 * that this configuration does not have: else they would be passed over in silence. */
void letter_tell_strays(const struct letter_desk *desk, bool of_rules);

/* Prints what the database refused; returns CLI_FAILED. */
int letter_database_failed(const struct pg_failure *failure);

#endif
