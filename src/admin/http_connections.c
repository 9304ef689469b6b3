/* SPDX-License-Identifier: MIT */
#include "admin/http_connections.h"

#include <sys/socket.h>

void http_connections_init(struct http_connections *connections)
{
    pthread_mutex_init(&connections->mutex, NULL);
    connections->count = 0;
}

void http_connections_fini(struct http_connections *connections)
{
    pthread_mutex_destroy(&connections->mutex);
}

void http_connections_opened(struct http_connections *connections, int fd, int64_t now_ms)
{
    pthread_mutex_lock(&connections->mutex);
    if (connections->count < HTTP_CONNECTIONS_MAX) {
        connections->list[connections->count].fd = fd;
        connections->list[connections->count].since_ms = now_ms;
        connections->count++;
    }
    pthread_mutex_unlock(&connections->mutex);
}

/* Where it stands, or `count`; the mutex is held. */
static size_t find(const struct http_connections *connections, int fd)
{
    size_t at = 0;
    while (at < connections->count && connections->list[at].fd != fd) {
        at++;
    }
    return at;
}

void http_connections_answered(struct http_connections *connections, int fd, int64_t now_ms)
{
    pthread_mutex_lock(&connections->mutex);
    size_t at = find(connections, fd);
    if (at < connections->count) {
        connections->list[at].since_ms = now_ms;
    }
    pthread_mutex_unlock(&connections->mutex);
}

void http_connections_closed(struct http_connections *connections, int fd)
{
    pthread_mutex_lock(&connections->mutex);
    size_t at = find(connections, fd);
    if (at < connections->count) {
        connections->list[at] = connections->list[--connections->count];
    }
    pthread_mutex_unlock(&connections->mutex);
}

void http_connections_sweep(struct http_connections *connections, int64_t now_ms, int64_t limit_ms)
{
    pthread_mutex_lock(&connections->mutex);
    for (size_t i = 0; i < connections->count; i++) {
        if (now_ms - connections->list[i].since_ms >= limit_ms) {
            shutdown(connections->list[i].fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&connections->mutex);
}
