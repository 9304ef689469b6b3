/*
 * Any bytes as a compressed payload; the first one says which compression, and how much may come
 * out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decompress.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096);
    struct error error = {0};
    struct slice plain;
    if (size > 0) {
        struct slice payload = {(const char *) data + 1, size - 1};
        enum compression compression = (enum compression)(data[0] % 5);
        size_t bytes_max = (size_t) 16 << (data[0] / 5 % 16);
        const struct decompression how = {compression, bytes_max};
        if (decompress(how, payload, arena, &plain, &error) != OUTCOME_OK) {
            require(error.outcome == OUTCOME_REJECT && error.text[0] != '\0');
        } else if (plain.data != payload.data) {
            require(plain.length <= bytes_max);
        }
        require(arena_used(arena) <= 4 * bytes_max + 4096);
    }
    arena_free(arena);
    return 0;
}
