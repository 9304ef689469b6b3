/*
 * Values into boolean, the integers, the floats and numeric.
 *
 *   boolean    true, false, 0, 1, and the words of boolin()
 *   integers   any spelling without a fraction: 12, "12", 12.0, 1.2e1
 *   floats     correctly rounded; beyond the range is rejected, as float8in() does
 *   numeric    every digit, rounded to the column's scale only
 *
 * Nearly every value is digits alone: such a text is converted without number_parse().
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <math.h>
#include <strings.h>

#include "base/ascii.h"
#include "core/number.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"
#include "row/numeric.h"

enum { SHORT_INTEGER_DIGITS = 18 }; /* any of them fits an int64 */

/* As PostgreSQL's parse_bool_with_len(): a word, or a beginning of it that no other word has. */
static bool parse_bool(struct slice text, bool *boolean)
{
    static const struct {
        const char *word;
        size_t least;
        bool boolean;
    } words[] = {
        {"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
        {"on", 2, true},   {"off", 2, false},   {"1", 1, true},   {"0", 1, false},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (text.length >= words[i].least && text.length <= strlen(words[i].word) &&
            strncasecmp(text.data, words[i].word, text.length) == 0) {
            *boolean = words[i].boolean;
            return true;
        }
    }
    return false;
}

enum outcome convert_bool(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    (void) arena;
    struct number number;
    int64_t integer;
    switch (value->kind) {
    case VALUE_BOOLEAN:
        datum->boolean = value->boolean;
        return OUTCOME_OK;
    case VALUE_TEXT:
        if (!parse_bool(ascii_trim(value->text), &datum->boolean)) {
            return reject_value(error, value, "is not a boolean");
        }
        return OUTCOME_OK;
    case VALUE_NUMBER:
        if (!number_parse(value->text, &number) ||
            number_to_int64(&number, &integer) != NUMBER_FITS || (integer != 0 && integer != 1)) {
            return reject_value(error, value, "is not a boolean (only 0 and 1 are)");
        }
        datum->boolean = integer == 1;
        return OUTCOME_OK;
    default:
        return reject_kind(error, value, column);
    }
}

/* Is it a kind of value that may hold a number? */
static bool has_digits(const struct value *value)
{
    return value->kind == VALUE_NUMBER || value->kind == VALUE_TEXT;
}

/* Rejects a number that the column's type can't hold. */
static enum outcome reject_fit(struct error *error, const struct value *value, enum number_fit fit)
{
    assert(fit != NUMBER_FITS);
    return reject_value(error, value,
                        fit == NUMBER_HAS_FRACTION ? "has a fraction" : "is out of range");
}

/* Reads a text of at most 18 digits with an optional "-". False for any other text. */
static bool parse_short_integer(struct slice text, int64_t *integer)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t digits = text.length - negative;
    if (digits == 0 || digits > SHORT_INTEGER_DIGITS) {
        return false;
    }
    int64_t sum = 0;
    for (size_t i = negative; i < text.length; i++) {
        unsigned digit = (unsigned) (unsigned char) text.data[i] - '0';
        if (digit > 9) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *integer = negative ? -sum : sum;
    return true;
}

struct integer_range {
    int64_t low;
    int64_t high;
};

static const struct integer_range integer_ranges[] = {
    [TYPE_INT2] = {INT16_MIN, INT16_MAX},
    [TYPE_INT4] = {INT32_MIN, INT32_MAX},
    [TYPE_INT8] = {INT64_MIN, INT64_MAX},
};

enum outcome convert_integer(const struct value *value, const struct column_shape *column,
                             struct arena *arena, struct datum *datum, struct error *error)
{
    assert(column->family == TYPE_INT2 || column->family == TYPE_INT4 ||
           column->family == TYPE_INT8);
    (void) arena;
    if (!has_digits(value)) {
        return reject_kind(error, value, column);
    }
    struct slice text = value->kind == VALUE_TEXT ? ascii_trim(value->text) : value->text;
    int64_t integer;
    if (!parse_short_integer(text, &integer)) {
        struct number number;
        if (!number_parse(text, &number)) {
            return reject_value(error, value, "is not a number");
        }
        enum number_fit fit = number_to_int64(&number, &integer);
        if (fit != NUMBER_FITS) {
            return reject_fit(error, value, fit);
        }
    }
    struct integer_range range = integer_ranges[column->family];
    if (integer < range.low || integer > range.high) {
        return reject_fit(error, value, NUMBER_OUT_OF_RANGE);
    }
    datum->integer = integer;
    return OUTCOME_OK;
}

/* The name of a NaN or an infinity in any spelling of numeric_in() and float8in(); else NULL. */
static const char *special_number(struct slice text)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    bool sign = negative || (text.length > 0 && text.data[0] == '+');
    struct slice word = slice_make(text.data + sign, text.length - sign);
    if (is_word(word, "infinity") || is_word(word, "inf")) {
        return negative ? "-Infinity" : "Infinity";
    }
    return is_word(text, "nan") ? "NaN" : NULL;
}

/* The float for a name that special_number() returned. */
static double special_real(const char *special)
{
    assert(special[0] == 'N' || special[0] == 'I' || special[0] == '-');
    if (special[0] == 'N') {
        return (double) NAN;
    }
    return special[0] == '-' ? -(double) INFINITY : (double) INFINITY;
}

enum outcome convert_real(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    assert(column->family == TYPE_FLOAT4 || column->family == TYPE_FLOAT8);
    if (!has_digits(value)) {
        return reject_kind(error, value, column);
    }
    struct slice text = value->text;
    if (value->kind == VALUE_TEXT) {
        text = ascii_trim(text);
        const char *special = special_number(text);
        if (special != NULL) {
            datum->real = special_real(special);
            return OUTCOME_OK;
        }
        struct number number;
        if (!number_parse(text, &number)) {
            return reject_value(error, value, "is not a number");
        }
    }
    enum number_fit fit = column->family == TYPE_FLOAT4
                              ? number_to_float4(text, arena, &datum->real)
                              : number_to_float8(text, arena, &datum->real);
    return fit == NUMBER_FITS ? OUTCOME_OK : reject_fit(error, value, fit);
}

/* Is the text already as numeric_out() would print it? */
static bool is_canonical(struct slice text, const struct number *number)
{
    assert(number->integer.length + number->fraction.length > 0);
    size_t plain = number->integer.length + number->negative;
    if (number->fraction.length > 0) {
        plain += number->fraction.length + 1;
    }
    bool needless_zero = number->integer.length > 1 && number->integer.data[0] == '0';
    return text.length == plain && number->integer.length > 0 && !needless_zero &&
           !(number->negative && number_is_zero(number));
}

/* NaN and the infinities, by the name that numeric_out() prints. */
static enum outcome convert_special_numeric(const struct value *value,
                                            const struct column_shape *column, const char *special,
                                            struct datum *datum, struct error *error)
{
    /* numeric(p,s) takes NaN, but no infinity. */
    if (column->typmod >= 0 && special[0] != 'N') {
        return reject_fit(error, value, NUMBER_OUT_OF_RANGE);
    }
    datum->text = slice_of(special);
    return OUTCOME_OK;
}

enum outcome convert_numeric(const struct value *value, const struct column_shape *column,
                             struct arena *arena, struct datum *datum, struct error *error)
{
    if (!has_digits(value)) {
        return reject_kind(error, value, column);
    }
    struct slice text = value->kind == VALUE_TEXT ? ascii_trim(value->text) : value->text;
    struct number number;
    if (!number_parse(text, &number)) {
        const char *special = special_number(text);
        if (special == NULL) {
            return reject_value(error, value, "is not a number");
        }
        return convert_special_numeric(value, column, special, datum, error);
    }
    if (column->typmod < 0 && is_canonical(text, &number) && numeric_fits(&number)) {
        datum->text = text;
        return OUTCOME_OK;
    }
    enum number_fit fit = numeric_format(&number, column->typmod, arena, &datum->text);
    return fit == NUMBER_FITS ? OUTCOME_OK : reject_fit(error, value, fit);
}
