/*
 * compare: a value beside a constant. Pure.
 *
 * Numbers compare by value, exactly (12 = 12.0, 2^53 < 2^53+1), and where the constant is a number
 * a text is read as a column would read it ("+5.44", " 06.3"). Texts compare by bytes, times with
 * times or with a text that names one, false < true. Values of different kinds are unequal, and
 * neither is less; so is null, whatever stands beside it. Bytes compare with a text by bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_COMPARE_H
#define MQTT2PG_MAP_COMPARE_H

#include "core/number.h"
#include "core/value.h"

/* The relation of a value to a constant. Bits, so that "<=" is LESS | EQUAL, and "!=" is all except
 * EQUAL. */
enum relation {
    RELATION_LESS = 1,
    RELATION_EQUAL = 2,
    RELATION_GREATER = 4,
    RELATION_UNEQUAL = 8, /* and neither is less */
};

/* A constant, taken apart once. Borrows the value's bytes. */
struct constant {
    struct value value;
    struct number number; /* of a NUMBER */
    bool is_time;         /* a TEXT that is a date or a date and time */
    int64_t time_us;      /* of such a text: microseconds since 1970, UTC */
};

/* Takes the constant apart, once when the rule is compiled. Not for arrays and objects. */
struct constant constant_make(struct value value);

/* Compares as described above. A null or missing value is UNEQUAL to each constant. */
enum relation compare_value(const struct value *value, const struct constant *constant);

/* A text as a column of numbers would read it: white space around it is ignored. */
bool compare_reads_number(struct slice text, struct number *number);

/* A text as a time, microseconds since 1970. False also for infinity. */
bool compare_reads_time(struct slice text, int64_t *time_us);

#endif
