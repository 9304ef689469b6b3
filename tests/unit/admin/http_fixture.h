/*
 * http_fixture: a server on a free port, and requests over plain sockets, for the tests of the HTTP
 * server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_UNIT_HTTP_FIXTURE_H
#define MQTT2PG_UNIT_HTTP_FIXTURE_H

#include <sys/socket.h>

#include "admin/http_address.h"
#include "admin/http_server.h"
#include "base/metrics.h"
#include "unit.h"

#define PATIENCE_MS 20000

/* An answer taken apart; `head` ends with "\r\n". */
struct answer {
    int status;
    struct buf head;
    struct buf body;
};

static inline void refresh(void *context)
{
    (void) context;
    metric_set(METRIC_JOURNAL_MESSAGES, 77);
}

static inline struct http_server *start(const char *listen)
{
    const struct http_options options = {.listen = listen};
    const struct http_sources sources = {.refresh = refresh};
    struct http_server *server = NULL;
    struct error error = {0};

    CHECK_INT_EQ(http_server_start(&server, &options, &sources, &error), OUTCOME_OK);
    return server;
}

static inline int connect_to(const struct http_server *server)
{
    struct http_address address;
    int connection = -1;

    CHECK(http_address_parse(http_server_address(server), &address, NULL) == OUTCOME_OK);
    CHECK(http_address_connect(&address, PATIENCE_MS, &connection, NULL) == OUTCOME_OK);
    return connection;
}

static inline void send_text(int connection, const char *text)
{
    (void) !send(connection, text, strlen(text), MSG_NOSIGNAL);
}

/* To the end of the connection. */
static inline void read_answer(int connection, struct answer *answer)
{
    struct buf all = {0};
    const char *end;
    ssize_t got;

    while ((got = recv(connection, buf_reserve(&all, 65536), 65536, 0)) > 0)
        all.length += (size_t) got;
    end = strstr(buf_string(&all), "\r\n\r\n");
    *answer = (struct answer){0};
    if (end != NULL && sscanf(all.data, "HTTP/1.1 %d ", &answer->status) == 1) {
        buf_append(&answer->head, all.data, (size_t) (end + 2 - all.data));
        buf_append_text(&answer->body, end + 4);
    }
    buf_fini(&all);
}

static inline void answer_fini(struct answer *answer)
{
    buf_fini(&answer->head);
    buf_fini(&answer->body);
}

static inline struct answer ask(const struct http_server *server, const char *method,
                                const char *path, const char *headers)
{
    struct answer answer;
    char request[1000];
    int connection = connect_to(server);

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n%sConnection: close\r\n\r\n", method,
             path, headers);
    send_text(connection, request);
    read_answer(connection, &answer);
    close(connection);
    return answer;
}

#define HOST "Host: localhost\r\n"

#endif
