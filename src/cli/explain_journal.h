/*
 * explain_journal: `explain --journal`: what the rules make of the messages that the journal still
 * holds, beside a running service too; what another configuration would change.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_EXPLAIN_JOURNAL_H
#define MQTT2PG_CLI_EXPLAIN_JOURNAL_H

#include "cli/cli_call.h"

struct journal_question {
    int64_t since_ms;    /* how far back; 0 = all */
    const char *compare; /* another configuration; NULL = none */
    bool json;
};

/* Returns the exit code. */
int explain_journal(const struct cli_call *call, const struct journal_question *question);

#endif
