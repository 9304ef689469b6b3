/*
 * commands: the functions behind the table of cli.c. Each returns an exit code.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_COMMANDS_H
#define MQTT2PG_CLI_COMMANDS_H

#include "cli/cli_call.h"

/* One per file cli_NAME.c. */
int cli_run(const struct cli_call *call);
int cli_check(const struct cli_call *call);
int cli_explain(const struct cli_call *call);
int cli_schema(const struct cli_call *call);
int cli_dead_letters(const struct cli_call *call);
int cli_gaps(const struct cli_call *call);
int cli_journal(const struct cli_call *call);
int cli_replay(const struct cli_call *call);
int cli_settings(const struct cli_call *call);
int cli_tap(const struct cli_call *call);
int cli_status(const struct cli_call *call);
int cli_learn(const struct cli_call *call);
int cli_init(const struct cli_call *call);

#endif
