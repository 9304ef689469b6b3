/*
 * json_string: the strings of JSON: where they end, and what their escapes mean. Used by
 * json_scan and by the paths of map/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_JSON_STRING_H
#define MQTT2PG_DECODE_JSON_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/slice.h"

/* Decodes the escape at the front of `text` ("\n", "\u00e9", a surrogate pair) into `out` as
 * UTF-8, moves `text` behind it and returns how many bytes that gave; 0 when it is none that
 * RFC 8259, section 7 knows. */
size_t json_unescape(struct slice *text, char out[4]);

/* The slow path, for strings with escapes, characters beyond ASCII or a mistake.
 *
 * Reads a string of any characters from *position, which is behind its opening quote, to behind
 * its closing one. `text` borrows the bytes, or, when there were escapes, lies in `arena`.
 * Returns NULL, or what is wrong at the place to which *position was moved. */
const char *json_string_read(const char **position, const char *end, struct arena *arena,
                             struct slice *text);

#define JSON_BYTES_8(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Sets the high bit of each byte of `word` that is zero. Only the lowest bit that is set is
 * reliable, and callers use no other. */
static inline uint64_t json_zero_bytes(uint64_t word)
{
    return (word - JSON_BYTES_8(0x01)) & ~word & JSON_BYTES_8(0x80);
}

static inline bool json_is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* The first byte that is not plain ASCII text: a quote, a backslash, a control character, a byte
 * of a longer character. Eight at a time, because most of a payload's bytes stand in strings. */
static inline const char *json_skip_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = bytes_get_le64(at);
        uint64_t controls = (word - JSON_BYTES_8(0x20)) & ~word & JSON_BYTES_8(0x80);
        uint64_t found = controls | json_zero_bytes(word ^ JSON_BYTES_8('"')) |
                         json_zero_bytes(word ^ JSON_BYTES_8('\\')) | (word & JSON_BYTES_8(0x80));
        if (found != 0) {
            return at + __builtin_ctzll(found) / 8;
        }
        at += 8;
    }
    while (at < end && json_is_plain((unsigned char) *at)) {
        at++;
    }
    return at;
}

#endif
