/* SPDX-License-Identifier: MIT */
#include "load/name_column.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "pg/pg_steps.h"

/* Takes the name of the first column whose probe fails with the same message as the row did. */
static void take_column(struct pg_failure *failure, const struct target_probes *probes,
                        const struct pg_steps *steps)
{
    assert(steps->count == 2 * probes->count); /* a rollback in front of each probe */
    for (size_t i = 0; i < probes->count && failure->column[0] == '\0'; i++) {
        const struct pg_step *step = &steps->list[2 * i + 1];

        if (step->failed && strcmp(step->failure->message, failure->message) == 0) {
            snprintf(failure->column, sizeof(failure->column), "%s", probes->list[i].column);
        }
    }
}

enum outcome name_column(struct pg_connection *connection, const struct target *target,
                         const struct target_values *values, struct pg_failure *refusal,
                         struct pg_failure *failure)
{
    struct pg_steps steps = {0};
    enum outcome outcome;

    for (size_t i = 0; i < target->probes.count; i++) {
        const struct target_probe *probe = &target->probes.list[i];

        (void) pg_steps_add(&steps, "rollback to savepoint mqtt2pg_row", NULL, 0, false);
        (void) pg_steps_add(&steps, probe->sql, &values->values[probe->index], 1, true);
        pg_steps_end_group(&steps);
    }
    outcome = pg_steps_run(connection, &steps, failure);
    if (outcome == OUTCOME_OK) {
        take_column(refusal, &target->probes, &steps);
    }
    pg_steps_fini(&steps);
    return outcome;
}
