/* SPDX-License-Identifier: MIT */
#include "fuzz_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_format("cbor", &(struct decode_input){.payload = {(const char *) data, size}});
    return 0;
}
