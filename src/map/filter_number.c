/*
 * filter_number: the filters of numbers: number, scale, offset, round.
 *
 * A text is read as PostgreSQL's columns read it. `number` is for what they do not read: a
 * decimal comma, a unit. The result is JSON's spelling of the number, digit by digit the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "map/compare.h"
#include "map/filter_family.h"

/* The arguments of `number`. */
struct number_reader {
    char point;
    bool unit; /* a unit behind the number is dropped */
};

enum outcome filter_parse_number_reader(struct parser *parser, const struct filter *filter,
                                        struct filter_arguments *arguments)
{
    struct number_reader *reader = arena_alloc(parser->arena, sizeof(*reader));
    *reader = (struct number_reader){.point = '.'};
    arguments->compiled = reader;
    reader->unit = parser_take_word(parser, "unit");
    parser_skip_space(parser);
    size_t start = parser->at;
    if (parser_peek(parser) == '\'') {
        struct slice point;
        if (parser_quoted(parser, &point) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        if (!slice_is(point, ",") && !slice_is(point, ".")) {
            return parser_fail(parser, start, NULL, "filter \"%s\" takes ',' or '.'", filter->name);
        }
        reader->point = point.data[0];
    }
    reader->unit = parser_take_word(parser, "unit") || reader->unit;
    return OUTCOME_OK;
}

/* How much of the text from `at` on is digits. */
static size_t digits_from(struct slice text, size_t at)
{
    size_t end = at;
    while (end < text.length && ascii_is_digit(text.data[end])) {
        end++;
    }
    return end - at;
}

/* The bytes that a number takes from the beginning of the text; 0: there is none. */
static size_t number_length(struct slice text, char point)
{
    size_t at = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    size_t digits = digits_from(text, at);
    at += digits;
    if (at < text.length && text.data[at] == point) {
        size_t fraction = digits_from(text, at + 1);
        at += digits + fraction > 0 ? fraction + 1 : 0;
        digits += fraction;
    }
    if (digits > 0 && at < text.length && (text.data[at] == 'e' || text.data[at] == 'E')) {
        size_t sign =
            at + 1 < text.length && (text.data[at + 1] == '-' || text.data[at + 1] == '+');
        size_t exponent = digits_from(text, at + 1 + sign);
        at += exponent > 0 ? 1 + sign + exponent : 0;
    }
    return digits > 0 ? at : 0;
}

/*
 * Can `rest` be the unit behind a number? A text that begins with a digit, a sign or a point is no
 * unit: "1 000 W", "12:30", "12/13", "1.2.3". Neither is a letter that makes a number of another
 * base: "0x1F". A unit begins with any other letter, "%", a character beyond ASCII such as "°", "/"
 * before a letter ("5/min"), or a bracket ("5 [V]").
 */
static bool is_unit(struct slice rest, bool number_is_zero)
{
    struct slice unit = filter_trimmed(rest);
    bool spaced = unit.data != rest.data;
    char first = unit.length > 0 ? unit.data[0] : '\0';
    char second = unit.length > 1 ? unit.data[1] : '\0';
    if (!spaced && number_is_zero && strchr("xXbBoO", first) != NULL &&
        ascii_hex_digit(second) >= 0) {
        return false;
    }
    if (first == '\0') {
        return false;
    }
    return ascii_is_letter(first) || (first & 0x80) != 0 || strchr("%[(\"'$", first) != NULL ||
           (first == '/' && ascii_is_letter(second));
}

/* "NaN" and the like, which columns of floats and numeric read. */
static bool is_special(struct slice text)
{
    size_t sign = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    const char *word = text.data + sign;
    size_t length = text.length - sign;
    return (length == 3 &&
            (strncasecmp(word, "nan", 3) == 0 || strncasecmp(word, "inf", 3) == 0)) ||
           (length == 8 && strncasecmp(word, "infinity", 8) == 0);
}

/* As JSON writes it: no "+", no zeros in front, digits on both sides of the point. */
static struct slice canonical(const struct number *number, struct arena *arena)
{
    assert(number->integer.length + number->fraction.length > 0);
    struct slice integer = number->integer;
    while (integer.length > 1 && integer.data[0] == '0') {
        integer = slice_make(integer.data + 1, integer.length - 1);
    }
    integer = integer.length > 0 ? integer : slice_of("0");
    struct slice exponent = {0};
    if (number->exponent != 0) {
        exponent = arena_printf(arena, "e%d", (int) number->exponent);
    }
    const char *sign = number->negative ? "-" : "";
    return arena_printf(arena, "%s%.*s%s%.*s%.*s", sign, SLICE_ARGS(integer),
                        number->fraction.length > 0 ? "." : "", SLICE_ARGS(number->fraction),
                        SLICE_ARGS(exponent));
}

enum outcome filter_number(struct value *value, const struct filter_call *call)
{
    const struct number_reader *reader = call->arguments->compiled;
    if (value->kind == VALUE_NUMBER) {
        return OUTCOME_OK;
    }
    if (value->kind != VALUE_TEXT) {
        return filter_refuse(value, "is not text", call->error);
    }
    struct slice text = filter_trimmed(value->text);
    size_t length = number_length(text, reader->point);
    assert(length <= text.length);
    if (is_special(text)) {
        return OUTCOME_OK;
    }
    bool rest = length < text.length;
    bool zero = length == 1 && text.data[0] == '0';
    bool unit =
        rest && reader->unit && is_unit(slice_make(text.data + length, text.length - length), zero);
    if (length == 0 || (rest && !unit)) {
        return filter_refuse(value, "is not a number", call->error);
    }
    struct slice own = arena_copy(call->arena, slice_make(text.data, length));
    char *point = memchr(own.data, reader->point, length);
    if (point != NULL) {
        *point = '.';
    }
    struct number number;
    if (!number_parse(own, &number)) {
        return filter_refuse(value, "is not a number", call->error);
    }
    *value = value_number(canonical(&number, call->arena));
    return OUTCOME_OK;
}

/* --- arithmetic ------------------------------------------------------------------------------- */

/* A number and the filter's own, exactly, or rejected. */
static enum outcome apply_arithmetic(struct value *value, const struct filter_call *call,
                                     bool (*operation)(struct decimal, struct decimal,
                                                       struct decimal *))
{
    assert(call->arguments->count == 1);
    struct decimal left = {0};
    struct decimal right = {0};
    struct decimal result = {0};
    if (filter_read_number(value, &left, call->error) != OUTCOME_OK ||
        filter_read_number(&call->arguments->sources[0].constant, &right, call->error) !=
            OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (!operation(left, right, &result)) {
        return filter_refuse(value, "gives more digits than this can keep", call->error);
    }
    *value = value_number(decimal_format(result, call->arena));
    return OUTCOME_OK;
}

enum outcome filter_scale(struct value *value, const struct filter_call *call)
{
    return apply_arithmetic(value, call, decimal_multiply);
}

enum outcome filter_offset(struct value *value, const struct filter_call *call)
{
    return apply_arithmetic(value, call, decimal_add);
}

enum outcome filter_parse_places(struct parser *parser, const struct filter *filter,
                                 struct filter_arguments *arguments)
{
    enum { PLACES_DIGITS_MAX = 3 };
    return filter_parse_short_integers(parser, filter, arguments, PLACES_DIGITS_MAX);
}

enum outcome filter_round(struct value *value, const struct filter_call *call)
{
    struct decimal number = {0};
    if (filter_read_number(value, &number, call->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    int places = filter_integer_argument(call->arguments, 0);
    *value = value_number(decimal_format(decimal_round(number, places), call->arena));
    return OUTCOME_OK;
}
