/*
 * One pass over the bytes, point by point:
 *
 *   point       = measurement { "," tag } " " field { "," field } [ " " timestamp ]
 *   tag         = key "=" name               field = key "=" value
 *   value       = number | integer "i" | integer "u" | text in quotes | boolean
 *
 * A backslash escapes only a character that would end the part in which it stands, and is an
 * ordinary character elsewhere: paths of Windows stay as they are. A part ends at certain classes
 * of characters; a table of classes makes that one look-up a byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_influx.h"

#include "base/text.h"
#include "decode/json_scan.h"
#include "decode/nodes.h"

/* The payload while it is read, and the points made so far. */
struct influx {
    const char *begin;
    const char *at;
    const char *end;
    size_t line; /* from 1 */
    int64_t unit_ns;
    struct nodes nodes;
    struct error *error;
};

/* tags or fields while they are read. */
struct members {
    int64_t index;
    uint32_t count;
    uint64_t seen;
};

/* Fills the error with the place, "byte 17: line 2: what", and returns false. */
static bool influx_fail(struct influx *influx, const char *at, const char *what)
{
    assert(at >= influx->begin && at <= influx->end);
    error_set(influx->error, OUTCOME_REJECT, "byte %zu: line %zu: %s",
              (size_t) (at - influx->begin) + 1, influx->line, what);
    return false;
}

/* The next byte. The end of the payload counts as the end of a line. */
static char peek(const struct influx *influx)
{
    return influx->at < influx->end ? *influx->at : '\n';
}

static bool add(struct influx *influx, enum value_kind kind, struct slice key, struct slice text)
{
    return nodes_add(&influx->nodes, kind, key, text) != NULL ||
           influx_fail(influx, influx->at, nodes_limit(&influx->nodes));
}

/* The names of a point's four members. */
static const struct slice measurement_name = SLICE_LITERAL("measurement");
static const struct slice tags_name = SLICE_LITERAL("tags");
static const struct slice fields_name = SLICE_LITERAL("fields");
static const struct slice time_name = SLICE_LITERAL("time");

/* --- names ------------------------------------------------------------------------------------ */

/* What a character is to the parts of a line; a part asks for some of these bits. */
enum {
    COMMA_OR_BLANK = 1,
    EQUALS = 2,
    BACKSLASH = 4,
    LINE_END = 8,
    CARRIAGE_RETURN = 16,
    QUOTE = 32,
};

static const unsigned char classes[256] = {
    [','] = COMMA_OR_BLANK, [' '] = COMMA_OR_BLANK,   ['='] = EQUALS, ['\\'] = BACKSLASH,
    ['\n'] = LINE_END,      ['\r'] = CARRIAGE_RETURN, ['"'] = QUOTE,
};

static bool is_of(char character, unsigned wanted)
{
    return (classes[(unsigned char) character] & wanted) != 0;
}

/* Before the next character of the classes `stops`, or at the end. */
static void skip_until(struct influx *influx, unsigned stops)
{
    while (influx->at < influx->end && !is_of(*influx->at, stops)) {
        influx->at++;
    }
}

/* `text` without the backslashes before characters of the classes `special`. */
static struct slice unescape(struct influx *influx, struct slice text, unsigned special)
{
    char *out = arena_alloc(influx->nodes.arena, text.length);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        bool escapes =
            text.data[i] == '\\' && i + 1 < text.length && is_of(text.data[i + 1], special);
        i += escapes;
        out[length++] = text.data[i];
    }
    assert(length <= text.length);
    return slice_make(out, length);
}

/* Up to the next character of `ends` that no backslash stands before; `special` may be escaped. */
static bool read_name(struct influx *influx, unsigned ends, unsigned special, struct slice *name)
{
    const char *start = influx->at;
    bool escaped = false;
    skip_until(influx, ends | BACKSLASH | LINE_END);
    while (influx->at < influx->end && *influx->at == '\\') {
        escaped = true;
        influx->at++;
        influx->at += influx->at < influx->end && *influx->at != '\n';
        skip_until(influx, ends | BACKSLASH | LINE_END);
    }
    *name = slice_make(start, (size_t) (influx->at - start));
    if (name->length == 0) {
        return influx_fail(influx, start, "a name or a tag's value is empty");
    }
    if (!text_is_utf8(*name)) {
        return influx_fail(influx, start, "not UTF-8");
    }
    if (escaped) {
        *name = unescape(influx, *name, special);
    }
    return true;
}

static bool open_members(struct influx *influx, struct slice key, struct members *members)
{
    *members = (struct members){nodes_open(&influx->nodes, VALUE_OBJECT, key), 0, 0};
    return members->index >= 0 || influx_fail(influx, influx->at, nodes_limit(&influx->nodes));
}

/* Servers take the last of two equal keys, or any: here the message is rejected, as in all
 * formats. */
static bool close_members(struct influx *influx, struct members *members)
{
    if (nodes_have_duplicates(&influx->nodes, members->index, members->count)) {
        return influx_fail(influx, influx->at, "a key stands twice before this");
    }
    nodes_close(&influx->nodes, members->index, members->count);
    return true;
}

/* "key=" of a tag or field. */
static bool read_key(struct influx *influx, struct members *members, struct slice *key)
{
    const char *start = influx->at;
    if (!read_name(influx, COMMA_OR_BLANK | EQUALS, COMMA_OR_BLANK | EQUALS, key)) {
        return false;
    }
    if (peek(influx) != '=') {
        return influx_fail(influx, influx->at, "\"=\" expected");
    }
    if (nodes_name_is_taken(&influx->nodes, members->index, members->count, *key, &members->seen)) {
        return influx_fail(influx, start, "a key stands twice");
    }
    members->count++;
    influx->at++;
    return true;
}

/* Tags are texts, even where they look like numbers. A point may have none. */
static bool read_tags(struct influx *influx)
{
    struct members tags;
    if (!open_members(influx, tags_name, &tags)) {
        return false;
    }
    while (peek(influx) == ',') {
        struct slice key;
        struct slice value;
        influx->at++;
        if (!read_key(influx, &tags, &key) ||
            !read_name(influx, COMMA_OR_BLANK, COMMA_OR_BLANK | EQUALS, &value)) {
            return false;
        }
        if (nodes_add(&influx->nodes, VALUE_TEXT, key, value) == NULL) {
            return influx_fail(influx, influx->at, nodes_limit(&influx->nodes));
        }
    }
    return close_members(influx, &tags);
}

/* --- values of fields ------------------------------------------------------------------------- */

/* From the opening quote to behind the closing one; a text may hold lines. */
static bool read_string(struct influx *influx, struct slice *text)
{
    assert(peek(influx) == '"');
    const char *open = influx->at++;
    bool escaped = false;
    for (; influx->at < influx->end && *influx->at != '"'; influx->at++) {
        influx->line += *influx->at == '\n';
        if (*influx->at == '\\' && influx->at + 1 < influx->end &&
            (influx->at[1] == '"' || influx->at[1] == '\\')) {
            escaped = true;
            influx->at++;
        }
    }
    if (influx->at == influx->end) {
        return influx_fail(influx, open, "a text is not closed");
    }
    *text = slice_make(open + 1, (size_t) (influx->at - open - 1));
    influx->at++;
    if (!text_is_utf8(*text)) {
        return influx_fail(influx, open, "not UTF-8");
    }
    if (escaped) {
        *text = unescape(influx, *text, QUOTE | BACKSLASH);
    }
    return true;
}

static bool is_digits(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.length > 0;
}

/* Without leading zeros but one. */
static struct slice trim_zeros(struct slice digits)
{
    while (digits.length > 1 && digits.data[0] == '0' && digits.data[1] >= '0' &&
           digits.data[1] <= '9') {
        digits = slice_make(digits.data + 1, digits.length - 1);
    }
    return digits;
}

/* A float as Go reads it, also "+1", ".5", "5." and "007", in the form of JSON. */
static bool number_form(struct arena *arena, struct slice text, struct slice *number)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    bool sign = negative || (text.length > 0 && text.data[0] == '+');
    struct slice rest = slice_make(text.data + sign, text.length - sign);
    *number = text;
    if (json_is_number(text)) {
        return true;
    }
    size_t whole = 0;
    while (whole < rest.length && rest.data[whole] >= '0' && rest.data[whole] <= '9') {
        whole++;
    }
    struct slice digits = trim_zeros(slice_make(rest.data, whole));
    struct slice tail = slice_make(rest.data + whole, rest.length - whole);
    bool bare_point = tail.length > 0 && tail.data[0] == '.' &&
                      (tail.length == 1 || tail.data[1] == 'e' || tail.data[1] == 'E');
    if (bare_point && whole > 0) {
        tail = slice_make(tail.data + 1, tail.length - 1);
    }
    *number =
        arena_printf(arena, "%s%.*s%.*s", negative ? "-" : "", whole > 0 ? (int) digits.length : 1,
                     whole > 0 ? digits.data : "0", SLICE_ARGS(tail));
    return rest.length > 0 && json_is_number(*number);
}

/* "1i", "-1i", "1u", without the letter. */
static bool integer_form(struct arena *arena, struct slice text, struct slice *number)
{
    assert(text.length > 0);
    char type = text.data[text.length - 1];
    assert(type == 'i' || type == 'u');
    bool negative = text.data[0] == '-';
    struct slice digits = slice_make(text.data + negative, text.length - 1 - negative);
    if (text.length < 2u + negative || !is_digits(digits) || (negative && type == 'u')) {
        return false;
    }
    struct slice trimmed = trim_zeros(digits);
    if (!negative || slice_is(trimmed, "0")) {
        *number = trimmed;
    } else if (trimmed.length == digits.length) {
        *number = slice_make(text.data, text.length - 1);
    } else {
        *number = arena_printf(arena, "-%.*s", SLICE_ARGS(trimmed));
    }
    return true;
}

/* The ten spellings of the protocol, and no other ("tRUE" is none). */
static bool is_boolean(struct slice text, bool *boolean)
{
    static const char *const words[] = {"t", "T", "true",  "True",  "TRUE",
                                        "f", "F", "false", "False", "FALSE"};
    bool letter = text.length > 0 && text.data[0] > '9'; /* else a number, most of the time */
    for (size_t i = 0; letter && i < sizeof(words) / sizeof(words[0]); i++) {
        if (slice_is(text, words[i])) {
            *boolean = i < 5;
            return true;
        }
    }
    return false;
}

/* Reads a value, which ends at a comma, a blank or the line's end. Its first and last characters
 * tell its kind. */
static bool read_value(struct influx *influx, struct slice key)
{
    struct slice text;
    struct slice number;
    bool boolean = false;
    enum value_kind kind = VALUE_TEXT;
    const char *start = influx->at;
    struct arena *arena = influx->nodes.arena;
    if (peek(influx) == '"') {
        if (!read_string(influx, &text)) {
            return false;
        }
    } else {
        skip_until(influx, COMMA_OR_BLANK | CARRIAGE_RETURN | LINE_END);
        text = slice_make(start, (size_t) (influx->at - start));
        char last = text.length > 0 ? text.data[text.length - 1] : '\0';
        if (is_boolean(text, &boolean)) {
            kind = VALUE_BOOLEAN;
            text = (struct slice){0};
        } else if (last == 'i' || last == 'u' ? integer_form(arena, text, &number)
                                              : number_form(arena, text, &number)) {
            kind = VALUE_NUMBER;
            text = number;
        } else {
            return influx_fail(influx, start, "neither a number nor a text nor true or false");
        }
    }
    struct node *node = nodes_add(&influx->nodes, kind, key, text);
    if (node == NULL) {
        return influx_fail(influx, start, nodes_limit(&influx->nodes));
    }
    node->boolean = boolean;
    return true;
}

/* At least one field: a point without any says nothing. */
static bool read_fields(struct influx *influx)
{
    struct members fields;
    if (!open_members(influx, fields_name, &fields)) {
        return false;
    }
    do {
        struct slice key;
        influx->at += fields.count > 0;
        if (!read_key(influx, &fields, &key) || !read_value(influx, key)) {
            return false;
        }
    } while (peek(influx) == ',');
    return close_members(influx, &fields);
}

/* --- points ----------------------------------------------------------------------------------- */

/* Telegraf and others write one space; more of them, tabs and a CR at the end do no harm. */
static void skip_blanks(struct influx *influx)
{
    while (influx->at < influx->end &&
           (*influx->at == ' ' || *influx->at == '\t' || *influx->at == '\r')) {
        influx->at++;
    }
}

/* Floor of number × unit / 1000. */
static bool to_microseconds(int64_t number, int64_t unit_ns, int64_t *time_us)
{
    assert(unit_ns == 1 || unit_ns % 1000 == 0);
    if (unit_ns >= 1000) {
        return !__builtin_mul_overflow(number, unit_ns / 1000, time_us);
    }
    *time_us = number / 1000 - (number % 1000 < 0);
    return true;
}

/* An integer in the unit of the rule's `precision`; digits are added up as a negative number,
 * because INT64_MIN has no positive counterpart. */
static bool read_time(struct influx *influx)
{
    const char *start = influx->at;
    bool negative = peek(influx) == '-';
    int64_t number = 0;
    int64_t time_us;
    influx->at += negative;
    const char *digits = influx->at;
    for (; influx->at < influx->end && *influx->at >= '0' && *influx->at <= '9'; influx->at++) {
        if (__builtin_mul_overflow(number, INT64_C(10), &number) ||
            __builtin_sub_overflow(number, (int64_t) (*influx->at - '0'), &number)) {
            return influx_fail(influx, start, "a timestamp is out of range");
        }
    }
    if (influx->at == digits && !negative) {
        return add(influx, VALUE_NULL, time_name, (struct slice){0});
    }
    if (influx->at == digits) {
        return influx_fail(influx, start, "a timestamp expected");
    }
    if ((!negative && __builtin_sub_overflow(INT64_C(0), number, &number)) ||
        !to_microseconds(number, influx->unit_ns, &time_us)) {
        return influx_fail(influx, start, "a timestamp is out of range");
    }
    if (!add(influx, VALUE_TIME, time_name, (struct slice){0})) {
        return false;
    }
    influx->nodes.list[influx->nodes.count - 1].time_us = time_us;
    return true;
}

/* One line, or several where a text has line breaks. Always four members, so that rules need not
 * ask whether there are tags. */
static bool read_point(struct influx *influx)
{
    struct slice measurement;
    int64_t index = nodes_open(&influx->nodes, VALUE_OBJECT, (struct slice){0});
    if (index < 0) {
        return influx_fail(influx, influx->at, nodes_limit(&influx->nodes));
    }
    if (!read_name(influx, COMMA_OR_BLANK, COMMA_OR_BLANK, &measurement) ||
        !add(influx, VALUE_TEXT, measurement_name, measurement) || !read_tags(influx)) {
        return false;
    }
    skip_blanks(influx);
    if (!read_fields(influx)) {
        return false;
    }
    skip_blanks(influx);
    if (!read_time(influx)) {
        return false;
    }
    skip_blanks(influx);
    if (peek(influx) != '\n') {
        return influx_fail(influx, influx->at, "something stands behind the point");
    }
    nodes_close(&influx->nodes, index, 4);
    return true;
}

/* From "#" to the end of the line. */
static void skip_comment(struct influx *influx)
{
    while (influx->at < influx->end && *influx->at != '\n') {
        influx->at++;
    }
}

/* One bad line rejects the whole message: a dead letter has all points or none, and can be retried
 * without storing any twice. */
enum outcome decode_influx(const struct decode_input *input, struct arena *arena,
                           const struct node **root, struct error *error)
{
    static const int64_t units[] = {1, 1000, 1000000, 1000000000}; /* enum time_precision */
    const char *payload = input->payload.length > 0 ? input->payload.data : "";
    struct influx influx = {
        .begin = payload,
        .at = payload,
        .end = payload + input->payload.length,
        .line = 1,
        .unit_ns = units[input->options == NULL ? PRECISION_NS : input->options->influx.precision],
        .error = error};
    while (influx.end > payload && influx.end[-1] == '\0') {
        influx.end--;
    }
    nodes_begin(&influx.nodes, arena, input->payload.length / 8);
    int64_t index = nodes_open(&influx.nodes, VALUE_ARRAY, (struct slice){0});
    uint32_t points = 0;
    assert(index == 0);
    while (influx.at < influx.end) {
        skip_blanks(&influx);
        if (peek(&influx) == '#') {
            skip_comment(&influx);
        } else if (peek(&influx) != '\n') {
            if (!read_point(&influx)) {
                return OUTCOME_REJECT;
            }
            points++;
        }
        influx.at += influx.at < influx.end;
        influx.line++;
    }
    nodes_close(&influx.nodes, index, points);
    *root = influx.nodes.list;
    return OUTCOME_OK;
}
