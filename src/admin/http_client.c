/* SPDX-License-Identifier: MIT */
#include "admin/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/http_address.h"
#include "base/clock.h"

#define STEP_TIMEOUT_MS 3000
#define WHOLE_TIMEOUT_MS 10000
#define ANSWER_BYTES_MAX ((size_t) 64 * 1024 * 1024)
#define READ_BYTES ((size_t) 65536)

/* "localhost" is what a server on loopback answers to, by whatever address it was asked. */
static enum outcome send_request(int connection, const char *path, struct error *error)
{
    struct buf request = {0};
    enum outcome outcome = OUTCOME_OK;

    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    if (send(connection, request.data, request.length, MSG_NOSIGNAL) != (ssize_t) request.length) {
        outcome = error_errno(error, OUTCOME_RETRY, "cannot send the request");
    }
    buf_fini(&request);
    return outcome;
}

/* To the end of the connection, which "Connection: close" makes the end of the answer. */
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

/* Leaves the body in `answer`. Chunks are not for us: Content-Length says whether all of it is
 * there. */
static enum outcome take_head_off(struct buf *answer, int *status, struct error *error)
{
    const char *text = buf_string(answer);
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\ncontent-length:");
    size_t head;

    if (end == NULL || length == NULL || length > end || strncmp(text, "HTTP/1.", 7) != 0 ||
        strlen(text) < 12) {
        return error_set(error, OUTCOME_RETRY, "what answers there is no mqtt2pg");
    }
    head = (size_t) (end + 4 - text);
    if (strtoull(length + strlen("\r\ncontent-length:"), NULL, 10) != answer->length - head) {
        return error_set(error, OUTCOME_RETRY, "the answer was cut off");
    }
    *status = (int) strtol(text + 9, NULL, 10);
    answer->length -= head;
    memmove(answer->data, answer->data + head, answer->length);
    return OUTCOME_OK;
}

enum outcome http_get(const char *listen, const char *path, struct buf *body, int *status,
                      struct error *error)
{
    struct http_address address;
    int connection = -1;
    enum outcome outcome = http_address_parse(listen, &address, error);

    buf_reset(body);
    *status = 0;
    if (outcome == OUTCOME_OK) {
        outcome = http_address_connect(&address, STEP_TIMEOUT_MS, &connection, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = send_request(connection, path, error);
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
