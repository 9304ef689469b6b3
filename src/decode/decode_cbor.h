/*
 * decode_cbor: the format "cbor": RFC 8949.
 *
 * The first byte of an item (section 3): 3 bits major type, 5 bits information.
 *
 *   information  0 to 23         the argument itself
 *                24, 25, 26, 27  the argument stands in the next 1, 2, 4, 8 bytes, big-endian
 *                31              indefinite length: ends at a break (0xff); types 2 to 5 only
 *
 *   major type   0  unsigned integer: the argument      NUMBER
 *                1  negative integer: -1 - argument     NUMBER
 *                2  byte string of so many bytes        BYTES
 *                3  text string of so many bytes        TEXT, rejected where it is not UTF-8
 *                4  array of so many items              ARRAY
 *                5  map of so many pairs                OBJECT
 *                6  tag in front of the next item       see below
 *                7  20 false, 21 true, 22 null, 23 undefined (null), 25 half, 26 single, 27 double
 *
 *   tag (3.4)    0  text of RFC 3339, 1 seconds since 1970, integer or float   TIME
 *                2  bignum, 3 negative bignum, up to 128 bits                  NUMBER, all digits
 *                4  decimal fraction [e, m]: m × 10^e                          NUMBER, all digits
 *                5  bigfloat [e, m]: m × 2^e     NUMBER, all digits, where 128 bits are enough
 *                any other tag is ignored; the item behind it is read as usual
 *
 * A float becomes the shortest text that reads back as the same number of that width. NaN and the
 * infinities become texts, which float columns accept. The key of a map is a text or an integer; an
 * integer's name is its digits.
 *
 * The decoder rejects a reserved first byte, an item that ends early, bytes behind the item, a name
 * that stands twice in one map, and a document beyond the limits of decode/nodes. The reason names
 * the byte. This file does not use libcbor, because libcbor checks neither UTF-8 nor names nor
 * depth, and builds a tree of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_CBOR_H
#define MQTT2PG_DECODE_DECODE_CBOR_H

#include "decode/decoder.h"

enum outcome decode_cbor(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error) MUST_CHECK;

#endif
