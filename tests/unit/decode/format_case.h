/*
 * format_case: a document as text, for cases of formats.
 *
 * JSON, but bytes are x"00ff" and times t"2026-01-01T00:00:00.000000Z", so that a case can tell
 * them from texts. Checks that spans and counts fit together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_FORMAT_CASE_H
#define MQTT2PG_FORMAT_CASE_H

#include "../data/cases.h"
#include "base/buf.h"
#include "base/text.h"
#include "decode/decoder.h"

static inline const struct node *format_case_write(const struct node *node, struct buf *out)
{
    bool object = node->kind == VALUE_OBJECT;
    const struct node *child = node + 1;
    struct value value = node_value(node);
    switch (node->kind) {
    case VALUE_BYTES:
        buf_append_text(out, "x\"");
        for (size_t i = 0; i < node->text.length; i++) {
            buf_printf(out, "%02x", (unsigned) (unsigned char) node->text.data[i]);
        }
        buf_append_byte(out, '"');
        break;
    case VALUE_TIME:
        buf_append_byte(out, 't');
        value_append_json(out, &value);
        break;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        buf_append_byte(out, object ? '{' : '[');
        for (uint32_t i = 0; i < node->count; i++) {
            buf_append_text(out, i > 0 ? "," : "");
            if (object) {
                text_append_json(out, child->key);
                buf_append_byte(out, ':');
            }
            child = format_case_write(child, out);
        }
        buf_append_byte(out, object ? '}' : ']');
        CHECK(child == node + node->span);
        return child;
    default:
        value_append_json(out, &value);
        break;
    }
    CHECK_INT_EQ(node->span, 1);
    CHECK_INT_EQ(node->count, 0);
    return child;
}

/* The bytes of hexadecimal digits with white space between, in an exact malloc. */
static inline struct slice format_case_bytes(struct slice hex)
{
    char *bytes = malloc(hex.length / 2 + 1);
    char *exact;
    size_t length = 0;
    for (size_t i = 0; i + 1 < hex.length; i++) {
        unsigned byte;
        if (hex.data[i] != ' ' && sscanf(hex.data + i, "%2x", &byte) == 1) {
            bytes[length++] = (char) byte;
            i++;
        }
    }
    exact = malloc(length > 0 ? length : 1);
    memcpy(exact, bytes, length);
    free(bytes);
    return slice_make(exact, length);
}

/* Decodes and compares with `expected`: the document, or "error: REASON". */
static inline void format_case_check(const char *format, const struct decode_input *input,
                                     struct slice expected)
{
    struct arena *arena = arena_new(1000);
    struct buf seen = {0};
    struct error error;
    const struct node *root = NULL;
    if (decoder_find(slice_of(format))->decode(input, arena, &root, &error) != OUTCOME_OK) {
        CHECK_INT_EQ(error.outcome, OUTCOME_REJECT);
        buf_printf(&seen, "error: %s", error.text);
    } else {
        format_case_write(root, &seen);
    }
    unit_check_slice(buf_slice(&seen), expected, __FILE__, __LINE__, format);
    buf_fini(&seen);
    arena_free(arena);
}

#endif
