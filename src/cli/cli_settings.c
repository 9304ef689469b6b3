/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/commands.h"
#include "config/settings.h"

int cli_settings(const struct cli_call *call)
{
    struct buf out = {0};

    if (call->count > 1) {
        return cli_usage(call, "one option at most");
    }
    if (call->count == 0) {
        settings_append_table(&out);
    } else if (strcmp(call->arguments[0], "--sample") == 0) {
        settings_append_sample(&out);
    } else if (strcmp(call->arguments[0], "--markdown") == 0) {
        settings_append_markdown(&out);
    } else if (strcmp(call->arguments[0], "--man") == 0) {
        settings_append_man(&out);
    } else {
        return cli_usage(call, "unknown option \"%s\"", call->arguments[0]);
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
    return CLI_DONE;
}
