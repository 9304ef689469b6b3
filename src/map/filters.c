/*
 * A filter that can't do its work says why; expression_evaluate() puts its name in front:
 * "unix_ms: \"abc\" is not a number".
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/filters.h"

#include "base/buf.h"
#include "base/text.h"
#include "decode/json_scan.h"
#include "map/decimal.h"

enum { QUOTED_CHARACTERS_MAX = 40 };

#define FILTER(id) \
    static enum outcome apply_##id( \
        struct value *value, const struct value *argument __attribute__((unused)), \
        struct arena *arena __attribute__((unused)), struct error *error __attribute__((unused)))

/* "VALUE is not …": texts in quotes, what is longer by the name of its kind. */
static enum outcome refuse(const struct value *value, const char *what, struct error *error)
{
    if (value->kind == VALUE_BOOLEAN) {
        return error_set(error, OUTCOME_REJECT, "%s %s", value->boolean ? "true" : "false", what);
    }
    if (value->kind != VALUE_TEXT && value->kind != VALUE_NUMBER) {
        return error_set(error, OUTCOME_REJECT, "%s %s", value_kind_name(value->kind), what);
    }
    struct buf shown = {0};
    const char *quote = value->kind == VALUE_TEXT ? "\"" : "";
    text_append_printable(&shown, value->text, QUOTED_CHARACTERS_MAX);
    error_set(error, OUTCOME_REJECT, "%s%s%s %s", quote, buf_string(&shown), quote, what);
    buf_fini(&shown);
    return OUTCOME_REJECT;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trimmed(struct slice text)
{
    while (text.length > 0 && is_space(text.data[text.length - 1])) {
        text.length--;
    }
    while (text.length > 0 && is_space(text.data[0])) {
        text = slice_make(text.data + 1, text.length - 1);
    }
    return text;
}

/* --- null ------------------------------------------------------------------------------------- */

FILTER(default)
{
    if (value->kind == VALUE_NULL) {
        *value = *argument;
    }
    return OUTCOME_OK;
}

FILTER(required)
{
    if (value->kind == VALUE_NULL) {
        return error_set(error, OUTCOME_REJECT, "missing or null");
    }
    return OUTCOME_OK;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* A number, or a text that is one but for white space around it. */
static enum outcome read_number(const struct value *value, struct decimal *number,
                                struct error *error)
{
    struct slice text = value->kind == VALUE_TEXT ? trimmed(value->text) : value->text;
    if ((value->kind != VALUE_NUMBER && value->kind != VALUE_TEXT) || !json_is_number(text)) {
        return refuse(value, "is not a number", error);
    }
    return decimal_parse(text, number) ? OUTCOME_OK
                                       : refuse(value, "has more digits than this can keep", error);
}

/* A count of 10^-`digits` seconds since 1970. */
static enum outcome apply_unix(struct value *value, int digits, struct error *error)
{
    struct decimal number = {0};
    int64_t time_us;
    if (read_number(value, &number, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    number.exponent += 6 - digits;
    if (!decimal_floor(number, &time_us)) {
        return refuse(value, "is out of range", error);
    }
    *value = value_time(time_us);
    return OUTCOME_OK;
}

FILTER(unix_s)
{
    return apply_unix(value, 0, error);
}

FILTER(unix_ms)
{
    return apply_unix(value, 3, error);
}

FILTER(unix_us)
{
    return apply_unix(value, 6, error);
}

FILTER(unix_ns)
{
    return apply_unix(value, 9, error);
}

static enum outcome apply_arithmetic(struct value *value, const struct value *argument,
                                     bool (*operation)(struct decimal, struct decimal,
                                                       struct decimal *),
                                     struct arena *arena, struct error *error)
{
    struct decimal left = {0};
    struct decimal right = {0};
    struct decimal result = {0};
    if (read_number(value, &left, error) != OUTCOME_OK ||
        read_number(argument, &right, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    if (!operation(left, right, &result)) {
        return refuse(value, "gives more digits than this can keep", error);
    }
    *value = value_number(decimal_format(result, arena));
    return OUTCOME_OK;
}

FILTER(scale)
{
    return apply_arithmetic(value, argument, decimal_multiply, arena, error);
}

FILTER(offset)
{
    return apply_arithmetic(value, argument, decimal_add, arena, error);
}

FILTER(round)
{
    struct decimal number = {0};
    struct decimal places = {0};
    int64_t integer = 0;
    if (read_number(value, &number, error) != OUTCOME_OK ||
        read_number(argument, &places, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    decimal_to_int64(places, &integer);
    *value = value_number(decimal_format(decimal_round(number, (int) integer), arena));
    return OUTCOME_OK;
}

/* --- text ------------------------------------------------------------------------------------- */

/* The format text tells by the digits alone that a payload is a number, so the filters for text
 * take numbers as well: "12" is as good as "1f". */

FILTER(trim)
{
    if (value->kind == VALUE_NUMBER) {
        return OUTCOME_OK;
    }
    if (value->kind != VALUE_TEXT) {
        return refuse(value, "is not text", error);
    }
    value->text = trimmed(value->text);
    return OUTCOME_OK;
}

/* Turns the letters from `first` to `first` + 25 into their other case. */
static enum outcome change_case(struct value *value, char first, struct arena *arena,
                                struct error *error)
{
    if (value->kind == VALUE_NUMBER) {
        return OUTCOME_OK;
    }
    if (value->kind != VALUE_TEXT) {
        return refuse(value, "is not text", error);
    }
    char *out = arena_alloc(arena, value->text.length);
    for (size_t i = 0; i < value->text.length; i++) {
        char c = value->text.data[i];
        bool changes = c >= first && c < first + 26;
        out[i] = (char) (changes ? c ^ 0x20 : c);
    }
    value->text.data = out;
    return OUTCOME_OK;
}

FILTER(lower)
{
    return change_case(value, 'A', arena, error);
}

FILTER(upper)
{
    return change_case(value, 'a', arena, error);
}

/* --- text to bytes ---------------------------------------------------------------------------- */

/* Text, bytes that hold one (what comes with the format raw), or the digits of a number. */
static bool holds_text(const struct value *value)
{
    return value->kind == VALUE_TEXT || value->kind == VALUE_BYTES || value->kind == VALUE_NUMBER;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char) (c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

FILTER(hex)
{
    if (!holds_text(value)) {
        return refuse(value, "is not text", error);
    }
    struct slice text = value->text;
    char *out = arena_alloc(arena, text.length / 2);
    bool good = text.length % 2 == 0;
    for (size_t i = 0; good && i < text.length; i += 2) {
        int high = hex_digit(text.data[i]);
        int low = hex_digit(text.data[i + 1]);
        good = high >= 0 && low >= 0;
        out[i / 2] = (char) (good ? high * 16 + low : 0);
    }
    if (!good) {
        return refuse(value, "is not pairs of hexadecimal digits", error);
    }
    *value = value_bytes(slice_make(out, text.length / 2));
    return OUTCOME_OK;
}

/* Of both alphabets, RFC 4648, sections 4 and 5. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
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
    return bits == 0 ? length : -1;
}

FILTER(base64)
{
    if (!holds_text(value)) {
        return refuse(value, "is not text", error);
    }
    char *out = arena_alloc(arena, value->text.length);
    ptrdiff_t length = base64_decode(value->text, out);
    if (length < 0) {
        return refuse(value, "is not base64", error);
    }
    *value = value_bytes(slice_make(out, (size_t) length));
    return OUTCOME_OK;
}

FILTER(json)
{
    const struct node *root;
    if (!holds_text(value)) {
        return refuse(value, "is not text", error);
    }
    if (json_scan(value->text, arena, &root, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    *value = node_value(root);
    return OUTCOME_OK;
}

/* --- what may be anything --------------------------------------------------------------------- */

/* What PostgreSQL takes as text. */
static bool is_text(const struct value *value)
{
    return value->text.length == 0 ||
           (text_is_utf8(value->text) && memchr(value->text.data, 0, value->text.length) == NULL);
}

FILTER(json_or_text)
{
    const struct node *root;
    struct error no_json;
    if (!holds_text(value)) {
        return OUTCOME_OK;
    }
    if (json_scan(value->text, arena, &root, &no_json) == OUTCOME_OK) {
        *value = node_value(root);
    } else {
        *value = is_text(value) ? value_text(value->text) : value_null();
    }
    return OUTCOME_OK;
}

FILTER(binary)
{
    if (value->kind != VALUE_BYTES) {
        return refuse(value, "is not bytes", error);
    }
    if (is_text(value)) {
        *value = value_null();
    }
    return OUTCOME_OK;
}

/* --- the table -------------------------------------------------------------------------------- */

const struct filter filters[] = {
    {"default", FILTER_CONSTANT, true, NULL, "X for a missing or null value", apply_default},
    {"required", FILTER_NO_ARGUMENT, true, NULL, "a missing or null value rejects the message",
     apply_required},
    {"unix_s", FILTER_NO_ARGUMENT, false, "timestamptz",
     "seconds since 1970 to timestamp, exact to the microsecond; what is finer is cut",
     apply_unix_s},
    {"unix_ms", FILTER_NO_ARGUMENT, false, "timestamptz",
     "milliseconds since 1970 to timestamp, exact to the microsecond; what is finer is cut",
     apply_unix_ms},
    {"unix_us", FILTER_NO_ARGUMENT, false, "timestamptz",
     "microseconds since 1970 to timestamp; what is finer is cut", apply_unix_us},
    {"unix_ns", FILTER_NO_ARGUMENT, false, "timestamptz",
     "nanoseconds since 1970 to timestamp; what is finer than a microsecond is cut", apply_unix_ns},
    {"scale", FILTER_NUMBER, false, "numeric", "times F, exactly", apply_scale},
    {"offset", FILTER_NUMBER, false, "numeric", "plus F, exactly", apply_offset},
    {"round", FILTER_INTEGER, false, "numeric",
     "to N digits behind the point, half away from zero; -2 rounds to hundreds", apply_round},
    {"trim", FILTER_NO_ARGUMENT, false, "text", "text without white space around it", apply_trim},
    {"lower", FILTER_NO_ARGUMENT, false, "text", "text with A to Z in lower case", apply_lower},
    {"upper", FILTER_NO_ARGUMENT, false, "text", "text with a to z in upper case", apply_upper},
    {"hex", FILTER_NO_ARGUMENT, false, "bytea", "text of hexadecimal digits to bytes", apply_hex},
    {"base64", FILTER_NO_ARGUMENT, false, "bytea",
     "text in base64 or base64url to bytes, with or without \"=\" at the end", apply_base64},
    {"json", FILTER_NO_ARGUMENT, false, "jsonb", "text that holds JSON, parsed", apply_json},
    {"json_or_text", FILTER_NO_ARGUMENT, false, "jsonb",
     "JSON, parsed, or other text as it is; null for bytes that are neither", apply_json_or_text},
    {"binary", FILTER_NO_ARGUMENT, false, "bytea",
     "bytes that are no text (UTF-8 without NUL); null for those that are", apply_binary},
};

const size_t filter_count = sizeof(filters) / sizeof(filters[0]);

const struct filter *filter_find(struct slice name)
{
    for (size_t i = 0; i < filter_count; i++) {
        if (slice_is(name, filters[i].name)) {
            return &filters[i];
        }
    }
    return NULL;
}
