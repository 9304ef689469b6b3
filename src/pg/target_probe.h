/*
 * target_probe: which column has the value that PostgreSQL refuses: INSERT does not say, so each
 * column that goes as text is read by itself. Inside of pg/ and of load/trial only.
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
