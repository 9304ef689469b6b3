/*
 * hostile_text: payloads of the text formats, and compressed ones, for test_hostile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_HOSTILE_TEXT_H
#define MQTT2PG_HOSTILE_TEXT_H

#include <stdlib.h>
#include <zlib.h>

#include "hostile.h"

/* --- JSON ------------------------------------------------------------------------------------- */

static inline void json_deep_again(struct buf *out)
{
    buf_append_byte(out, '[');
    while (out->length + 300 <= PAYLOAD_BYTES) {
        for (int i = 0; i < 127; i++) {
            buf_append_byte(out, '[');
        }
        for (int i = 0; i < 127; i++) {
            buf_append_byte(out, ']');
        }
        buf_append_byte(out, ',');
    }
    buf_append_text(out, "0]");
}

static inline void json_names(struct buf *out)
{
    buf_append_byte(out, '{');
    for (unsigned i = 0; out->length + 20 <= PAYLOAD_BYTES; i++) {
        buf_printf(out, "\"%x\":0,", i);
    }
    buf_append_text(out, "\"\":0}");
}

/* Sixteen names each with the same bit, which are compared with one another. */
static inline void json_alike_names(struct buf *out)
{
    buf_append_byte(out, '[');
    while (out->length + 400 <= PAYLOAD_BYTES) {
        buf_append_byte(out, '{');
        for (int i = 0; i < 16; i++) {
            buf_printf(out, "%s\"a%xa\":0", i > 0 ? "," : "", i);
        }
        buf_append_text(out, "},");
    }
    buf_append_text(out, "0]");
}

/* Each name twice, and large values behind them: removing the first ones moves those. */
static inline void json_lenient_moves(struct buf *out)
{
    buf_append_byte(out, '{');
    for (int i = 0; i < 1023; i++) {
        buf_printf(out, "\"%x\":0,", i / 2);
    }
    buf_append_text(out, "\"last\":[");
    repeat(out, slice_of("0,"), 3);
    buf_append_text(out, "0]}");
}

static inline void json_lenient_many(struct buf *out)
{
    buf_append_byte(out, '[');
    while (out->length + 12000 <= PAYLOAD_BYTES) {
        buf_append_byte(out, '{');
        for (int i = 0; i < 1023; i++) {
            buf_printf(out, "\"%x\":0,", i + 0x1000);
        }
        buf_append_text(out, "\"\":0},");
    }
    buf_append_text(out, "0]");
}

static const struct hostile hostile_json[] = {
    {"brackets", .unit = SLICE_LITERAL("[")},
    {"brackets of the depth allowed", .make = json_deep_again},
    {"empty objects", AROUND("[", "{},", "{}]")},
    {"names", .make = json_names},
    {"names that look alike", .make = json_alike_names},
    {"escaped quotes", AROUND("\"", "\\\"", "\"")},
    {"surrogates", AROUND("\"", "\\ud83d\\ude00", "\"")},
    {"texts of one escape", AROUND("[", "\"\\n\",", "0]")},
    {"letters of three bytes", AROUND("\"", "\xe2\x82\xac", "\"")},
    {"half a letter behind whole ones", AROUND("[", "\"\xe2\x82\xac\",", "\"\xe2\"]")},
    {"digits", .unit = SLICE_LITERAL("7")},
    {"spaces", AROUND("[", " ", "]")},
    {"names twice, before a large value", .make = json_lenient_moves, .lenient = true},
    {"objects with a thousand names", .make = json_lenient_many, .lenient = true},
    {"NaN", AROUND("[", "[NaN],", "0]"), .lenient = true},
};

/* --- CSV -------------------------------------------------------------------------------------- */

static inline void csv_header(struct buf *out)
{
    for (int i = 0; i < 1599; i++) {
        for (int k = 0; k < 640; k++) {
            buf_append_byte(out, 'x');
        }
        buf_printf(out, "%04d,", i);
    }
    buf_append_byte(out, '\n');
}

static const struct hostile hostile_csv[] = {
    {"quotes", .unit = SLICE_LITERAL("\"")},
    {"quoted quotes", .unit = SLICE_LITERAL("\"\"\"\","), .tail = SLICE_LITERAL("1")},
    {"commas", .unit = SLICE_LITERAL(",")},
    {"lines", .unit = SLICE_LITERAL("1\n")},
    {"carriage returns", .unit = SLICE_LITERAL("\r")},
    {"names of a header", .make = csv_header, .header = true},
};

/* --- InfluxDB's lines ------------------------------------------------------------------------- */

static inline void influx_tags(struct buf *out)
{
    buf_append_byte(out, 'm');
    for (unsigned i = 0; out->length + 20 <= PAYLOAD_BYTES; i++) {
        buf_printf(out, ",%x=1", i);
    }
    buf_append_text(out, " a=1");
}

static const struct hostile hostile_influx[] = {
    {"points", .unit = SLICE_LITERAL("m a=1\n")},
    {"tags", .make = influx_tags},
    {"backslashes", .unit = SLICE_LITERAL("\\,"), .tail = SLICE_LITERAL(" a=1")},
    {"names with escapes", .unit = SLICE_LITERAL("\\,m \\==\"\\\"\"\n")},
    {"numbers of Go", .unit = SLICE_LITERAL("m a=+.5e1\n")},
    {"zeros", AROUND("m a=-", "0", "1i")},
    {"escaped quotes", AROUND("m a=\"", "\\\"", "\"")},
};

/* --- compression: what comes out is read as JSON ---------------------------------------------- */

/* --- compression: what comes out is JSON ------------------------------------------------------ */
static inline void gzip(struct buf *out, const char *plain, size_t length)
{
    z_stream stream = {0};
    char packed[4096];
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    stream.next_in = (z_const Bytef *) plain;
    stream.avail_in = (uInt) length;
    int result;
    do {
        stream.next_out = (Bytef *) packed;
        stream.avail_out = sizeof(packed);
        result = deflate(&stream, Z_FINISH);
        buf_append(out, packed, sizeof(packed) - stream.avail_out);
    } while (result == Z_OK);
    deflateEnd(&stream);
}

static inline void gzip_bomb(struct buf *out)
{
    size_t length = (size_t) 32 << 20;
    char *plain = calloc(1, length);
    gzip(out, plain, length);
    free(plain);
}

static inline void gzip_members(struct buf *out)
{
    struct buf member = {0};
    gzip(&member, "", 0);
    repeat(out, buf_slice(&member), 0);
    buf_fini(&member);
}

static const struct hostile hostile_compressed[] = {
    {"gzip that is a bomb", .make = gzip_bomb, .compression = COMPRESSION_GZIP},
    {"gzip of empty members", .make = gzip_members, .compression = COMPRESSION_GZIP},
    {"zstd of empty frames", .unit = SLICE_LITERAL("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"),
     .compression = COMPRESSION_ZSTD},
    {"zstd of changing windows",
     .unit =
         SLICE_LITERAL("\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00\x28\xb5\x2f\xfd\x00\x00\x01\x00\x00"),
     .compression = COMPRESSION_ZSTD},
    {"zstd of skipped frames", .unit = SLICE_LITERAL("\x50\x2a\x4d\x18\x00\x00\x00\x00"),
     .compression = COMPRESSION_ZSTD},
};

#endif
