/* SPDX-License-Identifier: MIT */
#include "admin/http_guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { UNAUTHORIZED = 401, FORBIDDEN = 403 };

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);

    return length >= strlen(end) && strcasecmp(text + length - strlen(end), end) == 0;
}

bool http_guard_is_local_host(const char *header)
{
    struct in6_addr address;
    char host[256];
    size_t length = strlen(header);
    const char *colon = strrchr(header, ':');

    if (header[0] == '[') {
        return true;
    }
    if (colon != NULL) {
        length = (size_t) (colon - header);
    }
    if (length >= sizeof(host)) {
        return false;
    }
    snprintf(host, sizeof(host), "%.*s", (int) length, header);
    return inet_pton(AF_INET, host, &address) == 1 || strcasecmp(host, "localhost") == 0 ||
           ends_with(host, ".localhost");
}

/* Takes the same time wherever the texts differ, so that the time does not tell how much of a
 * guess was right. It may tell the length. */
static bool is_same_secret(struct slice secret, const char *shown)
{
    size_t length = strlen(shown);
    unsigned difference = 0;

    assert(secret.data != NULL && secret.length > 0);
    if (length != secret.length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        difference |= (unsigned char) secret.data[i] ^ (unsigned char) shown[i];
    }
    return difference == 0;
}

/* RFC 6750, section 2.1. The scheme's name may be written in either case. */
static bool has_token(struct slice token, const char *authorization)
{
    static const char scheme[] = "Bearer ";

    return authorization != NULL && strncasecmp(authorization, scheme, strlen(scheme)) == 0 &&
           is_same_secret(token, authorization + strlen(scheme));
}

/* "http://127.0.0.1:9464" is the origin of a page of the host 127.0.0.1:9464. The origin "null" is
 * no host's. */
static bool is_own_origin(const char *origin, const char *host)
{
    const char *name = strstr(origin, "://");

    return name != NULL && host != NULL && strcasecmp(name + strlen("://"), host) == 0;
}

/* Any of the three signs is enough. A program sends neither Origin nor Sec-Fetch-Site; a browser
 * that is too old for Sec-Fetch-Site still sends Origin with each POST. */
static bool is_foreign_site(const struct http_claim *claim)
{
    const char *site = claim->fetch_site;

    return claim->mark == NULL ||
           (claim->origin != NULL && !is_own_origin(claim->origin, claim->host)) ||
           (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0);
}

unsigned http_guard_check(const struct http_guard *guard, const struct http_claim *claim,
                          const char **reason)
{
    bool tokened = guard->token.data != NULL;

    assert(!tokened || guard->token.length > 0);
    if (!guard->admin) {
        *reason = "actions are off: http.admin = true in the configuration turns them on";
        return FORBIDDEN;
    }
    if (!guard->is_loopback && !tokened) {
        *reason = "other machines reach this address: actions need http.token_file";
        return FORBIDDEN;
    }
    if (guard->is_loopback && claim->host != NULL && !http_guard_is_local_host(claim->host)) {
        *reason = "this address answers to localhost and to addresses only";
        return FORBIDDEN;
    }
    if (is_foreign_site(claim)) {
        *reason = "actions are for the page itself and for programs that send the header "
                  "X-Mqtt2pg: 1";
        return FORBIDDEN;
    }
    if (tokened && !has_token(guard->token, claim->authorization)) {
        *reason = "the token of http.token is wanted: Authorization: Bearer TOKEN";
        return UNAUTHORIZED;
    }
    *reason = NULL;
    return 0;
}
