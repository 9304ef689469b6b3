/*
 * filter_json: json, a path behind it, and what may be anything: json_or_text, binary.
 *
 * A document within a document lives in the message's arena like the outer one. Limits (depth,
 * nodes) are the decoder's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/text.h"
#include "decode/json_scan.h"
#include "map/filter_family.h"

enum outcome filter_json(struct value *value, const struct filter_call *call)
{
    const struct node *root;
    if (!filter_holds_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    if (json_scan(value->text, call->arena, &root, call->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *value = node_value(root);
    return OUTCOME_OK;
}

enum outcome filter_path(struct value *value, const struct filter_call *call)
{
    assert(call->arguments->sources != NULL);
    *value = node_value(path_walk(call->arguments->sources[0].path, value->node));
    return OUTCOME_OK;
}

/* What PostgreSQL takes as text. */
static bool is_text(const struct value *value)
{
    return value->text.length == 0 ||
           (text_is_utf8(value->text) && memchr(value->text.data, 0, value->text.length) == NULL);
}

enum outcome filter_json_or_text(struct value *value, const struct filter_call *call)
{
    const struct node *root;
    struct error no_json;
    if (!filter_holds_text(value)) {
        return OUTCOME_OK;
    }
    if (json_scan(value->text, call->arena, &root, &no_json) == OUTCOME_OK) {
        *value = node_value(root);
    } else {
        *value = is_text(value) ? value_text(value->text) : value_null();
    }
    return OUTCOME_OK;
}

enum outcome filter_binary(struct value *value, const struct filter_call *call)
{
    if (value->kind != VALUE_BYTES) {
        return filter_refuse(value, "is not bytes", call->error);
    }
    if (is_text(value)) {
        *value = value_null();
    }
    return OUTCOME_OK;
}
