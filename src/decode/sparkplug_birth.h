/*
 * sparkplug_birth: what is remembered of a BIRTH: name, alias and datatype of each metric, and the
 * bdSeq of an NBIRTH. The content of an entry of core/memory, read where it lies:
 *
 *   u8   1: it has a bdSeq                u64  bdSeq
 *   u32  metrics                          u32  metrics with an alias
 *   metrics × { u64 alias, u32 datatype, u32 offset of the name, u32 its length }, by alias, those
 *                                         without one behind the others
 *   metrics × u32 index, by name
 *   the names
 *
 * Integers are little-endian.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_SPARKPLUG_BIRTH_H
#define MQTT2PG_DECODE_SPARKPLUG_BIRTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct birth_metric {
    struct slice name;
    uint64_t alias;
    bool has_alias;
    uint32_t datatype;
};

/* Sorts `metrics`; the content lies in `arena`. */
struct slice sparkplug_birth_write(struct birth_metric *metrics, size_t count,
                                   const uint64_t *bdseq, struct arena *arena);

bool sparkplug_birth_bdseq(struct slice content, uint64_t *bdseq);

/* False when the BIRTH had no such metric. */
bool sparkplug_birth_by_alias(struct slice content, uint64_t alias, struct birth_metric *metric);
bool sparkplug_birth_by_name(struct slice content, struct slice name, struct birth_metric *metric);

#endif
