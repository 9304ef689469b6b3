/*
 * http_client: asks a running service for one of its pages or for an action, for `mqtt2pg status`
 * and `mqtt2pg tap`. Plain blocking sockets: a command has nothing else to do.
 *
 * Everything is bounded: three seconds for a step, ten for the whole, 64 MB for the answer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_CLIENT_H
#define MQTT2PG_ADMIN_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/outcome.h"

/* GET `path` of the service that is configured with http.listen = `listen`; replaces *body and
 * *status (200, 503, …). OUTCOME_RETRY when nobody answers, not in time or not in HTTP;
 * OUTCOME_FATAL when `listen` is no address. */
enum outcome http_get(const char *listen, const char *path, struct buf *body, int *status,
                      struct error *error) MUST_CHECK;

struct http_post {
    const char *listen;
    const char *path;
    const char *token; /* NULL: none is shown */
};

/* POST `path`, an action (admin/http_actions), without a body. The answer is JSON, also of a
 * refusal. The rest as http_get(). */
enum outcome http_post(const struct http_post *post, struct buf *body, int *status,
                       struct error *error) MUST_CHECK;

/* Appends `text` as the value of an argument behind "?": all but letters, digits and "-_.~" as
 * %XX. */
void http_append_escaped(struct buf *out, const char *text);

#endif
