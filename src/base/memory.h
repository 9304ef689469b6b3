/*
 * memory: allocation that does not fail.
 *
 * Out of memory is no condition that this program could handle better than by
 * ending: everything acknowledged is in the journal. So these functions end the process with a line
 * on standard error.
 *
 * Libraries must end it too: Paho C acknowledges a message without delivering it when a malloc of
 * its own fails. So this module also defines malloc(), calloc() and realloc() for the whole process
 * (glibc lets a program replace them; free() stays glibc's), which end it when a request of up to
 * MEMORY_FAILING_MAX finds no memory. A larger one may fail: its size may come from a payload, as
 * the length of a CBOR array does, and the library's answer to NULL is to refuse the payload.
 * Builds with a sanitizer keep the sanitizer's functions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_MEMORY_H
#define MQTT2PG_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/outcome.h"
#include "base/slice.h"

#define MEMORY_FAILING_MAX ((size_t) 16 * 1024 * 1024)

void *memory_alloc(size_t size);                 /* zeroed */
void *memory_resize(void *pointer, size_t size); /* like realloc */
char *memory_strdup(const char *string);         /* NULL gives NULL */
char *memory_copy(struct slice slice);           /* as a C string */
char *memory_printf(const char *format, ...) PRINTF_LIKE(1, 2);

/* Grows `array` of `size`-byte elements so that index `count` exists;
 * `capacity` is kept by the caller. Returns the array, perhaps moved. */
void *memory_grow(void *array, size_t count, size_t *capacity, size_t size);

#endif
