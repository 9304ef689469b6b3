/*
 * memory: what formats with state remember of earlier messages, by the number of the message.
 *
 *   (kind, key)  →  (sequence 17, content), (sequence 240, content), …
 *
 * memory_find() gives the newest entry before a number. So what a message means depends on the
 * messages before it alone: a batch may be built again, ahead of another one or from an earlier
 * position, and comes out the same. Entries of number 0 were learned in another journal.
 *
 * One thread at a time. The table mqtt2pg.memory holds the same entries (pg/memory_rows).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_MEMORY_H
#define MQTT2PG_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define MEMORY_SPARKPLUG "sparkplug" /* kind: births of edge nodes and devices */

struct memory_entry {
    const char *kind; /* which format: one of the constants above */
    struct slice key; /* UTF-8 without NUL */
    uint64_t sequence;
    struct slice content;
};

struct memory;

struct memory *memory_new(void);
void memory_free(struct memory *memory);

/* Copies the entry; does nothing when this number of this key is there already. */
void memory_keep(struct memory *memory, const struct memory_entry *entry);

/* The newest entry before message `sequence`; false when there is none. The content is borrowed
 * until the next call that changes the memory. */
bool memory_find(const struct memory *memory, const char *kind, struct slice key, uint64_t sequence,
                 struct memory_entry *entry);

/* The oldest entry behind it: for a dead letter that came before what it needs. */
bool memory_find_later(const struct memory *memory, const char *kind, struct slice key,
                       uint64_t sequence, struct memory_entry *entry);

/* Drops the entry with this kind, key and number, if it is there. */
void memory_forget(struct memory *memory, const struct memory_entry *entry);

/* Drops everything. */
void memory_reset(struct memory *memory);

/* Entries, and the bytes of their contents. */
size_t memory_count(const struct memory *memory);
size_t memory_bytes(const struct memory *memory);

#endif
