/* SPDX-License-Identifier: MIT */
#include "pg/pg_statements.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The tokens of a statement, as far as this file must distinguish them. Space and comments are no
 * tokens: take_token() passes over them. */
enum token {
    TOKEN_END,
    TOKEN_WORD, /* a keyword or an identifier without quotes */
    TOKEN_SEMICOLON,
    TOKEN_OPEN,  /* ( */
    TOKEN_CLOSE, /* ) */
    TOKEN_OTHER, /* anything else that means something */
    /* a quoted text or a comment without an end: everything behind its beginning is part of it */
    TOKEN_BROKEN,
};

static bool starts(struct slice text, const char *with)
{
    size_t length = strlen(with);
    return text.length >= length && memcmp(text.data, with, length) == 0;
}

static void skip(struct slice *text, size_t count)
{
    assert(count <= text->length);
    *text = slice_make(text->data + count, text->length - count);
}

static bool is_word_start(char c)
{
    return isalpha((unsigned char) c) || c == '_' || (unsigned char) c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || isdigit((unsigned char) c) || c == '$';
}

static bool is_space(char c)
{
    return strchr(" \t\n\r\f\v", c) != NULL && c != '\0';
}

static void skip_line(struct slice *text)
{
    while (text->length > 0 && text->data[0] != '\n' && text->data[0] != '\r') {
        skip(text, 1);
    }
}

/* Moves from the beginning of a comment behind its end. SQL's comments nest. False: it has no
 * end. */
static bool skip_comment(struct slice *text)
{
    unsigned depth = 0;

    assert(starts(*text, "/*"));
    while (text->length > 0) {
        if (starts(*text, "/*")) {
            depth++;
            skip(text, 2);
        } else if (starts(*text, "*/")) {
            skip(text, 2);
            if (--depth == 0) {
                return true;
            }
        } else {
            skip(text, 1);
        }
    }
    return false;
}

/* Moves from behind the opening quote to behind the closing one. A doubled quote is part of the
 * text; with `escapes` so is the character behind a backslash. False: there is no closing quote. */
static bool skip_quoted(struct slice *text, char quote, bool escapes)
{
    while (text->length > 0) {
        char c = text->data[0];
        skip(text, 1);
        if (c == quote) {
            if (text->length == 0 || text->data[0] != quote) {
                return true;
            }
            skip(text, 1);
        } else if (c == '\\' && escapes && text->length > 0) {
            skip(text, 1);
        }
    }
    return false;
}

/* SQL joins two literals that only space with a line break separates, and the second one has the
 * escapes of the first: E'a' NEWLINE 'b'. Moves behind the second one's opening quote and returns
 * true; else leaves `text` where it is. */
static bool take_continuation(struct slice *text)
{
    struct slice rest = *text;
    bool newline = false;
    while (rest.length > 0 && (is_space(rest.data[0]) || starts(rest, "--"))) {
        if (rest.data[0] == '-') {
            skip_line(&rest);
        } else {
            newline |= rest.data[0] == '\n' || rest.data[0] == '\r';
            skip(&rest, 1);
        }
    }
    if (!newline || !starts(rest, "'")) {
        return false;
    }
    skip(&rest, 1);
    *text = rest;
    return true;
}

/* Moves from behind E' to behind the end of the literal and its continuations. */
static bool skip_escaped(struct slice *text)
{
    do {
        if (!skip_quoted(text, '\'', true)) {
            return false;
        }
    } while (take_continuation(text));
    return true;
}

/* The length of "$tag$" at the front; 0 when no dollar quote stands there ("$1" is a parameter). A
 * tag follows the rules of an identifier, but may not contain "$"; "$$" has an empty one. */
static size_t dollar_tag(struct slice text)
{
    size_t length = 1;

    assert(starts(text, "$"));
    while (length < text.length && text.data[length] != '$' && is_word(text.data[length])) {
        length++;
    }
    bool tag = length < text.length && text.data[length] == '$' &&
               (length == 1 || is_word_start(text.data[1]));
    return tag ? length + 1 : 0;
}

/* Moves behind the next "$tag$" that equals the opening one. Nothing is escaped in between. */
static bool skip_dollar_quoted(struct slice *text, size_t tag)
{
    const char *opening = text->data;

    assert(tag >= 2 && opening[0] == '$' && opening[tag - 1] == '$');
    skip(text, tag);
    while (text->length >= tag) {
        if (memcmp(text->data, opening, tag) == 0) {
            skip(text, tag);
            return true;
        }
        skip(text, 1);
    }
    return false;
}

/* Takes a word, or a literal that begins with the letter E. Other prefixes (B, X, N, U&) need no
 * care: the literal behind them has no escapes, and is the next token. */
static enum token take_word(struct slice *text, struct slice *word)
{
    size_t length = 1;

    assert(text->length > 0 && is_word_start(text->data[0]));
    while (length < text->length && is_word(text->data[length])) {
        length++;
    }
    *word = slice_make(text->data, length);
    skip(text, length);
    if (length == 1 && (word->data[0] == 'e' || word->data[0] == 'E') && starts(*text, "'")) {
        skip(text, 1);
        return skip_escaped(text) ? TOKEN_OTHER : TOKEN_BROKEN;
    }
    return TOKEN_WORD;
}

static enum token take_symbol(struct slice *text)
{
    char c = text->data[0];
    size_t tag = c == '$' ? dollar_tag(*text) : 0;
    if (tag > 0) {
        return skip_dollar_quoted(text, tag) ? TOKEN_OTHER : TOKEN_BROKEN;
    }
    skip(text, 1);
    if (c == '\'' || c == '"') {
        return skip_quoted(text, c, false) ? TOKEN_OTHER : TOKEN_BROKEN;
    }
    return c == ';'   ? TOKEN_SEMICOLON
           : c == '(' ? TOKEN_OPEN
           : c == ')' ? TOKEN_CLOSE
                      : TOKEN_OTHER;
}

/* Skips space and comments. False when a comment has no end. */
static bool skip_nothing(struct slice *text)
{
    bool sound = true;
    while (sound && text->length > 0) {
        if (starts(*text, "--")) {
            skip_line(text);
        } else if (starts(*text, "/*")) {
            sound = skip_comment(text);
        } else if (is_space(text->data[0])) {
            skip(text, 1);
        } else {
            break;
        }
    }
    return sound;
}

/* Takes one token and the space and comments behind it. */
static enum token take_token(struct slice *text, struct slice *word)
{
    enum token token = TOKEN_END;
    if (text->length > 0) {
        token = is_word_start(text->data[0]) ? take_word(text, word) : take_symbol(text);
    }
    return skip_nothing(text) ? token : TOKEN_BROKEN;
}

enum outcome pg_take_statement(struct slice *sql, struct slice *statement, struct error *error)
{
    struct slice word;
    enum token token = TOKEN_SEMICOLON;
    int depth = 0;

    if (!skip_nothing(sql)) {
        token = TOKEN_BROKEN;
    }
    /* Empty statements. */
    while (token == TOKEN_SEMICOLON && starts(*sql, ";")) {
        token = take_token(sql, &word);
    }
    const char *begin = sql->data;
    const char *end = begin;
    while (token != TOKEN_BROKEN) {
        end = sql->data;
        token = take_token(sql, &word);
        /* CREATE RULE … DO (one; two) has semicolons in parentheses. */
        depth += token == TOKEN_OPEN ? 1 : token == TOKEN_CLOSE && depth > 0 ? -1 : 0;
        if (token == TOKEN_END || (token == TOKEN_SEMICOLON && depth == 0)) {
            break;
        }
    }
    if (token == TOKEN_BROKEN) {
        return error_set(error, OUTCOME_REJECT, "a quoted text or a comment in it has no end");
    }
    assert(depth >= 0 && end >= begin);
    *statement = slice_make(begin, (size_t) (end - begin));
    return OUTCOME_OK;
}

/* Statements that begin or end a transaction, that PostgreSQL refuses inside a transaction block,
 * or that need a client that supports COPY. In the order of the words. */
static const struct forbidden {
    const char *first;
    const char *second;   /* NULL: whatever follows */
    const char *anywhere; /* a word somewhere behind the first; NULL: whatever follows */
} forbidden[] = {
    {"abort", NULL, NULL},
    {"alter", "system", NULL},
    {"alter", NULL, "concurrently"},
    {"begin", NULL, NULL},
    {"commit", NULL, NULL},
    {"copy", NULL, "stdin"},
    {"copy", NULL, "stdout"},
    {"create", "database", NULL},
    {"create", "index", "concurrently"},
    {"create", "tablespace", NULL},
    {"create", "unique", "concurrently"},
    {"discard", NULL, NULL},
    {"drop", "database", NULL},
    {"drop", "index", "concurrently"},
    {"drop", "tablespace", NULL},
    {"end", NULL, NULL},
    {"prepare", "transaction", NULL},
    {"reindex", "database", NULL},
    {"reindex", "schema", NULL},
    {"reindex", "system", NULL},
    {"reindex", NULL, "concurrently"},
    {"release", NULL, NULL},
    {"rollback", NULL, NULL},
    {"savepoint", NULL, NULL},
    {"start", NULL, NULL},
    {"vacuum", NULL, NULL},
};

static bool is_it(struct slice word, const char *keyword)
{
    return word.length > 0 && word.length == strlen(keyword) &&
           strncasecmp(word.data, keyword, word.length) == 0;
}

/* Does the keyword stand in the text outside of quotes and comments? */
static bool has_word(struct slice text, const char *keyword)
{
    struct slice word = {0};
    enum token token = TOKEN_OTHER;
    while (token != TOKEN_END && token != TOKEN_BROKEN) {
        token = take_token(&text, &word);
        if (token == TOKEN_WORD && is_it(word, keyword)) {
            return true;
        }
    }
    return false;
}

/* The row of the table that the statement fits, or NULL. */
static const struct forbidden *find_forbidden(struct slice statement)
{
    struct slice rest = statement, first = {0}, second = {0};
    if (take_token(&rest, &first) != TOKEN_WORD) {
        return NULL;
    }
    struct slice behind = rest;
    if (take_token(&rest, &second) != TOKEN_WORD) {
        second = (struct slice){0};
    }
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        const struct forbidden *row = &forbidden[i];
        if (is_it(first, row->first) && (row->second == NULL || is_it(second, row->second)) &&
            (row->anywhere == NULL || has_word(behind, row->anywhere))) {
            return row;
        }
    }
    return NULL;
}

static enum outcome refuse(const struct forbidden *row, struct error *error)
{
    return error_set(error, OUTCOME_REJECT,
                     "\"%s%s%s%s%s\" can't be part of the transaction that stores a batch",
                     row->first, row->second == NULL ? "" : " ",
                     row->second == NULL ? "" : row->second, row->anywhere == NULL ? "" : " … ",
                     row->anywhere == NULL ? "" : row->anywhere);
}

enum outcome pg_check_statements(struct slice sql, struct error *error)
{
    struct slice statement = {0};
    size_t count = 0;

    while (pg_take_statement(&sql, &statement, error) == OUTCOME_OK) {
        const struct forbidden *row = find_forbidden(statement);
        if (row != NULL) {
            return refuse(row, error);
        }
        if (statement.length == 0) {
            return count > 0 ? OUTCOME_OK
                             : error_set(error, OUTCOME_REJECT, "the statement is empty");
        }
        count++;
    }
    assert(error->outcome == OUTCOME_REJECT);
    return error->outcome;
}

/* Statements that take a WITH query in front of them. */
static bool takes_with(struct slice first)
{
    static const char *const words[] = {"delete", "insert", "merge", "select", "update", "with"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_it(first, words[i])) {
            return true;
        }
    }
    return false;
}

/* Does the statement change "batch" (INSERT INTO batch, UPDATE batch, DELETE FROM batch)? */
static bool changes_batch(struct slice first, struct slice rest)
{
    struct slice word = {0};
    enum token token = take_token(&rest, &word);

    if (token == TOKEN_WORD &&
        (is_it(word, "into") || is_it(word, "from") || is_it(word, "only"))) {
        token = take_token(&rest, &word);
    }
    return token == TOKEN_WORD && is_it(word, "batch") && !is_it(first, "select") &&
           !is_it(first, "with");
}

/* When in doubt the answer is PG_BATCH_TABLE, which works for every statement and only costs more:
 * has_word() does not look into quotes, so a quoted "batch" counts as a use of the table, and a
 * SELECT may call a function that reads the table. */
enum pg_batch_use pg_batch_use(struct slice statement)
{
    struct slice rest = statement, first = {0};
    static const char quoted[] = "\"batch\"";

    if (take_token(&rest, &first) != TOKEN_WORD || !takes_with(first) ||
        has_word(statement, "pg_temp") || changes_batch(first, rest) ||
        memmem(statement.data, statement.length, quoted, sizeof(quoted) - 1) != NULL) {
        return PG_BATCH_TABLE;
    }
    if (has_word(statement, "batch")) {
        return PG_BATCH_READ;
    }
    return is_it(first, "select") || is_it(first, "with") ? PG_BATCH_TABLE : PG_BATCH_UNUSED;
}

void pg_append_with(struct buf *out, struct slice statement, const char *name, const char *query)
{
    struct slice rest = statement, first = {0}, second = {0};
    bool recursive = false;

    assert(name != NULL && query != NULL);
    (void) take_token(&rest, &first);
    bool has_with = is_it(first, "with");
    if (has_with) {
        struct slice behind = rest;
        recursive = take_token(&behind, &second) == TOKEN_WORD && is_it(second, "recursive");
        rest = recursive ? behind : rest;
    }
    buf_printf(out, "WITH %s%s AS (%s)%s", recursive ? "RECURSIVE " : "", name, query,
               has_with ? ", " : "\n");
    buf_append_slice(out, has_with ? rest : statement);
}
