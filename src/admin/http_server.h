/*
 * http_server: the status page, /status.json, /metrics, /healthz and /readyz, over libmicrohttpd.
 *
 * GET and HEAD only but for actions (admin/http_actions), few connections, short timeouts, loopback
 * unless the configuration says otherwise. One thread of libmicrohttpd answers, one of
 * admin/history takes a sample a second, one of admin/action_queue acts. What is served comes from
 * base/metrics and base/health; what only the bridge knows comes through `refresh`.
 *
 * No answer is cached, framed or shared with other sites; a server on loopback answers only to
 * names of this machine, so that a site in the user's browser whose name is made to point here (DNS
 * rebinding) reads nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_SERVER_H
#define MQTT2PG_ADMIN_HTTP_SERVER_H

#include "admin/action_queue.h"
#include "admin/http_options.h"
#include "base/buf.h"
#include "base/outcome.h"

struct http_server;

struct http_sources {
    /* Brings the gauges up to date before an answer; called in the server's thread. */
    void (*refresh)(void *context);
    /* Appends the effective configuration as JSON, without secrets. */
    void (*configuration)(void *context, struct buf *out);
    void *context; /* borrowed */
    struct action_handler actions;
};

/* OUTCOME_RETRY when the address can't be listened on, with what to do; OUTCOME_FATAL when
 * options->listen is none (admin/http_address.h). *server NULL then, and when options->listen is
 * "". `sources` is copied. */
enum outcome http_server_start(struct http_server **server, const struct http_options *options,
                               const struct http_sources *sources, struct error *error) MUST_CHECK;
/* When it returns, no function of the sources runs or will run. */
void http_server_stop(struct http_server *server);

/* Hangs up on clients whose request takes too long; to be called a few times a second. NULL is
 * legal. */
void http_server_tick(struct http_server *server);

/* The address that is listened on ("127.0.0.1:9464"), for logs and the demo. */
const char *http_server_address(const struct http_server *server);

/* Can only this machine ask? */
bool http_server_is_loopback(const struct http_server *server);

#endif
