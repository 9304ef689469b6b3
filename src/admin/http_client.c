/* SPDX-License-Identifier: MIT */
#include "admin/http_client.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/http_address.h"
#include "base/clock.h"
#include "base/secret.h"

#define STEP_TIMEOUT_MS 3000
#define WHOLE_TIMEOUT_MS 10000
#define ANSWER_BYTES_MAX ((size_t) 64 * 1024 * 1024)
#define READ_BYTES ((size_t) 65536)

/* HTTP/1.1, because some proxies in front of a service refuse 1.0; the answer ends with the
 * connection. Host: localhost, which a server on loopback answers to under each of its
 * addresses. */
static void append_request(struct buf *request, const char *method, const struct http_post *post)
{
    buf_printf(request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
               post->path);
    assert(post->path[0] == '/');
    if (method[0] == 'P') {
        buf_append_text(request, "X-Mqtt2pg: 1\r\nContent-Length: 0\r\n");
    }
    if (post->token != NULL) {
        buf_printf(request, "Authorization: Bearer %s\r\n", post->token);
    }
    buf_append_text(request, "\r\n");
}

static enum outcome send_request(int connection, const char *method, const struct http_post *post,
                                 struct error *error)
{
    struct buf request = {0};
    enum outcome outcome = OUTCOME_OK;

    append_request(&request, method, post);
    if (send(connection, request.data, request.length, MSG_NOSIGNAL) != (ssize_t) request.length) {
        outcome = error_errno(error, OUTCOME_RETRY, "could not send the request");
    }
    secret_forget(&request);
    return outcome;
}

/* Reads to the end of the connection: "Connection: close" makes it the end of the answer. */
static enum outcome read_answer(int connection, struct buf *answer, struct error *error)
{
    int64_t until_ms = clock_monotonic_ms() + WHOLE_TIMEOUT_MS;
    ssize_t got;

    do {
        got = recv(connection, buf_reserve(answer, READ_BYTES), READ_BYTES, 0);
        if (got > 0) {
            answer->length += (size_t) got;
        }
        if (answer->length > ANSWER_BYTES_MAX || clock_monotonic_ms() > until_ms) {
            return error_set(error, OUTCOME_RETRY, "the answer does not end");
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        return error_errno(error, OUTCOME_RETRY, "no answer");
    }
    return OUTCOME_OK;
}

/* Leaves the body in `answer`. Chunked answers are not supported: our server does not send them,
 * and Content-Length says whether the whole body is there. */
static enum outcome take_head_off(struct buf *answer, int *status, struct error *error)
{
    const char *text = buf_string(answer);
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\ncontent-length:");
    size_t head;

    if (end == NULL || length == NULL || length > end || strncmp(text, "HTTP/1.", 7) != 0 ||
        strlen(text) < 12) {
        return error_set(error, OUTCOME_RETRY, "what answers there is not mqtt2pg");
    }
    head = (size_t) (end + 4 - text);
    assert(head <= answer->length);
    if (strtoull(length + strlen("\r\ncontent-length:"), NULL, 10) != answer->length - head) {
        return error_set(error, OUTCOME_RETRY, "the answer was cut off");
    }
    *status = (int) strtol(text + 9, NULL, 10);
    answer->length -= head;
    memmove(answer->data, answer->data + head, answer->length);
    return OUTCOME_OK;
}

/* Connects, sends one request, reads one answer and disconnects: a command asks seldom. */
static enum outcome ask(const char *method, const struct http_post *post, struct buf *body,
                        int *status, struct error *error)
{
    struct http_address address;
    int connection = -1;
    enum outcome outcome = http_address_parse(post->listen, &address, error);

    buf_reset(body);
    *status = 0;
    if (outcome == OUTCOME_OK) {
        outcome = http_address_connect(&address, STEP_TIMEOUT_MS, &connection, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = send_request(connection, method, post, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = read_answer(connection, body, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = take_head_off(body, status, error);
    }
    if (connection >= 0) {
        close(connection);
    }
    return outcome;
}

enum outcome http_get(const char *listen, const char *path, struct buf *body, int *status,
                      struct error *error)
{
    return ask("GET", &(struct http_post){.listen = listen, .path = path}, body, status, error);
}

enum outcome http_post(const struct http_post *post, struct buf *body, int *status,
                       struct error *error)
{
    return ask("POST", post, body, status, error);
}

/* RFC 3986, section 2.3, names the characters that stand for themselves everywhere in a URL. */
void http_append_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char) *text;

        if (byte < 0x80 && (isalnum(byte) || strchr("-_.~", byte) != NULL)) {
            buf_append_byte(out, byte);
        } else {
            buf_printf(out, "%%%02X", byte);
        }
    }
}
