/*
 * buf: a growing array of bytes, for building records, rows and texts.
 *
 * Zero-initialized memory is an empty buf. Growth doubles; a failed malloc
 * ends the process (base/memory.h), so no append can fail. The bytes stay where they are
 * until the next append: keep offsets, not pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_BUF_H
#define MQTT2PG_BASE_BUF_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/outcome.h"
#include "base/slice.h"

struct buf {
    char *data;      /* owned */
    size_t length;   /* bytes used */
    size_t capacity; /* bytes allocated */
};

/* Frees the bytes and leaves an empty buf. */
void buf_fini(struct buf *buf);

/* Forgets the content, keeps the memory for the next use. */
static inline void buf_reset(struct buf *buf)
{
    buf->length = 0;
}

/* buf_reserve() when there may be too little room. */
char *buf_grow(struct buf *buf, size_t length);

/* Makes room for `length` more bytes and returns where they go; buf->length
 * is not moved. Inline: each field of a row asks. */
static inline char *buf_reserve(struct buf *buf, size_t length)
{
    assert(buf->length <= buf->capacity);
    return length < buf->capacity - buf->length ? buf->data + buf->length : buf_grow(buf, length);
}

/* None of these may be given bytes of the buf itself: growing may move them. */
void buf_append(struct buf *buf, const void *data, size_t length);
void buf_append_slice(struct buf *buf, struct slice slice);
void buf_append_text(struct buf *buf, const char *string);
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_append_zeros(struct buf *buf, size_t length);

/* Two hexadecimal digits in lower case for each byte. */
void buf_append_hex(struct buf *buf, struct slice bytes);

/* Network byte order, as COPY BINARY and MQTT want it. */
void buf_append_be16(struct buf *buf, uint16_t value);
void buf_append_be32(struct buf *buf, uint32_t value);
void buf_append_be64(struct buf *buf, uint64_t value);

/* Overwrites four bytes written before (a length that was not known). */
void buf_put_be32(struct buf *buf, size_t offset, uint32_t value);

void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Ends the content with a NUL that does not count and returns it as a C
 * string, borrowed until the next append. */
const char *buf_string(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
    return slice_make(buf->data, buf->length);
}

#endif
