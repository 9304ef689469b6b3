/*
 * JSON arrays into array columns. Arrays within arrays become dimensions, all of one length (an
 * array of json or jsonb has one dimension: what is nested in it are JSON values).
 *
 *   [[1,2,3],[4,5,6]]  →  dimensions 2, lengths 2 3, elements 1 2 3 4 5 6
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "core/document.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"

/* PostgreSQL's arrays are rectangular. */
static enum outcome reject_ragged(struct error *error)
{
    return error_set(error, OUTCOME_REJECT, "the inner arrays differ in length");
}

/* Takes the length of each dimension from the first elements, and computes the number of elements;
 * in a ragged array it may be too high. */
static enum outcome measure(const struct node *array, bool nested, struct datum_array *out,
                            struct error *error)
{
    out->count = 1;
    out->dimensions = 0;
    for (const struct node *at = array; at->kind == VALUE_ARRAY; at++) {
        if (out->dimensions == DATUM_DIMENSIONS_MAX) {
            return error_set(error, OUTCOME_REJECT, "more than %d dimensions",
                             DATUM_DIMENSIONS_MAX);
        }
        out->lengths[out->dimensions++] = (int32_t) at->count;
        out->count *= at->count;
        if (out->count >= array->span) {
            return reject_ragged(error);
        }
        if (at->count == 0 || !nested) {
            break;
        }
    }
    return OUTCOME_OK;
}

struct fill {
    const struct column_shape *column;
    bool nested; /* arrays within are dimensions, not values */
    struct arena *arena;
    struct datum_array *out;
    size_t filled;
    struct error *error;
};

/* Adds the next element; a null needs no conversion. */
static enum outcome add_element(struct fill *fill, const struct node *node)
{
    assert(fill->filled < fill->out->count);
    struct value value = node_value(node);
    struct datum *datum = &fill->out->elements[fill->filled++];
    if (value.kind == VALUE_NULL) {
        *datum = (struct datum){.family = fill->column->family, .null = true};
        return OUTCOME_OK;
    }
    enum outcome outcome = convert_element(&value, fill->column, fill->arena, datum, fill->error);
    if (outcome != OUTCOME_OK) {
        error_prefix(fill->error, "element %zu", fill->filled);
    }
    return outcome;
}

/* `depth` is that of the array, from 0. Recursion is bounded by DATUM_DIMENSIONS_MAX. */
static enum outcome add_elements(struct fill *fill, const struct node *array, int depth)
{
    assert(depth >= 0 && depth < fill->out->dimensions);
    enum outcome outcome = OUTCOME_OK;
    bool innermost = depth == fill->out->dimensions - 1;
    if ((int32_t) array->count != fill->out->lengths[depth]) {
        return reject_ragged(fill->error);
    }
    const struct node *node = array + 1;
    for (uint32_t i = 0; i < array->count && outcome == OUTCOME_OK; i++, node += node->span) {
        bool is_array = fill->nested && node->kind == VALUE_ARRAY;
        if (is_array == innermost) {
            outcome =
                error_set(fill->error, OUTCOME_REJECT, "values and arrays stand side by side");
        } else {
            outcome = innermost ? add_element(fill, node) : add_elements(fill, node, depth + 1);
        }
    }
    return outcome;
}

enum outcome convert_array(const struct value *value, const struct column_shape *column,
                           struct arena *arena, struct datum *datum, struct error *error)
{
    if (value->kind != VALUE_ARRAY || value->node == NULL) {
        return reject_value(error, value, "is not an array");
    }
    struct datum_array *out = arena_alloc(arena, sizeof(*out));
    bool nested = column->family != TYPE_JSON && column->family != TYPE_JSONB;
    enum outcome outcome = measure(value->node, nested, out, error);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    out->elements = arena_alloc(arena, out->count * sizeof(out->elements[0]));
    struct fill fill = {
        .column = column, .nested = nested, .arena = arena, .out = out, .error = error};
    outcome = add_elements(&fill, value->node, 0);
    assert(outcome != OUTCOME_OK || fill.filled == out->count);
    if (out->count == 0) {
        out->dimensions = 0; /* PostgreSQL's empty array has no dimensions */
    }
    datum->family = column->family;
    datum->null = false;
    datum->array = true;
    datum->elements = out;
    return outcome;
}
