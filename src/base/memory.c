/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Reports the failure without allocating anything and aborts. In production abort() leaves no core
 * file, which would hold passwords: bridge/machine forbids it. */
static _Noreturn void memory_exhausted(size_t size)
{
    char line[80];
    int length = snprintf(line, sizeof(line), "mqtt2pg: out of memory (%zu bytes)\n", size);
    if (write(STDERR_FILENO, line, (size_t) length) < 0) {
        /* Standard error is gone too: nobody can be told. */
    }
    abort();
}

/* --- of libraries --- */

#if defined(__has_feature)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif

/* A sanitizer has allocation functions of its own, and so has another libc. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !HAS_FEATURE(address_sanitizer) && !HAS_FEATURE(thread_sanitizer)

extern void *libc_malloc(size_t size) __asm__("__libc_malloc");
extern void *libc_calloc(size_t count, size_t size) __asm__("__libc_calloc");
extern void *libc_realloc(void *pointer, size_t size) __asm__("__libc_realloc");

static void *there_or_end(void *pointer, size_t size)
{
    if (pointer == NULL && size > 0 && size <= MEMORY_FAILING_MAX) {
        memory_exhausted(size);
    }
    return pointer;
}

void *malloc(size_t size)
{
    return there_or_end(libc_malloc(size), size);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        bytes = SIZE_MAX;
    }
    return there_or_end(libc_calloc(count, size), bytes);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *realloc(void *pointer, size_t size)
{
    return there_or_end(libc_realloc(pointer, size), size);
}

#endif

/* --- our own --- */

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
    assert(slice.data != NULL || slice.length == 0);
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

/* Doubles, so that adding elements one by one costs each a constant number of copies. */
void *memory_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    assert(size > 0);
    size_t wanted = *capacity > 0 ? *capacity : 8;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2 / size) {
            memory_exhausted(SIZE_MAX);
        }
        wanted *= 2;
    }
    assert(wanted > count);
    array = memory_resize(array, wanted * size);
    *capacity = wanted;
    return array;
}
