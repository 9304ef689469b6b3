/*
 * decode_msgpack: the format "msgpack": MessagePack, as its specification of 2017 has it. Numbers
 * are big-endian.
 *
 *   00 to 7f  the integer itself           NUMBER
 *   80 to 8f  map of 0 to 15 pairs         OBJECT
 *   90 to 9f  array of 0 to 15 values      ARRAY
 *   a0 to bf  text of 0 to 31 bytes        TEXT, rejected where it is not UTF-8
 *   c0        nil                          NULL
 *   c1        never used: rejected
 *   c2 c3     false, true                  BOOLEAN
 *   c4 c5 c6  bytes, length of 1, 2, 4     BYTES
 *   c7 c8 c9  ext, length of 1, 2, 4       then the type in one byte, then the bytes
 *   ca cb     float of 32, 64 bits         NUMBER, the shortest text of that width
 *   cc to cf  unsigned of 1, 2, 4, 8       NUMBER
 *   d0 to d3  signed of 1, 2, 4, 8         NUMBER
 *   d4 to d8  ext of 1, 2, 4, 8, 16 bytes  type, then the bytes
 *   d9 da db  text, length of 1, 2, 4
 *   dc dd     array, count of 2, 4
 *   de df     map, count of 2, 4
 *   e0 to ff  the integer minus 256        NUMBER
 *
 * An ext of type -1 is a time: seconds in 4 bytes; 30 bits of nanoseconds and 34 bits of seconds in
 * 8; or 4 bytes of nanoseconds and 8 of seconds. Other types are BYTES. Keys of maps are texts, or
 * integers, which are named by their digits.
 *
 * This file does not use libmsgpack, which allocates 24 bytes for each element that the header of
 * an array announces before it has seen one, and whose errors name no place.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_MSGPACK_H
#define MQTT2PG_DECODE_DECODE_MSGPACK_H

#include "decode/decoder.h"

enum outcome decode_msgpack(const struct decode_input *input, struct arena *arena,
                            const struct node **root, struct error *error) MUST_CHECK;

#endif
