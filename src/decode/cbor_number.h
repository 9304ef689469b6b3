/*
 * cbor_number: the first bytes of a CBOR item, and the numbers of CBOR that need arithmetic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_CBOR_NUMBER_H
#define MQTT2PG_DECODE_CBOR_NUMBER_H

#include "decode/binary.h"

enum cbor_major {
    CBOR_UNSIGNED,
    CBOR_NEGATIVE, /* -1 - argument */
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE,
};

/* Information of major type 7. */
enum {
    CBOR_FALSE = 20,
    CBOR_TRUE = 21,
    CBOR_NULL = 22,
    CBOR_UNDEFINED = 23,
    CBOR_HALF = 25,
    CBOR_SINGLE = 26,
    CBOR_DOUBLE = 27,
    CBOR_INDEFINITE = 31,
    CBOR_BREAK = 0xff, /* the whole byte */
};

/* What the first bytes of an item say; its content stands behind them. */
struct cbor_head {
    const char *start; /* its first byte */
    enum cbor_major major;
    unsigned information;
    uint64_t argument;
    bool indefinite; /* of BYTES, TEXT, ARRAY, MAP */
    bool is_break;
};

/* A range of -2^128 to 2^128 - 1 does not fit into a signed type, hence the form of CBOR itself. */
struct cbor_integer {
    unsigned __int128 magnitude; /* the number, or -1 - it */
    bool negative;
};

/* Reads the first byte and the argument behind it (RFC 8949, section 3). Inline: each value and
 * each name of a map begins with one. */
static inline bool cbor_head_read(struct binary *binary, struct cbor_head *head)
{
    const char *start = binary->at;
    if (start == binary->end) {
        return binary_fail(binary, start, "the payload ends within a value");
    }
    unsigned first = (unsigned char) *binary->at++;
    unsigned information = first & 31;
    *head = (struct cbor_head){.start = start,
                               .major = (enum cbor_major)(first >> 5),
                               .information = information,
                               .argument = information,
                               .is_break = first == CBOR_BREAK};
    if (information < 24 || head->is_break) {
        return true;
    }
    if (information <= 27) {
        return binary_take_unsigned(binary, 1U << (information - 24), &head->argument);
    }
    head->indefinite =
        information == CBOR_INDEFINITE && head->major >= CBOR_BYTES && head->major <= CBOR_MAP;
    return head->indefinite || binary_fail(binary, start, "a reserved initial byte");
}

/* Of SINGLE and DOUBLE. */
double cbor_real(const struct cbor_head *head);

/* The decimal number with the fewest digits that reads back as the same half float. */
double cbor_half_shortest(uint16_t bits);

/* Seconds since 1970 to microseconds; false when the item is neither an integer nor a float, or
 * does not fit. */
bool cbor_epoch(const struct cbor_head *head, int64_t *time_us);

/* False beyond 128 bits. */
bool cbor_bignum(struct slice bytes, unsigned __int128 *magnitude);

/* mantissa × 10^exponent and mantissa × 2^exponent as text; false when it is too long. */
bool cbor_decimal(struct arena *arena, struct cbor_integer exponent, struct cbor_integer mantissa,
                  struct slice *text);
bool cbor_bigfloat(struct arena *arena, struct cbor_integer exponent, struct cbor_integer mantissa,
                   struct slice *text);

#endif
