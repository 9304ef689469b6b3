/*
 * decompress: gzip, zlib and zstd payloads. Pure.
 *
 * What comes out is bounded while it comes out, whatever the payload announces, and so is the
 * window that zstd asks for: a bomb costs no more memory than a good payload of that size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECOMPRESS_H
#define MQTT2PG_DECODE_DECOMPRESS_H

#include "base/arena.h"
#include "base/outcome.h"
#include "base/slice.h"
#include "core/format_options.h"

/* How to decompress, and the bound against a payload that grows without end. */
struct decompression {
    enum compression compression; /* AUTO goes by the first bytes */
    size_t bytes_max;             /* of what comes out */
};

/* *plain lies in `arena`, or is `payload` itself when nothing is compressed. OUTCOME_REJECT when
 * the payload is damaged, ends early, has something behind it or holds more than `bytes_max`. */
enum outcome decompress(struct decompression how, struct slice payload, struct arena *arena,
                        struct slice *plain, struct error *error) MUST_CHECK;

#endif
