/*
 * A page is a row of pages[]. libmicrohttpd calls answer() twice for a request: when the head is
 * read, and when the body is, which must be empty.
 *
 * SPDX-License-Identifier: MIT
 */
#include "admin/http_server.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/history.h"
#include "admin/http_actions.h"
#include "admin/http_address.h"
#include "admin/http_answer.h"
#include "admin/http_connections.h"
#include "admin/http_guard.h"
#include "admin/status_json.h"
#include "admin/status_page.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

#define CONNECTION_BYTES_MAX ((size_t) 32 * 1024)
#define TIMEOUT_SECONDS 10u /* for a client that is silent, and for a request as a whole */

struct http_server {
    struct http_sources sources;
    struct history *history;
    struct MHD_Daemon *daemon;
    struct http_connections connections;
    struct http_actions actions;
    int64_t started_us; /* wall clock */
    int64_t started_ms; /* monotonic */
    bool is_loopback;
    char address[HTTP_ADDRESS_TEXT_MAX];
    char *page_policy; /* Content-Security-Policy of the status page */
};

/* --- the pages: each appends its body and returns the status --- */

/* write() runs in libmicrohttpd's only thread and must not wait: a probe of /healthz would wait
 * too. */
struct page {
    const char *path;
    const char *content_type;
    unsigned (*write)(struct http_server *server, struct MHD_Connection *connection,
                      struct buf *out);
};

static unsigned write_status_page(struct http_server *server, struct MHD_Connection *connection,
                                  struct buf *out)
{
    (void) server;
    (void) connection;
    buf_append(out, status_page, status_page_size);
    return MHD_HTTP_OK;
}

/* ?history=SECONDS for less than all of it. */
static unsigned write_status_json(struct http_server *server, struct MHD_Connection *connection,
                                  struct buf *out)
{
    const char *history = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "history");
    const struct status_request request = {
        .sources = &server->sources,
        .history = server->history,
        .history_max = history == NULL ? HISTORY_SECONDS : strtoul(history, NULL, 10),
        .started_us = server->started_us,
        .started_ms = server->started_ms,
        .actions = server->actions.queue != NULL,
        .token_wanted = http_actions_want_token(&server->actions),
    };

    status_append_json(out, &request);
    buf_append_byte(out, '\n');
    return MHD_HTTP_OK;
}

static unsigned write_metrics(struct http_server *server, struct MHD_Connection *connection,
                              struct buf *out)
{
    (void) connection;
    if (server->sources.refresh != NULL) {
        server->sources.refresh(server->sources.context);
    }
    metrics_write_prometheus(out);
    return MHD_HTTP_OK;
}

static unsigned write_alive(struct http_server *server, struct MHD_Connection *connection,
                            struct buf *out)
{
    (void) server;
    (void) connection;
    buf_append_text(out, "ok\n");
    return MHD_HTTP_OK;
}

static unsigned write_ready(struct http_server *server, struct MHD_Connection *connection,
                            struct buf *out)
{
    (void) server;
    (void) connection;
    if (!status_is_ready(out)) {
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    buf_append_text(out, "ready\n");
    return MHD_HTTP_OK;
}

static const struct page pages[] = {
    {"/", "text/html; charset=utf-8", write_status_page},
    {"/status.json", "application/json", write_status_json},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics},
    {"/healthz", HTTP_TYPE_TEXT, write_alive},
    {"/readyz", HTTP_TYPE_TEXT, write_ready},
};

#define PAGE_COUNT (sizeof(pages) / sizeof(pages[0]))

/* Compares the path as it is: no page has a second spelling. */
static const struct page *find_page(const char *path)
{
    for (size_t i = 0; i < PAGE_COUNT; i++) {
        if (strcmp(pages[i].path, path) == 0) {
            return &pages[i];
        }
    }
    return NULL;
}

/* --- one request --- */

static enum MHD_Result send_not_found(struct MHD_Connection *connection)
{
    struct http_answer answer = {.status = MHD_HTTP_NOT_FOUND, .content_type = HTTP_TYPE_TEXT};

    buf_append_text(&answer.body, "not found; the pages are\n");
    for (size_t i = 0; i < PAGE_COUNT; i++) {
        buf_printf(&answer.body, "%s\n", pages[i].path);
    }
    return http_answer_send(connection, &answer);
}

/* GET and HEAD are answered alike: the library leaves the body of HEAD out. */
static enum MHD_Result send_page(struct http_server *server, struct MHD_Connection *connection,
                                 const struct page *page)
{
    struct http_answer answer = {.content_type = page->content_type};

    if (page->write == write_status_page) {
        answer.policy = server->page_policy;
    }
    answer.status = page->write(server, connection, &answer.body);
    assert(answer.body.length > 0);
    return http_answer_send(connection, &answer);
}

/* May this request be answered? A listener that other machines reach answers to any name: they may
 * know it by any. One on loopback answers to names of this machine only. */
static bool is_for_us(const struct http_server *server, struct MHD_Connection *connection)
{
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

    return !server->is_loopback || host == NULL || http_guard_is_local_host(host);
}

/* RFC 9110, section 15.5.6: the answer names what is allowed. */
static enum MHD_Result refuse_method(struct MHD_Connection *connection)
{
    struct http_answer answer = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                                 .content_type = HTTP_TYPE_TEXT,
                                 .allow = "GET, HEAD"};

    buf_append_text(&answer.body, "only GET and HEAD\n");
    return http_answer_send(connection, &answer);
}

/* Only its address counts: a page's *state points here once the head of the request was read. An
 * action's *state points to the action. */
static char head_is_read;

static enum MHD_Result answer_request(void *context, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *body, size_t *body_length, void **state)
{
    struct http_server *server = context;
    const struct page *page;

    assert(state != NULL && url != NULL && method != NULL);
    page = find_page(url);

    (void) version;
    if (http_actions_is_path(url)) {
        return http_actions_answer(&server->actions, connection,
                                   &(struct http_upload){url, method, body, body_length}, state);
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return refuse_method(connection);
    }
    if (*state == NULL) {
        *state = &head_is_read;
        return MHD_YES;
    }
    if (*body_length > 0) { /* no page takes a body: hang up */
        return MHD_NO;
    }
    if (!is_for_us(server, connection)) {
        return http_answer_refuse(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                                  "this address answers to localhost and to addresses only; "
                                  "a proxy must send Host: localhost\n");
    }
    return page == NULL ? send_not_found(connection) : send_page(server, connection, page);
}

/* --- the server --- */

__attribute__((format(printf, 2, 0))) static void log_library(void *context, const char *format,
                                                              va_list arguments)
{
    char text[300];

    (void) context;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http", F_TEXT("text", text));
}

/* -1: the library does not tell it. */
static int descriptor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info == NULL ? -1 : info->connect_fd;
}

/* Called for each connection when it begins and when it has ended, from libmicrohttpd's thread.
 * `state` is the connection's own and not used: the list knows connections by their descriptors. */
static void note_connection(void *context, struct MHD_Connection *connection, void **state,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    int fd = descriptor_of(connection);

    (void) state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http_connections_opened(&server->connections, fd, clock_monotonic_ms());
    } else {
        http_connections_closed(&server->connections, fd);
    }
}

/* A request is over, answered or not: its action goes, and the connection waits for the next
 * one. */
static void note_answer(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct http_server *server = context;

    (void) code;
    if (*state != &head_is_read) {
        http_actions_forget(state);
    }
    http_connections_answered(&server->connections, descriptor_of(connection),
                              clock_monotonic_ms());
}

/* The library's own time limit begins anew with each byte; this one is for the whole request. */
void http_server_tick(struct http_server *server)
{
    if (server != NULL) {
        http_connections_sweep(&server->connections, clock_monotonic_ms(),
                               TIMEOUT_SECONDS * INT64_C(1000));
    }
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int listener)
{
    /* clang-format off */
    const struct MHD_OptionItem options[] = {
        /* first, so that it hears of the others */
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t) log_library, NULL},
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES_MAX, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t) note_connection, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t) note_answer, server},
        {MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    /* clang-format on */

    return MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        answer_request, server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

enum outcome http_server_start(struct http_server **server, const struct http_options *options,
                               const struct http_sources *sources, struct error *error)
{
    struct http_server *starting = NULL;
    struct http_address address;
    int listener = -1;
    enum outcome outcome = OUTCOME_OK;

    assert(options != NULL && sources != NULL);
    *server = NULL;
    if (options->listen == NULL || options->listen[0] == '\0') {
        return OUTCOME_OK;
    }
    outcome = http_address_parse(options->listen, &address, error);
    if (outcome == OUTCOME_OK) {
        outcome = http_address_listen(&address, &listener, error);
    }
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    starting = memory_alloc(sizeof(*starting));
    starting->sources = *sources;
    starting->started_us = clock_wall_us();
    starting->started_ms = clock_monotonic_ms();
    http_connections_init(&starting->connections);
    starting->history = history_new();
    starting->page_policy = memory_printf(
        "default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        status_page_script_hash, status_page_style_hash);
    http_address_name(listener, starting->address, &starting->is_loopback);
    starting->actions.connections = &starting->connections;
    starting->actions.is_loopback = starting->is_loopback;
    http_actions_start(&starting->actions, options, &sources->actions);
    starting->daemon = start_daemon(starting, listener);
    if (starting->daemon == NULL) {
        /* How far the library came decides whether it has closed the socket, and it does not tell:
         * left open is better than closed twice. */
        http_server_stop(starting);
        return error_set(error, OUTCOME_RETRY,
                         "can't serve http.listen \"%s\": libmicrohttpd "
                         "does not start (too many open files or threads?)",
                         options->listen);
    }
    history_start(starting->history);
    assert(starting->address[0] != '\0');
    *server = starting;
    return OUTCOME_OK;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_actions_stop(&server->actions);
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
    }
    http_actions_fini(&server->actions);
    http_connections_fini(&server->connections);
    history_free(server->history);
    free(server->page_policy);
    free(server);
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

bool http_server_is_loopback(const struct http_server *server)
{
    return server->is_loopback;
}
