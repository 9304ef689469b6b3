/*
 * A regular expression is compiled into the arena of its expression; matching needs memory only for
 * the result of one match. STEPS_MAX and HEAP_KIB_MAX bound what a hostile text can cost; PCRE2
 * counts both.
 *
 * SPDX-License-Identifier: MIT
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "map/regex.h"

#include <assert.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/buf.h"

/* Steps of one match. A pattern that a person wrote for a reading needs some hundreds. */
#define STEPS_MAX 100000
#define HEAP_KIB_MAX 4096

/* PCRE2 uses the pattern's allocator for a match too. */
struct regex_memory {
    struct arena *arena; /* while compiling; NULL: a match, whose memory is freed behind it */
};

/* Its parts live in an arena, PCRE2's too. Nothing here changes after compiling. */
struct regex {
    struct regex_memory memory;
    pcre2_code *code;
    pcre2_match_context *limits;
    uint32_t groups;
};

static void *allocate(size_t size, void *context)
{
    const struct regex_memory *memory = context;

    return memory->arena != NULL ? arena_alloc(memory->arena, size) : malloc(size);
}

/* An arena is freed as a whole. */
static void forget(void *block, void *context)
{
    const struct regex_memory *memory = context;

    if (memory->arena == NULL) {
        free(block);
    }
}

/* Says why a match failed: the limits in plain words, the rest in PCRE2's. */
static enum outcome fail(struct error *error, int code, const char *what)
{
    assert(code < 0);
    PCRE2_UCHAR words[160];
    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_HEAPLIMIT ||
        code == PCRE2_ERROR_DEPTHLIMIT) {
        return error_set(error, OUTCOME_REJECT, "%s: it takes too many steps", what);
    }
    pcre2_get_error_message(code, words, sizeof(words));
    return error_set(error, OUTCOME_REJECT, "%s: %s", what, (const char *) words);
}

enum outcome regex_compile(struct slice pattern, struct arena *arena, const struct regex **regex,
                           size_t *at, struct error *error)
{
    struct regex *made = arena_alloc(arena, sizeof(*made));
    made->memory.arena = arena;
    pcre2_general_context *memory = pcre2_general_context_create(allocate, forget, &made->memory);
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    PCRE2_SIZE offset = 0;
    int code = 0;
    /* Memory that is invalid UTF-8 does not match, and \C would look at half a character. */
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_UCP;
    made->code =
        pcre2_compile((PCRE2_SPTR) pattern.data, pattern.length, options, &code, &offset, context);
    if (made->code == NULL) {
        PCRE2_UCHAR words[160];
        pcre2_get_error_message(code, words, sizeof(words));
        assert(offset <= pattern.length);
        *at = offset;
        return error_set(error, OUTCOME_REJECT, "regular expression: %s", (const char *) words);
    }
    made->limits = pcre2_match_context_create(memory);
    pcre2_set_match_limit(made->limits, STEPS_MAX);
    pcre2_set_heap_limit(made->limits, HEAP_KIB_MAX);
    pcre2_pattern_info(made->code, PCRE2_INFO_CAPTURECOUNT, &made->groups);
    made->memory.arena = NULL;
    *regex = made;
    return OUTCOME_OK;
}

/* One text that is searched, and where PCRE2 puts what it found. */
struct search {
    const struct regex *regex;
    struct slice text;      /* its data is not NULL, as PCRE2 wants it */
    pcre2_match_data *data; /* owned */
};

/* Ends with search_end(). */
static struct search search_begin(const struct regex *regex, struct slice text)
{
    return (struct search){
        .regex = regex,
        .text = slice_make(text.length > 0 ? text.data : "", text.length),
        .data = pcre2_match_data_create_from_pattern(regex->code, NULL),
    };
}

/* Frees what search_begin() made. */
static void search_end(struct search *search)
{
    assert(search->data != NULL);
    pcre2_match_data_free(search->data);
}

/* Looks for a match from the byte `start` on; *found tells whether there is one. */
static enum outcome match(const struct search *search, size_t start, bool *found,
                          struct error *error)
{
    struct slice text = search->text;
    *found = false;
    assert(start <= text.length);
    if (text.length > REGEX_TEXT_BYTES_MAX) {
        return error_set(error, OUTCOME_REJECT,
                         "a text of %zu bytes is too long for a regular expression", text.length);
    }
    int code = pcre2_match(search->regex->code, (PCRE2_SPTR) text.data, text.length, start, 0,
                           search->data, search->regex->limits);
    *found = code > 0;
    if (code <= 0 && code != PCRE2_ERROR_NOMATCH) {
        return fail(error, code, "regular expression");
    }
    return OUTCOME_OK;
}

enum outcome regex_matches(const struct regex *regex, struct slice text, bool *matches,
                           struct error *error)
{
    struct search search = search_begin(regex, text);
    enum outcome outcome = match(&search, 0, matches, error);
    search_end(&search);
    return outcome;
}

/* What a group of the last match took; group 0 is the whole match. Data is NULL when the group took
 * no part, and where \K made it begin behind its end. */
static struct slice group(const struct search *search, uint32_t index)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(search->data);
    assert(index <= search->regex->groups);
    if (ends[2 * index] == PCRE2_UNSET || ends[2 * index] > ends[2 * index + 1]) {
        return (struct slice){0};
    }
    assert(ends[2 * index + 1] <= search->text.length);
    return slice_make(search->text.data + ends[2 * index], ends[2 * index + 1] - ends[2 * index]);
}

enum outcome regex_extract(const struct regex *regex, struct slice text, struct slice *found,
                           struct error *error)
{
    struct search search = search_begin(regex, text);
    bool matches = false;
    enum outcome outcome = match(&search, 0, &matches, error);
    *found = matches ? group(&search, regex->groups > 0) : (struct slice){0};
    search_end(&search);
    return outcome;
}

/* --- replacing -------------------------------------------------------------------------------- */

/* One piece of a replacement: a group, or a byte of its own. */
static size_t take_piece(struct slice rest, int *number, char *byte)
{
    assert(rest.length > 0);
    char next = rest.length > 1 ? rest.data[1] : '\0';
    *number = -1;
    *byte = rest.data[0];
    if (*byte != '$' && *byte != '\\') {
        return 1;
    }
    if (ascii_is_digit(next)) {
        *number = next - '0';
        return 2;
    }
    return next == *byte ? 2 : 1;
}

enum outcome regex_check_replacement(const struct regex *regex, struct slice replacement,
                                     struct error *error)
{
    for (size_t at = 0; at < replacement.length;) {
        int number;
        char byte;
        at +=
            take_piece(slice_make(replacement.data + at, replacement.length - at), &number, &byte);
        assert(number <= 9);
        if (number > (int) regex->groups) {
            return error_set(error, OUTCOME_REJECT,
                             "the regular expression has %u groups, so there is no $%d",
                             (unsigned) regex->groups, number);
        }
    }
    return OUTCOME_OK;
}

/* Appends the replacement of the last match. */
static void append_replacement(struct buf *out, struct slice replacement,
                               const struct search *search)
{
    for (size_t at = 0; at < replacement.length;) {
        int number;
        char byte;
        at +=
            take_piece(slice_make(replacement.data + at, replacement.length - at), &number, &byte);
        if (number < 0) {
            buf_append(out, &byte, 1);
        } else {
            buf_append_slice(out, group(search, (uint32_t) number));
        }
    }
}

/* Where the character ends that begins at `at`. */
static size_t next_character(struct slice text, size_t at)
{
    assert(at <= text.length);
    at++;
    while (at < text.length && ((unsigned char) text.data[at] & 0xc0) == 0x80) {
        at++;
    }
    return at;
}

/* The whole text into `out`, each match of it replaced. */
static enum outcome replace_all(const struct search *search, struct slice replacement,
                                struct buf *out, struct error *error)
{
    struct slice text = search->text;
    enum outcome outcome = OUTCOME_OK;
    size_t copied = 0; /* so much of the text is in `out` */
    bool found = true;
    for (size_t at = 0; found && at <= text.length;) {
        outcome = match(search, at, &found, error);
        found = found && outcome == OUTCOME_OK;
        if (found) {
            const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(search->data);
            size_t start = ends[0] > copied ? ends[0] : copied;
            buf_append(out, text.data + copied, start - copied);
            append_replacement(out, replacement, search);
            copied = ends[1] > copied ? ends[1] : copied;
            /* An empty match would be found again and again. */
            at = ends[1] > at ? ends[1] : next_character(text, at);
        }
        if (out->length > REGEX_OUTPUT_BYTES_MAX) {
            outcome = error_set(error, OUTCOME_REJECT, "the text becomes too long");
            found = false;
        }
    }
    assert(copied <= text.length);
    if (outcome == OUTCOME_OK) {
        buf_append(out, text.data + copied, text.length - copied);
    }
    return outcome;
}

enum outcome regex_replace(const struct regex *regex, struct slice replacement, struct arena *arena,
                           struct slice *text, struct error *error)
{
    struct buf out = {0};
    struct search search = search_begin(regex, *text);
    enum outcome outcome = replace_all(&search, replacement, &out, error);
    if (outcome == OUTCOME_OK) {
        *text = arena_copy(arena, buf_slice(&out));
    }
    search_end(&search);
    buf_fini(&out);
    return outcome;
}
