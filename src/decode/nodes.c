/*
 * A million nodes take 48 MB. The smaller arrays that were copied before stay in the arena and take
 * as much again. So a document takes at most 96 MB.
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

struct member {
    struct slice name;
    uint32_t order;
};

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    int order = compare_names(&a->name, &b->name);
    return order != 0 ? order : a->order < b->order ? -1 : 1;
}

/* Which members have a later one of the same name: a list of `count`, in their order. */
static const bool *find_earlier(const struct nodes *nodes, int64_t index, uint32_t count)
{
    struct member *members = arena_alloc(nodes->arena, count * sizeof(*members));
    bool *earlier = arena_alloc(nodes->arena, count * sizeof(*earlier));
    const struct node *node = &nodes->list[index + 1];
    for (uint32_t i = 0; i < count; i++, node += node->span) {
        members[i] = (struct member){node->key, i};
        earlier[i] = false;
    }
    assert(node == &nodes->list[nodes->count]);
    qsort(members, count, sizeof(*members), compare_members);
    for (uint32_t i = 1; i < count; i++) {
        if (slice_equal(members[i - 1].name, members[i].name)) {
            earlier[members[i - 1].order] = true;
        }
    }
    return earlier;
}

/* Compares each name of a small object with those before it: most objects have none twice. */
static bool is_small_without(const struct nodes *nodes, int64_t index, uint32_t count)
{
    const struct node *member = &nodes->list[index + 1];
    for (uint32_t i = 0; count <= NODES_SEARCHED_MAX && i < count; i++, member += member->span) {
        if (nodes_have_name(nodes, index, i, member->key)) {
            return false;
        }
    }
    return count <= NODES_SEARCHED_MAX;
}

uint32_t nodes_keep_last(struct nodes *nodes, int64_t index, uint32_t count)
{
    if (is_small_without(nodes, index, count)) {
        return count;
    }
    const bool *earlier = find_earlier(nodes, index, count);
    uint32_t kept = 0;
    uint32_t from = (uint32_t) index + 1;
    uint32_t to = from;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t span = nodes->list[from].span;
        if (!earlier[i]) {
            memmove(&nodes->list[to], &nodes->list[from], span * sizeof(nodes->list[0]));
            to += span;
            kept++;
        }
        from += span;
    }
    assert(from == nodes->count && to <= from);
    nodes->count = to;
    return kept;
}
