/*
 * resolver_shim: a resolver with answers that no network has to give. For tests only: built into
 * build/test/resolver_shim.so, loaded with LD_PRELOAD.
 *
 *   RESOLVER_SHIM   "NAME ADDRESS ADDRESS …": what getaddrinfo() answers for NAME, in this order;
 *                   other names go to the C library
 *
 * Names that end in ".hangs" are looked up for a minute; then there is no such host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int resolver(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result);

static int library_resolve(const char *node, const char *service, const struct addrinfo *hints,
                           struct addrinfo **result)
{
    resolver *next = NULL;
    *(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, result);
}

static int ends_in(const char *name, const char *suffix)
{
    size_t length = name == NULL ? 0 : strlen(name);
    return length >= strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
}

/* The chain may be freed as a whole: freeaddrinfo() of glibc frees each element by itself. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    char list[512];
    char *rest = NULL;
    if (ends_in(node, ".hangs")) {
        struct timespec minute = {.tv_sec = 60};
        nanosleep(&minute, NULL);
        return EAI_AGAIN;
    }
    snprintf(list, sizeof(list), "%s", getenv("RESOLVER_SHIM") ? getenv("RESOLVER_SHIM") : "");
    const char *name = strtok_r(list, " ", &rest);
    if (node == NULL || name == NULL || strcmp(node, name) != 0) {
        return library_resolve(node, service, hints, result);
    }
    struct addrinfo numeric = hints != NULL ? *hints : (struct addrinfo){0};
    numeric.ai_flags |= AI_NUMERICHOST;
    *result = NULL;
    for (const char *each; (each = strtok_r(NULL, " ", &rest)) != NULL;) {
        int code = library_resolve(each, service, &numeric, result);
        if (code != 0) {
            return code;
        }
        while (*result != NULL) {
            result = &(*result)->ai_next;
        }
    }
    return 0;
}
