/*
 * verdicts: which messages of the current batch PostgreSQL has refused, under which rule, and why.
 *
 * The mapper is pure and gives the same rows each time. So a verdict that load/blame has found is
 * kept here, and overrides the mapper's rows when the batch is built again. Once the batch is
 * committed, all verdicts are forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_VERDICTS_H
#define MQTT2PG_LOAD_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a message is rejected; borrowed. */
struct refused {
    const char *reason;
    const char *sqlstate; /* PostgreSQL's; NULL or "" = none */
    bool may_pass;        /* may pass when somebody adds a missing row or partition */
    bool of_part;         /* the batch is a part, and the rest may have the missing row */
};

struct verdict_row {
    uint64_t sequence; /* of the message */
    unsigned rule;     /* index in the ruleset */
    char *reason;      /* owned */
    char sqlstate[6];
    bool may_pass;
    bool of_part;
};

/* Zero-initialized memory is empty. */
struct verdicts {
    struct verdict_row *list; /* owned, sorted by sequence and rule */
    size_t count;
    size_t capacity;
};

/* Adds or replaces. Copies the texts. */
void verdicts_add(struct verdicts *verdicts, uint64_t sequence, unsigned rule,
                  const struct refused *refused);

/* The verdict for this message under this rule; NULL when there is none. Valid until the list
 * changes. */
const struct verdict_row *verdicts_find(const struct verdicts *verdicts, uint64_t sequence,
                                        unsigned rule);

/* Forgets all; reset keeps the memory of the list for the next verdicts. */
void verdicts_reset(struct verdicts *verdicts);
void verdicts_fini(struct verdicts *verdicts);

#endif
