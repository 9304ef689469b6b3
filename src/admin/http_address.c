/* SPDX-License-Identifier: MIT */
#include "admin/http_address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/slice.h"

#define LISTEN_BACKLOG 64
#define PORT_MAX 65535

/* Digits only: getaddrinfo(3) would take the name of a service as well. */
static bool is_port(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 5 && strspn(text, "0123456789") == strlen(text) &&
           strtol(text, NULL, 10) <= PORT_MAX;
}

/* The host in front of the last colon, without brackets; a slice without data when the text there
 * can't be a host. */
static struct slice host_of(const char *listen, const char *colon)
{
    struct slice host = slice_make(listen, (size_t) (colon - listen));

    assert(colon >= listen && *colon == ':');

    if (host.length >= 2 && host.data[0] == '[' && host.data[host.length - 1] == ']') {
        return slice_make(host.data + 1, host.length - 2);
    }
    if (memchr(host.data, ':', host.length) != NULL ||
        memchr(host.data, '[', host.length) != NULL) {
        return slice_make(NULL, 0);
    }
    return host;
}

enum outcome http_address_parse(const char *listen, struct http_address *address,
                                struct error *error)
{
    const char *colon = strrchr(listen, ':');
    struct slice host = colon == NULL ? slice_make(NULL, 0) : host_of(listen, colon);

    if (host.data == NULL || host.length >= sizeof(address->host) || !is_port(colon + 1)) {
        return error_set(error, OUTCOME_FATAL,
                         "http.listen \"%s\" is not an address; write \"127.0.0.1:9464\", "
                         "\"[::1]:9464\", \"*:9464\" for every interface, or \"\" for none",
                         listen);
    }
    if (host.length == 0) {
        host = slice_of("127.0.0.1");
    } else if (slice_is(host, "*")) {
        host = slice_of("");
    }
    assert(host.length < sizeof(address->host) && strlen(colon + 1) < sizeof(address->port));
    snprintf(address->host, sizeof(address->host), "%.*s", SLICE_ARGS(host));
    snprintf(address->port, sizeof(address->port), "%s", colon + 1);
    return OUTCOME_OK;
}

bool http_address_is_local(const struct http_address *address)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, address->host, &four) == 1) {
        return ntohl(four.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, address->host, &six) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&six);
    }
    return strcasecmp(address->host, "localhost") == 0;
}

static void format(char text[HTTP_ADDRESS_TEXT_MAX], const char *host, const char *port)
{
    bool brackets = strchr(host, ':') != NULL;

    snprintf(text, HTTP_ADDRESS_TEXT_MAX, "%s%s%s:%s", brackets ? "[" : "",
             host[0] == '\0' ? "*" : host, brackets ? "]" : "", port);
}

/* What a person can do about this errno. */
static const char *advice(int failure)
{
    switch (failure) {
    case EADDRINUSE:
        return "stop what listens there (another mqtt2pg?) or choose another port";
    case EADDRNOTAVAIL:
        return "this machine has no such address; 127.0.0.1 is always there, * is all of them";
    case EACCES:
        return "ports below 1024 are for root; choose a higher one";
    default:
        return "choose another address, or \"\" for none";
    }
}

/* SO_REUSEADDR: an address that an earlier process has just left can be taken at once. Without
 * IPV6_V6ONLY, one socket on every address takes IPv6 and IPv4. -1: errno says why. */
static int open_listener(const struct addrinfo *where)
{
    const int on = 1;
    const int off = 0;
    int listener = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0) {
        return -1;
    }
    (void) setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (where->ai_family == AF_INET6) {
        (void) setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(listener, where->ai_addr, where->ai_addrlen) != 0 ||
        listen(listener, LISTEN_BACKLOG) != 0) {
        int failure = errno;

        close(listener);
        errno = failure;
        return -1;
    }
    return listener;
}

/* A socket of IPv6, which takes IPv4 along; of IPv4 where the machine has no IPv6. */
static int listen_anywhere(const char *port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct addrinfo where = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *) &six, .ai_addrlen = sizeof(six)};
    int listener;

    six.sin6_port = four.sin_port = htons((uint16_t) strtol(port, NULL, 10));
    listener = open_listener(&where);
    if (listener >= 0 || errno == EADDRINUSE || errno == EACCES) {
        return listener;
    }
    where = (struct addrinfo){
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *) &four, .ai_addrlen = sizeof(four)};
    return open_listener(&where);
}

/* `host` NULL: this machine itself, without its name, which may be unknown (in a container there
 * may be no /etc/hosts). The caller frees the list. */
static struct addrinfo *look_up(const char *host, const char *port, int *failure)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;

    *failure = getaddrinfo(host, port, &hints, &found);
    return *failure == 0 ? found : NULL;
}

enum outcome http_address_listen(const struct http_address *address, int *listener,
                                 struct error *error)
{
    char text[HTTP_ADDRESS_TEXT_MAX];
    struct addrinfo *found = NULL;
    int failure = 0;

    *listener = -1;
    format(text, address->host, address->port);
    if (address->host[0] == '\0') {
        *listener = listen_anywhere(address->port);
    } else if ((found = look_up(address->host, address->port, &failure)) == NULL) {
        return error_set(error, OUTCOME_RETRY, "http.listen \"%s\": %s; write an address", text,
                         gai_strerror(failure));
    } else {
        *listener = open_listener(found);
    }
    failure = errno;
    if (found != NULL) {
        freeaddrinfo(found);
    }
    if (*listener < 0) {
        return error_set(error, OUTCOME_RETRY, "can't listen on http.listen \"%s\": %s; %s", text,
                         strerror(failure), advice(failure));
    }
    return OUTCOME_OK;
}

/* SO_SNDTIMEO bounds connect(2) too (socket(7)). */
static int open_connection(const struct addrinfo *where, int timeout_ms)
{
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                                    .tv_usec = timeout_ms % 1000 * 1000};
    int connection = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connection < 0) {
        return -1;
    }
    (void) setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void) setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(connection, where->ai_addr, where->ai_addrlen) != 0) {
        int failure = errno;

        close(connection);
        errno = failure;
        return -1;
    }
    return connection;
}

enum outcome http_address_connect(const struct http_address *address, int timeout_ms,
                                  int *connection, struct error *error)
{
    bool everywhere = address->host[0] == '\0';
    const char *host = everywhere ? "this machine" : address->host;
    int failure = 0;
    struct addrinfo *found = look_up(everywhere ? NULL : host, address->port, &failure);

    *connection = -1;
    if (found == NULL) {
        return error_set(error, OUTCOME_RETRY, "%s: %s", host, gai_strerror(failure));
    }
    for (struct addrinfo *each = found; each != NULL && *connection < 0; each = each->ai_next) {
        *connection = open_connection(each, timeout_ms);
    }
    failure = errno;
    freeaddrinfo(found);
    if (*connection < 0) {
        return error_set(error, OUTCOME_RETRY, "nobody answers at %s, port %s: %s", host,
                         address->port, strerror(failure == EINPROGRESS ? ETIMEDOUT : failure));
    }
    return OUTCOME_OK;
}

void http_address_name(int listener, char text[HTTP_ADDRESS_TEXT_MAX], bool *is_loopback)
{
    struct sockaddr_storage bound = {0};
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    socklen_t size = sizeof(bound);
    char host[INET6_ADDRSTRLEN] = "";
    char port[6];

    (void) getsockname(listener, (struct sockaddr *) &bound, &size);
    memcpy(&four, &bound, sizeof(four));
    memcpy(&six, &bound, sizeof(six));
    if (bound.ss_family == AF_INET6) {
        *is_loopback = IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
        if (!IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr)) {
            inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof(host));
        }
        snprintf(port, sizeof(port), "%u", (unsigned) ntohs(six.sin6_port));
    } else {
        *is_loopback = ntohl(four.sin_addr.s_addr) >> 24 == 127;
        if (four.sin_addr.s_addr != htonl(INADDR_ANY)) {
            inet_ntop(AF_INET, &four.sin_addr, host, sizeof(host));
        }
        snprintf(port, sizeof(port), "%u", (unsigned) ntohs(four.sin_port));
    }
    format(text, host, port);
}
