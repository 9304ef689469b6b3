/*
 * The first byte says which topic; the payload is learned from, then decoded, then DATA of the same
 * bytes is decoded with what was learned.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const topics[] = {"spBv1.0/G/NBIRTH/E", "spBv1.0/G/DBIRTH/E/D",
                                         "spBv1.0/G/NDEATH/E", "spBv1.0/STATE/H"};
    if (size == 0) {
        return 0;
    }
    struct arena *arena = arena_new(4096);
    struct memory *memory = memory_new(MEMORY_BYTES_MAX);
    struct memory_entry entry;
    const struct decoder *decoder = decoder_find(slice_of("sparkplug_b"));
    struct decode_input input = {.payload = {(const char *) data + 1, size - 1},
                                 .topic = slice_of(topics[data[0] % 4]),
                                 .sequence = 1,
                                 .memory = memory};
    const struct node *root = NULL;
    struct error error = {0};
    if (decoder->learn(&input, arena, &entry)) {
        memory_keep(memory, &entry);
    }
    input.sequence = 2;
    if (decoder->decode(&input, arena, &root, &error) == OUTCOME_OK && root != NULL) {
        struct value value = node_value(root);
        struct buf json = {0};
        const struct node *again = NULL;
        fuzz_format_node(root);
        value_append_json(&json, &value);
        require(json_scan(buf_slice(&json), arena, &again, &error) == OUTCOME_OK);
        buf_fini(&json);
    }
    input.topic = slice_of("spBv1.0/G/NDATA/E");
    if (decoder->decode(&input, arena, &root, &error) == OUTCOME_OK) {
        fuzz_format_node(root);
    }
    memory_free(memory);
    arena_free(arena);
    return 0;
}
