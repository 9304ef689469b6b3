/* What no real broker does on cue: silence, nonsense, hanging up. The rest is
 * tests/integration/test_tls.py. SPDX-License-Identifier: MIT */
#include "mqtt/tls_probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "unit.h"

struct server {
    int listener;
    const char *answer; /* NULL: silence; "": hangs up */
};

static void *serve(void *context)
{
    const struct server *server = context;
    int connection = accept(server->listener, NULL, NULL);
    if (server->answer != NULL) {
        (void) !send(connection, server->answer, strlen(server->answer), MSG_NOSIGNAL);
        shutdown(connection, SHUT_WR);
    }
    char byte;
    while (recv(connection, &byte, 1, 0) > 0) { /* until the probe has gone */
    }
    close(connection);
    return NULL;
}

static void check_answer(const char *answer, enum outcome outcome, const char *words)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(any);
    struct server server = {.listener = socket(AF_INET, SOCK_STREAM, 0), .answer = answer};
    CHECK_INT_EQ(bind(server.listener, (struct sockaddr *) &any, size), 0);
    CHECK_INT_EQ(listen(server.listener, 1), 0);
    CHECK_INT_EQ(getsockname(server.listener, (struct sockaddr *) &any, &size), 0);
    pthread_t thread = thread_spawn("server", serve, &server);

    struct broker_options broker = {.tls.verify = true};
    struct broker_address address = {.host = "localhost", .port = ntohs(any.sin_port), .tls = true};
    struct error error = {0};
    UNIT_CASE("%s", answer == NULL ? "silence" : answer);
    int64_t patience_ms = answer == NULL ? 300 : 20000;
    CHECK_INT_EQ(tls_probe(&broker, &address, "127.0.0.1", patience_ms, &error), outcome);
    if (!CHECK(strstr(error.text, words) != NULL)) {
        printf("%s\n", error.text);
    }
    pthread_join(thread, NULL);
    close(server.listener);
}

static void test_answers(void)
{
    check_answer(NULL, OUTCOME_RETRY, "no answer to TLS");
    check_answer("", OUTCOME_RETRY, "connection closed while TLS was set up");
    check_answer("HTTP/1.1 400 Bad Request\r\n\r\n", OUTCOME_REJECT,
                 "what answers there is not TLS");
}

UNIT_MAIN("tls_probe", {"answers", test_answers})
