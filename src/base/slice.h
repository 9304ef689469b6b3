/*
 * slice: borrowed bytes. Not terminated by NUL; may contain NUL. Topics, payloads and parts of them
 * are passed as slices, because a hostile peer may put any byte into them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_SLICE_H
#define MQTT2PG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(size_t) == 8,
               "mqtt2pg needs a 64-bit machine (for a Raspberry Pi: the 64-bit Raspberry Pi OS)");

struct slice {
    const char *data; /* borrowed; NULL only when length is 0 */
    size_t length;    /* bytes */
};

/* For printf: printf("%.*s", SLICE_ARGS(slice)). */
#define SLICE_ARGS(slice) (int) (slice).length, (slice).data

/* A string literal as a slice, usable as an initializer. */
/* clang-format off */
#define SLICE_LITERAL(literal) { (literal), sizeof(literal) - 1 }
/* clang-format on */

static inline struct slice slice_make(const char *data, size_t length)
{
    return (struct slice){data, length};
}

/* The bytes of a C string without its NUL; NULL gives the empty slice. */
static inline struct slice slice_of(const char *string)
{
    return (struct slice){string, string == NULL ? 0 : strlen(string)};
}

/* Byte by byte; two empty slices are equal wherever they point. */
static inline bool slice_equal(struct slice left, struct slice right)
{
    return left.length == right.length &&
           (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}

static inline bool slice_is(struct slice slice, const char *string)
{
    return slice_equal(slice, slice_of(string));
}

#endif
