/*
 * action_help: the steps that several actions of the status page share: read the arguments, connect
 * to the database, write the answer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_ACTION_HELP_H
#define MQTT2PG_BRIDGE_ACTION_HELP_H

#include "admin/action_queue.h"
#include "pg/pg_connection.h"

/* The HTTP status of an answer. 0 in an action means that nobody has answered yet. */
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

/* Connects within the connection's own limits. False: the action is refused with the reason. The
 * caller disconnects in either case; pg_disconnect() takes a connection that is not connected. */
bool action_connect(struct pg_connection *connection, struct action *action);

/* Refuses the action with PostgreSQL's words: ACTION_UNAVAILABLE, because another try may work. */
void action_refuse_failure(struct action *action, const struct pg_failure *failure);

/* The number of a dead letter, a gap or a message; 0 when none is given. False: what is given is no
 * such number, and the action is refused. */
bool action_read_number(struct action *action, enum action_argument argument, int64_t *number);

/* Was all=1 given? An action on everything wants it, so that a forgotten argument does no harm. */
bool action_is_all(const struct action *action);

/* Answers {"count":2,"text":"2 things"}; `one` and `many` are the noun and what was done to it. */
void action_answer_count(struct action *action, int64_t count, const char *one, const char *many);

#endif
