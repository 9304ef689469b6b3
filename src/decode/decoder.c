/*
 * The table of formats. A new format is one file and one row here; `format` in the configuration,
 * its reference page and the choices of `learn` read the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decoder.h"

#include "decode/decode_cbor.h"
#include "decode/decode_csv.h"
#include "decode/decode_influx.h"
#include "decode/decode_msgpack.h"
#include "decode/decode_protobuf.h"
#include "decode/decode_raw.h"
#include "decode/decode_sparkplug.h"
#include "decode/decode_text.h"
#include "decode/json_scan.h"

const struct decoder decoders[] = {
    {.name = "json",
     .help = "a JSON text (RFC 8259); \"$\" is its value",
     .payload_type = "jsonb",
     .has_members = true,
     .is_text = true,
     .decode = decode_json},
    {.name = "text",
     .help = "UTF-8 text; \"$\" is the text, or a number when that is all it holds",
     .payload_type = "text",
     .is_text = true,
     .decode = decode_text},
    {.name = "raw",
     .help = "any bytes; \"$\" is the bytes",
     .payload_type = "bytea",
     .decode = decode_raw},
    {.name = "csv",
     .help = "lines of values (RFC 4180); \"$\" is an array of rows",
     .payload_type = "jsonb",
     .has_members = true,
     .is_rows = true,
     .is_text = true,
     .decode = decode_csv,
     .prepare = decode_csv_prepare},
    {.name = "influx",
     .help = "InfluxDB's line protocol; \"$\" is an array of {measurement, tags, fields, time}",
     .payload_type = "jsonb",
     .has_members = true,
     .is_rows = true,
     .is_text = true,
     .names_fixed = true,
     .decode = decode_influx},
    {.name = "msgpack",
     .help = "MessagePack; \"$\" is its value",
     .payload_type = "jsonb",
     .has_members = true,
     .decode = decode_msgpack},
    {.name = "cbor",
     .help = "CBOR (RFC 8949); \"$\" is its value",
     .payload_type = "jsonb",
     .has_members = true,
     .decode = decode_cbor},
    {.name = "protobuf",
     .help = "a message of Protocol Buffers; \"$\" is an object of its fields",
     .payload_type = "jsonb",
     .has_members = true,
     .decode = decode_protobuf,
     .prepare = decode_protobuf_prepare,
     .release = decode_protobuf_release},
    {.name = "sparkplug_b",
     .help = "Sparkplug B 3.0; \"$\" is {timestamp, seq, group, edge, device, type, metrics}",
     .payload_type = "jsonb",
     .has_members = true,
     .names_fixed = true,
     .decode = decode_sparkplug,
     .learn = decode_sparkplug_learn},
};

const size_t decoder_count = sizeof(decoders) / sizeof(decoders[0]);

const struct decoder *decoder_find(struct slice name)
{
    for (size_t i = 0; i < decoder_count; i++) {
        if (slice_is(name, decoders[i].name)) {
            return &decoders[i];
        }
    }
    return NULL;
}
