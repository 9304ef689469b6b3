/*
 * pg_hosts: the hosts of a conninfo, one by one.
 *
 * libpq tries several hosts by itself, but without blocking it never leaves one that does not
 * answer (PQconnectPoll ignores connect_timeout), and nothing from outside can make it. So each
 * host gets a connection attempt of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_HOSTS_H
#define MQTT2PG_PG_PG_HOSTS_H

#include <stddef.h>

#include "base/outcome.h"

/* Owned texts; NULL where libpq's own rules (service file, defaults) decide. */
struct pg_host {
    char *host;
    char *hostaddr;
    char *port;
};

struct pg_hosts {
    struct pg_host *list; /* owned; at least one */
    size_t count;
};

/* Reads conninfo, then PGHOST, PGHOSTADDR and PGPORT. OUTCOME_REJECT when libpq can't read it.
 * Lists that do not fit each other give one entry without texts: libpq says what is wrong. */
enum outcome pg_hosts_read(struct pg_hosts *hosts, const char *conninfo,
                           struct error *error) MUST_CHECK;
void pg_hosts_fini(struct pg_hosts *hosts);

#endif
