/*
 * target_probe: finds the column whose value PostgreSQL refuses. INSERT does not name the column,
 * so a probe reads the values of one column that travels as text. Only pg/ and load/trial use this
 * module.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_TARGET_PROBE_H
#define MQTT2PG_PG_TARGET_PROBE_H

#include <stddef.h>

#include "row/row_plan.h"

struct target_probe {
    char *sql;    /* owned; $1 is the column's array of texts */
    char *column; /* owned */
    size_t index; /* among the columns of the plan */
};

struct target_probes {
    struct target_probe *list; /* owned */
    size_t count;
};

/* `relation` is the table, quoted; NULL for a rule with `sql`. Borrows nothing after the call. */
void target_probes_init(struct target_probes *probes, const struct row_plan *plan,
                        const char *relation);
void target_probes_fini(struct target_probes *probes);

#endif
