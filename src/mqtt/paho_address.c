/* SPDX-License-Identifier: MIT */
#include "mqtt/paho_address.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Process-wide, because the resolver is. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct paho_pin *pins; /* the newest first */

void paho_pin_add(struct paho_pin *pin)
{
    assert(pin->host != NULL && pin->numeric != NULL);
    pthread_mutex_lock(&mutex);
    pin->next = pins;
    pins = pin;
    pthread_mutex_unlock(&mutex);
}

void paho_pin_remove(struct paho_pin *pin)
{
    pthread_mutex_lock(&mutex);
    struct paho_pin **link = &pins;
    while (*link != NULL && *link != pin) {
        link = &(*link)->next;
    }
    assert(*link == pin); /* it was added, and not removed before */
    *link = pin->next;
    pthread_mutex_unlock(&mutex);
}

/* Copies the address that `host` is pinned to; false when there is none. */
static bool pinned(const char *host, char numeric[PAHO_ADDRESS_TEXT])
{
    pthread_mutex_lock(&mutex);
    const struct paho_pin *pin = pins;
    while (pin != NULL && strcmp(pin->host, host) != 0) {
        pin = pin->next;
    }
    if (pin != NULL) {
        snprintf(numeric, PAHO_ADDRESS_TEXT, "%s", pin->numeric);
    }
    pthread_mutex_unlock(&mutex);
    return pin != NULL;
}

typedef int resolver(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result);

/* The C library's getaddrinfo(), which the definition below hides. */
static resolver *library_resolver(void)
{
    resolver *found = NULL;
    *(void **) &found = dlsym(RTLD_NEXT, "getaddrinfo");
    return found;
}

/* Replaces the C library's function. Runs in every thread that resolves a name. The library's names
 * of its parameters are reserved ones.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    resolver *resolve = library_resolver();
    char numeric[PAHO_ADDRESS_TEXT];
    if (resolve == NULL) {
        return EAI_FAIL;
    }
    if (node == NULL || service != NULL || !pinned(node, numeric)) {
        return resolve(node, service, hints, result);
    }
    struct addrinfo to_number = hints != NULL ? *hints : (struct addrinfo){.ai_family = AF_UNSPEC};
    to_number.ai_flags |= AI_NUMERICHOST;
    return resolve(numeric, NULL, &to_number, result);
}

enum outcome paho_resolve(const char *host, int port, struct paho_addresses *addresses,
                          struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    addresses->count = 0;
    snprintf(service, sizeof(service), "%d", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        return error_set(error, OUTCOME_RETRY, "no address for host \"%s\": %s", host,
                         code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    }
    for (struct addrinfo *each = found; each != NULL && addresses->count < PAHO_ADDRESSES_MAX;
         each = each->ai_next) {
        if (getnameinfo(each->ai_addr, each->ai_addrlen, addresses->list[addresses->count],
                        PAHO_ADDRESS_TEXT, NULL, 0, NI_NUMERICHOST) == 0) {
            addresses->count++;
        }
    }
    freeaddrinfo(found);
    if (addresses->count == 0) {
        return error_set(error, OUTCOME_RETRY, "no numeric address for host \"%s\"", host);
    }
    return OUTCOME_OK;
}
