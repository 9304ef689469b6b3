/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "pg/progress.h"
#include "pg/target.h"

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
