/*
 * http_options: where the status page listens.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_OPTIONS_H
#define MQTT2PG_ADMIN_HTTP_OPTIONS_H

#include <stdbool.h>

/* Where a service listens without the setting http.listen. */
#define HTTP_LISTEN_DEFAULT "127.0.0.1:9464"

struct http_options {
    const char *listen; /* "127.0.0.1:9464", "[::1]:9464", "*:9464"; "" = off; borrowed */
    bool show_payloads; /* of the last dead letters */
    bool admin;         /* requests that act (admin/http_actions) are answered */
    /* Whoever acts must show this text. NULL: nobody has to, which only a listener on loopback
     * allows. Borrowed, like the file that is read again at each action (NULL: none). */
    const char *token;
    const char *token_file;
};

/* A shorter token could be guessed. */
#define HTTP_TOKEN_BYTES_MIN 16

#endif
