/*
 * format: a rule's payload format, compiled: the decoder, its options and what it made of them, and
 * the compression around it.
 *
 *   payload ──format_open──▶ payload as it was before compression ──decoder──▶ document or reason
 *
 * Rules with the same format and options share one document of a message: see format_same().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_FORMAT_H
#define MQTT2PG_DECODE_FORMAT_H

#include "base/problems.h"
#include "decode/decoder.h"

struct format {
    const struct decoder *decoder;
    const struct format_options *options; /* borrowed */
    void *state;                          /* owned; the decoder's */
};

/* NULL with the reason in `problems` when there is no such format or its options are wrong. `name`
 * without a text is "json". Borrows `options`. */
struct format *format_new(const struct option_text *name, const struct format_options *options,
                          struct problems *problems);
void format_free(struct format *format);

/* Do both make the same document of the same message? May say no where they do. */
bool format_same(const struct format *left, const struct format *right);

/* `inner` is the input with what the format itself knows, and the payload as it was before it was
 * compressed. */
enum outcome format_open(const struct format *format, const struct decode_input *input,
                         struct arena *arena, struct decode_input *inner,
                         struct error *error) MUST_CHECK;

/* As decoder->decode(); `input` needs no options and no state, and its payload may be
 * compressed. */
enum outcome format_decode(const struct format *format, const struct decode_input *input,
                           struct arena *arena, const struct node **root,
                           struct error *error) MUST_CHECK;

/* As decoder->learn(), for a format that has it; the payload may be compressed. */
bool format_learn(const struct format *format, const struct decode_input *input,
                  struct arena *arena, struct memory_entry *entry);

#endif
