/* SPDX-License-Identifier: MIT */
#include "load/partition_check.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "pg/partitions.h"

#define DAY_MS INT64_C(86400000)

/* Checks the conditions under which the bridge can keep the table's partitions. Without them rows
 * are stored, but old ones are never dropped. */
static void check_kept(const struct rule *rule, const struct partitions *state,
                       struct problems *problems)
{
    const struct option_text *by = &rule->options->partition.by;
    const char *name = rule->options->table.text;

    if (state->kind != 'p') {
        problem_error(problems, by->place, "partition",
                      "table \"%s\" is not partitioned: rename it, let the bridge create it anew, "
                      "and copy its rows",
                      name);
    } else if (state->key == NULL || strcmp(state->key, by->text) != 0) {
        problem_error(problems, by->place, "partition.by",
                      "table \"%s\" is partitioned by %s, not by ranges of \"%s\"", name,
                      state->key == NULL ? "something else" : state->key, by->text);
    } else if (!state->key_is_time) {
        problem_error(problems, by->place, "partition.by",
                      "column \"%s\" is neither timestamptz, timestamp nor date", by->text);
    } else if (!state->is_owner) {
        problem_warning(problems, by->place, "partition",
                        "this role does not own table \"%s\", so it makes and drops no partitions: "
                        "alter table %s owner to this role",
                        name, name);
    } else if (state->key_is_date && rule->options->partition.every_ms % DAY_MS != 0) {
        problem_warning(problems, by->place, "partition.every",
                        "\"%s\" is a date: every must be a number of whole days, and counts as "
                        "\"%" PRId64 "d\"",
                        by->text, rule->options->partition.every_ms / DAY_MS + 1);
    }
}

enum outcome partition_check(const struct rule *rule, struct pg_connection *connection,
                             const struct pg_table *table, struct problems *problems,
                             struct pg_failure *failure)
{
    const struct partition_options *options = &rule->options->partition;
    struct partitions state;
    char when[16];
    enum outcome outcome;

    if (options->wanted && !options->timescale) {
        outcome = partitions_read(connection, table->oid, &state, failure);
        if (outcome == OUTCOME_OK) {
            check_kept(rule, &state, problems);
        }
        bool made = state.is_owner && state.kind == 'p';
        partitions_fini(&state);
        if (outcome != OUTCOME_OK || made) {
            return outcome;
        }
    }
    outcome = pg_catalog_partition_gap(connection, table, when, failure);
    if (outcome == OUTCOME_OK && when[0] != '\0') {
        problem_warning(
            problems, rule->options->table.place, "table",
            "\"%s\" has no partition for rows of the time %s, and no default partition: "
            "let the bridge make them (partition), or somebody else (pg_partman, "
            "sql/partitioned.sql)",
            rule->options->table.text, when);
    }
    return outcome;
}
