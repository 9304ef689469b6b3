/*
 * One array of entries, sorted by kind, key and sequence: insertions are rare, look-ups frequent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct memory {
    struct memory_entry *list; /* owned, with keys and contents */
    size_t count;
    size_t capacity;
    size_t bytes; /* of all entries */
    size_t bytes_max;
    bool full;                /* an entry was left out … */
    bool freed;               /* … and an entry was dropped since */
    uint64_t left_out_newest; /* the highest number of those left out; 0 while not full */
    uint64_t position;
    uint64_t emptied; /* the position up to which old entries were emptied */
    size_t added;     /* bytes since then */
};

/* bytes_max / PARTS must be added at the same position before old entries are searched for again,
 * and must be free before the table is worth reading again. */
enum { PARTS = 8 };

struct memory *memory_new(size_t bytes_max)
{
    struct memory *memory = memory_alloc(sizeof(*memory));
    memory->bytes_max = bytes_max;
    return memory;
}

static size_t bytes_of(const struct memory_entry *entry)
{
    return sizeof(*entry) + entry->key.length + entry->content.length;
}

void memory_free(struct memory *memory)
{
    if (memory != NULL) {
        memory_reset(memory);
        free(memory->list);
        free(memory);
    }
}

static int compare_keys(const char *kind, struct slice key, const struct memory_entry *entry)
{
    int order = strcmp(kind, entry->kind);
    if (order == 0) {
        size_t length = key.length < entry->key.length ? key.length : entry->key.length;
        order = length == 0 ? 0 : memcmp(key.data, entry->key.data, length);
    }
    if (order == 0 && key.length != entry->key.length) {
        order = key.length < entry->key.length ? -1 : 1;
    }
    return order;
}

/* The place of the first entry that is not before (kind, key, sequence). */
static size_t place_of(const struct memory *memory, const char *kind, struct slice key,
                       uint64_t sequence)
{
    size_t low = 0;
    size_t high = memory->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct memory_entry *entry = &memory->list[middle];
        int order = compare_keys(kind, key, entry);
        bool before = order > 0 || (order == 0 && entry->sequence < sequence);
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

static bool has_key(const struct memory *memory, size_t i, const char *kind, struct slice key)
{
    return i < memory->count && compare_keys(kind, key, &memory->list[i]) == 0;
}

static void insert(struct memory *memory, size_t place, const struct memory_entry *entry)
{
    memory->list =
        memory_grow(memory->list, memory->count, &memory->capacity, sizeof(*memory->list));
    memmove(&memory->list[place + 1], &memory->list[place],
            (memory->count - place) * sizeof(*memory->list));
    memory->list[place] = (struct memory_entry){
        .kind = entry->kind,
        .key = slice_make(memory_copy(entry->key), entry->key.length),
        .sequence = entry->sequence,
        .content = slice_make(memory_copy(entry->content), entry->content.length),
        .left_out = entry->left_out,
    };
    memory->count++;
    memory->bytes += bytes_of(entry);
    memory->added += bytes_of(entry);
    assert(memory->count <= memory->capacity);
}

/* Leaves `entry` out. One placeholder stands for all entries of a key that are left out one behind
 * the other, so that there are never more placeholders than entries with content. */
static void leave_out(struct memory *memory, size_t place, const struct memory_entry *entry)
{
    assert(place <= memory->count);
    bool before = place > 0 && has_key(memory, place - 1, entry->kind, entry->key);
    struct memory_entry empty = *entry;
    if (!memory->full) {
        memory->full = true;
        memory->freed = false;
    }
    if (entry->sequence > memory->left_out_newest) {
        memory->left_out_newest = entry->sequence;
    }
    if (before && !memory->list[place - 1].left_out) {
        empty.content = slice_make(NULL, 0);
        empty.left_out = true;
        insert(memory, place, &empty);
    }
}

static bool has_room(const struct memory *memory, size_t bytes)
{
    return memory->bytes <= memory->bytes_max && bytes <= memory->bytes_max - memory->bytes;
}

/* Is there a newer entry of the same key at or before the position? */
static bool is_old(const struct memory *memory, size_t i)
{
    const struct memory_entry *entry = &memory->list[i];
    return has_key(memory, i + 1, entry->kind, entry->key) &&
           memory->list[i + 1].sequence <= memory->position;
}

static void entry_fini(struct memory *memory, struct memory_entry *entry)
{
    assert(memory->bytes >= bytes_of(entry));
    memory->bytes -= bytes_of(entry);
    free((void *) entry->key.data);
    free((void *) entry->content.data);
}

/* Removes old entries. The first old entry of each key stays as the placeholder for the others. */
static void empty_old(struct memory *memory)
{
    size_t kept = 0;
    for (size_t i = 0; i < memory->count; i++) {
        struct memory_entry *entry = &memory->list[i];
        bool old = is_old(memory, i); /* compares with entry i + 1, which has not moved yet */
        bool stood_for = kept > 0 && memory->list[kept - 1].left_out &&
                         has_key(memory, kept - 1, entry->kind, entry->key);
        if (old && stood_for) {
            entry_fini(memory, entry);
            continue;
        }
        if (old) {
            memory->bytes -= entry->content.length;
            free((void *) entry->content.data);
            entry->content = slice_make(NULL, 0);
            entry->left_out = true;
        }
        memory->list[kept++] = *entry;
    }
    memory->count = kept;
    memory->emptied = memory->position;
    memory->added = 0;
}

void memory_set_position(struct memory *memory, uint64_t position)
{
    memory->position = position;
}

void memory_keep(struct memory *memory, const struct memory_entry *entry)
{
    assert(!entry->left_out);
    size_t bytes = bytes_of(entry);
    if (!has_room(memory, bytes) &&
        (memory->position > memory->emptied || memory->added >= memory->bytes_max / PARTS)) {
        empty_old(memory);
    }
    size_t place = place_of(memory, entry->kind, entry->key, entry->sequence);
    if (has_key(memory, place, entry->kind, entry->key) &&
        memory->list[place].sequence == entry->sequence) {
        return;
    }
    if (!has_room(memory, bytes)) {
        leave_out(memory, place, entry);
    } else {
        insert(memory, place, entry);
    }
}

bool memory_find(const struct memory *memory, const char *kind, struct slice key, uint64_t sequence,
                 struct memory_entry *entry)
{
    size_t place = place_of(memory, kind, key, sequence);
    if (place == 0 || !has_key(memory, place - 1, kind, key)) {
        return false;
    }
    *entry = memory->list[place - 1];
    assert(entry->sequence < sequence);
    return true;
}

bool memory_find_later(const struct memory *memory, const char *kind, struct slice key,
                       uint64_t sequence, struct memory_entry *entry)
{
    size_t place = place_of(memory, kind, key, sequence);
    if (!has_key(memory, place, kind, key)) {
        return false;
    }
    *entry = memory->list[place];
    return true;
}

void memory_forget(struct memory *memory, const struct memory_entry *entry)
{
    size_t place = place_of(memory, entry->kind, entry->key, entry->sequence);
    if (!has_key(memory, place, entry->kind, entry->key) ||
        memory->list[place].sequence != entry->sequence) {
        return;
    }
    entry_fini(memory, &memory->list[place]);
    memory->freed = true;
    memory->count--;
    memmove(&memory->list[place], &memory->list[place + 1],
            (memory->count - place) * sizeof(*memory->list));
}

void memory_reset(struct memory *memory)
{
    for (size_t i = 0; i < memory->count; i++) {
        entry_fini(memory, &memory->list[i]);
    }
    memory->count = 0;
    memory->full = false;
    memory->left_out_newest = 0;
    memory->position = 0;
    memory->emptied = 0;
    memory->added = 0;
    assert(memory->bytes == 0);
}

size_t memory_count(const struct memory *memory)
{
    return memory->count;
}

size_t memory_bytes(const struct memory *memory)
{
    return memory->bytes;
}

bool memory_is_full(const struct memory *memory)
{
    return memory->full;
}

bool memory_make_room(struct memory *memory, uint64_t position)
{
    size_t kept = 0;
    bool room = memory->freed || has_room(memory, memory->bytes_max / PARTS);
    if (!memory->full || !room || memory->left_out_newest > position) {
        return false;
    }
    for (size_t i = 0; i < memory->count; i++) {
        if (memory->list[i].left_out) {
            entry_fini(memory, &memory->list[i]);
        } else {
            memory->list[kept++] = memory->list[i];
        }
    }
    memory->count = kept;
    memory->full = false;
    memory->left_out_newest = 0;
    return true;
}

void memory_check(const struct memory *memory)
{
    size_t bytes = 0;
    assert(memory->full || memory->left_out_newest == 0);
    for (size_t i = 0; i < memory->count; i++) {
        const struct memory_entry *entry = &memory->list[i];
        bytes += bytes_of(entry);
        assert(!entry->left_out || entry->content.length == 0);
        if (i > 0) {
            const struct memory_entry *before = &memory->list[i - 1];
            int order = compare_keys(before->kind, before->key, entry);
            assert(order < 0 || (order == 0 && before->sequence < entry->sequence));
        }
    }
    assert(bytes == memory->bytes && memory->count <= memory->capacity);
}
