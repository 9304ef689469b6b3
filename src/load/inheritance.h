/*
 * inheritance: letters that are parked, or wait by `retry_for`, and whose rule is not there any more
 * go to today's rules that take their topics: a rule was renamed, split or merged with another one
 * while its table did not work, or before the row came to which a letter refers. So do letters
 * whose topic their rule does not take any more.
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
