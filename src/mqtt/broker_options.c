/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_options.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/outcome.h"
#include "base/slice.h"

#define PATH_DEFAULT "/mqtt"

static const struct scheme {
    const char *name;
    int port;
    bool tls;
    bool websocket;
} schemes[] = {
    {"mqtt", 1883, false, false}, {"mqtts", 8883, true, false}, {"tcp", 1883, false, false},
    {"ssl", 8883, true, false},   {"tls", 8883, true, false},   {"ws", 80, false, true},
    {"wss", 443, true, true},
};

static bool refuse(const char *url, const char *reason, struct error *error)
{
    error_set(error, OUTCOME_REJECT, "broker URL \"%.200s\": %s", url, reason);
    return false;
}

/* Splits "scheme://" off; NULL when there is none that we know. */
static const struct scheme *scheme_take(struct slice *rest)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t length = strlen(schemes[i].name);
        if (rest->length >= length + 3 && strncasecmp(rest->data, schemes[i].name, length) == 0 &&
            memcmp(rest->data + length, "://", 3) == 0) {
            *rest = slice_make(rest->data + length + 3, rest->length - length - 3);
            return &schemes[i];
        }
    }
    return NULL;
}

/* "host", "host:port", "[v6]" or "[v6]:port"; the port stays empty when it is missing. False when
 * brackets do not match. */
static bool host_split(struct slice rest, struct slice *host, struct slice *port)
{
    *port = (struct slice){0};
    const char *end = rest.data + rest.length;
    const char *behind;
    if (rest.length > 0 && rest.data[0] == '[') {
        const char *close = memchr(rest.data, ']', rest.length);
        if (close == NULL) {
            return false;
        }
        *host = slice_make(rest.data + 1, (size_t) (close - rest.data) - 1);
        behind = close + 1;
    } else {
        const char *colon = memchr(rest.data, ':', rest.length);
        behind = colon != NULL ? colon : end;
        *host = slice_make(rest.data, (size_t) (behind - rest.data));
    }
    assert(behind <= end);
    if (behind == end) {
        return true;
    }
    *port = slice_make(behind + 1, (size_t) (end - behind) - 1);
    return *behind == ':' && port->length > 0;
}

/* "::1:1883" and the like: an IPv6 address without its brackets. */
static bool lacks_brackets(struct slice rest)
{
    const char *colon = memchr(rest.data, ':', rest.length);
    return rest.length > 0 && rest.data[0] != '[' && colon != NULL &&
           memchr(colon + 1, ':', rest.length - (size_t) (colon - rest.data) - 1) != NULL;
}

static bool port_parse(struct slice text, int *port)
{
    *port = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *port > 65535) {
            return false;
        }
        *port = *port * 10 + (text.data[i] - '0');
    }
    return *port >= 1 && *port <= 65535;
}

/* Splits the path off `rest`. Without WebSocket a URL may have no path but a "/" at its end. False:
 * refused. */
static bool path_take(const char *url, const struct scheme *scheme, struct slice *rest,
                      struct broker_address *address, struct error *error)
{
    const char *slash = memchr(rest->data, '/', rest->length);
    size_t length = slash == NULL ? 0 : rest->length - (size_t) (slash - rest->data);
    const char *path = slash;
    address->path[0] = '\0';
    rest->length -= length;
    if (!scheme->websocket) {
        return length <= 1 || refuse(url, "only ws:// and wss:// have a path", error);
    }
    if (length <= 1) {
        path = PATH_DEFAULT;
        length = strlen(PATH_DEFAULT);
    }
    /* Paho 1.3.12 takes the last colon for the one before the port. */
    if (length >= sizeof(address->path) || memchr(path, ':', length) != NULL ||
        memchr(path, ' ', length) != NULL) {
        return refuse(url, "the path is too long, or has a colon or a space", error);
    }
    memcpy(address->path, path, length);
    address->path[length] = '\0';
    return true;
}

bool broker_address_parse(const char *url, struct broker_address *address, struct error *error)
{
    struct slice rest = slice_of(url);
    const struct scheme *scheme = scheme_take(&rest);
    if (scheme == NULL) {
        return refuse(url, "it must begin with mqtt://, mqtts://, ws:// or wss://", error);
    }
    if (memchr(rest.data, '@', rest.length) != NULL) {
        /* The error does not repeat the URL, so that a password in it does not get into logs. */
        error_set(error, OUTCOME_REJECT,
                  "broker URL: user name and password belong into username and password");
        return false;
    }
    if (rest.data[strcspn(rest.data, "/,")] == ',') { /* not in a path */
        return refuse(url, "several brokers are a list: (\"mqtt://a\", \"mqtt://b\")", error);
    }
    if (!path_take(url, scheme, &rest, address, error)) {
        return false;
    }
    struct slice host;
    struct slice port;
    if (lacks_brackets(rest)) {
        return refuse(url, "an IPv6 address stands in brackets: mqtt://[::1]:1883", error);
    }
    if (!host_split(rest, &host, &port)) {
        return refuse(url, "it must end with host or host:port ([…] around an IPv6 address)",
                      error);
    }
    if (host.length == 0 || host.length >= sizeof(address->host)) {
        return refuse(url, host.length == 0 ? "no host" : "the host name is too long", error);
    }
    address->port = scheme->port;
    if (port.data != NULL && !port_parse(port, &address->port)) {
        return refuse(url, "the port must be 1 to 65535", error);
    }
    memcpy(address->host, host.data, host.length);
    address->host[host.length] = '\0';
    address->tls = scheme->tls;
    address->websocket = scheme->websocket;
    assert(address->port >= 1 && address->port <= 65535 && address->host[0] != '\0');
    return true;
}

char *broker_visitor_id(const struct broker_options *broker, const char *what)
{
    uint32_t number = 0;
    assert(what[0] != '\0');
    if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
        number = (uint32_t) clock_wall_us();
    }
    return memory_printf("%.40s-%s-%ld-%08" PRIx32, broker->client_id, what, (long) getpid(),
                         number);
}
