/*
 * filter_choice: the filters that choose between values: default, required, map, nullif, concat.
 *
 * map and nullif compare as `=` in a condition does: by value with numbers, by bytes with texts.
 * The first pair that fits counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "map/compare.h"
#include "map/filter_family.h"

/* The value of an argument for this message. */
static enum outcome take_argument(const struct filter_call *call, size_t index, struct value *value)
{
    assert(index < call->arguments->count);
    return source_take(&call->arguments->sources[index], call->subject, call->arena, value,
                       call->error);
}

enum outcome filter_default(struct value *value, const struct filter_call *call)
{
    return value->kind == VALUE_NULL ? take_argument(call, 0, value) : OUTCOME_OK;
}

enum outcome filter_required(struct value *value, const struct filter_call *call)
{
    if (value->kind == VALUE_NULL) {
        return error_set(call->error, OUTCOME_REJECT, "missing or null");
    }
    return OUTCOME_OK;
}

/* As `=` in a condition compares. */
static bool equals(const struct value *value, const struct source *source)
{
    assert(source->kind == SOURCE_CONSTANT);
    struct constant constant = constant_make(source->constant);
    return compare_value(value, &constant) == RELATION_EQUAL;
}

enum outcome filter_map(struct value *value, const struct filter_call *call)
{
    assert(call->arguments->count - call->arguments->has_else >= 2);
    const struct filter_arguments *arguments = call->arguments;
    size_t pairs = (arguments->count - arguments->has_else) / 2;
    for (size_t i = 0; i < pairs; i++) {
        if (equals(value, &arguments->sources[2 * i])) {
            *value = arguments->sources[2 * i + 1].constant;
            return OUTCOME_OK;
        }
    }
    return arguments->has_else ? take_argument(call, arguments->count - 1, value) : OUTCOME_OK;
}

enum outcome filter_nullif(struct value *value, const struct filter_call *call)
{
    for (size_t i = 0; i < call->arguments->count; i++) {
        if (equals(value, &call->arguments->sources[i])) {
            *value = value_null();
            return OUTCOME_OK;
        }
    }
    return OUTCOME_OK;
}

/* Both texts one behind the other, in the arena. */
static struct slice joined(struct slice left, struct slice right, struct arena *arena)
{
    char *out = arena_alloc(arena, left.length + right.length + 1);
    if (left.length > 0) {
        memcpy(out, left.data, left.length);
    }
    if (right.length > 0) {
        memcpy(out + left.length, right.data, right.length);
    }
    return slice_make(out, left.length + right.length);
}

/* Null when one of the parts is. */
enum outcome filter_concat(struct value *value, const struct filter_call *call)
{
    if (!filter_is_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    struct slice text = value->text;
    for (size_t i = 0; i < call->arguments->count; i++) {
        struct value part;
        if (take_argument(call, i, &part) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        if (part.kind == VALUE_NULL) {
            *value = part;
            return OUTCOME_OK;
        }
        if (!filter_is_text(&part)) {
            return filter_refuse(&part, "is not text", call->error);
        }
        text = joined(text, part.text, call->arena);
    }
    *value = value_text(text);
    return OUTCOME_OK;
}
