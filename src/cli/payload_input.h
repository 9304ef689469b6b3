/*
 * payload_input: the payload that a person gives to a command: on the command line, in a file or on
 * standard input, as it is or in hexadecimal or base64.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_PAYLOAD_INPUT_H
#define MQTT2PG_CLI_PAYLOAD_INPUT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/outcome.h"

/* Where the payload is and in which form. `text` and `file` are never both given; neither are
 * `hex` and `base64`. Borrowed from the command line. */
struct payload_input {
    const char *text; /* NULL = empty, "-" = standard input */
    const char *file; /* NULL = none; instead of `text` */
    bool hex;
    bool base64;
};

/* Appends the bytes to `payload`. Fails when the file or standard input cannot be read, holds
 * more than 256 MB, or is not in the given form; `error` says which. */
enum outcome payload_input_read(const struct payload_input *input, struct buf *payload,
                                struct error *error) MUST_CHECK;

#endif
