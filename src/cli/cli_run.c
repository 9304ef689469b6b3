/* SPDX-License-Identifier: MIT */
#include "bridge/bridge.h"
#include "cli/commands.h"

int cli_run(const struct cli_call *call)
{
    if (call->count > 0) {
        return cli_usage(call, "run takes no arguments");
    }
    return bridge_run(call->config_file);
}
