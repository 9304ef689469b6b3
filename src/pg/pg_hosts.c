/* SPDX-License-Identifier: MIT */
#include "pg/pg_hosts.h"

#include <libpq-fe.h>
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
    /* A service file knows hosts that stand nowhere here. */
    if (!fits || count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        hosts->list[i].host = list_element(names, i);
        hosts->list[i].hostaddr = list_element(addresses, i);
        hosts->list[i].port = list_element(ports, list_count(ports) > 1 ? i : 0);
    }
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
    PQconninfoFree(options);
    return OUTCOME_OK;
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
