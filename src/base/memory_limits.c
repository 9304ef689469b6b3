/* SPDX-License-Identifier: MIT */
#include "base/memory_limits.h"

#include <sys/resource.h>

#include "base/file.h"

bool memory_limits_check(struct error *error)
{
    static const struct {
        __rlimit_resource_t resource;
        const char *name;
        const char *option;
    } limits[] = {{RLIMIT_AS, "RLIMIT_AS", "-v"}, {RLIMIT_DATA, "RLIMIT_DATA", "-d"}};

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit;
        if (getrlimit(limits[i].resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
            error_set(error, OUTCOME_FATAL,
                      "%s is limited to %llu bytes, which makes allocations fail; "
                      "remove it (ulimit %s unlimited) and limit memory by a cgroup",
                      limits[i].name, (unsigned long long) limit.rlim_cur, limits[i].option);
            return false;
        }
    }
    return true;
}

bool memory_limits_strict_overcommit(void)
{
    struct buf text = {0};
    struct error ignored;
    bool strict = file_load("/proc/sys/vm/overcommit_memory", 16, &text, &ignored) == OUTCOME_OK &&
                  text.length > 0 && text.data[0] == '2';
    buf_fini(&text);
    return strict;
}
