/*
 * http_guard: decides whether a request may run an action. Pure.
 *
 * Three checks protect the actions of the status page (admin/http_actions). - Who: where a token is
 * configured, whoever shows it ("Authorization: Bearer TOKEN"). Without one,
 *   everybody on this machine; then the listener must be on loopback.
 * - From where: a page of another site may send a POST to any address, but no header of its own
 *   without asking first, and nobody answers that question here. So the header X-Mqtt2pg is wanted.
 *   An Origin that is not this host, or Sec-Fetch-Site of another site, is refused too.
 * - By which name: a listener on loopback answers to names of this machine only. Else a site could
 *   make its own name point here (DNS rebinding) and be the same origin as this page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_HTTP_GUARD_H
#define MQTT2PG_ADMIN_HTTP_GUARD_H

#include <stdbool.h>

#include "base/slice.h"

/* The settings, and what is known of the listener. */
struct http_guard {
    bool admin;         /* http.admin */
    bool is_loopback;   /* only this machine reaches the listener */
    struct slice token; /* no data: nobody has to show one */
};

/* The headers of a request; NULL = not sent. Borrowed. */
struct http_claim {
    const char *host;          /* Host */
    const char *origin;        /* Origin */
    const char *fetch_site;    /* Sec-Fetch-Site */
    const char *mark;          /* X-Mqtt2pg, whatever it says */
    const char *authorization; /* Authorization */
};

/* 0 when the request may act; else the HTTP status of the refusal, and *reason says why. */
unsigned http_guard_check(const struct http_guard *guard, const struct http_claim *claim,
                          const char **reason);

/* Is this Host header one that a browser sends for this machine? "localhost" is, and every address:
 * another site has a name, which a browser would send. */
bool http_guard_is_local_host(const char *header);

#endif
