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

struct cbor_head {
    const char *start; /* its first byte */
    enum cbor_major major;
    unsigned information;
    uint64_t argument;
    bool indefinite; /* of BYTES, TEXT, ARRAY, MAP */
    bool is_break;
};

struct cbor_integer {
    unsigned __int128 magnitude; /* the number, or -1 - it */
    bool negative;
};

bool cbor_head_read(struct binary *binary, struct cbor_head *head);

/* Of SINGLE and DOUBLE. */
double cbor_real(const struct cbor_head *head);

/* Of the decimal numbers that read back as the same half float the one with the fewest digits. */
double cbor_half_shortest(uint16_t bits);

/* Seconds since 1970, an integer or a float, to microseconds; false when it is no such number. */
bool cbor_epoch(const struct cbor_head *head, int64_t *time_us);

/* False beyond 128 bits. */
bool cbor_bignum(struct slice bytes, unsigned __int128 *magnitude);

/* mantissa × 10^exponent and mantissa × 2^exponent as text; false when it is too long. */
bool cbor_decimal(struct arena *arena, struct cbor_integer exponent, struct cbor_integer mantissa,
                  struct slice *text);
bool cbor_bigfloat(struct arena *arena, struct cbor_integer exponent, struct cbor_integer mantissa,
                   struct slice *text);

#endif
