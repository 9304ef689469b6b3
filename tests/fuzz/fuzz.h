/*
 * fuzz: what the fuzzers share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_FUZZ_H
#define MQTT2PG_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding, unless it holds. */
static inline void require(bool good)
{
    if (!good) {
        abort();
    }
}

/* The next line, without its end, and the rest behind it. */
static inline struct slice take_line(struct slice *rest)
{
    const char *end = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;
    size_t length = end != NULL ? (size_t) (end - rest->data) : rest->length;
    struct slice line = slice_make(rest->data, length);
    size_t taken = length + (end != NULL);
    *rest = slice_make(rest->data + taken, rest->length - taken);
    return line;
}

#endif
