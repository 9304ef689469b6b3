/*
 * resolver_shim: a host name with addresses that a test chooses. For tests only: built into
 * build/test/resolver_shim.so, loaded with LD_PRELOAD.
 *
 *   RESOLVER_SHIM   "NAME ADDRESS ADDRESS …": what getaddrinfo() answers for NAME, in this order;
 *                   other names go to the C library
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int resolver(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result);

static int library_resolve(const char *node, const char *service, const struct addrinfo *hints,
                           struct addrinfo **result)
{
    resolver *next = NULL;
    *(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, result);
}

/* The chain may be freed as a whole: freeaddrinfo() of glibc frees each element by itself. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    char list[512];
    char *rest = NULL;
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
