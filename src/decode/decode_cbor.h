/*
 * decode_cbor: the format "cbor": RFC 8949.
 *
 *   first byte  3 bits major type, 5 bits information: 0–23 the argument itself, 24–27 an argument of
 *               1, 2, 4, 8 bytes behind it, 31 of indefinite length
 *
 * Integers, also bignums of up to 128 bits (tags 2, 3), and decimal fractions (tag 4) keep every
 * digit; bigfloats (tag 5) too, where 128 bits are enough. Half, single and double floats are the
 * shortest text that reads back as the same number of that width. Tags 0 and 1 are times; other
 * tags are dropped and what they stand before stays. Keys of maps are texts, or integers, which are
 * named by their digits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_CBOR_H
#define MQTT2PG_DECODE_DECODE_CBOR_H

#include "decode/decoder.h"

enum outcome decode_cbor(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error) MUST_CHECK;

#endif
