/* SPDX-License-Identifier: MIT */
#include "pg/pg_quote.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The words that quote_identifier() of PostgreSQL quotes: those of pg_get_keywords() with a catcode
 * other than U; of PostgreSQL 15, and what 16 to 18 added. */
const char *const pg_keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
};
const size_t pg_keyword_count = sizeof(pg_keywords) / sizeof(pg_keywords[0]);

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* May it stand in an identifier without quotes? Bytes of UTF-8 may, as in PostgreSQL's scanner. */
static bool is_word(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '$' || (c & 0x80) != 0;
}

/* For bsearch(): a slice, which may hold NUL, against a keyword. */
static int compare_keyword(const void *name, const void *keyword)
{
    const struct slice *left = name;
    const char *right = *(const char *const *) keyword;
    size_t length = strlen(right);
    size_t shorter = left->length < length ? left->length : length;
    int order = memcmp(left->data, right, shorter);
    return order != 0 ? order : (left->length > length) - (left->length < length);
}

/* As quote_identifier() of PostgreSQL decides (ruleutils.c): without quotes the server would fold
 * upper case, end the name at an odd character, or read a keyword. */
static bool must_be_quoted(struct slice name)
{
    if (name.length == 0 || !is_lower(name.data[0])) {
        return true;
    }
    for (size_t i = 1; i < name.length; i++) {
        if (!is_lower(name.data[i]) && !is_digit(name.data[i])) {
            return true;
        }
    }
    return bsearch(&name, pg_keywords, pg_keyword_count, sizeof(pg_keywords[0]), compare_keyword) !=
           NULL;
}

/* With `mark` around it, and each `mark` inside doubled. */
static void append_marked(struct buf *out, struct slice text, char mark)
{
    buf_append_byte(out, (uint8_t) mark);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == mark) {
            buf_append_byte(out, (uint8_t) mark);
        }
        buf_append_byte(out, (uint8_t) text.data[i]);
    }
    buf_append_byte(out, (uint8_t) mark);
}

void pg_quote_identifier(struct buf *out, struct slice name)
{
    if (must_be_quoted(name)) {
        append_marked(out, name, '"');
    } else {
        buf_append_slice(out, name);
    }
}

void pg_quote_literal(struct buf *out, struct slice text)
{
    if (text.length == 0 || memchr(text.data, '\\', text.length) == NULL) {
        append_marked(out, text, '\'');
        return;
    }
    /* An escape string: backslashes mean the same in it under every setting. */
    buf_append_text(out, " E'");
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\') {
            buf_append_byte(out, (uint8_t) text.data[i]);
        }
        buf_append_byte(out, (uint8_t) text.data[i]);
    }
    buf_append_byte(out, '\'');
}

/* Takes "a quoted part", in which "" stands for one quote, off the front of `rest`. */
static bool take_quoted_part(struct slice *rest, struct buf *part)
{
    assert(rest->length > 0 && rest->data[0] == '"');
    for (size_t at = 1; at < rest->length; at++) {
        if (rest->data[at] == '"') {
            if (at + 1 == rest->length || rest->data[at + 1] != '"') {
                *rest = slice_make(rest->data + at + 1, rest->length - at - 1);
                return part->length > 0;
            }
            at++;
        }
        buf_append_byte(part, (uint8_t) rest->data[at]);
    }
    return false;
}

/* Takes a part without quotes and folds ASCII letters to lower case, as PostgreSQL does in a
 * UTF-8 database (downcase_identifier() in scansup.c). False when it does not begin like an
 * identifier. */
static bool take_plain_part(struct slice *rest, struct buf *part)
{
    size_t at = 0;
    for (; at < rest->length && is_word(rest->data[at]); at++) {
        char c = rest->data[at];
        buf_append_byte(part, (uint8_t) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
    }
    bool good = at > 0 && !is_digit(rest->data[0]) && rest->data[0] != '$';
    *rest = slice_make(rest->data + at, rest->length - at);
    return good;
}

static bool take_part(struct slice *rest, struct buf *part)
{
    bool quoted = rest->length > 0 && rest->data[0] == '"';
    buf_reset(part);
    return quoted ? take_quoted_part(rest, part) : take_plain_part(rest, part);
}

/* Is there another part? Takes its dot. */
static bool take_dot(struct slice *rest)
{
    bool found = rest->length > 0 && rest->data[0] == '.';
    if (found) {
        *rest = slice_make(rest->data + 1, rest->length - 1);
    }
    return found;
}

bool pg_quote_relation(struct buf *out, struct slice name)
{
    size_t start = out->length;
    struct buf part = {0};
    bool good = false;

    do {
        good = take_part(&name, &part);
        pg_quote_identifier(out, buf_slice(&part));
        if (name.length > 0 && name.data[0] == '.') {
            buf_append_byte(out, '.');
        }
    } while (good && take_dot(&name));

    good = good && name.length == 0;
    assert(out->length >= start);
    if (!good) {
        out->length = start;
    }
    buf_fini(&part);
    return good;
}

bool pg_take_relation(struct slice *sql, struct buf *name)
{
    struct buf part = {0};
    bool good = false;

    do {
        good = take_part(sql, &part);
    } while (good && take_dot(sql));

    if (good) {
        buf_append_slice(name, buf_slice(&part));
    }
    buf_fini(&part);
    return good;
}

void pg_quote_array(struct buf *out, const char *const *texts, size_t count)
{
    assert(count == 0 || texts != NULL);
    buf_append_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i == 0 ? "\"" : ",\"");
        for (const char *at = texts[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\') {
                buf_append_byte(out, '\\');
            }
            buf_append_byte(out, (uint8_t) *at);
        }
        buf_append_byte(out, '"');
    }
    buf_append_byte(out, '}');
}

/* Length of the comment, literal, quoted identifier or word at `sql`; else 1. Less than
 * SQL's whole grammar: the texts are those of sql/, which is ours. */
static size_t sql_token_length(const char *sql)
{
    assert(sql[0] != '\0');
    if (sql[0] == '-' && sql[1] == '-') {
        return strcspn(sql, "\n");
    }
    if (sql[0] == '\'' || sql[0] == '"') {
        size_t length = 1;
        while (sql[length] != '\0' && sql[length] != sql[0]) {
            length++;
        }
        return length + (sql[length] != '\0');
    }
    size_t length = 0;
    while (is_word(sql[length])) {
        length++;
    }
    return length > 0 ? length : 1;
}

void pg_append_for_schema(struct buf *out, const char *sql, const char *schema)
{
    assert(schema != NULL);
    while (*sql != '\0') {
        struct slice token = slice_make(sql, sql_token_length(sql));
        if (slice_is(token, "mqtt2pg")) {
            pg_quote_identifier(out, slice_of(schema));
        } else {
            buf_append_slice(out, token);
        }
        sql += token.length;
    }
}
