/*
 * http_address: the setting http.listen, for the server that listens there and for commands that
 * connect to it.
 *
 *   "127.0.0.1:9464"   "[::1]:9464"   "localhost:9464"
 *   "*:9464"           every address of this machine, IPv6 and IPv4
 *   ":9464"            the same as 127.0.0.1:9464; only "*" listens on all interfaces
 *
 * Port 0 takes a free port (tests).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_ADDRESS_H
#define MQTT2PG_ADMIN_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/outcome.h"

struct http_address {
    char host[256]; /* without brackets; "" for every address */
    char port[6];
};

/* As text with brackets where they belong; "*" for every address. */
#define HTTP_ADDRESS_TEXT_MAX 300

/* OUTCOME_FATAL, with the right form in `error`, when `listen` is no address. */
enum outcome http_address_parse(const char *listen, struct http_address *address,
                                struct error *error) MUST_CHECK;

/* Does the text name this machine only: "localhost", 127.0.0.0/8 or ::1? */
bool http_address_is_local(const struct http_address *address);

/* A listening socket, the caller's, in *listener. OUTCOME_RETRY names the setting and what to
 * do. */
enum outcome http_address_listen(const struct http_address *address, int *listener,
                                 struct error *error) MUST_CHECK;

/* A connected socket, the caller's, in *connection, whose reads and writes give up after
 * `timeout_ms`. Connects to this machine itself when the address is "*". OUTCOME_RETRY when nobody
 * answers. */
enum outcome http_address_connect(const struct http_address *address, int timeout_ms,
                                  int *connection, struct error *error) MUST_CHECK;

/* The address that a listening socket is bound to, as text ("127.0.0.1:9464", "*:9464"), and
 * whether only this machine can reach it. */
void http_address_name(int listener, char text[HTTP_ADDRESS_TEXT_MAX], bool *is_loopback);

#endif
