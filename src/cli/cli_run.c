/* SPDX-License-Identifier: MIT */
#include "bridge/bridge.h"
#include "cli/cli.h"

int cli_run(const struct cli_call *call)
{
    if (call->count > 0) {
        return cli_usage("run", "run takes no arguments");
    }
    return bridge_run(call->config_file);
}
