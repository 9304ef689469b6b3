/*
 * commands: the functions behind the table of cli.c. Each returns an exit code.
 *
 * What all of them keep: results go to standard output, remarks and errors to standard error with
 * "mqtt2pg: " in front. The arguments are checked before the configuration is read, and the
 * configuration before anything is connected to. Each but `run` may run beside a service, and
 * leaves the service's session at the broker alone. None changes a configuration that is there,
 * except `init --force`. The head of each file says what it connects to, what it leaves behind, and
 * its exit codes besides CLI_USAGE and CLI_CONFIGURATION.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_COMMANDS_H
#define MQTT2PG_CLI_COMMANDS_H

#include "cli/cli_call.h"

/* One per file cli_NAME.c. `call` is borrowed for the call. */
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
