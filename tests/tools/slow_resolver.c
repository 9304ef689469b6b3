/*
 * slow_resolver: a resolver with answers that no network has to give, for LD_PRELOAD. Names that end
 * in ".hangs" are looked up for a minute; then there is no such host. Names that end in ".two" have
 * two addresses: 127.0.0.9, then 127.0.0.1.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int ends_in(const char *name, const char *suffix)
{
    size_t length = name == NULL ? 0 : strlen(name);
    return length >= strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    if (ends_in(node, ".hangs")) {
        struct timespec minute = {.tv_sec = 60};
        nanosleep(&minute, NULL);
        return EAI_AGAIN;
    }
    look_up *real = (look_up *) dlsym(RTLD_NEXT, "getaddrinfo");
    if (ends_in(node, ".two")) {
        int code = real("127.0.0.9", service, hints, result);
        return code == 0 ? real("127.0.0.1", service, hints, &(*result)->ai_next) : code;
    }
    return real(node, service, hints, result);
}
