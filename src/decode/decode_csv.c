/*
 * One pass over the bytes, line by line:
 *
 *   payload = [ BOM ] { comment | empty line } [ header ] { row | comment | empty line }
 *   row     = value { delimiter value } ( LF | CR LF | end )
 *   value   = quote { any character, a quote doubled } quote | { neither quote nor delimiter }
 *
 * RFC 4180 leaves open what a quote within a plain value means, and what lines of other widths
 * mean: both are rejected here, because a guess would put values into other columns. The number of
 * the line is that of the payload's text, so a quoted line break counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_csv.h"

#include "base/text.h"
#include "decode/nodes.h"

enum { NO_QUOTE = -1 };

/* The payload while it is read, and the rows made so far. */
struct csv {
    const char *begin;
    const char *at;
    const char *end;
    size_t line; /* from 1 */
    int delimiter;
    int quote;
    struct slice comment;
    struct slice *names; /* NULL: rows are arrays */
    size_t width;        /* values of each row; 0 = not known yet */
    struct nodes nodes;
    struct error *error;
};

/* Fills the error with the place, "byte 17: line 2: what", and returns false. */
static bool csv_fail(struct csv *csv, const char *at, const char *what)
{
    assert(at >= csv->begin && at <= csv->end);
    error_set(csv->error, OUTCOME_REJECT, "byte %zu: line %zu: %s", (size_t) (at - csv->begin) + 1,
              csv->line, what);
    return false;
}

/* LF or CR LF; a CR by itself belongs to the value. */
static bool at_line_end(const struct csv *csv, const char *at)
{
    return at == csv->end || *at == '\n' || (*at == '\r' && at + 1 < csv->end && at[1] == '\n');
}

/* Behind the line's end, if the payload does not end here. */
static void take_line_end(struct csv *csv)
{
    assert(at_line_end(csv, csv->at));
    if (csv->at < csv->end) {
        csv->at += *csv->at == '\r' ? 2 : 1;
        csv->line++;
    }
}

/* --- values ----------------------------------------------------------------------------------- */

/* From behind the opening quote to behind the closing one; a doubled quote is one. */
static bool read_quoted(struct csv *csv, struct slice *value)
{
    const char *open = csv->at - 1;
    assert(open >= csv->begin && (unsigned char) *open == csv->quote);
    const char *start = csv->at;
    size_t doubled = 0;
    for (;; csv->at++) {
        if (csv->at == csv->end) {
            return csv_fail(csv, open, "a quote is not closed");
        }
        csv->line += *csv->at == '\n';
        if ((unsigned char) *csv->at != csv->quote) {
            continue;
        }
        if (csv->at + 1 == csv->end || (unsigned char) csv->at[1] != csv->quote) {
            break;
        }
        csv->at++;
        doubled++;
    }
    *value = slice_make(start, (size_t) (csv->at++ - start));
    if (doubled > 0) {
        char *out = arena_alloc(csv->nodes.arena, value->length);
        size_t length = 0;
        for (size_t i = 0; i < value->length; i++) {
            out[length++] = value->data[i];
            i += (unsigned char) value->data[i] == csv->quote;
        }
        assert(length == value->length - doubled);
        *value = slice_make(out, length);
    }
    return (at_line_end(csv, csv->at) || (unsigned char) *csv->at == csv->delimiter) ||
           csv_fail(csv, csv->at, "something stands behind a closing quote");
}

/* Up to the delimiter or the line's end. Spaces belong to the value (RFC 4180, section 2.4). */
static bool read_plain(struct csv *csv, struct slice *value)
{
    const char *start = csv->at;
    while (!at_line_end(csv, csv->at) && (unsigned char) *csv->at != csv->delimiter) {
        if ((unsigned char) *csv->at == csv->quote) {
            return csv_fail(csv, csv->at, "a quote within a value that does not begin with one");
        }
        csv->at++;
    }
    *value = slice_make(start, (size_t) (csv->at - start));
    return true;
}

/* One value, up to its delimiter or the end of its line. `empty`: it is null. */
static bool read_value(struct csv *csv, struct slice *value, bool *null)
{
    const char *start = csv->at;
    bool quoted = csv->at < csv->end && (unsigned char) *csv->at == csv->quote;
    *value = slice_make(NULL, 0);
    csv->at += quoted;
    if (!(quoted ? read_quoted(csv, value) : read_plain(csv, value))) {
        return false;
    }
    *null = !quoted && value->length == 0;
    return text_is_utf8(*value) || csv_fail(csv, start, "a value is not UTF-8");
}

/* Behind a value: is there another one in this line? */
static bool take_delimiter(struct csv *csv)
{
    bool another = csv->at < csv->end && (unsigned char) *csv->at == csv->delimiter;
    csv->at += another;
    return another;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Reads one value and adds it to the row, under its column's name where columns have names. */
static bool add_value(struct csv *csv, size_t column)
{
    struct slice value;
    struct slice key = {0};
    bool null;
    if (!read_value(csv, &value, &null)) {
        return false;
    }
    if (csv->names != NULL && column < csv->width) {
        key = csv->names[column];
    }
    return nodes_add(&csv->nodes, null ? VALUE_NULL : VALUE_TEXT, key,
                     null ? slice_make(NULL, 0) : value) != NULL ||
           csv_fail(csv, csv->at, nodes_limit(&csv->nodes));
}

/* A missing delimiter would shift all values behind it: nothing of the message is stored. */
static bool wrong_width(struct csv *csv, const char *start, size_t line, size_t count)
{
    error_set(csv->error, OUTCOME_REJECT, "byte %zu: line %zu: %zu value%s where %zu are expected",
              (size_t) (start - csv->begin) + 1, line, count, count == 1 ? "" : "s", csv->width);
    return false;
}

/* One line, or several where a quoted value has line breaks. */
static bool read_row(struct csv *csv)
{
    const char *start = csv->at;
    size_t line = csv->line;
    size_t count = 0;
    int64_t index =
        nodes_open(&csv->nodes, csv->names != NULL ? VALUE_OBJECT : VALUE_ARRAY, (struct slice){0});
    if (index < 0) {
        return csv_fail(csv, csv->at, nodes_limit(&csv->nodes));
    }
    do {
        if (!add_value(csv, count)) {
            return false;
        }
        count++;
    } while (take_delimiter(csv));
    if (csv->width != 0 && count != csv->width) {
        return wrong_width(csv, start, line, count);
    }
    assert(count > 0 && (csv->width == 0 || csv->width == count));
    csv->width = count;
    nodes_close(&csv->nodes, index, (uint32_t) count);
    take_line_end(csv);
    return true;
}

/* Empty lines and comments, which stand between rows only: within quotes they are part of a
 * value. */
static void skip_lines(struct csv *csv)
{
    while (csv->at < csv->end) {
        struct slice comment = csv->comment;
        size_t left = (size_t) (csv->end - csv->at);
        bool is_comment = comment.length > 0 && left >= comment.length &&
                          memcmp(csv->at, comment.data, comment.length) == 0;
        if (!is_comment && !at_line_end(csv, csv->at)) {
            return;
        }
        while (!at_line_end(csv, csv->at)) {
            csv->at++;
        }
        take_line_end(csv);
    }
}

/* --- names ------------------------------------------------------------------------------------ */

/* Takes the names of the columns from the rule; they replace those of the header. */
static void take_names(struct csv *csv, const struct csv_options *options)
{
    csv->width = options->name_count;
    csv->names = arena_alloc(csv->nodes.arena, (csv->width + 1) * sizeof(struct slice));
    for (size_t i = 0; i < csv->width; i++) {
        csv->names[i] = slice_of(options->names[i].text);
    }
}

/* Does the last name stand among those before it? A linear search is enough: there are at most
 * COLUMNS_MAX names, and they are read once a payload. */
static bool is_twice(const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(names[i], names[count])) {
            return true;
        }
    }
    return false;
}

enum { COLUMNS_MAX = 1600 }; /* of a table in PostgreSQL */

/* The names of the first line; where the rule has names, its line is only passed over. */
static bool read_header(struct csv *csv)
{
    struct slice *names = arena_alloc(csv->nodes.arena, COLUMNS_MAX * sizeof(*names));
    size_t count = 0;
    do {
        const char *start = csv->at;
        bool null;
        if (count == COLUMNS_MAX) {
            return csv_fail(csv, start, "too many columns");
        }
        if (!read_value(csv, &names[count], &null)) {
            return false;
        }
        if (csv->names == NULL && is_twice(names, count)) {
            return csv_fail(csv, start, "duplicate name in the header");
        }
        count++;
    } while (take_delimiter(csv));
    take_line_end(csv);
    if (csv->names == NULL) {
        csv->names = names;
        csv->width = count;
    }
    return true;
}

/* --- the payload ------------------------------------------------------------------------------ */

/* The character of an option, or `otherwise` when the option is not given. */
static int character(const struct option_text *option, int otherwise)
{
    return option->text == NULL ? otherwise : (unsigned char) option->text[0];
}

/* The options with their defaults. A byte order mark in front, which spreadsheets write, and NUL
 * bytes behind, which C programs send, are no part of the text. */
static struct csv begin(const struct decode_input *input, struct arena *arena, struct error *error)
{
    static const struct csv_options none = {0};
    const struct csv_options *options = input->options == NULL ? &none : &input->options->csv;
    const char *payload = input->payload.length > 0 ? input->payload.data : "";
    const char *end = payload + input->payload.length;
    struct csv csv = {
        .begin = payload,
        .at = payload,
        .line = 1,
        .delimiter = character(&options->delimiter, ','),
        .quote = character(&options->quote, '"'),
        .comment = slice_of(options->comment.text),
        .error = error,
    };
    while (end > payload && end[-1] == '\0') {
        end--;
    }
    assert(end >= payload);
    csv.end = end;
    csv.quote = csv.quote == '\0' ? NO_QUOTE : csv.quote;
    if (end - payload >= 3 && memcmp(payload, "\xef\xbb\xbf", 3) == 0) {
        csv.at += 3;
    }
    nodes_begin(&csv.nodes, arena, input->payload.length / 8);
    if (options->name_count > 0) {
        take_names(&csv, options);
    }
    return csv;
}

/* The header is the first line that is neither empty nor a comment. A payload without rows is an
 * empty array: no row of the table, and no mistake. */
enum outcome decode_csv(const struct decode_input *input, struct arena *arena,
                        const struct node **root, struct error *error)
{
    struct csv csv = begin(input, arena, error);
    uint32_t rows = 0;
    int64_t index = nodes_open(&csv.nodes, VALUE_ARRAY, (struct slice){0});
    assert(index == 0);
    skip_lines(&csv);
    if (input->options != NULL && input->options->csv.header && csv.at < csv.end) {
        if (!read_header(&csv)) {
            return OUTCOME_REJECT;
        }
        skip_lines(&csv);
    }
    for (; csv.at < csv.end; rows++) {
        if (!read_row(&csv)) {
            return OUTCOME_REJECT;
        }
        skip_lines(&csv);
    }
    nodes_close(&csv.nodes, index, rows);
    *root = csv.nodes.list;
    return OUTCOME_OK;
}

/* Not a line break, and not a byte of a longer character of UTF-8. */
static bool is_one_character(const struct option_text *option, bool may_be_none)
{
    size_t length = option->text == NULL ? 1 : strlen(option->text);
    bool ascii = option->text == NULL || ((unsigned char) option->text[0] < 0x80 &&
                                          strchr("\r\n", option->text[0]) == NULL);
    return (length == 1 && ascii) || (length == 0 && may_be_none);
}

/* Reports options with which no payload could be read, at their place in the configuration. */
enum outcome decode_csv_prepare(const struct format_options *options, void **state,
                                struct place *place, struct error *error)
{
    const struct csv_options *csv = &options->csv;
    *state = NULL;
    if (!is_one_character(&csv->delimiter, false)) {
        *place = csv->delimiter.place;
        return error_set(error, OUTCOME_REJECT, "delimiter is one ASCII character, like \";\"");
    }
    if (!is_one_character(&csv->quote, true)) {
        *place = csv->quote.place;
        return error_set(error, OUTCOME_REJECT, "quote is one ASCII character, or \"\" for none");
    }
    if (character(&csv->delimiter, ',') == character(&csv->quote, '"')) {
        *place = csv->delimiter.place;
        return error_set(error, OUTCOME_REJECT, "delimiter and quote are the same character");
    }
    for (size_t i = 0; i < csv->name_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(csv->names[i].text, csv->names[k].text) == 0) {
                *place = csv->names[i].place;
                return error_set(error, OUTCOME_REJECT, "the name \"%s\" stands in names twice",
                                 csv->names[i].text);
            }
        }
    }
    return OUTCOME_OK;
}
