/*
 * decode_msgpack: the format "msgpack": MessagePack, as its specification of 2017 has it.
 *
 * Read by this file and not by a library: libmsgpack allocates what the header of an array
 * announces, 24 bytes an element, before it has seen one, and tells no place.
 *
 *   00–7f 80–8f 90–9f a0–bf  small integer, map, array, text    c4–c6 bytes      ca cb float, double
 *   c0 nil   c2 c3 false, true   c1 is never used               c7–c9 d4–d8 ext  cc–cf d0–d3 integers
 *   d9–db text   dc dd array   de df map   e0–ff small negative integer
 *
 * Keys of maps are texts, or integers, which are named by their digits. Ext type -1 is a time; the
 * bytes of other ext types are BYTES.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_MSGPACK_H
#define MQTT2PG_DECODE_DECODE_MSGPACK_H

#include "decode/decoder.h"

enum outcome decode_msgpack(const struct decode_input *input, struct arena *arena,
                            const struct node **root, struct error *error) MUST_CHECK;

#endif
