/*
 * libconfig's grammar, by recursive descent:
 *
 *   settings: { NAME ( "=" | ":" ) value [ ";" | "," ] }
 *   value:    scalar | "{" settings "}" | list | array
 *   list:     "(" [ value { "," value } ] ")"
 *   array:    "[" [ scalar { "," scalar } ] "]"
 *   scalar:   TEXT { TEXT } | INTEGER | REAL | BOOLEAN
 *
 * Each parse_… function returns false after it has reported a mistake.
 *
 * The first mistake ends the reading, as in config_source.c: after a missing brace or quote the
 * rest cannot be understood. The message names the place where a person has to write something:
 * the opening brace that is never closed, and not the end of the file.
 *
 * A name that is given twice in one group is reported, its second value is left out, and the
 * reading goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_syntax.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

/* How deep groups and lists may be nested; each level is a recursion. */
enum { DEPTH_MAX = 32 };

/* Where the parsing stands. All pointers are borrowed. */
struct parser {
    struct config_syntax *syntax;
    const struct config_source *source;
    struct problems *problems;
    size_t at;   /* index of the next token */
    int depth;   /* of groups and lists around it */
    int dropped; /* > 0: inside a value that is not passed to libconfig */
};

static bool parse_value(struct parser *parser);
static bool parse_settings(struct parser *parser, const struct token *open);

/* The next token; behind the last one stands TOKEN_END. */
static const struct token *peek(const struct parser *parser)
{
    assert(parser->at < parser->source->count);
    return &parser->source->tokens[parser->at];
}

/* The token before the next one, or NULL. */
static const struct token *previous(const struct parser *parser)
{
    return parser->at == 0 ? NULL : &parser->source->tokens[parser->at - 1];
}

/* Writes a token for libconfig, on a line of its own, unless it is part of a value left out. */
static void emit(struct parser *parser, const char *text, size_t length)
{
    assert(parser->dropped >= 0);
    if (parser->dropped == 0) {
        buf_append(&parser->syntax->text, text, length);
        buf_append_byte(&parser->syntax->text, '\n');
    }
}

/* Passes the next token to libconfig and returns it. config_tree_integer() reads an integer from
 * its spelling: libconfig 1.7.3 and later refuse one beyond 64 bits without telling the line. */
static const struct token *take(struct parser *parser)
{
    const struct token *token = peek(parser);
    struct slice text = token->type == TOKEN_INTEGER ? slice_of("0") : token->spelling;

    emit(parser, text.data, text.length);
    parser->at++;
    return token;
}

/* Remembers the place of a setting or an element, in the order in which attach_nodes() of
 * config_tree.c needs them. */
static void add_node(struct parser *parser, struct place place, struct slice spelling)
{
    struct config_syntax *syntax = parser->syntax;
    if (parser->dropped == 0) {
        syntax->nodes = memory_grow(syntax->nodes, syntax->count, &syntax->capacity,
                                    sizeof(struct config_node));
        syntax->nodes[syntax->count++] = (struct config_node){place, spelling};
    }
}

/* Is it a single value: a text, number or boolean? */
static bool is_scalar(enum token_type type)
{
    return type == TOKEN_TEXT || type == TOKEN_INTEGER || type == TOKEN_REAL ||
           type == TOKEN_BOOLEAN;
}

/* Can a value begin with it: a single value, a group, a list or an array? */
static bool begins_value(enum token_type type)
{
    return is_scalar(type) || type == TOKEN_GROUP_OPEN || type == TOKEN_LIST_OPEN ||
           type == TOKEN_ARRAY_OPEN;
}

/* The line of a text, among the three tokens before the next one, that does not end on the line
 * where it begins; 0 when there is none. Its closing quote is probably missing: the text then ended
 * where the next text should have begun. */
static int suspicious_line(const struct parser *parser)
{
    for (size_t back = 1; back <= 3 && back <= parser->at; back++) {
        const struct token *token = &parser->source->tokens[parser->at - back];
        if (token->type == TOKEN_TEXT &&
            memchr(token->spelling.data, '\n', token->spelling.length) != NULL) {
            return token->place.line;
        }
    }
    return 0;
}

/* A hint about what the next token was probably meant to be, "" when there is none. `open` is the
 * opening brace of the group around it, NULL outside of groups and in lists. `hint` is memory for
 * the result. */
static const char *guess(const struct parser *parser, const struct token *open, char *hint,
                         size_t size)
{
    const struct token *token = peek(parser);
    const struct token *before = previous(parser);
    int line = suspicious_line(parser);
    if (line > 0) {
        snprintf(hint, size, " (is a closing \" missing in line %d?)", line);
        return hint;
    }
    if (token->type == TOKEN_TEXT && before != NULL && before->type == TOKEN_NAME) {
        return before->glued ? " (a text within a text stands in single quotes)"
               : slice_is(before->spelling, "include") ? " (write @include \"FILE\")"
                                                       : "";
    }
    if (token->type == TOKEN_TEXT) {
        return " (names stand without quotes; an odd one in a list: ( { name = \"Odd Name\"; value "
               "= "
               "\"$.x\"; } ))";
    }
    if (token->type == TOKEN_GROUP_OPEN && before == open && open != NULL) {
        return " (a list of groups stands in ( and ))";
    }
    if (before == NULL && (token->type == TOKEN_GROUP_OPEN || token->type == TOKEN_ARRAY_OPEN)) {
        return " (this is not JSON or INI: write broker: { url = \"mqtt://localhost\"; };)";
    }
    if (token->type == TOKEN_SEPARATOR &&
        (before == NULL || before->place.line < token->place.line)) {
        return " (a comment begins with #)";
    }
    if (token->type == TOKEN_INTEGER) {
        return before != NULL && before->type == TOKEN_COMMA
                   ? " (a number has digits only: 10000)"
                   : " (a name begins with a letter; an odd one stands in a list: ( { name = "
                     "\"1st\"; value = "
                     "\"$.x\"; } ))";
    }
    if (token->type == TOKEN_LIST_CLOSE && open != NULL) {
        snprintf(hint, size, " (a \"}\" is missing: the group of line %d is not closed)",
                 open->place.line);
        return hint;
    }
    return "";
}

/* Reports that the next token is not `wanted`, and returns false. A word without quotes is not
 * shown: it may be a password. */
static bool fail(struct parser *parser, const char *wanted, const struct token *open)
{
    const struct token *token = peek(parser);
    char found[24] = "the end of the file";
    char hint[80];
    if (token->type == TOKEN_NAME) {
        snprintf(found, sizeof(found), "a word without quotes");
    } else if (token->type == TOKEN_TEXT) {
        snprintf(found, sizeof(found), "a text");
    } else if (is_scalar(token->type)) {
        snprintf(found, sizeof(found), "a value");
    } else if (token->type != TOKEN_END) {
        snprintf(found, sizeof(found), "\"%.*s\"", SLICE_ARGS(token->spelling));
    }
    problem_error(parser->problems, token->place, NULL, "%s is wanted here, not %s%s", wanted,
                  found, guess(parser, open, hint, sizeof(hint)));
    return false;
}

/* Reports a value whose quotes are missing: 30s is a number followed by a name, 1.2.3.4 are two
 * numbers. */
static bool check_glued(struct parser *parser)
{
    const struct token *token = peek(parser);
    const struct token *before = previous(parser);
    bool word = token->type == TOKEN_NAME && token[1].type != TOKEN_EQUALS;
    if (token->glued && before->type != TOKEN_TEXT && (word || is_scalar(token->type))) {
        problem_error(parser->problems, before->place, NULL,
                      "a value that is not just a number stands in quotes, like \"30s\"");
        return false;
    }
    return true;
}

/* Takes one value. Texts that follow each other are one text, as in C; in a list a comma was
 * probably forgotten between them. */
static bool parse_scalar(struct parser *parser, bool in_list)
{
    assert(is_scalar(peek(parser)->type));
    const struct token *first = take(parser);
    while (first->type == TOKEN_TEXT && peek(parser)->type == TOKEN_TEXT) {
        if (in_list) {
            problem_warning(parser->problems, peek(parser)->place, NULL,
                            "no comma between this text and the one before it: they are one text");
        }
        take(parser);
    }
    return check_glued(parser);
}

/* Reports what follows an element of a list, when it is neither a comma nor the closing sign. */
static bool fail_in_list(struct parser *parser, const struct token *open, const char *close)
{
    const struct token *token = peek(parser);
    if (token->type == TOKEN_END || token->type == TOKEN_GROUP_CLOSE) {
        problem_error(parser->problems, open->place, NULL,
                      "the list that begins here is never closed: a \"%s\" is missing", close);
    } else if (token->type == TOKEN_SEPARATOR) {
        problem_error(parser->problems, token->place, NULL,
                      "elements of a list stand apart by \",\", not by \";\"");
    } else if (begins_value(token->type)) {
        problem_error(parser->problems, token->place, NULL,
                      "a comma is missing between this element of the list and the one before it");
    } else {
        char wanted[20];
        snprintf(wanted, sizeof(wanted), "\",\" or \"%s\"", close);
        return fail(parser, wanted, NULL);
    }
    return false;
}

/* Takes one element of a list, or of an array, which has single values only. */
static bool parse_element(struct parser *parser, bool array, const char *close)
{
    const struct token *token = peek(parser);
    const struct token *before = previous(parser);
    enum token_type end = array ? TOKEN_ARRAY_CLOSE : TOKEN_LIST_CLOSE;
    if (token->type == end && before->type == TOKEN_COMMA) {
        problem_error(parser->problems, before->place, NULL,
                      "remove the comma before the closing \"%s\"", close);
        return false;
    }
    if (array && !is_scalar(token->type) && begins_value(token->type)) {
        problem_error(parser->problems, token->place, NULL,
                      "between [ and ] only single values may stand: write ( and )");
        return false;
    }
    add_node(parser, token->place, token->spelling);
    return is_scalar(token->type) ? parse_scalar(parser, true) : parse_value(parser);
}

/* Takes a list ( … ) or an array [ … ]. libconfig gets both as a list: its arrays refuse values of
 * different types. */
static bool parse_list(struct parser *parser)
{
    assert(peek(parser)->type == TOKEN_LIST_OPEN || peek(parser)->type == TOKEN_ARRAY_OPEN);
    const struct token *open = peek(parser);
    bool array = open->type == TOKEN_ARRAY_OPEN;
    enum token_type end = array ? TOKEN_ARRAY_CLOSE : TOKEN_LIST_CLOSE;
    const char *close = array ? "]" : ")";

    emit(parser, "(", 1);
    parser->at++;
    while (peek(parser)->type != end || previous(parser)->type == TOKEN_COMMA) {
        if (peek(parser)->type == TOKEN_END) {
            return fail_in_list(parser, open, close);
        }
        if (!parse_element(parser, array, close)) {
            return false;
        }
        if (peek(parser)->type == TOKEN_COMMA) {
            take(parser);
        } else if (peek(parser)->type != end) {
            return fail_in_list(parser, open, close);
        }
    }
    emit(parser, ")", 1);
    parser->at++;
    return true;
}

/* Takes a group { … }. */
static bool parse_group(struct parser *parser)
{
    assert(peek(parser)->type == TOKEN_GROUP_OPEN);
    const struct token *open = take(parser);
    bool good = parse_settings(parser, open);
    if (good) {
        take(parser);
    }
    return good;
}

/* Takes any value: what may follow a name, or stand in a list. */
static bool parse_value(struct parser *parser)
{
    assert(parser->depth >= 0 && parser->depth <= DEPTH_MAX);
    const struct token *token = peek(parser);
    bool good;
    if (parser->depth >= DEPTH_MAX) {
        problem_error(parser->problems, token->place, NULL, "more than %d groups and lists deep",
                      DEPTH_MAX);
        return false;
    }
    parser->depth++;
    if (is_scalar(token->type)) {
        good = parse_scalar(parser, false);
    } else if (token->type == TOKEN_GROUP_OPEN) {
        good = parse_group(parser);
    } else if (begins_value(token->type)) {
        good = parse_list(parser);
    } else {
        good = fail(parser, "a value (a text in quotes, a number, true or false)", NULL);
    }
    parser->depth--;
    return good;
}

/* Is the next token, a name, one of the `count` names before it? Then it is reported. */
static bool is_duplicate(struct parser *parser, const struct token *const *names, size_t count)
{
    const struct token *name = peek(parser);
    for (size_t i = 0; i < count; i++) {
        struct place first = names[i]->place;
        char what[64];
        if (!slice_equal(names[i]->spelling, name->spelling)) {
            continue;
        }
        snprintf(what, sizeof(what), "%.*s", SLICE_ARGS(name->spelling));
        if (first.file == name->place.file) {
            problem_error(parser->problems, name->place, what, "given twice, first in line %d",
                          first.line);
        } else {
            problem_error(parser->problems, name->place, what, "given twice, first in %s:%d",
                          first.file, first.line);
        }
        return true;
    }
    return false;
}

/* Reports "name = ;" and "name = name2 = …": a text that begins with // is taken for a comment, and
 * a group of YAML has no braces. */
static bool fail_without_value(struct parser *parser, const struct token *name)
{
    bool yaml = slice_is(name[1].spelling, ":") && peek(parser)->type == TOKEN_NAME;
    problem_error(parser->problems, name->place, NULL, "nothing stands behind \"%.*s %.*s\": %s",
                  SLICE_ARGS(name->spelling), SLICE_ARGS(name[1].spelling),
                  yaml ? "this is not YAML: a group stands in { and }, a text in double quotes"
                       : "a text stands in double quotes (// begins a comment)");
    return false;
}

/* Takes NAME = VALUE, and the ";" or "," after it if there is one. */
static bool parse_setting(struct parser *parser)
{
    assert(peek(parser)->type == TOKEN_NAME);
    const struct token *name = take(parser);
    if (peek(parser)->type != TOKEN_EQUALS) {
        return fail(parser, "\"=\"", NULL);
    }
    take(parser);
    const struct token *value = peek(parser);
    bool next_setting = value->type == TOKEN_NAME && value[1].type == TOKEN_EQUALS;
    if (!begins_value(value->type) && (value->type != TOKEN_NAME || next_setting)) {
        return fail_without_value(parser, name);
    }
    add_node(parser, name->place, value->spelling);
    if (!parse_value(parser)) {
        return false;
    }
    if (peek(parser)->type == TOKEN_SEPARATOR || peek(parser)->type == TOKEN_COMMA) {
        take(parser);
    }
    return true;
}

/* Do the settings end rightly: before the "}" of the group `open`, or at the end of the file when
 * `open` is NULL? Reports anything else. */
static bool end_settings(struct parser *parser, const struct token *open)
{
    const struct token *token = peek(parser);
    if (token->type == TOKEN_END && open != NULL) {
        problem_error(parser->problems, open->place, NULL,
                      "the group that begins here is never closed: a \"}\" is missing");
        return false;
    }
    if (token->type == TOKEN_GROUP_CLOSE && open == NULL) {
        problem_error(parser->problems, token->place, NULL, "this \"}\" closes nothing");
        return false;
    }
    if (token->type != TOKEN_END && token->type != TOKEN_GROUP_CLOSE) {
        return fail(parser, "the name of a setting", open);
    }
    return true;
}

/* Takes all settings up to the end of the group `open`, or of the file when `open` is NULL. */
static bool parse_settings(struct parser *parser, const struct token *open)
{
    const struct token **names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    bool good = true;
    while (good && peek(parser)->type == TOKEN_NAME) {
        bool duplicate = is_duplicate(parser, names, count);
        names = memory_grow(names, count, &capacity, sizeof(names[0]));
        names[count++] = peek(parser);
        parser->dropped += duplicate;
        good = parse_setting(parser);
        parser->dropped -= duplicate;
    }
    free(names);
    return good && end_settings(parser, open);
}

bool config_syntax_check(struct config_syntax *syntax, const struct config_source *source,
                         struct problems *problems)
{
    assert(source->count > 0 && source->tokens[source->count - 1].type == TOKEN_END);
    struct parser parser = {.syntax = syntax, .source = source, .problems = problems};
    return parse_settings(&parser, NULL);
}

void config_syntax_fini(struct config_syntax *syntax)
{
    buf_fini(&syntax->text);
    free(syntax->nodes);
    *syntax = (struct config_syntax){0};
}
