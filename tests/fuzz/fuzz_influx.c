/*
 * The first byte is the precision.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        struct format_options options = {
            .influx = {.precision = (enum time_precision)(data[0] % 4)}};
        fuzz_format("influx", &(struct decode_input){.payload = {(const char *) data + 1, size - 1},
                                                     .options = &options});
    }
    return 0;
}
