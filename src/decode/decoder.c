/* SPDX-License-Identifier: MIT */
#include "decode/decoder.h"

#include "decode/decode_raw.h"
#include "decode/decode_text.h"
#include "decode/json_scan.h"

const struct decoder decoders[] = {
    {"json", "a JSON text (RFC 8259); \"$\" is its value", "jsonb", json_scan},
    {"text", "UTF-8 text; \"$\" is the text, or a number when that is all it holds", "text",
     decode_text},
    {"raw", "any bytes; \"$\" is the bytes", "bytea", decode_raw},
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
