/*
 * explain_journal: `explain --journal`: what the rules make of the messages that the journal still
 * holds, beside a running service too; what another configuration would change.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_EXPLAIN_JOURNAL_H
#define MQTT2PG_CLI_EXPLAIN_JOURNAL_H

#include "cli/cli_call.h"

/* The options of `explain --journal`. Texts are borrowed from the command line. */
struct journal_question {
    int64_t since_ms;    /* how far back from now; 0 = all */
    const char *compare; /* another configuration; NULL = none */
    bool json;           /* one object in one line, for programs */
};

/* Prints the answer to standard output; returns the exit code. `call` says which configuration,
 * and so which journal. */
int explain_journal(const struct cli_call *call, const struct journal_question *question);

#endif
