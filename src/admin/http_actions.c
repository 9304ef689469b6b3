/* SPDX-License-Identifier: MIT */
#include "admin/http_actions.h"

#include <assert.h>
#include <string.h>

#include "admin/http_answer.h"
#include "admin/http_guard.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"

void http_actions_start(struct http_actions *actions, const struct http_options *options,
                        const struct action_handler *handler)
{
    bool tokened = options->token != NULL && options->token[0] != '\0';

    assert(actions->connections != NULL && actions->queue == NULL);
    actions->token = tokened ? options->token : NULL;
    actions->token_file = options->token_file;
    if (options->admin) {
        actions->queue = action_queue_start(handler);
    }
}

void http_actions_stop(struct http_actions *actions)
{
    action_queue_stop(actions->queue);
}

void http_actions_fini(struct http_actions *actions)
{
    action_queue_free(actions->queue);
    actions->queue = NULL;
}

bool http_actions_want_token(const struct http_actions *actions)
{
    return actions->token != NULL;
}

bool http_actions_is_path(const char *url)
{
    return strncmp(url, HTTP_ACTIONS_PATH, strlen(HTTP_ACTIONS_PATH)) == 0;
}

/* --- the head --- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Reads the file again at each action, for the token may have been renewed. While the file can't be
 * read, the old token stays. */
static struct slice read_token(const struct http_actions *actions, struct buf *file)
{
    struct error error;

    if (actions->token == NULL) {
        return slice_make(NULL, 0);
    }
    if (actions->token_file == NULL) {
        return slice_of(actions->token);
    }
    if (secret_load(actions->token_file, file, &error) != OUTCOME_OK ||
        file->length < HTTP_TOKEN_BYTES_MIN) {
        log_warn("http.token_file can't be used: the old token stays",
                 F_TEXT("reason", file->length > 0 ? "it is too short" : error.text));
        return slice_of(actions->token);
    }
    return buf_slice(file);
}

/* 0, or the status and the reason of the refusal. A refusal is logged while actions are on, because
 * somebody may be trying to get in; while they are off, nobody can. */
static unsigned check_claim(const struct http_actions *actions, struct MHD_Connection *connection,
                            const char **reason)
{
    const struct http_claim claim = {
        .host = header(connection, MHD_HTTP_HEADER_HOST),
        .origin = header(connection, MHD_HTTP_HEADER_ORIGIN),
        .fetch_site = header(connection, "Sec-Fetch-Site"),
        .mark = header(connection, "X-Mqtt2pg"),
        .authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION),
    };
    struct buf file = {0};
    const struct http_guard guard = {.admin = actions->queue != NULL,
                                     .is_loopback = actions->is_loopback,
                                     .token = read_token(actions, &file)};
    unsigned status = http_guard_check(&guard, &claim, reason);

    secret_forget(&file);
    if (status != 0 && guard.admin) {
        log_warn("action refused", F_TEXT("reason", *reason));
    }
    return status;
}

/* A new action with copies of its arguments: libmicrohttpd's strings are valid only within its
 * callback. The memory pool of the connection (CONNECTION_BYTES_MAX in http_server.c) bounds
 * their length. */
static struct action *read_head(struct MHD_Connection *connection, const char *url)
{
    struct action *action = memory_alloc(sizeof(*action));

    assert(http_actions_is_path(url));
    action->name = memory_strdup(url + strlen(HTTP_ACTIONS_PATH));
    for (size_t i = 0; i < ACTION_ARGUMENTS; i++) {
        const char *value = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND,
                                                        action_argument_names[i]);
        action->arguments[i] = value == NULL ? NULL : memory_strdup(value);
    }
    return action;
}

/* Refuses a request for its head: no token, a wrong method, another origin. Its body is still read,
 * and thrown away. */
static void check_head(struct http_actions *actions, struct MHD_Connection *connection,
                       const char *method, struct action *action)
{
    const char *reason = NULL;
    unsigned status = check_claim(actions, connection, &reason);

    if (status != 0) {
        action_refuse(action, status, "%s", reason);
    } else if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        action_refuse(action, MHD_HTTP_METHOD_NOT_ALLOWED, "actions are for POST only");
    }
}

/* --- the body, and the answer --- */

/* Keeps a piece of the body. A body that is too long is read to its end, because a client that is
 * answered while it still sends sees a broken connection instead of the answer. */
static void take_body(struct action *action, const struct http_upload *upload)
{
    size_t length = *upload->body_length;

    *upload->body_length = 0;
    if (action->status != 0) {
        return;
    }
    if (action->body.length + length > HTTP_ACTION_BODY_MAX) {
        action_refuse(action, MHD_HTTP_CONTENT_TOO_LARGE, "more than %zu bytes",
                      HTTP_ACTION_BODY_MAX);
        return;
    }
    buf_append(&action->body, upload->body, length);
    assert(action->body.length <= HTTP_ACTION_BODY_MAX);
}

/* Called in the queue's thread. Makes the library's thread call http_actions_answer() again. */
static void resume(void *connection)
{
    MHD_resume_connection(connection);
}

static int descriptor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info == NULL ? -1 : info->connect_fd;
}

/* Hands the action to the queue, which owns it until the connection is resumed. A refusal sets the
 * action's status instead: then the caller answers at once. */
static void submit(struct http_actions *actions, struct MHD_Connection *connection,
                   struct action *action)
{
    assert(actions->queue != NULL); /* else the guard has refused */
    switch (action_queue_admit(actions->queue, clock_monotonic_ms())) {
    case ACTION_TOO_OFTEN:
        action_refuse(action, MHD_HTTP_TOO_MANY_REQUESTS,
                      "more than %d actions a second: try again in a second", ACTIONS_PER_SECOND);
        return;
    case ACTION_FULL:
        action_refuse(action, MHD_HTTP_SERVICE_UNAVAILABLE,
                      "too many actions wait: try again in a moment");
        return;
    case ACTION_ADMITTED:
        break;
    }
    action->done = resume;
    action->done_context = connection;
    http_connections_working(actions->connections, descriptor_of(connection));
    MHD_suspend_connection(connection);
    action_queue_submit(actions->queue, action);
}

/* Logs what was done and when. The log cannot name the person: a token has no name. */
static void log_action(const struct action *action)
{
    const char *rule = action->arguments[ACTION_RULE], *id = action->arguments[ACTION_ID];

    /* `mqtt2pg tap` asks once a second: a line each time would fill the log. */
    if (action->done == NULL || strcmp(action->name, "tap") == 0) {
        return;
    }
    log_info("action of the status page", F_TEXT("action", action->name),
             F_TEXT("rule", rule == NULL ? "" : rule), F_TEXT("id", id == NULL ? "" : id),
             F_INT("status", action->status));
}

/*
 * Called several times for one request:
 *   1. *state is NULL: the head has come
 *   2. once for each piece of the body
 *   3. without a piece: the body is whole, so the action is submitted
 *   4. again after it was resumed: its status is set, so it is answered
 */
enum MHD_Result http_actions_answer(struct http_actions *actions, struct MHD_Connection *connection,
                                    const struct http_upload *upload, void **state)
{
    struct action *action = *state;

    if (action == NULL) {
        *state = action = read_head(connection, upload->url);
        check_head(actions, connection, upload->method, action);
        return MHD_YES;
    }
    if (*upload->body_length > 0) {
        take_body(action, upload);
        return MHD_YES;
    }
    if (action->status == 0) {
        assert(action->done == NULL); /* not submitted yet: a suspended request is never called */
        submit(actions, connection, action);
        if (action->done != NULL) {
            return MHD_YES;
        }
    }
    struct http_answer answer = {
        .status = action->status,
        .content_type = HTTP_TYPE_JSON,
        .allow = action->status == MHD_HTTP_METHOD_NOT_ALLOWED ? "POST" : NULL,
        .body = action->answer,
    };
    action->answer = (struct buf){0};
    log_action(action);
    buf_append_byte(&answer.body, '\n');
    return http_answer_send(connection, &answer);
}

void http_actions_forget(void **state)
{
    action_free(*state);
    *state = NULL;
}
