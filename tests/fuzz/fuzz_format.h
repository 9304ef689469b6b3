/*
 * fuzz_format: any bytes as a payload of one format: refused with a reason, or a document whose
 * parts fit together and whose JSON is read again as the same document.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_FUZZ_FORMAT_H
#define MQTT2PG_FUZZ_FORMAT_H

#include "base/text.h"
#include "decode/decoder.h"
#include "decode/json_scan.h"
#include "fuzz.h"

static inline const struct node *fuzz_format_node(const struct node *node)
{
    bool container = node->kind == VALUE_ARRAY || node->kind == VALUE_OBJECT;
    const struct node *child = node + 1;
    require(container || (node->span == 1 && node->count == 0));
    require(node->kind != VALUE_NUMBER || json_is_number(node->text));
    require(node->kind != VALUE_TEXT || text_is_utf8(node->text));
    require(text_is_utf8(node->key));
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == VALUE_OBJECT && i < 100) {
            require(node_member(node, child->key) == child); /* no earlier one has its name */
        }
        child = fuzz_format_node(child);
    }
    require(child == node + node->span);
    return child;
}

static inline void fuzz_format_same(const struct node *made, const struct node *read)
{
    require(made->span == read->span);
    for (uint32_t i = 0; i < made->span; i++) {
        bool as_text = made[i].kind == VALUE_BYTES || made[i].kind == VALUE_TIME;
        require(read[i].kind == (as_text ? VALUE_TEXT : made[i].kind));
        require(made[i].span == read[i].span && made[i].count == read[i].count);
        require(slice_equal(made[i].key, read[i].key));
        require(made[i].kind != VALUE_NUMBER || slice_equal(made[i].text, read[i].text));
    }
}

static inline void fuzz_format(const char *format, const struct decode_input *input)
{
    struct arena *arena = arena_new(4096);
    const struct node *root = NULL;
    const struct node *again = NULL;
    struct error error = {0};
    if (decoder_find(slice_of(format))->decode(input, arena, &root, &error) == OUTCOME_OK) {
        struct value value = node_value(root);
        struct buf json = {0};
        fuzz_format_node(root);
        value_append_json(&json, &value);
        require(json_scan(buf_slice(&json), arena, &again, &error) == OUTCOME_OK);
        fuzz_format_same(root, again);
        buf_fini(&json);
    } else {
        require(error.outcome == OUTCOME_REJECT && memcmp(error.text, "byte ", 5) == 0);
    }
    arena_free(arena);
}

#endif
