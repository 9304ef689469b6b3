/* SPDX-License-Identifier: MIT */
#include "pg/pg_hosts.h"

#include <assert.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "pg/pg_reason.h"

/* The value in conninfo, else in the environment; NULL when empty. */
static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) != 0) {
            continue;
        }
        const char *value = options->val;
        if (value == NULL && options->envvar != NULL) {
            value = getenv(options->envvar);
        }
        return value != NULL && value[0] != '\0' ? value : NULL;
    }
    return NULL;
}

static size_t list_count(const char *list)
{
    size_t count = list != NULL;
    for (const char *at = list; at != NULL && *at != '\0'; at++) {
        count += *at == ',';
    }
    return count;
}

static char *list_element(const char *list, size_t index)
{
    if (list == NULL) {
        return NULL;
    }
    assert(index < list_count(list));
    for (; index > 0; index--) {
        list = strchr(list, ',') + 1;
    }
    return memory_copy(slice_make(list, strcspn(list, ",")));
}

static void split_hosts(struct pg_hosts *hosts, const PQconninfoOption *options)
{
    const char *names = option_value(options, "host");
    const char *addresses = option_value(options, "hostaddr");
    const char *ports = option_value(options, "port");
    size_t count = list_count(names) > 0 ? list_count(names) : list_count(addresses);
    bool fits = (addresses == NULL || list_count(addresses) == count) &&
                (list_count(ports) <= 1 || list_count(ports) == count);

    hosts->count = fits && count > 0 ? count : 1;
    hosts->list = memory_alloc(hosts->count * sizeof(*hosts->list));
    /* The hosts may be in a service file, which only libpq reads. */
    if (!fits || count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        hosts->list[i].host = list_element(names, i);
        hosts->list[i].hostaddr = list_element(addresses, i);
        hosts->list[i].port = list_element(ports, list_count(ports) > 1 ? i : 0);
    }
}

/* Does a host's name contain "@"? If so, libpq has taken a part of the password for the host. In
 * front "@" is a Unix socket without a file, and a path may contain it. */
static bool has_at_sign(const struct pg_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        const char *host = hosts->list[i].host;

        if (host != NULL && host[0] != '/' && host[0] != '@' && strchr(host, '@') != NULL) {
            return true;
        }
    }
    return false;
}

enum outcome pg_hosts_read(struct pg_hosts *hosts, const char *conninfo, struct error *error)
{
    char *message = NULL;
    *hosts = (struct pg_hosts){0};
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (options == NULL) {
        struct buf reason = {0};
        pg_reason_append_conninfo(&reason, message != NULL ? message : "out of memory");
        error_set(error, OUTCOME_REJECT, "%s", buf_string(&reason));
        buf_fini(&reason);
        PQfreemem(message);
        return OUTCOME_REJECT;
    }
    split_hosts(hosts, options);
    assert(hosts->count > 0 && hosts->list != NULL);
    PQconninfoFree(options);
    if (has_at_sign(hosts)) {
        pg_hosts_fini(hosts);
        return error_set(error, OUTCOME_REJECT,
                         "database.conninfo names a host with \"@\" in it: an \"@\" in a password "
                         "is written %%40 in a URI");
    }
    return OUTCOME_OK;
}

static struct pg_host copy_host(const struct pg_host *host)
{
    return (struct pg_host){.host = memory_strdup(host->host),
                            .hostaddr = memory_strdup(host->hostaddr),
                            .port = memory_strdup(host->port)};
}

static void add_host(struct pg_hosts *hosts, struct pg_host host)
{
    hosts->list = memory_resize(hosts->list, (hosts->count + 1) * sizeof(*hosts->list));
    hosts->list[hosts->count++] = host;
}

/* Is it a name, which may have several addresses? A path and "@name" are Unix sockets. */
static bool is_name(const struct pg_host *host)
{
    return host->host != NULL && host->hostaddr == NULL && host->host[0] != '/' &&
           host->host[0] != '@';
}

/* One entry for each address, with the name kept: libpq verifies the certificate against the name.
 * An address that can't be written as text keeps the name alone, and libpq looks it up again. */
static void add_addresses(struct pg_hosts *hosts, const struct pg_host *host,
                          const struct addrinfo *found)
{
    for (int i = 0; found != NULL && i < PG_ADDRESSES_MAX; found = found->ai_next, i++) {
        struct pg_host address = copy_host(host);
        char text[NI_MAXHOST];

        address.same_name = i > 0;
        if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST) == 0) {
            address.hostaddr = memory_strdup(text);
        }
        add_host(hosts, address);
    }
}

/* Always with a service: without one, the getaddrinfo() of mqtt/paho_address answers with the one
 * address of the broker that is being tried. */
static int look_up(const struct pg_host *host, struct addrinfo **found)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    bool has_port = host->port != NULL && host->port[0] != '\0';

    assert(host->host != NULL);
    return getaddrinfo(host->host, has_port ? host->port : "5432", &hints, found);
}

void pg_hosts_resolve(struct pg_hosts *hosts)
{
    struct pg_hosts resolved = {0};

    for (size_t i = 0; i < hosts->count; i++) {
        struct addrinfo *found = NULL;

        if (is_name(&hosts->list[i]) && look_up(&hosts->list[i], &found) == 0 && found != NULL) {
            add_addresses(&resolved, &hosts->list[i], found);
        } else {
            add_host(&resolved, copy_host(&hosts->list[i]));
        }
        if (found != NULL) {
            freeaddrinfo(found);
        }
    }
    assert(resolved.count >= hosts->count);
    pg_hosts_fini(hosts);
    *hosts = resolved;
}

void pg_hosts_fini(struct pg_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        free(hosts->list[i].host);
        free(hosts->list[i].hostaddr);
        free(hosts->list[i].port);
    }
    free(hosts->list);
    *hosts = (struct pg_hosts){0};
}
