/*
 * inheritance: gives letters to other rules when their own rule is gone, or does not take their
 * topic any more. It was renamed, split or merged while its letters were parked or waited for
 * `retry_for`; today's rules that take the topics get the letters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_INHERITANCE_H
#define MQTT2PG_LOAD_INHERITANCE_H

#include "load/ruleset.h"
#include "pg/pg_connection.h"

/* Gives the letters to today's rules. To be called after connecting, and before the catalog is read
 * for new rules, so that these letters are stored before newer ones. Letters whose topic no rule
 * takes stay as they are, and the log names their rule. `edited`: also letters of rules whose
 * topics have changed; this reads the topic of each parked letter. OUTCOME_RETRY: the connection is
 * lost. A refusal by PostgreSQL is only logged. */
enum outcome inheritance_settle(const struct ruleset *ruleset, struct pg_connection *connection,
                                bool edited, struct pg_failure *failure) MUST_CHECK;

#endif
