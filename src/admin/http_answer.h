/*
 * http_answer: sends one answer with the headers that every answer has: not cached, not framed, not
 * shared with other sites.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_ANSWER_H
#define MQTT2PG_ADMIN_HTTP_ANSWER_H

#include <microhttpd.h>

#include "base/buf.h"

#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"
#define HTTP_TYPE_JSON "application/json"

struct http_answer {
    unsigned status;
    const char *content_type;
    const char *policy; /* Content-Security-Policy; NULL: the strictest */
    const char *allow;  /* of status 405: the methods that the page takes; else NULL */
    struct buf body;
};

/* Takes the body. */
enum MHD_Result http_answer_send(struct MHD_Connection *connection, struct http_answer *answer);

/* Sends `text` as plain text. */
enum MHD_Result http_answer_refuse(struct MHD_Connection *connection, unsigned status,
                                   const char *text);

#endif
