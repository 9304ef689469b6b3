/*
 * The first two bytes are the settings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const delimiters[] = {",", ";", "\t", "|"};
    static const char *const quotes[] = {"\"", "'", "", "\""};
    if (size > 1) {
        struct option_text names[] = {{.text = "a"}, {.text = "b"}};
        struct format_options options = {.csv = {
                                             .delimiter.text = delimiters[data[0] & 3],
                                             .quote.text = quotes[data[0] >> 2 & 3],
                                             .comment.text = (data[0] & 16) != 0 ? "#" : "",
                                             .header = (data[0] & 32) != 0,
                                             .names = names,
                                             .name_count = (data[0] & 64) != 0 ? 2 : 0,
                                         }};
        fuzz_format("csv", &(struct decode_input){.payload = {(const char *) data + 2, size - 2},
                                                  .options = &options});
    }
    return 0;
}
