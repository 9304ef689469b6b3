/*
 * A million nodes take 48 MB, and the smaller arrays before them, which the arena keeps, as much
 * again: what a payload may take at most before rows are made of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/nodes.h"

#include <stdlib.h>

void nodes_begin(struct nodes *nodes, struct arena *arena, size_t guess)
{
    uint32_t capacity = (uint32_t) (guess < 1000 ? guess + 4 : 1000);
    *nodes = (struct nodes){.arena = arena, .capacity = capacity};
    assert(capacity > 0 && capacity <= NODES_COUNT_MAX);
    nodes->list = arena_alloc(arena, capacity * sizeof(struct node));
}

/* The old array stays in the arena until the message is done; all of them together are as large as
 * the last one. */
bool nodes_grow(struct nodes *nodes)
{
    if (nodes->count >= NODES_COUNT_MAX) {
        return false;
    }
    assert(nodes->count == nodes->capacity); /* else there is room */
    uint32_t doubled = nodes->capacity * 2;
    uint32_t capacity = doubled < NODES_COUNT_MAX ? doubled : NODES_COUNT_MAX;
    assert(capacity > nodes->capacity);
    struct node *list = arena_alloc(nodes->arena, capacity * sizeof(*list));
    memcpy(list, nodes->list, nodes->count * sizeof(*list));
    nodes->list = list;
    nodes->capacity = capacity;
    return true;
}

/* Both limits make nodes_add() or nodes_open() fail: the count tells which one it was. */
const char *nodes_limit(const struct nodes *nodes)
{
    return nodes->count >= NODES_COUNT_MAX ? "too many values in one payload" : "nested too deep";
}

bool nodes_have_name(const struct nodes *nodes, int64_t index, uint32_t count, struct slice name)
{
    const struct node *member = &nodes->list[index + 1];
    assert(nodes->list[index].kind == VALUE_OBJECT);
    for (uint32_t i = 0; i < count; i++, member += member->span) {
        if (slice_equal(member->key, name)) {
            return true;
        }
    }
    return false;
}

static int compare_names(const void *left, const void *right)
{
    const struct slice *a = left;
    const struct slice *b = right;
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    return a->length == 0 ? 0 : memcmp(a->data, b->data, a->length);
}

/* Sorting has no worst case that a sender could aim at, as a hash table has. */
bool nodes_have_duplicates(const struct nodes *nodes, int64_t index, uint32_t count)
{
    if (count <= NODES_SEARCHED_MAX) {
        return false; /* nodes_name_is_taken() has answered */
    }
    struct slice *names = arena_alloc(nodes->arena, count * sizeof(*names));
    const struct node *member = &nodes->list[index + 1];
    for (uint32_t i = 0; i < count; i++, member += member->span) {
        names[i] = member->key;
    }
    assert(member == &nodes->list[nodes->count]);
    qsort(names, count, sizeof(*names), compare_names);
    for (uint32_t i = 1; i < count; i++) {
        if (slice_equal(names[i - 1], names[i])) {
            return true;
        }
    }
    return false;
}

uint32_t nodes_keep_last(struct nodes *nodes, int64_t index, uint32_t count)
{
    uint32_t kept = count;
    uint32_t at = (uint32_t) index + 1;
    while (at < nodes->count) {
        const struct node *member = &nodes->list[at];
        uint32_t later = at + member->span;
        while (later < nodes->count && !slice_equal(nodes->list[later].key, member->key)) {
            later += nodes->list[later].span;
        }
        if (later >= nodes->count) {
            at += member->span;
            continue;
        }
        uint32_t span = member->span;
        memmove(&nodes->list[at], &nodes->list[at + span],
                (nodes->count - at - span) * sizeof(nodes->list[0]));
        nodes->count -= span;
        kept--;
    }
    assert(kept <= count && at == nodes->count);
    return kept;
}
