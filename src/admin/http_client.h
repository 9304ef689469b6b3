/*
 * http_client: asks a running service for one of its pages, for `mqtt2pg status`. Plain blocking
 * sockets.
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

#endif
