/*
 * hostile: how the payloads of test_hostile are made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_HOSTILE_H
#define MQTT2PG_HOSTILE_H

#include "base/buf.h"
#include "decode/format.h"

enum { PAYLOAD_BYTES = 1 << 20 };

/* `head`, `unit` again and again up to 1 MB, `tail`; or what make() appends. */
struct hostile {
    const char *name;
    struct slice head;
    struct slice unit;
    struct slice tail;
    void (*make)(struct buf *out);
    const char *message; /* of tests/data/protobuf/all.desc */
    const char *reason;  /* with which it is rejected, or part of that; NULL: no matter */
    uint8_t wrap;        /* all is a field of bytes with this tag; 0 = it is not */
    bool header;
    bool lenient;
    enum compression compression;
};

#define AROUND(first, middle, last) \
    .head = SLICE_LITERAL(first), .unit = SLICE_LITERAL(middle), .tail = SLICE_LITERAL(last)

/* --- how payloads are made -------------------------------------------------------------------- */
static inline void repeat(struct buf *out, struct slice unit, size_t tail)
{
    while (out->length + unit.length + tail <= PAYLOAD_BYTES) {
        buf_append_slice(out, unit);
    }
}

static inline void varint(struct buf *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7) {
        buf_append_byte(out, (uint8_t) (number | 0x80));
    }
    buf_append_byte(out, (uint8_t) number);
}

/* A field of bytes around what is there: `out` becomes "tag length out". */
static inline void wrap(struct buf *out, uint8_t tag)
{
    struct buf inner = *out;
    *out = (struct buf){0};
    buf_append_byte(out, tag);
    varint(out, inner.length);
    buf_append_slice(out, buf_slice(&inner));
    buf_fini(&inner);
}

static inline void big_endian_32(struct buf *out, uint8_t head, uint32_t number)
{
    buf_append_byte(out, head);
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_append_byte(out, (uint8_t) (number >> shift));
    }
}

#endif
