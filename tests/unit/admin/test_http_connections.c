/* SPDX-License-Identifier: MIT */
#include "admin/http_connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static bool is_open(int fd)
{
    return send(fd, "x", 1, MSG_NOSIGNAL) == 1;
}

/* Time runs from the beginning or from the last answer; who has gone is left alone. */
static void test_sweep(void)
{
    struct http_connections connections;
    int pairs[3][2];
    http_connections_init(&connections);
    for (int i = 0; i < 3; i++) {
        CHECK_INT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        http_connections_opened(&connections, pairs[i][0], 1000);
    }
    http_connections_answered(&connections, pairs[1][0], 5000);
    http_connections_closed(&connections, pairs[2][0]);
    CHECK_INT_EQ(connections.count, 2);
    http_connections_sweep(&connections, 10999, 10000);
    CHECK(is_open(pairs[0][0]) && is_open(pairs[1][0]) && is_open(pairs[2][0]));
    http_connections_sweep(&connections, 11000, 10000);
    CHECK(!is_open(pairs[0][0]));
    CHECK(is_open(pairs[1][0]));
    CHECK(is_open(pairs[2][0]));
    http_connections_closed(&connections, 999); /* never heard of */
    CHECK_INT_EQ(connections.count, 2);
    for (int i = 0; i < 3; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    http_connections_fini(&connections);
}

/* Beyond the number that is served the one that has waited longest goes, each only once. */
static void test_newcomer_finds_a_place(void)
{
    enum { COUNT = HTTP_CONNECTIONS_SERVED + 3 };
    struct http_connections connections;
    int pairs[COUNT][2];
    http_connections_init(&connections);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        http_connections_opened(&connections, pairs[i][0], 1000 + i);
        if (i == HTTP_CONNECTIONS_SERVED - 1) {
            http_connections_answered(&connections, pairs[1][0], 5000);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        UNIT_CASE("connection %d", i);
        CHECK_INT_EQ(is_open(pairs[i][0]), i == 1 || i > 3);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    http_connections_fini(&connections);
}

UNIT_MAIN("http_connections", {"a newcomer finds a place", test_newcomer_finds_a_place},
          {"sweep", test_sweep})
