/*
 * inheritance: parked letters of rules that are not there any more go to today's rules that take
 * their topics: a rule was renamed, split or merged with another one while its table did not work.
 * So do letters whose topic their rule does not take any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_INHERITANCE_H
#define MQTT2PG_LOAD_INHERITANCE_H

#include "load/ruleset.h"
#include "pg/pg_connection.h"

/* Gives the letters to today's rules. To be called after connecting, and before the catalog is read
 * for new rules, so that the letters stand in front of newer ones. Letters whose topic no rule
 * takes stay as they are, and a line in the log names their rule. `edited`: also letters whose rule
 * is there and takes other topics now, which costs a look at the topic of each parked letter.
 * OUTCOME_RETRY: the connection is lost; a refusal is told in the log. */
enum outcome inheritance_settle(const struct ruleset *ruleset, struct pg_connection *connection,
                                bool edited, struct pg_failure *failure) MUST_CHECK;

#endif
