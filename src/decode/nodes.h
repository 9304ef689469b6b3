/*
 * nodes: builds the array of nodes of a document (core/document) for every format, and holds the
 * limits of all of them: depth, number of values, no name twice in one object.
 *
 *   {"a":[1,2],"b":"x"}
 *   ▲    ▲     ▲ nodes_close(1, 2): span 3
 *   │    nodes_open() = 1
 *   nodes_open() = 0
 *
 * Limits hold for what comes from outside, whatever the format: a payload of brackets must not use
 * up the stack, and one of a few bytes a value must not use up memory.
 *
 * The nodes lie in one array that doubles and may move while it grows: keep indexes, not pointers.
 * Inline, because reading JSON spends most of its time here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_NODES_H
#define MQTT2PG_DECODE_NODES_H

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "core/document.h"

#define NODES_DEPTH_MAX 128     /* containers open at a time */
#define NODES_COUNT_MAX 1000000 /* values of one document */

/* An object with up to so many members is searched for duplicate names member by member, a
 * larger one by sorting. */
#define NODES_SEARCHED_MAX 16

/* A document while it is made. When `list` is full, it is copied to one of twice the size. */
struct nodes {
    struct node *list; /* in `arena` */
    uint32_t count;
    uint32_t capacity;
    int depth; /* containers open now */
    struct arena *arena;
};

/* Empty, with room for about `guess` nodes at first. */
void nodes_begin(struct nodes *nodes, struct arena *arena, size_t guess);

/* Doubles the room; false at NODES_COUNT_MAX. */
bool nodes_grow(struct nodes *nodes);

/* What a reason says when nodes_add() or nodes_open() fails. */
const char *nodes_limit(const struct nodes *nodes);

/* The new node, valid until the next one; NULL when there are too many. */
static inline struct node *nodes_add(struct nodes *nodes, enum value_kind kind, struct slice key,
                                     struct slice text)
{
    if (nodes->count == nodes->capacity && !nodes_grow(nodes)) {
        return NULL;
    }
    assert(nodes->count < nodes->capacity);
    struct node *node = &nodes->list[nodes->count++];
    *node = (struct node){.kind = kind, .span = 1, .key = key, .text = text};
    return node;
}

/* Begins an array or object; its index, or -1 when it is too deep or there are too many nodes. */
static inline int64_t nodes_open(struct nodes *nodes, enum value_kind kind, struct slice key)
{
    int64_t index = nodes->count;
    assert(kind == VALUE_ARRAY || kind == VALUE_OBJECT);
    if (nodes->depth == NODES_DEPTH_MAX || nodes_add(nodes, kind, key, (struct slice){0}) == NULL) {
        return -1;
    }
    nodes->depth++;
    return index;
}

/* Ends the container that nodes_open() gave `index` for, behind its `count` children. */
static inline struct node *nodes_close(struct nodes *nodes, int64_t index, uint32_t count)
{
    struct node *node = &nodes->list[index];
    assert(nodes->depth > 0 && index >= 0 && (uint64_t) index < nodes->count);
    assert(node->kind == VALUE_ARRAY || node->kind == VALUE_OBJECT);
    node->span = nodes->count - (uint32_t) index;
    node->count = count;
    nodes->depth--;
    return node;
}

/* A bit that few other names share, so that most names need not be compared. */
static inline uint64_t nodes_name_bit(struct slice name)
{
    if (name.length == 0) {
        return 1;
    }
    unsigned first = (unsigned char) name.data[0];
    unsigned last = (unsigned char) name.data[name.length - 1];
    return UINT64_C(1) << ((name.length * 11 + first * 5 + last * 3) % 64);
}

bool nodes_have_name(const struct nodes *nodes, int64_t index, uint32_t count, struct slice name);

/* Does the open object `index` have a member of this name among its `count` first ones? `seen`
 * holds the bits of their names and gets this one's. Answers only for the first
 * NODES_SEARCHED_MAX members; nodes_have_duplicates() answers for larger objects when they end. */
static inline bool nodes_name_is_taken(const struct nodes *nodes, int64_t index, uint32_t count,
                                       struct slice name, uint64_t *seen)
{
    uint64_t bit = nodes_name_bit(name);
    bool taken = (*seen & bit) != 0 && count < NODES_SEARCHED_MAX &&
                 nodes_have_name(nodes, index, count, name);
    *seen |= bit;
    return taken;
}

/* Removes each member of the open object `index` that has a later member with the same name.
 * Returns how many members are left. */
uint32_t nodes_keep_last(struct nodes *nodes, int64_t index, uint32_t count);

/* Does a name stand twice in the object `index` of `count` members, all of which are there? */
bool nodes_have_duplicates(const struct nodes *nodes, int64_t index, uint32_t count);

#endif
