/* SPDX-License-Identifier: MIT */
#include "admin/http_connections.h"

#include <assert.h>
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

/* With the mutex. libmicrohttpd notices the end and closes the descriptor: closing it here would
 * give its number to another connection while the library still uses it. */
static void hang_up(struct http_connections *connections, size_t at)
{
    assert(at < connections->count);
    connections->list[at].hung_up = true;
    shutdown(connections->list[at].fd, SHUT_RDWR);
}

/* With the mutex. When too many are served, hangs up on the one that has waited longest. */
static void make_place(struct http_connections *connections)
{
    size_t served = 0;
    size_t oldest = connections->count;
    for (size_t i = 0; i < connections->count; i++) {
        if (connections->list[i].hung_up) {
            continue;
        }
        served++;
        if (oldest == connections->count ||
            connections->list[i].since_ms < connections->list[oldest].since_ms) {
            oldest = i;
        }
    }
    assert(served <= connections->count);
    if (served > HTTP_CONNECTIONS_SERVED) {
        hang_up(connections, oldest);
    }
}

void http_connections_opened(struct http_connections *connections, int fd, int64_t now_ms)
{
    pthread_mutex_lock(&connections->mutex);
    if (connections->count < HTTP_CONNECTIONS_MAX) {
        connections->list[connections->count].fd = fd;
        connections->list[connections->count].since_ms = now_ms;
        connections->list[connections->count].hung_up = false;
        connections->count++;
        assert(connections->count <= HTTP_CONNECTIONS_MAX);
        make_place(connections);
    }
    pthread_mutex_unlock(&connections->mutex);
}

/* With the mutex. The index of this descriptor in the list, or `count` when it is not there. */
static size_t find(const struct http_connections *connections, int fd)
{
    size_t at = 0;
    assert(connections->count <= HTTP_CONNECTIONS_MAX);
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

void http_connections_working(struct http_connections *connections, int fd)
{
    http_connections_answered(connections, fd, INT64_MAX);
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

/* Called by the service's main thread, a few times a second. */
void http_connections_sweep(struct http_connections *connections, int64_t now_ms, int64_t limit_ms)
{
    pthread_mutex_lock(&connections->mutex);
    for (size_t i = 0; i < connections->count; i++) {
        if (now_ms - connections->list[i].since_ms >= limit_ms) {
            hang_up(connections, i);
        }
    }
    pthread_mutex_unlock(&connections->mutex);
}
