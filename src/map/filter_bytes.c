/*
 * filter_bytes: texts to bytes (hex, base64), and numbers, texts and parts out of bytes.
 *
 * How registers of a Modbus gateway lie in memory, for the value 0x0A0B0C0D:
 *
 *   u32be        0A 0B 0C 0D     the byte of most weight first (ABCD)
 *   u32le        0D 0C 0B 0A     the byte of least weight first (DCBA)
 *   u32be_swap   0C 0D 0A 0B     words of 16 bits in the other order (CDAB)
 *   u32le_swap   0B 0A 0D 0C     the same of the little-endian form (BADC)
 *
 * A place counts from 0, a negative one from the end. Bytes that are not there reject the
 * message: a short payload is another message or a damaged one, and half a number is no number.
 * Places that no payload can have are mistakes of the configuration.
 *
 * Floats become the shortest decimal number that reads back as the same float, so 0.1 of 32 bits
 * is 0.1 and not 0.100000001490116. NaN and the infinities become texts: JSON's numbers have no
 * such.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/text.h"
#include "map/filter_family.h"

enum outcome filter_hex(struct value *value, const struct filter_call *call)
{
    if (!filter_holds_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    struct slice text = value->text;
    char *out = arena_alloc(call->arena, text.length / 2);
    bool good = text.length % 2 == 0;
    for (size_t i = 0; good && i < text.length; i += 2) {
        int high = ascii_hex_digit(text.data[i]);
        int low = ascii_hex_digit(text.data[i + 1]);
        good = high >= 0 && low >= 0;
        out[i / 2] = (char) (good ? high * 16 + low : 0);
    }
    if (!good) {
        return filter_refuse(value, "is not pairs of hexadecimal digits", call->error);
    }
    *value = value_bytes(slice_make(out, text.length / 2));
    return OUTCOME_OK;
}

/* The six bits of a digit of either alphabet, RFC 4648, sections 4 and 5; -1 for anything else. */
static int base64_digit(char c)
{
    if (ascii_is_upper(c)) {
        return c - 'A';
    }
    if (ascii_is_lower(c)) {
        return c - 'a' + 26;
    }
    if (ascii_is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Bytes decoded into `out`, or -1. Padding is optional, but complete where it stands; bits that
 * make no byte are zero. */
static ptrdiff_t base64_decode(struct slice text, char *out)
{
    size_t padding = 0;
    while (padding < 2 && text.length > 0 && text.data[text.length - 1] == '=') {
        padding++;
        text.length--;
    }
    if (text.length % 4 == 1 || (padding > 0 && (text.length + padding) % 4 != 0)) {
        return -1;
    }
    ptrdiff_t length = 0;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < text.length; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0) {
            return -1;
        }
        bits = bits << 6 | (uint32_t) digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[length++] = (char) (bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    assert((size_t) length <= text.length);
    return bits == 0 ? length : -1;
}

enum outcome filter_base64(struct value *value, const struct filter_call *call)
{
    if (!filter_holds_text(value)) {
        return filter_refuse(value, "is not text", call->error);
    }
    char *out = arena_alloc(call->arena, value->text.length);
    ptrdiff_t length = base64_decode(value->text, out);
    if (length < 0) {
        return filter_refuse(value, "is not base64", call->error);
    }
    *value = value_bytes(slice_make(out, (size_t) length));
    return OUTCOME_OK;
}

/* --- arguments -------------------------------------------------------------------------------- */

enum { BYTE_BITS = 8 };

/* Parses the place of a number in bytes. Counted from the end, a number must not begin so near the
 * end that it would need bytes behind it. */
enum outcome filter_parse_place(struct parser *parser, const struct filter *filter,
                                struct filter_arguments *arguments)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    int size = filter->layout & LAYOUT_BYTES;
    if (filter_parse_integers(parser, filter, arguments) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    int place = filter_integer_argument(arguments, 0);
    if (place < 0 && -place < size) {
        return parser_fail(parser, start, "a negative place counts from the end",
                           "filter \"%s\" takes %d bytes, so -%d is its last place", filter->name,
                           size, size);
    }
    return OUTCOME_OK;
}

enum outcome filter_parse_bits(struct parser *parser, const struct filter *filter,
                               struct filter_arguments *arguments)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    if (filter_parse_integers(parser, filter, arguments) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    int from = filter_integer_argument(arguments, 1);
    int count = filter_integer_argument(arguments, 2);
    if (from < 0 || count < 1 || from + count > BYTE_BITS) {
        return parser_fail(parser, start, "bits BYTE FROM COUNT",
                           "a byte has no %d bits from bit %d on", count, from);
    }
    return OUTCOME_OK;
}

enum outcome filter_parse_bytes(struct parser *parser, const struct filter *filter,
                                struct filter_arguments *arguments)
{
    parser_skip_space(parser);
    size_t start = parser->at;
    if (filter_parse_integers(parser, filter, arguments) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    int from = filter_integer_argument(arguments, 0);
    int length = filter_integer_argument(arguments, 1);
    if (length < 0 || (from < 0 && -from < length)) {
        return parser_fail(parser, start, "bytes FROM LENGTH",
                           "there are no %d bytes from byte %d on", length, from);
    }
    return OUTCOME_OK;
}

/* --- parts of bytes --------------------------------------------------------------------------- */

/* `length` bytes from `from` on, which counts from the end when it is negative. */
static enum outcome take_part(const struct value *value, int64_t from, int64_t length,
                              struct slice *part, struct error *error)
{
    *part = (struct slice){0};
    if (value->kind != VALUE_BYTES) {
        filter_refuse(value, "is not bytes", error);
        return OUTCOME_REJECT;
    }
    int64_t size = (int64_t) value->text.length;
    int64_t start = from < 0 ? size + from : from;
    if (start < 0 || length < 0 || start + length > size) {
        error_set(error, OUTCOME_REJECT, "bytes %lld to %lld are wanted, there are %lld",
                  (long long) from, (long long) (from + length - 1), (long long) size);
        return OUTCOME_REJECT;
    }
    assert(start >= 0 && start + length <= size);
    *part = slice_make(value->text.data + start, (size_t) length);
    return OUTCOME_OK;
}

/* The bytes of the filter's layout at its offset, as one integer without sign. */
static enum outcome take_word(const struct value *value, const struct filter_call *call,
                              uint64_t *word)
{
    int layout = call->filter->layout;
    int size = layout & LAYOUT_BYTES;
    struct slice part;
    assert(size == 1 || size == 2 || size == 4 || size == 8);
    if (take_part(value, filter_integer_argument(call->arguments, 0), size, &part, call->error) !=
        OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *word = 0;
    for (int i = 0; i < size; i++) {
        int at = (layout & LAYOUT_LITTLE) != 0 ? size - 1 - i : i;
        /* Swapped, the words are counted from the other end; the bytes within a word keep their
         * order. */
        at = (layout & LAYOUT_SWAP) != 0 ? (size - 2 - at / 2 * 2) + at % 2 : at;
        *word = *word << 8 | (unsigned char) part.data[at];
    }
    return OUTCOME_OK;
}

enum outcome filter_integer(struct value *value, const struct filter_call *call)
{
    uint64_t word;
    if (take_word(value, call, &word) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    int unused = 64 - 8 * (call->filter->layout & LAYOUT_BYTES);
    assert(unused >= 0 && unused < 64);
    bool is_signed = (call->filter->layout & LAYOUT_SIGNED) != 0;
    *value =
        value_number(is_signed ? arena_printf(call->arena, "%lld",
                                              (long long) ((int64_t) (word << unused) >> unused))
                               : arena_printf(call->arena, "%llu", (unsigned long long) word));
    return OUTCOME_OK;
}

/* The fewest digits that read back as the same number. */
static struct slice shortest(double real, bool narrow, struct arena *arena)
{
    enum { NARROW_DIGITS = 9, WIDE_DIGITS = 17 };
    char text[40] = "";
    int most = narrow ? NARROW_DIGITS : WIDE_DIGITS;
    for (int digits = 1; digits <= most; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, real);
        bool same = narrow ? strtof(text, NULL) == (float) real : strtod(text, NULL) == real;
        if (same) {
            break;
        }
    }
    return arena_copy(arena, slice_of(text));
}

enum outcome filter_float(struct value *value, const struct filter_call *call)
{
    uint64_t word;
    if (take_word(value, call, &word) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    bool narrow = (call->filter->layout & LAYOUT_BYTES) == sizeof(float);
    double real;
    if (narrow) {
        uint32_t bits = (uint32_t) word;
        float single;
        memcpy(&single, &bits, sizeof(single));
        real = (double) single;
    } else {
        memcpy(&real, &word, sizeof(real));
    }
    if (isnan(real)) {
        *value = value_text(slice_of("NaN"));
    } else if (isinf(real)) {
        *value = value_text(slice_of(real < 0 ? "-Infinity" : "Infinity"));
    } else {
        struct value text = value_text(shortest(real, narrow, call->arena));
        struct number number;
        bool read = number_parse(text.text, &number);
        *value = read ? value_number(text.text) : text;
    }
    return OUTCOME_OK;
}

enum outcome filter_bits(struct value *value, const struct filter_call *call)
{
    struct slice part;
    int from = filter_integer_argument(call->arguments, 1);
    int count = filter_integer_argument(call->arguments, 2);
    if (take_part(value, filter_integer_argument(call->arguments, 0), 1, &part, call->error) !=
        OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    assert(from >= 0 && count >= 1 && from + count <= BYTE_BITS);
    unsigned bits = ((unsigned char) part.data[0] >> from) & ((1u << count) - 1);
    *value = value_number(arena_printf(call->arena, "%u", bits));
    return OUTCOME_OK;
}

enum outcome filter_bytes(struct value *value, const struct filter_call *call)
{
    struct slice part;
    if (take_part(value, filter_integer_argument(call->arguments, 0),
                  filter_integer_argument(call->arguments, 1), &part, call->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *value = value_bytes(part);
    return OUTCOME_OK;
}

enum outcome filter_latin1(struct value *value, const struct filter_call *call)
{
    if (value->kind != VALUE_BYTES) {
        return filter_refuse(value, "is not bytes", call->error);
    }
    char *out = arena_alloc(call->arena, 2 * value->text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < value->text.length; i++) {
        unsigned char byte = (unsigned char) value->text.data[i];
        if (byte >= 0x80) {
            out[length++] = (char) (0xc0 | byte >> 6);
            byte = 0x80 | (byte & 0x3f);
        }
        out[length++] = (char) byte;
    }
    *value = value_text(slice_make(out, length));
    return OUTCOME_OK;
}

enum outcome filter_utf8(struct value *value, const struct filter_call *call)
{
    if (value->kind == VALUE_TEXT || value->kind == VALUE_NUMBER) {
        return OUTCOME_OK;
    }
    if (value->kind != VALUE_BYTES) {
        return filter_refuse(value, "is not bytes", call->error);
    }
    if (!text_is_utf8(value->text)) {
        return error_set(call->error, OUTCOME_REJECT, "the bytes are not UTF-8");
    }
    *value = value_text(value->text);
    return OUTCOME_OK;
}
