/*
 * cli_settings: `settings` lists every setting, from the table in config/settings.
 *
 * Without an option it prints a table for people. The other forms are files of this project: the
 * sample configuration that packages install, the reference page and a part of the manual page are
 * this output. A test compares them, so a setting cannot be left out of the documents.
 *
 * Reads no configuration, connects to nothing, leaves nothing behind. Exit code 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "cli/commands.h"
#include "config/settings.h"

/* Exactly one form is printed. */
int cli_settings(const struct cli_call *call)
{
    struct buf out = {0};

    if (call->count > 1) {
        return cli_usage(call, "settings takes at most one option");
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
    assert(out.length > 0);
    fwrite(out.data, 1, out.length, stdout);
    buf_fini(&out);
    return CLI_DONE;
}
