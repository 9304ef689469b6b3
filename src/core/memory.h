/*
 * memory: what formats with state remember of earlier messages, by the number of the message.
 *
 *   (kind, key)  →  (sequence 17, content), (sequence 240, content), …
 *
 * memory_find() gives the newest entry before a number. So what a message means depends on the
 * messages before it alone: a batch may be built again, ahead of another one or from an earlier
 * position, and comes out the same. Entries of number 0 were learned in another journal.
 *
 * One thread at a time. The table mqtt2pg.memory holds the same entries (pg/memory_rows), and all
 * of them: here they have a bound in bytes. When it is reached, first those go that no message of
 * the journal needs any more: they have a newer one at or before the position, and stay in the
 * table for dead letters alone. Where that makes no room, an entry is left out: one that is empty
 * and marked `left_out` stands for it, so that no older entry of the key answers in its place; of a
 * key that was not there before nothing is kept, and memory_is_full() says so. What was left out
 * comes back when pruning has made room and the table is read again (load/recall).
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

/* Of all entries with their keys. */
#define MEMORY_BYTES_MAX ((size_t) 256 << 20)

struct memory_entry {
    const char *kind; /* which format: one of the constants above */
    struct slice key; /* UTF-8 without NUL */
    uint64_t sequence;
    struct slice content;
    bool left_out; /* there was no room for the content, which is empty here; it stands for those
                      behind it too, up to the next one of the key */
};

struct memory;

struct memory *memory_new(size_t bytes_max);
void memory_free(struct memory *memory);

/* Copies the entry, or leaves it out where there is no room; does nothing when this number of this
 * key is there already. */
void memory_keep(struct memory *memory, const struct memory_entry *entry);

/* Everything up to this number is stored: an entry at or before it answers alone for all messages
 * that the journal still has. 0, as at the beginning: nothing is. */
void memory_set_position(struct memory *memory, uint64_t position);

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

size_t memory_count(const struct memory *memory);

/* What the entries take, their keys included. */
size_t memory_bytes(const struct memory *memory);

/* Has an entry been left out that a message of the journal may need? */
bool memory_is_full(const struct memory *memory);

/* Forgets that entries were left out, and those that stand for them: the caller adds the real ones
 * up to `position` again. False, and nothing is changed, when nothing was left out, when there is
 * no more room than before, or when an entry behind `position` was left out: the caller can't add
 * that one yet, and without what stands for it an older entry of its key would answer. */
bool memory_make_room(struct memory *memory, uint64_t position);

/* The invariants, for test builds: order, numbers of a key, sum of bytes. */
void memory_check(const struct memory *memory);

#endif
