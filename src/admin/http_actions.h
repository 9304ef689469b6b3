/*
 * http_actions: the requests that change something, POST /actions/NAME, over libmicrohttpd.
 *
 *   head ─▶ guard (admin/http_guard) ─▶ body, bounded
 *        ─▶ suspended while admin/action_queue runs it ─▶ resumed and answered
 *
 * The answer is a JSON object; a refusal is {"error":"text"}. Each action that ran is logged with
 * its name, its arguments and its status, except `tap`, which is asked for once a second.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_ACTIONS_H
#define MQTT2PG_ADMIN_HTTP_ACTIONS_H

#include <microhttpd.h>

#include "admin/action_queue.h"
#include "admin/http_connections.h"
#include "admin/http_options.h"

#define HTTP_ACTIONS_PATH "/actions/"
/* The largest payload that `try` takes. */
#define HTTP_ACTION_BODY_MAX ((size_t) 2 * 1024 * 1024)

/* The actions of one listener. */
struct http_actions {
    struct action_queue *queue; /* owned; NULL: off */
    const char *token;          /* borrowed; NULL: no token is wanted */
    const char *token_file;     /* borrowed; read again at each action; NULL: no file */
    bool is_loopback;
    struct http_connections *connections; /* borrowed */
};

/* Fills `actions`, whose `connections` and `is_loopback` the caller has set. Without http.admin, or
 * without a handler, all actions are refused. */
void http_actions_start(struct http_actions *actions, const struct http_options *options,
                        const struct action_handler *handler);
/* Before the daemon is stopped: it waits for suspended connections. */
void http_actions_stop(struct http_actions *actions);
/* After the daemon is stopped. */
void http_actions_fini(struct http_actions *actions);

/* Do requests need a token? */
bool http_actions_want_token(const struct http_actions *actions);

/* Is this a request for an action? */
bool http_actions_is_path(const char *url);

/* One request as libmicrohttpd hands it over; all borrowed. */
struct http_upload {
    const char *url;
    const char *method;
    const char *body;
    size_t *body_length;
};

/* Handles a request whose path is that of an action; called by answer_request() of
 * admin/http_server. Sets *state to the action. */
enum MHD_Result http_actions_answer(struct http_actions *actions, struct MHD_Connection *connection,
                                    const struct http_upload *upload, void **state);

/* Frees the action in *state, at the end of its request. */
void http_actions_forget(void **state);

#endif
