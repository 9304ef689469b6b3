/*
 * memory: facts from earlier messages that formats with state remember, by the number of the
 * message.
 *
 *   (kind, key)  →  (sequence 17, content), (sequence 240, content), …
 *
 * memory_find() gives the newest entry before a sequence. So the meaning of a message depends only
 * on the messages before it: a batch gives the same rows whenever and from whatever position it is
 * built. Entries with sequence 0 were learned in another journal.
 *
 * The table mqtt2pg.memory holds all entries (pg/memory_rows); this cache of them is bounded in
 * bytes. When the bound is reached, old entries are removed first: entries with a newer one of the
 * same key at or before the position. No message of the journal needs them; dead letters do, and
 * find them in the table. When that makes no room, a new entry is left out. An empty placeholder
 * with `left_out` set stands for it, so that no older entry of the key answers in its place; a key
 * without an older entry needs no placeholder. memory_is_full() says whether entries were left out.
 * They come back when the table is read again after pruning has made room (load/recall).
 *
 * One thread at a time.
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
    bool left_out; /* a placeholder without content: for this entry and for those left out behind
                      it, up to the next entry of the key */
};

struct memory;

struct memory *memory_new(size_t bytes_max);
void memory_free(struct memory *memory);

/* Copies the entry, or leaves it out where there is no room; does nothing when this number of this
 * key is there already. */
void memory_keep(struct memory *memory, const struct memory_entry *entry);

/* Everything up to this sequence is stored. Of a key's entries at or before it, the journal's
 * messages need only the newest. 0, as at the beginning: nothing is stored. */
void memory_set_position(struct memory *memory, uint64_t position);

/* The newest entry before message `sequence`; false when there is none. The content is borrowed
 * until the next call that changes the memory. */
bool memory_find(const struct memory *memory, const char *kind, struct slice key, uint64_t sequence,
                 struct memory_entry *entry);

/* The oldest entry behind message `sequence`, for a dead letter that came before the birth that it
 * needs. */
bool memory_find_later(const struct memory *memory, const char *kind, struct slice key,
                       uint64_t sequence, struct memory_entry *entry);

/* Drops the entry with this kind, key and number, if it is there. */
void memory_forget(struct memory *memory, const struct memory_entry *entry);

/* Drops everything. */
void memory_reset(struct memory *memory);

size_t memory_count(const struct memory *memory);

/* The bytes of all entries with their keys. */
size_t memory_bytes(const struct memory *memory);

/* Has an entry been left out that a message of the journal may need? */
bool memory_is_full(const struct memory *memory);

/* Drops the placeholders; the caller then adds the real entries up to `position` again. False, and
 * nothing is changed, when nothing was left out, when there is no more room than before, or when an
 * entry behind `position` was left out: the caller can't add that one yet, and without its
 * placeholder an older entry of its key would answer. */
bool memory_make_room(struct memory *memory, uint64_t position);

/* The invariants, for test builds: order, numbers of a key, sum of bytes. */
void memory_check(const struct memory *memory);

#endif
