/* SPDX-License-Identifier: MIT */
#include "admin/http_answer.h"

#include <assert.h>

/* An answer with a policy of its own sends that instead of the first header here. */
static const char *const headers[][2] = {
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

enum MHD_Result http_answer_send(struct MHD_Connection *connection, struct http_answer *answer)
{
    enum MHD_Result result = MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.length, answer->body.data, MHD_RESPMEM_MUST_FREE);

    assert(answer->status >= 200 && answer->status < 600 && answer->content_type != NULL);
    if (response == NULL) {
        buf_fini(&answer->body);
        return MHD_NO;
    }
    answer->body = (struct buf){0}; /* the response owns the bytes */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        MHD_add_response_header(response, headers[i][0],
                                i == 0 && answer->policy != NULL ? answer->policy : headers[i][1]);
    }
    if (answer->allow != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    }
    if (answer->status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
    result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result http_answer_refuse(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    struct http_answer answer = {.status = status, .content_type = HTTP_TYPE_TEXT};

    buf_append_text(&answer.body, text);
    return http_answer_send(connection, &answer);
}
