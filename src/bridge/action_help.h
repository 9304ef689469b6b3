/*
 * action_help: what the actions of the status page share: arguments read, the database asked,
 * answers written.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_ACTION_HELP_H
#define MQTT2PG_BRIDGE_ACTION_HELP_H

#include "admin/action_queue.h"
#include "pg/pg_connection.h"

enum action_status {
    ACTION_OK = 200,
    ACTION_BAD_REQUEST = 400,
    ACTION_NOT_FOUND = 404,
    ACTION_CONFLICT = 409,
    ACTION_UNAVAILABLE = 503,
};

/* Appends the array "name":["line",…] of the lines in `lines`. */
void action_append_lines(struct buf *out, const char *name, const struct buf *lines);

/* Appends "name":"text". */
void action_append_text(struct buf *out, const char *name, const char *text);

/* Connects; false: the action is refused. The caller disconnects. */
bool action_connect(struct pg_connection *connection, struct action *action);

void action_refuse_failure(struct action *action, const struct pg_failure *failure);

/* The number of a dead letter, a gap or a message; 0 when none is given. False: what is given is no
 * such number, and the action is refused. */
bool action_read_number(struct action *action, enum action_argument argument, int64_t *number);

/* all=1 */
bool action_is_all(const struct action *action);

/* {"count":2,"text":"2 things"} */
void action_answer_count(struct action *action, int64_t count, const char *one, const char *many);

#endif
