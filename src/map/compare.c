/*
 * How a value (row) compares with a constant (column):
 *
 *   constant     number                text, boolean            text that names a time
 *   number       by value              unequal                  unequal
 *   text         by value, if it       by bytes, or unequal     by bytes
 *                reads as a number
 *   boolean      unequal               false < true             unequal
 *   time         unequal               unequal                  by time
 *   bytes        unequal               by bytes                 by bytes
 *   null, array, object                unequal to everything
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/compare.h"

#include <assert.h>

#include "base/ascii.h"
#include "core/moment.h"
#include "map/decimal.h"

bool compare_reads_number(struct slice text, struct number *number)
{
    return number_parse(ascii_trim(text), number);
}

bool compare_reads_time(struct slice text, int64_t *time_us)
{
    struct moment moment;
    int64_t since_2000;
    return moment_parse(text, &moment) && moment.infinite == 0 &&
           moment_timestamp(&moment, &since_2000) &&
           !__builtin_add_overflow(since_2000, EPOCH_2000_US, time_us);
}

struct constant constant_make(struct value value)
{
    struct constant constant = {.value = value};
    if (value.kind == VALUE_NUMBER) {
        bool number = number_parse(value.text, &constant.number);
        assert(number);
        (void) number;
    }
    constant.is_time =
        value.kind == VALUE_TEXT && compare_reads_time(value.text, &constant.time_us);
    return constant;
}

/* The relation for a result like that of strcmp(): negative, 0 or positive. */
static enum relation relation_of(int comparison)
{
    return comparison < 0 ? RELATION_LESS : comparison > 0 ? RELATION_GREATER : RELATION_EQUAL;
}

/* By bytes, as the collation "C" orders texts; a text that begins another one is less. */
static int compare_bytes(struct slice left, struct slice right)
{
    size_t shorter = left.length < right.length ? left.length : right.length;
    int comparison = shorter > 0 ? memcmp(left.data, right.data, shorter) : 0;
    return comparison != 0 ? comparison
                           : (left.length > right.length) - (left.length < right.length);
}

/* A text that is no number is unequal to each number, and neither is less. */
static enum relation compare_with_number(const struct value *value, const struct constant *constant)
{
    assert(constant->value.kind == VALUE_NUMBER);
    struct number number;
    bool read = (value->kind == VALUE_NUMBER && number_parse(value->text, &number)) ||
                (value->kind == VALUE_TEXT && compare_reads_number(value->text, &number));
    return read ? relation_of(decimal_compare(&number, &constant->number)) : RELATION_UNEQUAL;
}

enum relation compare_value(const struct value *value, const struct constant *constant)
{
    assert(constant->value.kind != VALUE_ARRAY && constant->value.kind != VALUE_OBJECT);
    enum value_kind kind = constant->value.kind;
    if (kind == VALUE_NUMBER) {
        return compare_with_number(value, constant);
    }
    if (value->kind == VALUE_TIME && constant->is_time) {
        return relation_of((value->time_us > constant->time_us) -
                           (value->time_us < constant->time_us));
    }
    if (value->kind == VALUE_BOOLEAN && kind == VALUE_BOOLEAN) {
        return relation_of(value->boolean - constant->value.boolean);
    }
    if ((value->kind == VALUE_TEXT || value->kind == VALUE_BYTES) && kind == VALUE_TEXT) {
        return relation_of(compare_bytes(value->text, constant->value.text));
    }
    return RELATION_UNEQUAL;
}
