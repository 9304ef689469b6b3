/*
 * hostile_binary: payloads of the binary formats, for test_hostile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_HOSTILE_BINARY_H
#define MQTT2PG_HOSTILE_BINARY_H

#include "hostile.h"

/* --- MessagePack: arrays claim as many elements as fit ----------------------------------------- */

static inline void msgpack_names(struct buf *out)
{
    big_endian_32(out, 0xdf, 170000);
    for (uint32_t i = 0; i < 170000; i++) {
        big_endian_32(out, 0xce, i);
        buf_append_byte(out, 0xc0);
    }
}

/* How many units fit behind a head of 5 bytes. */
#define MSGPACK_ARRAY(count, item) .head = SLICE_LITERAL("\xdd" count), .unit = SLICE_LITERAL(item)

static const struct hostile hostile_msgpack[] = {
    {"arrays in arrays", .unit = SLICE_LITERAL("\x91")},
    {"arrays", MSGPACK_ARRAY("\x00\x05\x55\x53", "\x92\x90\x80")},
    {"names", .make = msgpack_names},
    {"doubles of many digits",
     MSGPACK_ARRAY("\x00\x01\xc7\x1b", "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x99")},
    {"large doubles", MSGPACK_ARRAY("\x00\x01\xc7\x1b", "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff")},
    {"doubles of twenty digits",
     MSGPACK_ARRAY("\x00\x01\xc7\x1b", "\xcb\x43\xed\x1b\xeb\x05\x04\x59\x62")},
    {"small doubles", MSGPACK_ARRAY("\x00\x01\xc7\x1b", "\xcb\x00\x1f\xff\xff\xff\xff\xff\xfd")},
    {"subnormal doubles",
     MSGPACK_ARRAY("\x00\x01\xc7\x1b", "\xcb\x00\x0f\xff\xff\xff\xff\xff\xfd")},
    {"large floats", MSGPACK_ARRAY("\x00\x03\x33\x32", "\xca\x7f\x7f\xff\xfd")},
    {"subnormal floats", MSGPACK_ARRAY("\x00\x03\x33\x32", "\xca\x00\x7f\xff\xfd")},
    {"times", MSGPACK_ARRAY("\x00\x02\xaa\xa9", "\xd6\xff\x65\x00\x00\x00")},
};

/* --- CBOR ------------------------------------------------------------------------------------- */

static inline void cbor_number_names(struct buf *out)
{
    buf_append_byte(out, 0xbf);
    for (uint32_t i = 0; out->length + 7 <= PAYLOAD_BYTES; i++) {
        big_endian_32(out, 0x1a, i);
        buf_append_byte(out, 0xf6);
    }
    buf_append_byte(out, 0xff);
}

#define CBOR_ARRAY(item) \
    .head = SLICE_LITERAL("\x9f"), .unit = SLICE_LITERAL(item), .tail = SLICE_LITERAL("\xff")

static const struct hostile hostile_cbor[] = {
    {"arrays in arrays", .unit = SLICE_LITERAL("\x9f")},
    {"tags", .unit = SLICE_LITERAL("\xc7"), .tail = SLICE_LITERAL("\x00")},
    {"chunks of one letter", AROUND("\x7f", "\x61x", "\xff")},
    {"texts of one chunk", CBOR_ARRAY("\x7f\x61x\xff")},
    {"half floats", CBOR_ARRAY("\xf9\x35\x55")},
    {"subnormal half floats", CBOR_ARRAY("\xf9\x03\xfd")},
    {"bignums",
     CBOR_ARRAY("\xc2\x50\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"bigfloats", CBOR_ARRAY("\xc5\x82\x38\x36\x01")},
    {"decimal fractions", CBOR_ARRAY("\xc4\x82\x39\x03\xe7\x01")},
    {"times as text", CBOR_ARRAY("\xc0\x74"
                                 "2013-03-21T20:04:00Z")},
    {"numbers as names", .make = cbor_number_names},
};

/* --- Protocol Buffers ------------------------------------------------------------------------- */

/* --- Protocol Buffers: test.Nested ------------------------------------------------------------ */
static inline void proto_packed(struct buf *out)
{
    while (out->length < 999990) {
        buf_append_byte(out, 1);
    }
    wrap(out, 0x1a);
}

static inline void proto_entries(struct buf *out)
{
    for (uint32_t i = 0; out->length + 10 <= PAYLOAD_BYTES; i++) {
        struct buf entry = {0};
        buf_append_byte(&entry, 8);
        varint(&entry, i * 2654435761U);
        wrap(&entry, 0x3a);
        buf_append_slice(out, buf_slice(&entry));
        buf_fini(&entry);
    }
}

/* Each level comes in two pieces, a large one and an empty one, and is merged. */
static inline void proto_merged(struct buf *out)
{
    repeat(out, (struct slice) SLICE_LITERAL("\x7d\x00\x00\x00\x00"), 2000);
    for (int level = 0; level < 120; level++) {
        wrap(out, 0x1a);
        buf_append(out, "\x1a\x00", 2);
    }
    wrap(out, 0x0a);
}

static inline void proto_groups(struct buf *out)
{
    while (out->length + 200 <= PAYLOAD_BYTES) {
        for (int i = 0; i < 99; i++) {
            buf_append_byte(out, 0x7b);
        }
        for (int i = 0; i < 99; i++) {
            buf_append_byte(out, 0x7c);
        }
    }
}

static const struct hostile hostile_protobuf[] = {
    {"packed numbers", .make = proto_packed},
    {"numbers packed and not", .unit = SLICE_LITERAL("\x18\x01\x1a\x01\x01")},
    {"empty messages", .unit = SLICE_LITERAL("\x12\x00")},
    {"empty entries of a map", .unit = SLICE_LITERAL("\x32\x00")},
    {"entries of a map", .make = proto_entries},
    {"members of a oneof", .unit = SLICE_LITERAL("\x40\x01\x4a\x00\x52\x00")},
    {"messages in two pieces", .make = proto_merged, .reason = "too many values"},
    {"groups", .make = proto_groups},
    {"varints of ten bytes", .unit = SLICE_LITERAL("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    {"list of large doubles", .unit = SLICE_LITERAL("\x0a\x09\x11\xff\xff\xff\xff\xff\xff\xef\x7f"),
     .message = "test.Known", .wrap = 0x3a},
};

/* --- Sparkplug B ------------------------------------------------------------------------------ */

/* --- Sparkplug B ------------------------------------------------------------------------------ */
static inline void sparkplug_metrics(struct buf *out)
{
    for (int i = 0; i < 99999; i++) {
        buf_append(out, "\x12\x03\x0a\x01x", 5);
    }
}

static inline void sparkplug_names(struct buf *out)
{
    for (uint32_t i = 0; out->length + 40 <= PAYLOAD_BYTES; i++) {
        buf_printf(out, "\x12\x11\x0a\x08%08x\x10\x80\x80%c%c%c\x01", i, (int) (0x80 | (i & 0x7f)),
                   (int) (0x80 | (i >> 7 & 0x7f)), (int) (0x80 | (i >> 14 & 0x7f)));
    }
}

/* One metric whose value has this tag and these bytes. */
static inline void sparkplug_value(struct buf *out, const char *tag, size_t length,
                                   uint8_t datatype)
{
    struct buf inner = *out;
    *out = (struct buf){0};
    buf_append(out, "\x0a\x01x\x20", 4);
    buf_append_byte(out, datatype);
    buf_append(out, tag, length);
    varint(out, inner.length);
    buf_append_slice(out, buf_slice(&inner));
    buf_fini(&inner);
    wrap(out, 0x12);
}

static inline void sparkplug_bytes(struct buf *out)
{
    while (out->length < 999000) {
        buf_append_byte(out, 0xff);
    }
    sparkplug_value(out, "\x82\x01", 2, 22);
}

static inline void sparkplug_doubles(struct buf *out)
{
    repeat(out, (struct slice) SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xef\x7f"), 40);
    sparkplug_value(out, "\x82\x01", 2, 31);
}

static inline void sparkplug_bits(struct buf *out)
{
    buf_append(out, "\xf0\x3e\x0f\x00", 4); /* 999152 */
    while (out->length < 4 + 999152 / 8) {
        buf_append_byte(out, 0x55);
    }
    sparkplug_value(out, "\x82\x01", 2, 32);
}

static inline void sparkplug_texts(struct buf *out)
{
    while (out->length < 999000) {
        buf_append_byte(out, 0);
    }
    sparkplug_value(out, "\x82\x01", 2, 33);
}

/* A DataSet of 4000 columns, with empty values. */
static inline void sparkplug_dataset(struct buf *out)
{
    struct buf row = {0};
    for (int i = 0; i < 4000; i++) {
        buf_printf(out, "\x12\x04%04x\x18\x01", i);
        buf_append(&row, "\x0a\x00", 2);
    }
    wrap(&row, 0x22);
    repeat(out, buf_slice(&row), 100);
    buf_fini(&row);
    sparkplug_value(out, "\x8a\x01", 2, 16);
}

static inline void sparkplug_templates(struct buf *out)
{
    repeat(out, (struct slice) SLICE_LITERAL("\x7d\x00\x00\x00\x00"), 2000);
    for (int level = 0; level < 40; level++) {
        sparkplug_value(out, "\x92\x01", 2, 19);
    }
}

static inline void sparkplug_properties(struct buf *out)
{
    for (uint32_t i = 0; out->length + 60 <= PAYLOAD_BYTES; i++) {
        buf_printf(out, "\x0a\x06%06x\x12\x02\x18\x01", i);
    }
    wrap(out, 0x4a);
    wrap(out, 0x12);
}

static const struct hostile hostile_sparkplug[] = {
    {"metrics", .make = sparkplug_metrics},
    {"names and aliases", .make = sparkplug_names},
    {"array of bytes", .make = sparkplug_bytes},
    {"array of large doubles", .make = sparkplug_doubles},
    {"array of bits", .make = sparkplug_bits},
    {"array of empty texts", .make = sparkplug_texts},
    {"DataSet of many columns", .make = sparkplug_dataset},
    {"Templates in Templates", .make = sparkplug_templates},
    {"properties", .make = sparkplug_properties},
};

#endif
