/*
 * http_connections: the connections to the HTTP server, and how long each has waited for its
 * client's next request.
 *
 * libmicrohttpd hangs up on a client that is silent for a while. But a client that sends a byte now
 * and then can hold its connection for ever, and few such clients take all connections. So here a
 * request has a time limit as a whole. And a new connection always finds a place: beyond
 * HTTP_CONNECTIONS_SERVED the one that has waited longest is closed, so that no number of idle
 * clients keeps a probe of /healthz out. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_CONNECTIONS_H
#define MQTT2PG_ADMIN_HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_CONNECTIONS_SERVED 32 /* the rest is room for those that are being hung up on */

struct http_connections {
    pthread_mutex_t mutex;
    size_t count;
    struct {
        int fd;           /* borrowed: between opened() and closed() */
        int64_t since_ms; /* monotonic: connected, or answered last */
        bool hung_up;     /* shut down, not closed yet */
    } list[HTTP_CONNECTIONS_MAX];
};

void http_connections_init(struct http_connections *connections);
void http_connections_fini(struct http_connections *connections);

/* The moments in the life of a connection, as libmicrohttpd's callbacks report them. A descriptor
 * that is not in the list is ignored: the list may have been full when it was opened. */
void http_connections_opened(struct http_connections *connections, int fd, int64_t now_ms);
void http_connections_answered(struct http_connections *connections, int fd, int64_t now_ms);
/* Its request is being worked on: it is not hung up on until it is answered. */
void http_connections_working(struct http_connections *connections, int fd);
/* Before the descriptor is closed. */
void http_connections_closed(struct http_connections *connections, int fd);

/* Shuts down those that have waited longer than `limit_ms`. */
void http_connections_sweep(struct http_connections *connections, int64_t now_ms, int64_t limit_ms);

#endif
