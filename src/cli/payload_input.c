/*
 * Both forms are lenient where people paste: white space and line breaks are passed over,
 * hexadecimal may be of either case, base64 may be that of RFC 4648, section 4 or 5 (for URLs),
 * with or without "=". They are strict where a mistake would change the bytes: another character,
 * or an end within a byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/payload_input.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* The largest payload of MQTT, rounded up: a packet has at most 268,435,455 bytes behind its
 * fixed header (MQTT 5, section 1.5.5). */
#define PAYLOAD_BYTES_MAX ((size_t) 256 * 1024 * 1024)

/* Appends standard input up to its end. An error, and more than a payload can have, fail alike. */
static enum outcome read_standard_input(struct buf *payload, struct error *error)
{
    ssize_t got;

    do {
        got = read(STDIN_FILENO, buf_reserve(payload, 65536), 65536);
        if (got > 0) {
            payload->length += (size_t) got;
        }
    } while (got > 0 && payload->length <= PAYLOAD_BYTES_MAX);
    return got == 0
               ? OUTCOME_OK
               : error_set(error, OUTCOME_FATAL, "standard input could not be read to its end");
}

/* The value of a digit of `alphabet`, or -1. */
static int digit_of(const char *alphabet, char digit)
{
    const char *found = digit == '\0' ? NULL : strchr(alphabet, digit);

    return found == NULL ? -1 : (int) (found - alphabet);
}

/* Replaces the text by the bytes that it stands for. A digit carries `bits` bits, the first
 * digit the highest; `also` has the same digits in another form. Works in place: the bytes never
 * overtake the digits that they come from. */
static enum outcome decode(struct buf *text, const char *alphabet, const char *also, unsigned bits,
                           struct error *error)
{
    unsigned kept = 0; /* bits of `rest` that are no byte yet; less than 8 between two digits */
    unsigned rest = 0; /* the digits so far; what is above the kept bits does not count */
    size_t length = 0; /* bytes so far */

    assert(bits == 4 || bits == 6);
    for (size_t i = 0; i < text->length; i++) {
        char character = text->data[i];
        int digit = digit_of(alphabet, character);

        if (strchr(" \t\r\n=", character) != NULL && character != '\0') {
            continue;
        }
        digit = digit < 0 ? digit_of(also, character) : digit;
        if (digit < 0) {
            return error_set(error, OUTCOME_REJECT, "byte %zu of the payload is not a digit of %s",
                             i + 1, bits == 4 ? "hexadecimal" : "base64");
        }
        rest = rest << bits | (unsigned) digit;
        kept += bits;
        if (kept >= 8) {
            kept -= 8;
            assert(length <= i && kept < 8);
            text->data[length++] = (char) (rest >> kept & 0xff);
        }
    }
    /* Fewer bits than a digit has are padding: base64 leaves 2 or 4 of them at its end. */
    if (kept >= bits) {
        return error_set(error, OUTCOME_REJECT, "the payload ends within a byte");
    }
    text->length = length;
    return OUTCOME_OK;
}

enum outcome payload_input_read(const struct payload_input *input, struct buf *payload,
                                struct error *error)
{
    static const char hex[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    enum outcome outcome = OUTCOME_OK;

    if (input->file != NULL) {
        outcome = file_load(input->file, PAYLOAD_BYTES_MAX, payload, error);
    } else if (input->text != NULL && strcmp(input->text, "-") == 0) {
        outcome = read_standard_input(payload, error);
    } else if (input->text != NULL) {
        buf_append_text(payload, input->text);
    }
    if (outcome == OUTCOME_OK && input->hex) {
        outcome = decode(payload, hex, upper, 4, error);
    } else if (outcome == OUTCOME_OK && input->base64) {
        outcome = decode(payload, base64, url, 6, error);
    }
    return outcome;
}
