/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <assert.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* Invariants: length <= capacity; data is NULL only while the capacity is 0. */
enum { CAPACITY_FIRST = 64 };

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

char *buf_grow(struct buf *buf, size_t length)
{
    assert(buf->length <= buf->capacity);
    if (length > SIZE_MAX / 2 - buf->length) {
        /* This much can't be allocated: memory_resize() reports it and ends the process. */
        buf->data = memory_resize(buf->data, SIZE_MAX / 2);
    }
    size_t needed = buf->length + length;
    if (needed > buf->capacity || buf->data == NULL) {
        size_t capacity = buf->capacity > 0 ? buf->capacity : CAPACITY_FIRST;
        while (capacity < needed) {
            capacity *= 2;
        }
        buf->data = memory_resize(buf->data, capacity);
        buf->capacity = capacity;
    }
    assert(buf->capacity - buf->length >= length);
    return buf->data + buf->length;
}

void buf_append(struct buf *buf, const void *data, size_t length)
{
    if (length > 0) {
        assert(data != NULL);
        memcpy(buf_reserve(buf, length), data, length);
        buf->length += length;
    }
}

void buf_append_slice(struct buf *buf, struct slice slice)
{
    buf_append(buf, slice.data, slice.length);
}

void buf_append_text(struct buf *buf, const char *string)
{
    buf_append_slice(buf, slice_of(string));
}

void buf_append_byte(struct buf *buf, uint8_t byte)
{
    buf_append(buf, &byte, 1);
}

void buf_append_zeros(struct buf *buf, size_t length)
{
    memset(buf_reserve(buf, length), 0, length);
    buf->length += length;
}

void buf_append_hex(struct buf *buf, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *out = buf_reserve(buf, 2 * bytes.length);
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char) bytes.data[i];
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    buf->length += 2 * bytes.length;
}

void buf_append_be16(struct buf *buf, uint16_t value)
{
    value = htobe16(value);
    buf_append(buf, &value, sizeof(value));
}

void buf_append_be32(struct buf *buf, uint32_t value)
{
    value = htobe32(value);
    buf_append(buf, &value, sizeof(value));
}

void buf_append_be64(struct buf *buf, uint64_t value)
{
    value = htobe64(value);
    buf_append(buf, &value, sizeof(value));
}

void buf_put_be32(struct buf *buf, size_t offset, uint32_t value)
{
    assert(buf->length >= sizeof(value) && offset <= buf->length - sizeof(value));
    value = htobe32(value);
    memcpy(buf->data + offset, &value, sizeof(value));
}

/* Formats twice: first to learn the length, then into the room that it needs. */
void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return;
    }

    char *at = buf_reserve(buf, (size_t) length + 1);
    va_start(arguments, format);
    vsnprintf(at, (size_t) length + 1, format, arguments);
    va_end(arguments);
    buf->length += (size_t) length;
}

const char *buf_string(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->data;
}
