/*
 * The first byte says whether the rest is a descriptor set, or which message of
 * tests/data/protobuf/all.desc it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_protobuf.h"
#include "decode/protobuf_schema.h"
#include "fuzz_format.h"

static void fuzz_message(uint8_t which, struct slice payload)
{
    static const char *const names[] = {"test.Scalars", "test.Point", "test.Nested", "test.Known",
                                        "test.Old"};
    static void *states[5];
    struct place place = {0};
    struct error error;
    size_t index = which % 5;
    if (states[index] == NULL) {
        const struct format_options options = {
            .protobuf = {.descriptor = "tests/data/protobuf/all.desc",
                         .message.text = names[index]}};
        require(decode_protobuf_prepare(&options, &states[index], &place, &error) == OUTCOME_OK);
    }
    fuzz_format("protobuf", &(struct decode_input){.payload = payload, .state = states[index]});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = {(const char *) data + 1, size - 1};
    if (data[0] >= 128) {
        struct arena *arena = arena_new(4096);
        struct proto_schema schema;
        struct error error;
        if (proto_schema_read(rest, arena, &schema, &error) == OUTCOME_OK) {
            require(schema.message_count > 0);
        }
        arena_free(arena);
    } else {
        fuzz_message(data[0], rest);
    }
    return 0;
}
