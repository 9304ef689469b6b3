/*
 * sparkplug_birth: what is remembered of a BIRTH: name, alias and datatype of each metric, the
 * bdSeq of an NBIRTH, and the broker that it came from. The content of an entry of core/memory,
 * read where it lies:
 *
 *   u8   bit 0: it has a bdSeq; bits 1, 2: enum birth_state; bits 4 to 7: the broker's number
 *   u64  bdSeq
 *   u32  metrics
 *   u32  metrics with an alias
 *   metrics × { u64 alias, u32 datatype, u32 offset of the name, u32 its length }, by alias, those
 *                                         without one behind the others
 *   metrics × u32 index, by name
 *   the names
 *
 * Integers are little-endian. A state other than BIRTH_READ has no metrics: the entry says that the
 * BIRTH came, and why nothing is known of it.
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

/* What one BIRTH may take in memory: 24 bytes and the name for each metric, so about 60,000 metrics
 * with names of 40 bytes. */
#define SPARKPLUG_BIRTH_BYTES_MAX ((size_t) 4 << 20)

/* Could the BIRTH be read? */
enum birth_state {
    BIRTH_READ,
    BIRTH_TOO_LARGE,  /* more than SPARKPLUG_BIRTH_BYTES_MAX */
    BIRTH_UNREADABLE, /* no payload of Sparkplug B; ends the BIRTH before it all the same */
};

/* A metric of a BIRTH. Without an alias it is found by its name alone. */
struct birth_metric {
    struct slice name;
    uint64_t alias;
    bool has_alias;
    uint32_t datatype;
};

/* What stands in front of the metrics. */
struct birth_head {
    enum birth_state state;
    uint8_t broker; /* struct message; 0 = unknown */
    bool has_bdseq;
    uint64_t bdseq;
};

/* The content of an entry, in `arena`. Sorts `metrics`. With too many of them the content says
 * BIRTH_TOO_LARGE instead. */
struct slice sparkplug_birth_write(struct birth_head head, struct birth_metric *metrics,
                                   size_t count, struct arena *arena);

/* False when sparkplug_birth_write() can't have made the content. */
bool sparkplug_birth_head(struct slice content, struct birth_head *head);

/* False when the BIRTH had no such metric. */
bool sparkplug_birth_by_alias(struct slice content, uint64_t alias, struct birth_metric *metric);
bool sparkplug_birth_by_name(struct slice content, struct slice name, struct birth_metric *metric);

#endif
