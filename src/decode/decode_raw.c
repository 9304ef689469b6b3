/* SPDX-License-Identifier: MIT */
#include "decode/decode_raw.h"

enum outcome decode_raw(const struct decode_input *input, struct arena *arena,
                        const struct node **root, struct error *error)
{
    (void) error;
    struct node *node = arena_alloc(arena, sizeof(*node));
    *node = (struct node){.kind = VALUE_BYTES, .span = 1, .text = input->payload};
    *root = node;
    return OUTCOME_OK;
}
