/*
 * explain_lines: what a rule makes of a message, as the lines that `explain` prints. The status
 * page's try and tap show the same lines. Pure.
 *
 *   {"rule":"r","table":"t","row":{…}}      one line a row
 *   {"rule":"r","table":"t","rows":0}       a message that becomes no row
 *   {"rule":"r","rejected":"reason"}
 *   {"rule":"r","filtered":true}
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_EXPLAIN_LINES_H
#define MQTT2PG_LOAD_EXPLAIN_LINES_H

#include "load/mapper.h"
#include "load/rehearsal.h"

/* The result without a database. */
void explain_append_mapped(struct buf *out, const struct mapped *mapped);

/* The result of a rehearsal in PostgreSQL; {"rule":"r","parked":"reason"} where the rule's table
 * does not work. */
void explain_append_rehearsal(struct buf *out, const struct rule *rule,
                              struct rehearsal *rehearsal);

#endif
