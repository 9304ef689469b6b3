/*
 *   rows = "$.devices[*].sensors[*]"
 *
 *   payload ─.devices[*]─▶ each device ─.sensors[*]─▶ each sensor: an item
 *                           └ a level: "$^", "@key^"    └ "$", "@key"
 *
 * Walking is depth first, so items come in document order. A level is kept once for all items
 * below it. What is missing or null on the way gives no items; what has the wrong kind rejects
 * the message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/row_source.h"

#include <assert.h>

#include "map/facts.h"
#include "map/path.h"

enum { ITEMS_FIRST = 16 };

struct row_source {
    struct arena *arena;     /* everything here lives in it */
    struct slice text;       /* as it was written, for messages */
    struct path_step *steps; /* behind "$" */
};

/* [*] and .*: each of them makes rows of the parts of one node. */
static bool is_wildcard(const struct path_step *step)
{
    return step->kind == PATH_ALL_MEMBERS || step->kind == PATH_ALL_ELEMENTS;
}

/* "$", its steps, and nothing behind them. */
static enum outcome parse_rows(struct parser *parser, struct path_step **steps)
{
    bool wildcard = false;
    parser_skip_space(parser);
    if (parser_peek(parser) != '$') {
        return parser_fail(parser, parser->at, "$.readings[*], $.values.*", "\"$\" expected");
    }
    parser->at++;
    if (path_parse(parser, true, steps) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    for (const struct path_step *step = *steps; step != NULL; step = step->next) {
        wildcard = wildcard || is_wildcard(step);
    }
    parser_skip_space(parser);
    if (!parser_at_end(parser)) {
        return parser_fail(parser, parser->at,
                           parser_peek(parser) == '|' ? "rows takes no filters" : NULL,
                           "a step or the end expected");
    }
    if (!wildcard) {
        return parser_fail(parser, parser->at, "one row an element: [*], a member: .*",
                           "[*] or .* expected");
    }
    return OUTCOME_OK;
}

enum outcome row_source_compile(struct slice text, struct row_source **source, struct error *error)
{
    struct parser parser;
    if (parser_init(&parser, text, NULL, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    struct row_source *made = arena_alloc(parser.arena, sizeof(*made));
    *made = (struct row_source){.arena = parser.arena, .text = parser.text};
    if (parse_rows(&parser, &made->steps) != OUTCOME_OK) {
        arena_free(parser.arena);
        return OUTCOME_REJECT;
    }
    assert(row_source_levels(made) > 0);
    *source = made;
    return OUTCOME_OK;
}

void row_source_free(struct row_source *source)
{
    if (source != NULL) {
        arena_free(source->arena);
    }
}

const struct path_step *row_source_steps(const struct row_source *source)
{
    return source->steps;
}

size_t row_source_levels(const struct row_source *source)
{
    size_t levels = 0;
    for (const struct path_step *step = source->steps; step != NULL; step = step->next) {
        levels += is_wildcard(step);
    }
    return levels;
}

/* --- items ------------------------------------------------------------------------------------ */

/* The items found so far. When `items` is full, a copy of twice the size takes its place; the old
 * one stays in the arena until the message is done. */
struct collector {
    const struct row_source *source;
    struct arena *arena;
    struct row_item *items;
    size_t count;
    size_t capacity;
    struct error *error;
};

/* Appends an item. The number of items is not known beforehand, so the array doubles. */
static void add_item(struct collector *collector, const struct row_item *item)
{
    assert(collector->count <= collector->capacity);
    if (collector->count == collector->capacity) {
        size_t capacity = collector->capacity > 0 ? collector->capacity * 2 : ITEMS_FIRST;
        struct row_item *items = arena_alloc(collector->arena, capacity * sizeof(*items));
        if (collector->count > 0) {
            memcpy(items, collector->items, collector->count * sizeof(*items));
        }
        collector->items = items;
        collector->capacity = capacity;
    }
    collector->items[collector->count++] = *item;
}

/* "$.a[*]: object is not an array", with the part of the path that led there. */
static enum outcome fail_kind(const struct collector *collector, const struct path_step *step,
                              const struct node *node)
{
    struct slice text = collector->source->text;
    int shown = step->length < 100 ? (int) step->length : 100;
    return error_set(collector->error, OUTCOME_REJECT, "rows %.*s: %s is not an %s", shown,
                     text.data, value_kind_name(node->kind),
                     step->kind == PATH_ALL_ELEMENTS ? "array" : "object");
}

/* Collects the items that the steps from `step` on lead to. */
static enum outcome collect(struct collector *collector, const struct path_step *step,
                            struct row_item item);

/* Each child of a wildcard's container. `item` is what is around them. */
static enum outcome collect_children(struct collector *collector, const struct path_step *step,
                                     const struct row_item *item)
{
    assert(is_wildcard(step) && item->node != NULL);
    bool elements = step->kind == PATH_ALL_ELEMENTS;
    if (item->node->kind != (elements ? VALUE_ARRAY : VALUE_OBJECT)) {
        return fail_kind(collector, step, item->node);
    }
    const struct node *child = item->node + 1;
    for (uint32_t i = 0; i < item->node->count; i++, child += child->span) {
        struct row_item inner = {
            .node = child,
            .key = elements ? value_of_integer(i, collector->arena) : value_text(child->key),
            .outer = item->outer,
        };
        if (collect(collector, step->next, inner) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
    }
    return OUTCOME_OK;
}

/* Is there a wildcard from this step on? */
static bool has_wildcard(const struct path_step *step)
{
    for (; step != NULL; step = step->next) {
        if (is_wildcard(step)) {
            return true;
        }
    }
    return false;
}

/* Follows `step` and the steps behind it from the item down. The item is an element of a wildcard,
 * or the whole payload, which has no key. It recurses once for each wildcard. */
static enum outcome collect(struct collector *collector, const struct path_step *step,
                            struct row_item item)
{
    if (has_wildcard(step) && item.key.kind != VALUE_NULL) {
        struct row_level *level = arena_alloc(collector->arena, sizeof(*level));
        *level = (struct row_level){.node = item.node, .key = item.key, .outer = item.outer};
        item.outer = level;
    }
    for (; step != NULL && !is_wildcard(step) && item.node != NULL; step = step->next) {
        item.node = path_step_take(step, item.node);
        if (item.node != NULL && item.node->kind == VALUE_NULL) {
            return OUTCOME_OK;
        }
    }
    if (item.node == NULL || (step != NULL && item.node->kind == VALUE_NULL)) {
        return OUTCOME_OK;
    }
    if (step == NULL) {
        add_item(collector, &item);
        return OUTCOME_OK;
    }
    return collect_children(collector, step, &item);
}

enum outcome row_source_items(const struct row_source *source, const struct node *payload,
                              struct arena *arena, struct row_items *items, struct error *error)
{
    assert(source->steps != NULL);
    struct collector collector = {.source = source, .arena = arena, .error = error};
    *items = (struct row_items){0};
    if (collect(&collector, source->steps, (struct row_item){.node = payload}) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *items = (struct row_items){.list = collector.items, .count = collector.count};
    return OUTCOME_OK;
}
