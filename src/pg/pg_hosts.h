/*
 * pg_hosts: the hosts of a conninfo, one by one.
 *
 * libpq tries several hosts by itself. But in non-blocking mode it never gives up a host that does
 * not answer (PQconnectPoll ignores connect_timeout), and the caller can't make it. So each host
 * gets a connection attempt of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_HOSTS_H
#define MQTT2PG_PG_PG_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/outcome.h"

/* Owned texts; NULL where libpq's own rules (service file, defaults) decide. */
struct pg_host {
    char *host;
    char *hostaddr;
    char *port;
    bool same_name; /* another address of the entry before it */
};

struct pg_hosts {
    struct pg_host *list; /* owned; at least one */
    size_t count;
};

/* Reads conninfo, then PGHOST, PGHOSTADDR and PGPORT. OUTCOME_REJECT when libpq can't read it.
 * Lists that do not fit each other give one entry without texts: libpq says what is wrong. */
enum outcome pg_hosts_read(struct pg_hosts *hosts, const char *conninfo,
                           struct error *error) MUST_CHECK;

/* A name with several addresses becomes as many entries, at most PG_ADDRESSES_MAX, so that each
 * gets its share of the time: libpq would wait for the first one until the deadline. The look-up
 * waits for the resolver. A name that can't be looked up stays as it is: libpq will say why. */
enum { PG_ADDRESSES_MAX = 8 };
void pg_hosts_resolve(struct pg_hosts *hosts);
void pg_hosts_fini(struct pg_hosts *hosts);

#endif
