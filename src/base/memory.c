/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/outcome.h"

/* Says it without allocating anything, then leaves by abort(): a core file
 * shows who asked for the memory. */
static _Noreturn void memory_exhausted(size_t size)
{
    char line[80];
    int length = snprintf(line, sizeof(line), "mqtt2pg: out of memory (%zu bytes)\n", size);
    if (write(STDERR_FILENO, line, (size_t) length) < 0) {
        /* There is nowhere left to say it. */
    }
    abort();
}

void *memory_alloc(size_t size)
{
    void *pointer = calloc(1, size > 0 ? size : 1);
    if (pointer == NULL) {
        memory_exhausted(size);
    }
    return pointer;
}

void *memory_resize(void *pointer, size_t size)
{
    void *moved = realloc(pointer, size > 0 ? size : 1);
    if (moved == NULL) {
        memory_exhausted(size);
    }
    return moved;
}

char *memory_strdup(const char *string)
{
    return string == NULL ? NULL : memory_copy(slice_of(string));
}

char *memory_copy(struct slice slice)
{
    char *copy = memory_alloc(slice.length + 1);
    if (slice.length > 0) {
        memcpy(copy, slice.data, slice.length);
    }
    return copy;
}

char *memory_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        memory_exhausted(0);
    }
    return text;
}

void *memory_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t wanted = *capacity > 0 ? *capacity : 8;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2 / size) {
            memory_exhausted(SIZE_MAX);
        }
        wanted *= 2;
    }
    array = memory_resize(array, wanted * size);
    *capacity = wanted;
    return array;
}

bool memory_check_limits(struct error *error)
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

bool memory_overcommit_is_strict(void)
{
    struct buf text = {0};
    struct error ignored;
    bool strict = file_load("/proc/sys/vm/overcommit_memory", 16, &text, &ignored) == OUTCOME_OK &&
                  text.length > 0 && text.data[0] == '2';
    buf_fini(&text);
    return strict;
}
