/*
 * The first line of the bytes as an expression, a condition and a rule's rows; what is left as
 * payload. Whatever compiles is evaluated; a value is well-formed, or there is a reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/text.h"
#include "decode/json_scan.h"
#include "fuzz.h"
#include "map/condition.h"
#include "map/row_source.h"

static void require_reason(const struct error *error)
{
    require(error->outcome == OUTCOME_REJECT && error->text[0] != '\0');
}

static void check_value(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NUMBER:
        require(json_is_number(value->text));
        break;
    case VALUE_TEXT:
        require(text_is_utf8(value->text));
        break;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        require(value->node != NULL && value->node->kind == value->kind);
        break;
    default:
        break;
    }
}

static void try_expression(struct slice text, const struct scope *scope,
                           const struct subject *subject, struct arena *arena)
{
    struct expression *expression = NULL;
    struct error error = {0};
    struct value value;
    if (expression_compile(text, scope, &expression, &error) != OUTCOME_OK) {
        require_reason(&error);
        return;
    }
    require(expression_inferred_type(expression) != NULL);
    if (expression_is_constant(expression, &value)) {
        check_value(&value);
    }
    if (expression_evaluate(expression, subject, arena, &value, &error) == OUTCOME_OK) {
        check_value(&value);
    } else {
        require_reason(&error);
    }
    expression_free(expression);
}

static void try_condition(struct slice text, const struct scope *scope,
                          const struct subject *subject, struct arena *arena)
{
    struct condition *condition = NULL;
    struct error error = {0};
    bool holds;
    if (condition_compile(text, scope, &condition, &error) != OUTCOME_OK ||
        condition_holds(condition, subject, arena, &holds, &error) != OUTCOME_OK) {
        require_reason(&error);
    }
    condition_free(condition);
}

static void try_rows(struct slice text, const struct node *payload, struct arena *arena)
{
    struct row_source *source = NULL;
    struct row_items items = {0};
    struct error error = {0};
    if (row_source_compile(text, &source, &error) != OUTCOME_OK ||
        row_source_items(source, payload, arena, &items, &error) != OUTCOME_OK) {
        require_reason(&error);
    }
    for (size_t i = 0; i < items.count; i++) {
        const struct node *node = items.list[i].node;
        check_value(&items.list[i].key);
        require(payload <= node && node < payload + payload->span);
    }
    row_source_free(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"device", "rest"};
    static const struct slice captures[] = {SLICE_LITERAL("21.5"), {NULL, 0}};
    static const bool partial[] = {false, true};
    static const struct scope scope = {
        .captures = names, .capture_count = 2, .partial = partial, .row_levels = 1, .in_ack = true};
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = end != NULL ? (size_t) (end - data) : size;
    struct slice text = {(const char *) data, length};
    struct slice payload = {(const char *) data + length, size - length};

    struct arena *arena = arena_new(4096);
    const struct node *root = NULL;
    if (json_scan(payload, arena, &root, NULL) != OUTCOME_OK) {
        require(json_scan(slice_of("{\"a\":[1,\"x\"]}"), arena, &root, NULL) == OUTCOME_OK);
    }
    /* The text is the topic and the properties, too: any bytes. */
    struct message message = {.kind = MESSAGE_PUBLISH, .topic = text, .properties = payload};
    struct subject subject = {
        .message = &message, .captures = captures, .payload = root, .here = root};
    try_expression(text, &scope, &subject, arena);
    try_condition(text, &scope, &subject, arena);
    try_rows(text, root, arena);
    arena_free(arena);
    return 0;
}
