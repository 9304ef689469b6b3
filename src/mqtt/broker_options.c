/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_options.h"

#include <string.h>
#include <strings.h>

#include "base/outcome.h"
#include "base/slice.h"

/* The schemes that we know, also those that we refuse. */
static const struct scheme {
    const char *name;
    int port;
    bool tls;
    const char *refused; /* NULL: works */
} schemes[] = {
    {"mqtt", 1883, false, NULL},
    {"mqtts", 8883, true, NULL},
    {"tcp", 1883, false, NULL},
    {"ssl", 8883, true, NULL},
    {"tls", 8883, true, NULL},
    {"ws", 0, false, "MQTT over WebSocket is not supported: use mqtt://"},
    {"wss", 0, false, "MQTT over WebSocket is not supported: use mqtts://"},
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

/* "host", "host:port", "[v6]" or "[v6]:port"; the port stays empty when it is missing. False when brackets do not match. */
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
    if (behind == end) {
        return true;
    }
    *port = slice_make(behind + 1, (size_t) (end - behind) - 1);
    return *behind == ':' && port->length > 0;
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

bool broker_address_parse(const char *url, struct broker_address *address, struct error *error)
{
    struct slice rest = slice_of(url);
    const struct scheme *scheme = scheme_take(&rest);
    if (scheme == NULL) {
        return refuse(url, "it must begin with mqtt:// or mqtts://", error);
    }
    if (scheme->refused != NULL) {
        return refuse(url, scheme->refused, error);
    }
    if (rest.length > 0 && rest.data[rest.length - 1] == '/') {
        rest.length--;
    }
    if (memchr(rest.data, '/', rest.length) != NULL) {
        return refuse(url, "a path has no meaning", error);
    }
    if (memchr(rest.data, '@', rest.length) != NULL) {
        /* The text would carry a password into logs, so it is not repeated. */
        error_set(error, OUTCOME_REJECT,
                  "broker URL: user name and password belong into username and password");
        return false;
    }
    struct slice host;
    struct slice port;
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
    return true;
}
