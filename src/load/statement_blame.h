/*
 * statement_blame: which setting of a rule is at fault when PostgreSQL refuses the rule's
 * statements. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_STATEMENT_BLAME_H
#define MQTT2PG_LOAD_STATEMENT_BLAME_H

#include "load/rule.h"

/* Reports the refusal under the setting that the message is about: sql, a column of compute, or the
 * table. */
void statement_blame(const struct rule *rule, const struct pg_failure *failure,
                     struct problems *problems);

#endif
