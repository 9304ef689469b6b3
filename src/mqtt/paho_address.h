/*
 * paho_address: the addresses of a broker's host name, and which one of them Paho connects to.
 *
 * Paho (1.3.12, Socket_new) resolves the host of its URL with getaddrinfo() and takes the first
 * IPv4 address, else the last one. The certificate check, SNI and the Host header of WebSocket use
 * that same host, so an attempt that needs the name can't use a numeric address. This module
 * therefore defines getaddrinfo() for the whole process: a name that is pinned has the one address
 * that the attempt is for, and everything else goes to the C library. Where a linker does not let
 * the definition take effect, Paho chooses by itself.
 *
 * A pin answers only calls without a service. Paho passes none; libpq, pg/pg_hosts and
 * paho_resolve() do. An attempt over plain TCP needs no pin: its URL has the number.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAHO_ADDRESS_H
#define MQTT2PG_MQTT_PAHO_ADDRESS_H

#include <stddef.h>

#include "base/outcome.h"

#define PAHO_ADDRESS_TEXT 80 /* a numeric address and NUL */

/* A host's numeric addresses, in the resolver's order. */
#define PAHO_ADDRESSES_MAX 8
struct paho_addresses {
    char list[PAHO_ADDRESSES_MAX][PAHO_ADDRESS_TEXT];
    size_t count;
};

/* May wait for DNS. OUTCOME_OK: there is at least one. OUTCOME_RETRY with words for a person. */
enum outcome paho_resolve(const char *host, int port, struct paho_addresses *addresses,
                          struct error *error) MUST_CHECK;

/* From paho_pin_add() to paho_pin_remove() Paho resolves `host` to the address `numeric`. When two
 * attempts pin the same name, the newer pin counts for both: its address belongs to that name as
 * well. */
struct paho_pin {
    const char *host;    /* borrowed */
    const char *numeric; /* borrowed */
    struct paho_pin *next;
};

/* Borrows the pin until paho_pin_remove(). Any thread. */
void paho_pin_add(struct paho_pin *pin);
void paho_pin_remove(struct paho_pin *pin);

#endif
