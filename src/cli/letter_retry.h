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
    const char *rule; /* NULL = all */
    int64_t id;       /* 0 = all */
};

/* Prints what became of them; returns the exit code: CLI_FAILED when some could not be tried. */
int letter_retry(const struct letter_desk *desk, const struct letter_choice *choice);

/* Prints what the database refused; returns CLI_FAILED. */
int letter_database_failed(const struct pg_failure *failure);

#endif
