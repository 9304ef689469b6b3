/*
 * letter_actions: the actions of the status page on dead letters and gaps, in the database. Each
 * connects, asks, and leaves the connection to be closed by the caller; each fills the action's
 * status and answer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_LETTER_ACTIONS_H
#define MQTT2PG_BRIDGE_LETTER_ACTIONS_H

#include "admin/action_queue.h"
#include "load/ruleset.h"
#include "pg/pg_connection.h"

/* {"letters":[…],"more":BOOL}: dead letters with a number above `after`, without payloads. */
void letter_action_list(struct pg_connection *connection, struct action *action);

/* The dead letter `id` as `dead-letters show --json` prints it. */
void letter_action_show(struct pg_connection *connection, struct action *action);

/* {"text":…,"letters":N,"stored":N,"unfinished":BOOL,"remarks":[…]}: retries those of `rule`, or
 * `id`, or all. After some seconds it begins no further portion: then `unfinished` is true, and the
 * page asks again. */
void letter_action_retry(struct pg_connection *connection, const struct ruleset *ruleset,
                         struct action *action);

/* {"count":N,"text":…}: removes those of `rule`, or all with all=1; parked ones stay. */
void letter_action_purge(struct pg_connection *connection, struct action *action);

/* {"count":N,"text":…}: acknowledges the gap `id`, or all with all=1. */
void gap_action_acknowledge(struct pg_connection *connection, struct action *action);

#endif
