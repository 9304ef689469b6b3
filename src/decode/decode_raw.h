/*
 * decode_raw: the format "raw": "$" is the payload's bytes, whatever they are.
 *
 * For binary frames (Modbus, LoRaWAN, BLE): filters of the expressions read numbers at an offset,
 * `$ | u16be 0`. No payload is malformed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_RAW_H
#define MQTT2PG_DECODE_DECODE_RAW_H

#include "base/arena.h"
#include "base/outcome.h"
#include "decode/decoder.h"

/* Always OUTCOME_OK. */
enum outcome decode_raw(const struct decode_input *input, struct arena *arena,
                        const struct node **root, struct error *error) MUST_CHECK;

#endif
