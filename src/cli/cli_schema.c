/*
 * cli_schema: `schema` prints the SQL of the tables, for an administrator who does not let the
 * service create them.
 *
 * First the bridge's own tables, then one `create table` for each rule with `create = true`. The
 * text comes from the same functions that the service creates its tables with, so both always
 * agree. It can be run twice: everything says "if not exists".
 *
 * Connects to nothing and leaves nothing behind. Exit code 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "cli/commands.h"
#include "pg/progress.h"
#include "pg/target.h"

/* A rule without `create` writes a table that somebody else owns: no SQL for it. */
int cli_schema(const struct cli_call *call)
{
    struct generation *generation;
    struct buf sql = {0};

    if (call->count > 0) {
        return cli_usage(call, "schema takes no arguments");
    }
    generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    progress_schema_sql(&sql, generation->config->database.schema);
    for (size_t i = 0; i < generation->ruleset->count; i++) {
        const struct rule *rule = generation->ruleset->rules[i];

        if (!rule->options->create) {
            continue;
        }
        buf_printf(&sql, "\n-- rule \"%s\"\n", rule->name);
        target_create_sql(&sql, rule->options, rule->declared);
    }
    fwrite(sql.data, 1, sql.length, stdout);
    buf_fini(&sql);
    generation_free(generation);
    return CLI_DONE;
}
