/*
 * The trie. An edge is a level's text under its parent node. All edges of all nodes are in one hash
 * table, so the number of a node's children does not matter. "+" is a child of its own. The rules
 * that end at a node, or that end there with "#", form chains at the node.
 *
 *   devices/+/telemetry (0), devices/# (1)        root ──"devices"──▶ A ──+──▶ B ──"telemetry"──▶ C
 *                                                                rest: 1                    ends: 0
 *
 * A search goes through the topic level by level, with the set of nodes that the levels so far lead
 * to. A node is in that set at most once, so the work for any topic is bounded by the size of the
 * trie.
 *
 * The cache. An answer is one block: entry, routes, captures, the topic's bytes. Blocks are in an
 * arena, which is reset when the next block would not fit: devices repeat their topics, so the
 * cache soon fills again. A topic may be in one of CACHE_WAYS slots from its hash on; when all are
 * taken, it replaces the first. So memory and time are bounded for any choice of topics.
 *
 * SPDX-License-Identifier: MIT
 */
#include "route/router.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/arena.h"
#include "base/memory.h"
#include "core/topic_level.h"

#define NOWHERE UINT32_MAX /* no child, no rule */

enum {
    ROOT = 0,
    CACHE_WAYS = 4,
    CACHE_SLOTS_MIN = 8,
    ARENA_BLOCK_BYTES = 64 * 1024,
};

struct trie_node {
    uint32_t any;  /* child for "+" */
    uint32_t ends; /* first rule that ends here */
    uint32_t rest; /* first rule that takes the rest from here */
};

struct edge {
    uint32_t parent;
    uint32_t child; /* NOWHERE: the slot is free */
    struct slice level;
};

struct entry {
    XXH64_hash_t hash;
    struct slice topic;
    size_t count;
    struct route routes[];
};

struct router {
    struct topic_filter *const *filters; /* borrowed */
    size_t filter_count;
    struct trie_node *nodes;
    uint32_t node_count;
    struct edge *edges; /* open addressing, at most half full */
    size_t edge_mask;
    uint32_t *chain;   /* for each rule, the next rule in its chain */
    uint32_t *here;    /* nodes that the topic's levels so far lead to */
    uint32_t *next;    /* … and with the next level */
    uint32_t *matches; /* rules found */
    size_t match_count;

    struct arena *cache; /* NULL: no cache */
    size_t cache_bytes_max;
    struct entry **slots;
    size_t slot_count;
    struct arena *scratch; /* the answer that is not cached */
};

/* --- building the trie ------------------------------------------------------------------------ */

static struct edge *edge_slot(const struct router *router, uint32_t parent, struct slice level)
{
    size_t at = XXH3_64bits_withSeed(level.data, level.length, parent) & router->edge_mask;
    struct edge *edge = &router->edges[at];
    while (edge->child != NOWHERE && (edge->parent != parent || !slice_equal(edge->level, level))) {
        at = (at + 1) & router->edge_mask;
        edge = &router->edges[at];
    }
    return edge;
}

static uint32_t node_add(struct router *router)
{
    router->nodes[router->node_count] = (struct trie_node){NOWHERE, NOWHERE, NOWHERE};
    return router->node_count++;
}

static uint32_t child_make(struct router *router, uint32_t parent, struct slice level)
{
    if (slice_is(level, "+")) {
        if (router->nodes[parent].any == NOWHERE) {
            uint32_t child = node_add(router);
            router->nodes[parent].any = child;
        }
        return router->nodes[parent].any;
    }
    struct edge *edge = edge_slot(router, parent, level);
    if (edge->child == NOWHERE) {
        *edge = (struct edge){.parent = parent, .child = node_add(router), .level = level};
    }
    return edge->child;
}

static void rule_add(struct router *router, uint32_t rule)
{
    struct topic_rest rest = topic_rest_of(slice_of(topic_filter_mqtt(router->filters[rule])));
    struct slice level;
    uint32_t node = ROOT;
    bool takes_rest = false;
    while (topic_next_level(&rest, &level)) {
        takes_rest = slice_is(level, "#");
        node = takes_rest ? node : child_make(router, node, level);
    }
    uint32_t *head = takes_rest ? &router->nodes[node].rest : &router->nodes[node].ends;
    router->chain[rule] = *head;
    *head = rule;
}

/* The most nodes that there can be. */
static size_t count_levels(struct topic_filter *const *filters, size_t count)
{
    size_t levels = 0;
    struct slice level;
    for (size_t i = 0; i < count; i++) {
        struct topic_rest rest = topic_rest_of(slice_of(topic_filter_mqtt(filters[i])));
        while (topic_next_level(&rest, &level)) {
            levels++;
        }
    }
    return levels;
}

static size_t power_of_two(size_t at_least)
{
    size_t power = 1;
    while (power < at_least) {
        power *= 2;
    }
    return power;
}

static void trie_build(struct router *router)
{
    size_t levels = count_levels(router->filters, router->filter_count);
    size_t edges = power_of_two(2 * levels + 2);
    router->nodes = memory_alloc((levels + 1) * sizeof(router->nodes[0]));
    router->here = memory_alloc((levels + 1) * sizeof(router->here[0]));
    router->next = memory_alloc((levels + 1) * sizeof(router->next[0]));
    router->chain = memory_alloc(router->filter_count * sizeof(router->chain[0]));
    router->matches = memory_alloc(router->filter_count * sizeof(router->matches[0]));
    router->edges = memory_alloc(edges * sizeof(router->edges[0]));
    router->edge_mask = edges - 1;
    for (size_t i = 0; i < edges; i++) {
        router->edges[i].child = NOWHERE;
    }
    node_add(router);
    for (size_t i = 0; i < router->filter_count; i++) {
        rule_add(router, (uint32_t) i);
    }
    assert(router->node_count <= levels + 1);
}

/* --- walking it ------------------------------------------------------------------------------- */

static void take_chain(struct router *router, uint32_t rule)
{
    for (; rule != NOWHERE; rule = router->chain[rule]) {
        assert(router->match_count < router->filter_count); /* each rule is on one chain */
        router->matches[router->match_count++] = rule;
    }
}

/* Follows one level from the `count` nodes in `here`. Returns how many nodes are in `next`. */
static size_t step(struct router *router, size_t count, struct slice level, bool wildcards)
{
    size_t reached = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t literal = edge_slot(router, router->here[i], level)->child;
        uint32_t any = wildcards ? router->nodes[router->here[i]].any : NOWHERE;
        if (literal != NOWHERE) {
            router->next[reached++] = literal;
        }
        if (any != NOWHERE) {
            router->next[reached++] = any;
        }
    }
    assert(reached <= router->node_count);
    uint32_t *swap = router->here;
    router->here = router->next;
    router->next = swap;
    return reached;
}

static int compare_rules(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *) left;
    uint32_t b = *(const uint32_t *) right;
    return (a > b) - (a < b);
}

/* Fills router->matches, in ascending order. */
static void find_matches(struct router *router, struct slice topic)
{
    struct topic_rest rest = topic_rest_of(topic);
    struct slice level;
    bool wildcards = !topic_is_private(topic); /* at the first level */
    size_t count = 1;
    router->match_count = 0;
    router->here[0] = ROOT;
    while (count > 0) {
        for (size_t i = 0; wildcards && i < count; i++) {
            take_chain(router, router->nodes[router->here[i]].rest);
        }
        if (!topic_next_level(&rest, &level)) {
            break;
        }
        count = step(router, count, level, wildcards);
        wildcards = true;
    }
    for (size_t i = 0; i < count; i++) {
        take_chain(router, router->nodes[router->here[i]].ends);
    }
    if (router->match_count > 1) {
        qsort(router->matches, router->match_count, sizeof(router->matches[0]), compare_rules);
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static size_t count_captures(const struct router *router)
{
    size_t captures = 0;
    for (size_t i = 0; i < router->match_count; i++) {
        size_t count;
        topic_filter_captures(router->filters[router->matches[i]], &count);
        captures += count;
    }
    return captures;
}

/* Lays the answer for `topic` out in `block`, which has room for it. */
static struct entry *entry_fill(struct router *router, void *block, struct slice topic,
                                size_t capture_count)
{
    struct entry *entry = block;
    struct slice *captures = (struct slice *) &entry->routes[router->match_count];
    char *bytes = (char *) &captures[capture_count];

    *entry = (struct entry){.topic = {bytes, topic.length}, .count = router->match_count};
    if (topic.length > 0) {
        memcpy(bytes, topic.data, topic.length);
    }
    for (size_t i = 0; i < entry->count; i++) {
        size_t count;
        topic_filter_captures(router->filters[router->matches[i]], &count);
        entry->routes[i] = (struct route){.rule = router->matches[i], .captures = captures};
        bool matches =
            topic_filter_match(router->filters[router->matches[i]], entry->topic, captures);
        assert(matches); /* the trie and the filter agree */
        (void) matches;
        captures += count;
    }
    assert((char *) captures == bytes);
    return entry;
}

static struct entry **cache_slot(const struct router *router, XXH64_hash_t hash, size_t way)
{
    return &router->slots[(hash + way) & (router->slot_count - 1)];
}

static struct entry *cache_find(const struct router *router, XXH64_hash_t hash, struct slice topic)
{
    for (size_t way = 0; way < CACHE_WAYS; way++) {
        struct entry *entry = *cache_slot(router, hash, way);
        if (entry == NULL) {
            break;
        }
        if (entry->hash == hash && slice_equal(entry->topic, topic)) {
            return entry;
        }
    }
    return NULL;
}

static void cache_insert(struct router *router, XXH64_hash_t hash, struct entry *entry)
{
    size_t way = 0;
    while (way < CACHE_WAYS && *cache_slot(router, hash, way) != NULL) {
        way++;
    }
    entry->hash = hash;
    *cache_slot(router, hash, way < CACHE_WAYS ? way : 0) = entry;
}

/* The arena for an answer of so many bytes: the cache, emptied first when it is full; or the
 * scratch arena when the answer is larger than the whole cache. */
static struct arena *arena_for(struct router *router, size_t bytes)
{
    if (router->cache != NULL && bytes <= router->cache_bytes_max / 4) {
        if (arena_used(router->cache) + bytes > router->cache_bytes_max) {
            memset(router->slots, 0, router->slot_count * sizeof(router->slots[0]));
            arena_reset(router->cache);
        }
        return router->cache;
    }
    arena_reset(router->scratch);
    return router->scratch;
}

size_t router_find(struct router *router, struct slice topic, const struct route **routes)
{
    XXH64_hash_t hash = 0;
    struct entry *entry = NULL;
    if (router->cache != NULL) {
        hash = XXH3_64bits(topic.length > 0 ? topic.data : "", topic.length);
        entry = cache_find(router, hash, topic);
    }
    if (entry == NULL) {
        find_matches(router, topic);
        size_t captures = count_captures(router);
        size_t bytes = sizeof(*entry) + router->match_count * sizeof(struct route) +
                       captures * sizeof(struct slice) + topic.length;
        struct arena *arena = arena_for(router, bytes);
        entry = entry_fill(router, arena_alloc(arena, bytes), topic, captures);
        if (arena == router->cache) {
            cache_insert(router, hash, entry);
        }
    }
    assert(entry->count <= router->filter_count);
    *routes = entry->routes;
    return entry->count;
}

/* --- making and ending ------------------------------------------------------------------------ */

/* A quarter of the memory is for the slots, the rest for the answers: about one slot in four is
 * taken when the arena is full. */
static void cache_init(struct router *router, size_t bytes_max)
{
    size_t slots = power_of_two(bytes_max / 4 / sizeof(router->slots[0]) + 1) / 2;
    if (slots < CACHE_SLOTS_MIN) {
        return;
    }
    assert(slots * sizeof(router->slots[0]) < bytes_max);
    size_t rest = bytes_max - slots * sizeof(router->slots[0]);
    router->slot_count = slots;
    router->slots = memory_alloc(slots * sizeof(router->slots[0]));
    router->cache_bytes_max = rest;
    router->cache = arena_new(rest / 8 < ARENA_BLOCK_BYTES ? rest / 8 : ARENA_BLOCK_BYTES);
}

struct router *router_new(struct topic_filter *const *filters, size_t count, size_t cache_bytes_max)
{
    struct router *router = memory_alloc(sizeof(*router));
    router->filters = filters;
    router->filter_count = count;
    router->scratch = arena_new(ARENA_BLOCK_BYTES);
    trie_build(router);
    cache_init(router, cache_bytes_max);
    return router;
}

void router_free(struct router *router)
{
    if (router == NULL) {
        return;
    }
    free(router->nodes);
    free(router->edges);
    free(router->chain);
    free(router->here);
    free(router->next);
    free(router->matches);
    free(router->slots);
    arena_free(router->cache);
    arena_free(router->scratch);
    free(router);
}
