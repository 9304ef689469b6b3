/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>

#include "admin/http_client.h"
#include "base/clock.h"
#include "base/health.h"
#include "base/thread.h"
#include "http_fixture.h"

/* Closed by the other side within the time that the test has? */
static bool is_closed(int connection, int64_t until_ms)
{
    char byte;

    while (clock_monotonic_ms() < until_ms) {
        struct pollfd wait = {.fd = connection, .events = POLLIN};

        if (poll(&wait, 1, 1) > 0) {
            ssize_t got = recv(connection, &byte, 1, 0);

            if (got == 0 || (got < 0 && errno == ECONNRESET)) {
                return true;
            }
        }
    }
    return false;
}

/* Clients that say half a request and wait: others are served meanwhile, and these are hung up
 * on. */
static void test_slow_clients(void)
{
    struct http_server *server = start(":0");
    int64_t begun_ms = clock_monotonic_ms();
    int slow[20];
    struct answer answer;

    for (int i = 0; i < 20; i++) {
        slow[i] = connect_to(server);
        send_text(slow[i], i % 2 ? "GET /metr" : "GET / HTTP/1.1\r\nHost: localhost\r\n");
    }
    answer = ask(server, "GET", "/healthz", HOST);
    CHECK_INT_EQ(answer.status, 200);
    CHECK(clock_monotonic_ms() - begun_ms < 5000);
    answer_fini(&answer);
    for (int i = 0; i < 20; i++) {
        UNIT_CASE("client %d", i);
        CHECK(is_closed(slow[i], begun_ms + PATIENCE_MS));
        close(slow[i]);
    }
    CHECK(clock_monotonic_ms() - begun_ms > 8000); /* it was the time limit */
    http_server_stop(server);
}

/* More than the limit from one address: those beyond it are hung up on, the others served, and
 * later all is well again. */
static void test_many_connections(void)
{
    struct http_server *server = start(":0");
    struct answer answer = {0};
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int connections[50];
    int closed = 0;
    int served = 0;

    for (int i = 0; i < 50; i++) {
        connections[i] = connect_to(server);
    }
    while (closed < 18 && clock_monotonic_ms() < until_ms) {
        for (int i = 0; i < 50; i++) {
            if (connections[i] >= 0 && is_closed(connections[i], clock_monotonic_ms() + 1)) {
                close(connections[i]);
                connections[i] = -1;
                closed++;
            }
        }
    }
    CHECK_INT_EQ(closed, 18);
    for (int i = 0; i < 50; i++) {
        if (connections[i] < 0) {
            continue;
        }
        send_text(connections[i], "GET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
        read_answer(connections[i], &answer);
        served += answer.status == 200;
        answer_fini(&answer);
        close(connections[i]);
    }
    CHECK_INT_EQ(served, 32);
    do {
        answer_fini(&answer);
        answer = ask(server, "GET", "/healthz", HOST);
    } while (answer.status != 200 && clock_monotonic_ms() < until_ms);
    CHECK_INT_EQ(answer.status, 200);
    answer_fini(&answer);
    http_server_stop(server);
}

static void test_keep_alive(void)
{
    struct http_server *server = start(":0");
    int connection = connect_to(server);
    struct answer answer;

    for (int i = 0; i < 3; i++) {
        send_text(connection, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    send_text(connection, "GET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    read_answer(connection, &answer);
    CHECK(strstr(buf_string(&answer.body), "HTTP/1.1 200 OK") != NULL);
    CHECK(answer.body.length > 3 && strcmp(answer.body.data + answer.body.length - 3, "ok\n") == 0);
    answer_fini(&answer);
    close(connection);
    http_server_stop(server);
}

static void test_hostile_requests(void)
{
    struct http_server *server = start(":0");
    struct buf request = {0};
    struct answer answer;
    int connection = connect_to(server);

    /* A head that does not end. */
    buf_append_text(&request, "GET / HTTP/1.1\r\nHost: localhost\r\n");
    while (request.length < 200000) {
        buf_append_text(&request, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    }
    send_text(connection, buf_string(&request));
    read_answer(connection, &answer);
    CHECK(answer.status != 200);
    answer_fini(&answer);
    close(connection);
    /* A body where none is wanted. */
    answer = ask(server, "GET", "/", HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n");
    CHECK(answer.status != 200);
    answer_fini(&answer);
    answer = ask(server, "GET", "/healthz", HOST);
    CHECK_INT_EQ(answer.status, 200);
    answer_fini(&answer);
    buf_fini(&request);
    http_server_stop(server);
}

static void *ask_often(void *context)
{
    static const char *const paths[] = {"/status.json", "/metrics", "/", "/readyz"};
    const struct http_server *server = context;
    struct buf body = {0};
    int status;
    long failures = 0;

    for (size_t i = 0; i < 40; i++) {
        failures +=
            http_get(http_server_address(server), paths[i % 4], &body, &status, NULL) != OUTCOME_OK;
    }
    buf_fini(&body);
    return (void *) failures;
}

/* Asked from several sides while the stages count: for ThreadSanitizer. */
static void test_threads(void)
{
    struct http_server *server = start(":0");
    pthread_t threads[4];
    int rule = metrics_rule("r");
    void *failures;

    for (int i = 0; i < 4; i++) {
        threads[i] = thread_spawn("asker", ask_often, server);
    }
    for (int i = 0; i < 2000; i++) {
        metric_add(METRIC_MESSAGES_RECEIVED, 1);
        metric_rule_add(rule, RULE_METRIC_ROWS, 2);
        metric_observe(HISTOGRAM_STORE_DELAY_SECONDS, 0.01, 1);
        health_add_reject("r", slice_of("t"), "reason", NULL);
        health_set(HEALTH_BROKER, i % 2 == 0, "x");
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failures);
        CHECK_INT_EQ((intptr_t) failures, 0);
    }
    http_server_stop(server);
    metrics_reset();
}

UNIT_MAIN("http_limits", {"slow clients", test_slow_clients},
          {"many connections", test_many_connections}, {"keep alive", test_keep_alive},
          {"hostile requests", test_hostile_requests}, {"threads", test_threads})
