/*
 * The tokens are those of libconfig 1.5's scanner, except that a lone "." is no number here.
 *
 * A file is cut into tokens by one walk over its bytes. The walk ends at the first thing that is no
 * token, with one problem. After a missing quote every later quote would be taken for the wrong
 * one, so more problems would only mislead. At @include the walk continues in the other file and
 * comes back; each token keeps the place in its own file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_source.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/config_expand.h"
#include "config/config_number.h"
#include "config/config_stray.h"

/* Bounds against a file that includes itself through symbolic links, and against a wrong file. */
enum {
    INCLUDE_DEPTH_MAX = 10, /* libconfig's own limit */
    SOURCE_BYTES_MAX = 16 << 20,
};

/* One file while it is cut into tokens. */
struct lexer {
    struct config_source *source;
    struct problems *problems;
    const struct lexer *includer; /* NULL for the file that was named */
    const char *file;
    struct slice text; /* of the file, without its byte order mark */
    size_t at;         /* index of the next byte */
    int line;          /* of that byte, from 1 */
    int depth;         /* 0 for the file that was named, 1 for one that it includes, … */
    bool line_begins;  /* nothing but spaces before `at` on its line */
    size_t token_end;  /* where the last token ended */
};

static bool lexer_run(struct lexer *lexer);

void config_source_init(struct config_source *source, struct arena *names)
{
    *source = (struct config_source){.names = names, .texts = arena_new(64 << 10)};
}

void config_source_fini(struct config_source *source)
{
    arena_free(source->texts);
    free(source->tokens);
    *source = (struct config_source){0};
}

const char *config_source_path(struct arena *arena, const char *file, const char *path)
{
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    int folder = slash == NULL || path[0] == '/' ? 0 : (int) (slash - file) + 1;
    return arena_printf(arena, "%.*s%s", folder, folder > 0 ? file : "", path).data;
}

/* The place of the next byte. */
static struct place here(const struct lexer *lexer)
{
    assert(lexer->line > 0);
    return (struct place){lexer->file, lexer->line};
}

/* What is not read yet. */
static struct slice rest(const struct lexer *lexer)
{
    assert(lexer->at <= lexer->text.length);
    return slice_make(lexer->text.data + lexer->at, lexer->text.length - lexer->at);
}

/* Does the text begin with this word? */
static bool begins_with(struct slice text, const char *word)
{
    size_t length = strlen(word);
    return text.length >= length && memcmp(text.data, word, length) == 0;
}

/* Moves `length` bytes on and counts the lines among them. */
static void skip(struct lexer *lexer, size_t length)
{
    assert(lexer->at + length <= lexer->text.length);
    for (size_t end = lexer->at + length; lexer->at < end; lexer->at++) {
        lexer->line += lexer->text.data[lexer->at] == '\n';
    }
}

/* Takes the next `length` bytes as one token. */
static void add_token(struct lexer *lexer, enum token_type type, size_t length)
{
    assert(lexer->at + length <= lexer->text.length);
    struct config_source *source = lexer->source;
    source->tokens =
        memory_grow(source->tokens, source->count, &source->capacity, sizeof(struct token));
    source->tokens[source->count++] = (struct token){
        .type = type,
        .glued = lexer->at > 0 && lexer->token_end == lexer->at,
        .spelling = slice_make(lexer->text.data + lexer->at, length),
        .place = here(lexer),
    };
    skip(lexer, length);
    lexer->token_end = lexer->at;
}

/* libconfig's names may begin with "*". */
static bool is_name_start(char c)
{
    return ascii_is_letter(c) || c == '*';
}

/* Takes a name, or a boolean: "true" and "false" in upper or lower case. */
static void lex_name(struct lexer *lexer)
{
    assert(is_name_start(config_char_at(lexer->text, lexer->at)));
    struct slice text = rest(lexer);
    size_t length = 1;
    while (length < text.length &&
           (ascii_is_letter(text.data[length]) || ascii_is_digit(text.data[length]) ||
            strchr("*_-", text.data[length]) != NULL)) {
        length++;
    }
    bool boolean = (length == 4 && strncasecmp(text.data, "true", 4) == 0) ||
                   (length == 5 && strncasecmp(text.data, "false", 5) == 0);
    add_token(lexer, boolean ? TOKEN_BOOLEAN : TOKEN_NAME, length);
}

/* The line of the first text of this file that does not end on the line where it begins; 0 when
 * there is none. Its closing quote is probably missing: the text then ends at the opening quote of
 * the next one, and every later quote is taken for the wrong one. */
static int suspicious_line(const struct lexer *lexer)
{
    const struct config_source *source = lexer->source;
    for (size_t i = 0; i < source->count; i++) {
        const struct token *token = &source->tokens[i];
        if (token->type == TOKEN_TEXT && token->place.file == lexer->file &&
            memchr(token->spelling.data, '\n', token->spelling.length) != NULL) {
            return token->place.line;
        }
    }
    return 0;
}

/* Reports a text without an end. The missing quote may be that of an earlier text. */
static void report_endless_text(struct lexer *lexer)
{
    int line = suspicious_line(lexer);
    char hint[60] = "";
    if (line > 0) {
        snprintf(hint, sizeof(hint), ", here or in line %d", line);
    }
    problem_error(lexer->problems, here(lexer), NULL,
                  "the text that begins here never ends: a closing \" is missing%s", hint);
}

/* Takes a text with its quotes. A quote after a backslash does not end it. */
static bool lex_text(struct lexer *lexer)
{
    assert(config_char_at(lexer->text, lexer->at) == '"');
    struct slice text = rest(lexer);
    size_t length = 1;
    while (length < text.length && text.data[length] != '"') {
        length += text.data[length] == '\\' ? 2 : 1;
    }
    if (length >= text.length) {
        report_endless_text(lexer);
        return false;
    }
    add_token(lexer, TOKEN_TEXT, length + 1);
    return true;
}

/* Skips a comment, of one of libconfig's three kinds: from # or // to the end of the line, or
 * between the two signs of C. */
static bool lex_comment(struct lexer *lexer)
{
    struct slice text = rest(lexer);
    const char *end;
    if (begins_with(text, "/*")) {
        end = memmem(text.data + 2, text.length - 2, "*/", 2);
        if (end == NULL) {
            problem_error(lexer->problems, here(lexer), NULL,
                          "the comment that begins here never ends: a closing */ is missing");
            return false;
        }
        skip(lexer, (size_t) (end - text.data) + 2);
        return true;
    }
    end = memchr(text.data, '\n', text.length);
    skip(lexer, end == NULL ? text.length : (size_t) (end - text.data));
    return true;
}

/* Skips `@include "` at the beginning of a line. False, and nothing is skipped, when the text is
 * something else. */
static bool take_include(struct lexer *lexer)
{
    struct slice text = rest(lexer);
    size_t length = strlen("@include");
    if (!lexer->line_begins || !begins_with(text, "@include")) {
        return false;
    }
    while (config_char_at(text, length) == ' ' || config_char_at(text, length) == '\t') {
        length++;
    }
    if (config_char_at(text, length) != '"' || length == strlen("@include")) {
        return false;
    }
    skip(lexer, length + 1);
    return true;
}

/* Reads the path up to the closing quote, replaces ${…} in it, and makes it relative to the folder
 * of this file. NULL: a problem is reported. */
static const char *include_path(struct lexer *lexer)
{
    struct buf written = {0};
    struct buf path = {0};
    struct error error;
    const char *result = NULL;
    struct place place = here(lexer);
    while (lexer->at < lexer->text.length && strchr("\"\n", lexer->text.data[lexer->at]) == NULL) {
        char next = config_char_at(lexer->text, lexer->at + 1);
        bool escaped = lexer->text.data[lexer->at] == '\\' && (next == '"' || next == '\\');
        lexer->at += escaped;
        buf_append_byte(&written, (uint8_t) lexer->text.data[lexer->at]);
        lexer->at++;
    }
    if (config_char_at(lexer->text, lexer->at) != '"') {
        problem_error(lexer->problems, place, "@include", "a closing \" is missing");
    } else if (!config_expand(&path, buf_slice(&written), &error)) {
        problem_error(lexer->problems, place, "@include", "%s", error.text);
    } else {
        result = config_source_path(lexer->source->names, lexer->file, buf_string(&path));
    }
    lexer->at += config_char_at(lexer->text, lexer->at) == '"';
    buf_fini(&written);
    buf_fini(&path);
    return result;
}

/* Would including this file never end: is it the lexer's file, or one that includes it? */
static bool includes_itself(const struct lexer *lexer, const char *file)
{
    for (; lexer != NULL; lexer = lexer->includer) {
        if (lexer->file != NULL && strcmp(lexer->file, file) == 0) {
            return true;
        }
    }
    return false;
}

/* Does the file begin with a byte order mark of UTF-16, as Windows writes "Unicode"? */
static bool is_utf16(struct slice text)
{
    return begins_with(text, "\xff\xfe") || begins_with(text, "\xfe\xff");
}

/* Is the file valid UTF-8 without NUL bytes? Reports the first line that is not. */
static bool check_bytes(const struct lexer *lexer)
{
    int line = 1;
    struct slice left = lexer->text;
    if (text_is_utf8(left) && !text_has_nul(left)) {
        return true;
    }
    for (;; line++) {
        const char *end = memchr(left.data, '\n', left.length);
        size_t length = end == NULL ? left.length : (size_t) (end - left.data) + 1;
        struct slice one = slice_make(left.data, length);
        if (text_has_nul(one) || !text_is_utf8(one)) {
            problem_error(lexer->problems, (struct place){lexer->file, line}, NULL, "%s",
                          is_utf16(lexer->text) ? "this is UTF-16: save the file as UTF-8"
                          : text_has_nul(one)
                              ? "a NUL byte stands here: this is not a text file"
                              : "this is not UTF-8: save the file in that encoding");
            return false;
        }
        left = slice_make(left.data + length, left.length - length);
    }
}

/* Reads the lexer's file into its text. SOURCE_BYTES_MAX limits all files together. */
static enum outcome read_file(struct lexer *lexer, struct error *error)
{
    struct config_source *source = lexer->source;
    struct buf content = {0};
    enum outcome outcome =
        file_load(lexer->file, SOURCE_BYTES_MAX - source->bytes, &content, error);
    struct slice text = buf_slice(&content);
    source->bytes += text.length;
    if (begins_with(text, "\xef\xbb\xbf")) { /* a byte order mark, as editors on Windows write it */
        text = slice_make(text.data + 3, text.length - 3);
    }
    lexer->text = arena_copy(source->texts, text);
    buf_fini(&content);
    return outcome;
}

/* Takes the tokens of the included file here. A file that cannot be read is reported and left out;
 * false when the reading must end. */
static bool lex_include(struct lexer *lexer)
{
    assert(lexer->depth <= INCLUDE_DEPTH_MAX);
    struct place place = here(lexer);
    struct error error;
    const char *file = include_path(lexer);
    struct lexer included = {
        .source = lexer->source,
        .problems = lexer->problems,
        .includer = lexer,
        .file = file,
        .line = 1,
        .depth = lexer->depth + 1,
        .line_begins = true,
    };
    if (file == NULL) {
        lexer->source->incomplete = true;
    } else if (includes_itself(lexer, file)) {
        problem_error(lexer->problems, place, "@include", "\"%s\" includes itself", file);
        return false;
    } else if (included.depth > INCLUDE_DEPTH_MAX) {
        problem_error(lexer->problems, place, "@include", "more than %d files deep",
                      INCLUDE_DEPTH_MAX);
        return false;
    } else if (read_file(&included, &error) != OUTCOME_OK) {
        problem_error(lexer->problems, place, "@include", "%s%s", error.text,
                      strpbrk(file, "*?") != NULL ? " (no wildcards: one @include a file)" : "");
        lexer->source->incomplete = true;
    } else {
        return lexer_run(&included);
    }
    return true;
}

/* Reports a character that begins no token. */
static void report_stray(struct lexer *lexer)
{
    assert(lexer->at < lexer->text.length);
    struct buf message = {0};
    config_stray_append(&message, rest(lexer), lexer->source, suspicious_line(lexer));
    problem_error(lexer->problems, here(lexer), NULL, "%s", buf_string(&message));
    buf_fini(&message);
}

/* Takes one token, comment or @include. False after a problem that ends the reading. */
static bool lex_one(struct lexer *lexer)
{
    assert(lexer->at < lexer->text.length);
    static const char signs[] = "=:;,{}()[]";
    static const enum token_type sign_types[] = {
        TOKEN_EQUALS,      TOKEN_EQUALS,    TOKEN_SEPARATOR,  TOKEN_COMMA,      TOKEN_GROUP_OPEN,
        TOKEN_GROUP_CLOSE, TOKEN_LIST_OPEN, TOKEN_LIST_CLOSE, TOKEN_ARRAY_OPEN, TOKEN_ARRAY_CLOSE,
    };
    struct slice text = rest(lexer);
    char first = text.data[0];
    const char *sign = strchr(signs, first);
    enum token_type type;
    size_t length = config_number_length(text, &type);

    if (first == '#' || begins_with(text, "//") || begins_with(text, "/*")) {
        return lex_comment(lexer);
    }
    if (first == '"') {
        return lex_text(lexer);
    }
    if (length > 0) {
        add_token(lexer, type, length);
    } else if (is_name_start(first)) {
        lex_name(lexer);
    } else if (sign != NULL) {
        add_token(lexer, sign_types[sign - signs], 1);
    } else if (take_include(lexer)) {
        return lex_include(lexer);
    } else {
        report_stray(lexer);
        return false;
    }
    return true;
}

/* Takes one file from its beginning to its end. False after a problem that ends the reading. */
static bool lexer_run(struct lexer *lexer)
{
    assert(lexer->line_begins);
    bool good = check_bytes(lexer);
    while (good && lexer->at < lexer->text.length) {
        char first = lexer->text.data[lexer->at];
        if (strchr(" \t\n\r\f", first) != NULL) {
            lexer->line_begins = first == '\n' || (lexer->line_begins && first != '\f');
            skip(lexer, 1);
        } else {
            good = lex_one(lexer);
            lexer->line_begins = false;
        }
    }
    return good;
}

/* Takes the file and all that it includes, and adds TOKEN_END. */
static bool lex_whole(struct lexer *lexer)
{
    bool good = lexer_run(lexer);
    if (good) {
        add_token(lexer, TOKEN_END, 0);
    }
    return good;
}

/* What to do about a configuration that can't be read. */
static const char *unread_advice(int error_number)
{
    switch (error_number) {
    case ENOENT:
        return "mqtt2pg init writes one, --config names another";
    case EACCES:
        return "run this as root or as the user of the service";
    case EISDIR:
        return "name the file in it";
    default:
        return "--config names another";
    }
}

bool config_source_load(struct config_source *source, const char *file, struct problems *problems)
{
    struct error error;
    struct lexer lexer = {
        .source = source,
        .problems = problems,
        .file = arena_copy(source->names, slice_of(file)).data,
        .line = 1,
        .line_begins = true,
    };
    if (read_file(&lexer, &error) != OUTCOME_OK) {
        const char *advice = unread_advice(errno);

        problem_error(problems, (struct place){0}, NULL, "%s (%s)", error.text, advice);
        return false;
    }
    return lex_whole(&lexer);
}

bool config_source_parse(struct config_source *source, struct slice text, struct problems *problems)
{
    struct lexer lexer = {
        .source = source,
        .problems = problems,
        .text = arena_copy(source->texts, text),
        .line = 1,
        .line_begins = true,
    };
    return lex_whole(&lexer);
}
