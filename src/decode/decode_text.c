/*
 * A payload is a number only where the whole of it is one: "21.5 C" stays a text, and so do "007"
 * and "0x1F", which are names more often than numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_text.h"

#include <assert.h>

#include "base/text.h"
#include "decode/json_scan.h"

static bool is_space(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

static struct slice without_space(struct slice text)
{
    while (text.length > 0 && is_space(text.data[text.length - 1])) {
        text.length--;
    }
    while (text.length > 0 && is_space(text.data[0])) {
        text = slice_make(text.data + 1, text.length - 1);
    }
    return text;
}

/* Without NUL bytes at the end: C programs send a string with its end. */
static struct slice without_end(struct slice text)
{
    while (text.length > 0 && text.data[text.length - 1] == '\0') {
        text.length--;
    }
    return text;
}

/* Bytes that the character at `at` takes by its first byte, as far as there are so many. */
static size_t character_bytes(struct slice text, size_t at)
{
    unsigned char first = (unsigned char) text.data[at];
    size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return bytes < text.length - at ? bytes : text.length - at;
}

static size_t first_malformed(struct slice text)
{
    size_t at = 0;
    assert(!text_is_utf8(text));
    while (at < text.length) {
        size_t bytes = character_bytes(text, at);
        if (!text_is_utf8(slice_make(text.data + at, bytes))) {
            break;
        }
        at += bytes;
    }
    assert(at < text.length);
    return at;
}

enum outcome decode_text(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error)
{
    struct slice payload = without_end(input->payload);
    if (!text_is_utf8(payload)) {
        return error_set(error, OUTCOME_REJECT, "byte %zu: not UTF-8",
                         first_malformed(payload) + 1);
    }
    struct slice trimmed = without_space(payload);
    struct node *node = arena_alloc(arena, sizeof(*node));
    *node = (struct node){.kind = VALUE_TEXT, .span = 1, .text = payload};
    if (json_is_number(trimmed)) {
        node->kind = VALUE_NUMBER;
        node->text = trimmed;
    }
    *root = node;
    return OUTCOME_OK;
}
