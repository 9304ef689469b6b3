/*
 * slow_resolver: a resolver that does not answer, for LD_PRELOAD. Names that end in ".hangs" are
 * looked up for a minute; then there is no such host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    static const char suffix[] = ".hangs";
    size_t length = node == NULL ? 0 : strlen(node);
    if (length >= strlen(suffix) && strcmp(node + length - strlen(suffix), suffix) == 0) {
        struct timespec minute = {.tv_sec = 60};
        nanosleep(&minute, NULL);
        return EAI_AGAIN;
    }
    look_up *real = (look_up *) dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, result);
}
