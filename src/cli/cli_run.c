/*
 * cli_run: `run`, the service itself, in the foreground. Everything behind it is in bridge/.
 *
 * Exit codes: 0 after SIGTERM or SIGINT; 1 after a failure that it cannot survive; 3 for a
 * configuration with mistakes; 4 when it cannot start, because another process uses the journal or
 * stores as the same client_id.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bridge/bridge.h"
#include "cli/commands.h"

/* The signals stay blocked (cli.c): the service waits for them in one thread. */
int cli_run(const struct cli_call *call)
{
    if (call->count > 0) {
        return cli_usage(call, "run takes no arguments");
    }
    return bridge_run(call->config_file);
}
