/*
 * Values into json and jsonb.
 *
 * Text that came as JSON stays unchanged, byte for byte. jsonb can't hold all of JSON (no \u0000,
 * and no number beyond numeric's range); json can.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/text.h"
#include "core/document.h"
#include "core/number.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"
#include "row/numeric.h"

/* JENTRY_OFFLENMASK of utils/jsonb.h: of one string, one key, and one container's content. */
enum { JSONB_BYTES_MAX = 0x0FFFFFFF };

/* Only an exponent makes a short text a large number. */
static bool has_exponent(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == 'e' || text.data[i] == 'E') {
            return true;
        }
    }
    return false;
}

/* Does numeric, in which jsonb keeps numbers, hold it? */
static bool number_fits(struct slice text)
{
    struct number number;
    if (text.length <= NUMERIC_SCALE_MAX && !has_exponent(text)) {
        return true;
    }
    return number_parse(text, &number) && numeric_fits(&number);
}

/* A number within a document, by its digits. */
static enum outcome reject_number(struct slice text, struct error *error)
{
    struct value number = value_number(text);
    return reject_value(error, &number, "is out of jsonb's range");
}

/* A text or a key with NUL in it. */
static enum outcome reject_nul(struct error *error)
{
    return error_set(error, OUTCOME_REJECT, "\\u0000 is not a character that jsonb can store");
}

/* One node without its children. */
static enum outcome check_node(const struct node *node, struct error *error)
{
    assert(node->span >= 1);
    if (node->kind == VALUE_NUMBER && !number_fits(node->text)) {
        return reject_number(node->text, error);
    }
    if ((node->kind == VALUE_TEXT && text_has_nul(node->text)) || text_has_nul(node->key)) {
        return reject_nul(error);
    }
    return OUTCOME_OK;
}

/* Checks all nodes below `root`; root's own key is not part of the value. */
static enum outcome check_tree(const struct node *root, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    for (uint32_t i = 1; root != NULL && i < root->span && outcome == OUTCOME_OK; i++) {
        outcome = check_node(root + i, error);
    }
    return outcome;
}

/* The text as a JSON string, in the arena. */
static struct slice json_string(struct slice text, struct arena *arena)
{
    struct buf out = {0};
    text_append_json(&out, text);
    struct slice string = arena_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return string;
}

/* The JSON of any value; what jsonb can't hold is rejected. */
static enum outcome json_of(const struct value *value, const struct column_shape *column,
                            struct arena *arena, struct datum *datum, struct error *error)
{
    assert(column->family == TYPE_JSON || column->family == TYPE_JSONB);
    bool binary = column->family == TYPE_JSONB;
    switch (value->kind) {
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        datum->text = value_json(value, arena);
        return binary ? check_tree(value->node, error) : OUTCOME_OK;
    case VALUE_NUMBER:
        datum->text = value->text;
        return binary && !number_fits(value->text) ? reject_number(value->text, error) : OUTCOME_OK;
    case VALUE_TEXT:
        if (binary && text_has_nul(value->text)) {
            return reject_nul(error);
        }
        datum->text = json_string(value->text, arena);
        return OUTCOME_OK;
    case VALUE_TIME:
        datum->text = json_string(format_rfc3339(value->time_us, arena), arena);
        return OUTCOME_OK;
    case VALUE_BOOLEAN:
        datum->text = slice_of(value->boolean ? "true" : "false");
        return OUTCOME_OK;
    case VALUE_BYTES:
        return error_set(error, OUTCOME_REJECT, "bytes that are not JSON can't become %s",
                         binary ? "jsonb" : "json");
    case VALUE_NULL:
        break;
    }
    return reject_kind(error, value, column);
}

enum outcome convert_json(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    enum outcome outcome = json_of(value, column, arena, datum, error);
    if (outcome == OUTCOME_OK && column->family == TYPE_JSONB &&
        datum->text.length > JSONB_BYTES_MAX) {
        return reject_value(error, value, "is too long for jsonb");
    }
    return outcome;
}
