/*
 * Reading type names (declared in table_shape.h).
 *
 *   text ──scan──▶ words "timestamp with time zone"  ──look up──▶ built-in type or TYPE_OTHER
 *                  modifiers "3", array                           ──▶ family, OIDs, typmod
 *
 * Modifiers stand anywhere behind the first word, as in SQL: "timestamp(3) with time zone",
 * "interval day to second(3)".
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "core/table_shape.h"
#include "core/type_table.h"

enum { WORDS_MAX = 160 };
enum { CHARACTERS_MAX = 10485760 };    /* MaxAttrSize */
enum { BITS_MAX = 83886080 };          /* MaxAttrSize * 8 */
enum { NUMERIC_PRECISION_MAX = 1000 }; /* and of the scale, both ways */
enum { TIME_PRECISION_MAX = 6 };
enum { INTERVAL_ALL_DIGITS = 0xffff };
enum { FLOAT4_BITS_MAX = 24, FLOAT8_BITS_MAX = 53 };

/* What scanning found. */
struct spelling {
    /* Lower case, one space between, quoted where it must be; "schema.name". */
    char words[WORDS_MAX];
    size_t length;
    int word_count;
    bool quoted;    /* some word was in quotes: no keyword */
    bool qualified; /* with a schema */
    struct slice modifiers;
    bool array;
};

struct scan {
    const char *at;
    const char *end;
};

static bool is_word_start(char c)
{
    return ascii_is_letter(c) || c == '_' || (unsigned char) c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || ascii_is_digit(c) || c == '$';
}

static void skip_spaces(struct scan *scan)
{
    while (scan->at < scan->end && ascii_is_space(*scan->at)) {
        scan->at++;
    }
}

static bool scan_char(struct scan *scan, char wanted)
{
    skip_spaces(scan);
    if (scan->at == scan->end || *scan->at != wanted) {
        return false;
    }
    scan->at++;
    return true;
}

static bool add_char(struct spelling *spelling, char c)
{
    if (spelling->length + 1 >= sizeof(spelling->words) || c == '\0') {
        return false;
    }
    assert(spelling->length + 1 < sizeof(spelling->words)); /* room for the NUL */
    spelling->words[spelling->length++] = c;
    spelling->words[spelling->length] = '\0';
    return true;
}

/* Would this name mean the same without its quotes? */
static bool is_plain(struct slice name)
{
    assert(name.length > 0);
    if (slice_is(name, "char") || !is_word_start(name.data[0])) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        if (!is_word(name.data[i]) || (name.data[i] >= 'A' && name.data[i] <= 'Z')) {
            return false;
        }
    }
    return true;
}

/* Stands on the opening quote. A doubled quote within stands for one, and stays doubled here. */
static bool scan_quoted(struct scan *scan, struct spelling *spelling)
{
    assert(*scan->at == '"');
    const char *start = ++scan->at;
    while (scan->at < scan->end &&
           (*scan->at != '"' || (scan->at + 1 < scan->end && scan->at[1] == '"'))) {
        scan->at += *scan->at == '"' ? 2 : 1;
    }
    struct slice name = slice_make(start, (size_t) (scan->at - start));
    if (scan->at == scan->end || name.length == 0) {
        return false;
    }
    scan->at++;
    spelling->quoted = true;
    bool plain = is_plain(name);
    bool fits = plain || add_char(spelling, '"');
    for (size_t i = 0; i < name.length && fits; i++) {
        fits = add_char(spelling, name.data[i]);
    }
    return fits && (plain || add_char(spelling, '"'));
}

static bool scan_name(struct scan *scan, struct spelling *spelling)
{
    skip_spaces(scan);
    if (scan->at == scan->end) {
        return false;
    }
    if (*scan->at == '"') {
        return scan_quoted(scan, spelling);
    }
    if (!is_word_start(*scan->at)) {
        return false;
    }
    bool fits = true;
    for (; scan->at < scan->end && is_word(*scan->at) && fits; scan->at++) {
        char c = *scan->at;
        fits = add_char(spelling, c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c);
    }
    return fits;
}

/* The scanner stands behind the opening bracket. Only characters that can't end or open anything in
 * SQL are accepted. */
static bool scan_modifiers(struct scan *scan, struct spelling *spelling)
{
    const char *start = scan->at;
    while (scan->at < scan->end && *scan->at != ')') {
        char c = *scan->at++;
        if (!is_word(c) && c != ',' && c != ' ' && c != '.' && c != '-' && c != '+') {
            return false;
        }
    }
    if (scan->at == scan->end || spelling->modifiers.data != NULL || scan->at == start) {
        return false;
    }
    spelling->modifiers = slice_make(start, (size_t) (scan->at++ - start));
    return true;
}

/* "[]", "[3]", and so on to the end. PostgreSQL ignores number and lengths of the dimensions. */
static bool scan_array(struct scan *scan, struct spelling *spelling)
{
    while (scan_char(scan, '[')) {
        skip_spaces(scan);
        while (scan->at < scan->end && ascii_is_digit(*scan->at)) {
            scan->at++;
        }
        if (!scan_char(scan, ']')) {
            return false;
        }
        spelling->array = true;
    }
    skip_spaces(scan);
    return scan->at == scan->end;
}

/* A trailing ARRAY keyword means the same as "[]". */
static void take_array_keyword(struct spelling *spelling)
{
    struct slice tail = SLICE_LITERAL(" array");
    if (spelling->word_count > 1 && !spelling->quoted && spelling->length > tail.length &&
        memcmp(spelling->words + spelling->length - tail.length, tail.data, tail.length) == 0) {
        spelling->length -= tail.length;
        spelling->words[spelling->length] = '\0';
        spelling->word_count--;
        spelling->array = true;
    }
}

static bool scan_spelling(struct slice text, struct spelling *spelling)
{
    struct scan scan = {text.data, text.data + text.length};
    *spelling = (struct spelling){.word_count = 1};
    if (!scan_name(&scan, spelling)) {
        return false;
    }
    if (scan_char(&scan, '.')) {
        spelling->qualified = true;
        if (!add_char(spelling, '.') || !scan_name(&scan, spelling)) {
            return false;
        }
    }
    for (skip_spaces(&scan); scan.at < scan.end && *scan.at != '['; skip_spaces(&scan)) {
        if (scan_char(&scan, '(')) {
            if (!scan_modifiers(&scan, spelling)) {
                return false;
            }
        } else if (*scan.at == '"' || !add_char(spelling, ' ') || !scan_name(&scan, spelling)) {
            return false;
        } else {
            spelling->word_count++;
        }
    }
    take_array_keyword(spelling);
    return scan_array(&scan, spelling);
}

/* Up to two whole numbers with a comma between: how many, or -1. */
static int parse_modifiers(struct slice text, int32_t numbers[2])
{
    const char *at = text.data;
    const char *end = text.data + text.length;
    for (int count = 0; count < 2; count++) {
        struct scan scan = {at, end};
        bool negative = scan_char(&scan, '-');
        skip_spaces(&scan);
        int32_t number = 0;
        const char *digits = scan.at;
        for (; scan.at < end && ascii_is_digit(*scan.at) && number <= BITS_MAX; scan.at++) {
            number = number * 10 + (*scan.at - '0');
        }
        if (scan.at == digits) {
            return -1;
        }
        numbers[count] = negative ? -number : number;
        skip_spaces(&scan);
        if (scan.at == end) {
            return count + 1;
        }
        if (*scan.at != ',') {
            return -1;
        }
        at = scan.at + 1;
    }
    return -1;
}

static bool between(int32_t number, int32_t low, int32_t high)
{
    return number >= low && number <= high;
}

/* The typmod of one or two modifiers; false when the type does not take them. */
static bool typmod_of(enum type_modifier modifier, const int32_t *numbers, int count,
                      int32_t *typmod)
{
    int32_t first = numbers[0];
    int32_t second = count == 2 ? numbers[1] : 0;
    if (count == 2 && modifier != MODIFIER_NUMERIC) {
        return false;
    }
    switch (modifier) {
    case MODIFIER_CHARACTERS:
        *typmod = first + TYPMOD_HEADER;
        return between(first, 1, CHARACTERS_MAX);
    case MODIFIER_BITS:
        *typmod = first;
        return between(first, 1, BITS_MAX);
    case MODIFIER_TIME:
        *typmod = first;
        return between(first, 0, TIME_PRECISION_MAX);
    case MODIFIER_NUMERIC:
        /* make_numeric_typmod() */
        *typmod =
            (int32_t) (((uint32_t) first << 16) | ((uint32_t) second & 0x7ff)) + TYPMOD_HEADER;
        return between(first, 1, NUMERIC_PRECISION_MAX) &&
               between(second, -NUMERIC_PRECISION_MAX, NUMERIC_PRECISION_MAX);
    case MODIFIER_NONE:
        break;
    }
    return false;
}

/* Fills the column; takes `type_name`. */
static void column_set(struct column_shape *column, const struct type_builtin *type, int32_t typmod,
                       bool array, char *type_name)
{
    assert(type_name != NULL && typmod >= -1);
    free(column->type_name);
    column->type_name = type_name;
    column->family = type != NULL ? type->family : TYPE_OTHER;
    column->typmod = typmod;
    column->array = array;
    column->type_oid = type == NULL ? 0 : array ? type->array_oid : type->oid;
    column->element_oid = type != NULL && array ? type->oid : 0;
}

static bool set_interval(struct column_shape *column, const struct spelling *spelling)
{
    int32_t mask = type_interval_mask(spelling->words);
    int32_t digits[2] = {INTERVAL_ALL_DIGITS};
    char shown[8] = "";
    if (mask < 0) {
        return false;
    }
    if (spelling->modifiers.data != NULL) {
        if (parse_modifiers(spelling->modifiers, digits) != 1 ||
            !between(digits[0], 0, TIME_PRECISION_MAX) || (mask & INTERVAL_SECOND) == 0) {
            return false;
        }
        shown[0] = '(';
        assert(digits[0] >= 0 && digits[0] <= 9);
        shown[1] = (char) ('0' + digits[0]);
        shown[2] = ')';
    }
    bool whole = mask == INTERVAL_ALL_FIELDS && digits[0] == INTERVAL_ALL_DIGITS;
    column_set(column, type_builtin_find("interval"), whole ? -1 : mask << 16 | digits[0],
               spelling->array,
               memory_printf("%s%s%s", spelling->words, shown, spelling->array ? "[]" : ""));
    return true;
}

static bool set_builtin(struct column_shape *column, const struct spelling *spelling,
                        const struct type_builtin *type, int32_t typmod)
{
    char shown[32] = "";
    int32_t numbers[2] = {0};
    if (spelling->modifiers.data != NULL) {
        int count = parse_modifiers(spelling->modifiers, numbers);
        if (count < 1 || !typmod_of(type->modifier, numbers, count, &typmod)) {
            return false;
        }
    }
    if (typmod >= 0) {
        bool characters = type->modifier == MODIFIER_CHARACTERS;
        if (type->modifier == MODIFIER_NUMERIC) {
            snprintf(shown, sizeof(shown), "(%d,%d)", numbers[0], numbers[1]);
        } else {
            snprintf(shown, sizeof(shown), "(%d)", characters ? typmod - TYPMOD_HEADER : typmod);
        }
    }
    /* format_type() prints a bpchar without length by this name, because "character" means
     * character(1). */
    assert(type != NULL); /* each alias names a type of the table */
    bool bare = type->family == TYPE_CHAR && typmod < 0;
    const char *name = bare || type->shown == NULL ? type->name : type->shown;
    column_set(column, type, typmod, spelling->array,
               memory_printf("%s%s%s%s", name, shown, type->tail, spelling->array ? "[]" : ""));
    return true;
}

/* float(p): the SQL standard's binary precision. */
static bool set_float(struct column_shape *column, struct spelling *spelling)
{
    int32_t bits[2] = {FLOAT8_BITS_MAX};
    if (spelling->modifiers.data != NULL && (parse_modifiers(spelling->modifiers, bits) != 1 ||
                                             !between(bits[0], 1, FLOAT8_BITS_MAX))) {
        return false;
    }
    spelling->modifiers = (struct slice){NULL, 0};
    const char *name = bits[0] <= FLOAT4_BITS_MAX ? "float4" : "float8";
    return set_builtin(column, spelling, type_builtin_find(name), -1);
}

static bool set_other(struct column_shape *column, const struct spelling *spelling)
{
    if (spelling->word_count > 1) {
        return false;
    }
    /* A type called "integer" or "float" would be another one without its quotes. */
    bool keyword =
        type_alias_find(spelling->words) != NULL || strcmp(spelling->words, "float") == 0;
    assert(!keyword || spelling->quoted);
    const char *quote = keyword ? "\"" : "";
    const char *array = spelling->array ? "[]" : "";
    struct slice modifiers = spelling->modifiers;
    char *name = modifiers.data == NULL
                     ? memory_printf("%s%s%s%s", quote, spelling->words, quote, array)
                     : memory_printf("%s%s%s(%.*s)%s", quote, spelling->words, quote,
                                     SLICE_ARGS(modifiers), array);
    column_set(column, NULL, -1, spelling->array, name);
    return true;
}

bool type_parse(struct slice text, struct column_shape *column)
{
    struct spelling spelling;
    if (!scan_spelling(text, &spelling)) {
        return false;
    }
    bool keyword = !spelling.quoted && !spelling.qualified;
    if (keyword && strcmp(spelling.words, "float") == 0) {
        return set_float(column, &spelling);
    }
    if (keyword && strncmp(spelling.words, "interval", 8) == 0 &&
        (spelling.words[8] == '\0' || spelling.words[8] == ' ')) {
        return set_interval(column, &spelling);
    }
    const struct type_alias *alias = keyword ? type_alias_find(spelling.words) : NULL;
    if (alias != NULL) {
        return set_builtin(column, &spelling, type_builtin_find(alias->name), alias->typmod);
    }
    static const char catalog[] = "pg_catalog.";
    bool system = strncmp(spelling.words, catalog, sizeof(catalog) - 1) == 0;
    const struct type_builtin *type =
        type_builtin_find(spelling.words + (system ? sizeof(catalog) - 1 : 0));
    return type != NULL ? set_builtin(column, &spelling, type, -1) : set_other(column, &spelling);
}
