/*
 * Recursive descent over the bytes; one call a value, its depth bounded by NODES_DEPTH_MAX. A
 * node is written when its value begins; a container's span, count and text are filled in when
 * it ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/json_scan.h"

#include <strings.h>

#include "decode/json_string.h"
#include "decode/nodes.h"

struct scanner {
    const char *begin;
    const char *at;
    const char *end;
    struct nodes nodes;
    struct error *error;
    bool lenient;
    bool special; /* NaN or Infinity was read: containers that end now need a text of their own */
};

static bool scan_value(struct scanner *scanner, struct slice key);

static bool scan_fail(struct scanner *scanner, const char *at, const char *what)
{
    assert(at >= scanner->begin && at <= scanner->end);
    error_set(scanner->error, OUTCOME_REJECT, "byte %zu: %s", (size_t) (at - scanner->begin) + 1,
              what);
    return false;
}

static struct slice scan_since(const struct scanner *scanner, const char *start)
{
    return slice_make(start, (size_t) (scanner->at - start));
}

/* --- nodes ------------------------------------------------------------------------------------ */

static inline struct node *node_add(struct scanner *scanner, enum value_kind kind, struct slice key,
                                    struct slice text)
{
    struct node *node = nodes_add(&scanner->nodes, kind, key, text);
    if (node == NULL) {
        scan_fail(scanner, scanner->at, nodes_limit(&scanner->nodes));
    }
    return node;
}

/* --- strings ---------------------------------------------------------------------------------- */

/* From the opening quote to behind the closing one. Most strings are plain ASCII without escapes:
 * they are found eight bytes at a time and borrowed. */
static inline bool scan_string(struct scanner *scanner, struct slice *text)
{
    assert(scanner->at < scanner->end && *scanner->at == '"');
    const char *start = scanner->at + 1;
    const char *at = json_skip_plain(start, scanner->end);
    if (at < scanner->end && *at == '"') {
        *text = slice_make(start, (size_t) (at - start));
        scanner->at = at + 1;
        return true;
    }
    at = start;
    const char *wrong = json_string_read(&at, scanner->end, scanner->nodes.arena, text);
    scanner->at = at;
    return wrong == NULL || scan_fail(scanner, at, wrong);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static inline const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* RFC 8259, section 6: number = [ "-" ] int [ "." digits ] [ ( "e" | "E" ) [ sign ] digits ], where
 * int is "0" or begins with another digit.
 *
 * Behind the number that begins at `at`; NULL and *at moved to the mistake when there is none. */
static inline const char *number_end(const char **at, const char *end)
{
    const char *p = *at;
    p += p < end && *p == '-';
    const char *digits = p;
    p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
    if (p == digits) {
        goto fail;
    }
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits) {
            goto fail;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        digits = p;
        p = skip_digits(p, end);
        if (p == digits) {
            goto fail;
        }
    }
    return p;

fail:
    *at = p;
    return NULL;
}

bool json_is_number(struct slice text)
{
    const char *at = text.data;
    return text.length > 0 && number_end(&at, text.data + text.length) == text.data + text.length;
}

/* A number keeps its text: 1.50 stays 1.50, and no digit is lost on the way to a numeric column. */
static inline bool scan_number(struct scanner *scanner, struct slice key)
{
    const char *start = scanner->at;
    const char *at = start;
    const char *end = number_end(&at, scanner->end);
    if (end == NULL) {
        return scan_fail(scanner, at, "a digit is missing in a number");
    }
    if (end < scanner->end && *end >= '0' && *end <= '9') {
        return scan_fail(scanner, start, "a number begins with a zero too many");
    }
    scanner->at = end;
    return node_add(scanner, VALUE_NUMBER, key, scan_since(scanner, start)) != NULL;
}

/* --- containers ------------------------------------------------------------------------------- */

static inline void skip_space(struct scanner *scanner)
{
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\n' ||
                                          *scanner->at == '\r' || *scanner->at == '\t')) {
        scanner->at++;
    }
}

/* Takes `character` and the white space behind it. */
static inline bool take(struct scanner *scanner, char character)
{
    if (scanner->at == scanner->end || *scanner->at != character) {
        return false;
    }
    scanner->at++;
    skip_space(scanner);
    return true;
}

/* Begins a container; its index, or -1. */
static inline int64_t container_open(struct scanner *scanner, enum value_kind kind,
                                     struct slice key, const char **start)
{
    int64_t index = nodes_open(&scanner->nodes, kind, key);
    if (index < 0) {
        scan_fail(scanner, scanner->at, nodes_limit(&scanner->nodes));
        return -1;
    }
    *start = scanner->at++;
    skip_space(scanner);
    return index;
}

/* Ends it: the scanner stands at its closing bracket. */
static inline void container_close(struct scanner *scanner, int64_t index, uint32_t count,
                                   const char *start)
{
    assert(scanner->at < scanner->end && (*scanner->at == '}' || *scanner->at == ']'));
    scanner->at++;
    struct node *node = nodes_close(&scanner->nodes, index, count);
    node->text = scanner->special ? slice_make(NULL, 0) : scan_since(scanner, start);
}

/* `"name" :` of the member with number `count`; `seen` holds the bits of the names before it. */
static inline bool scan_name(struct scanner *scanner, int64_t index, uint32_t count, uint64_t *seen,
                             struct slice *name)
{
    const char *start = scanner->at;
    if (start == scanner->end || *start != '"') {
        return scan_fail(scanner, start, "a name in quotes expected");
    }
    if (!scan_string(scanner, name)) {
        return false;
    }
    if (nodes_name_is_taken(&scanner->nodes, index, count, *name, seen) && !scanner->lenient) {
        return scan_fail(scanner, start, "duplicate name in one object");
    }
    skip_space(scanner);
    return take(scanner, ':') || scan_fail(scanner, scanner->at, "\":\" expected");
}

/* "{" [ name ":" value { "," name ":" value } ] "}" */
static bool scan_object(struct scanner *scanner, struct slice key)
{
    const char *start;
    uint32_t count = 0;
    uint64_t seen = 0;
    int64_t index = container_open(scanner, VALUE_OBJECT, key, &start);
    if (index < 0) {
        return false;
    }
    bool more = scanner->at < scanner->end && *scanner->at != '}';
    while (more) {
        struct slice name;
        if (!scan_name(scanner, index, count, &seen, &name) || !scan_value(scanner, name)) {
            return false;
        }
        count++;
        skip_space(scanner);
        more = take(scanner, ',');
    }
    if (scanner->at == scanner->end) {
        return scan_fail(scanner, scanner->at, "the text ends within an object");
    }
    if (*scanner->at != '}') {
        return scan_fail(scanner, scanner->at, "\",\" or \"}\" expected");
    }
    if (scanner->lenient) {
        count = nodes_keep_last(&scanner->nodes, index, count);
    } else if (nodes_have_duplicates(&scanner->nodes, index, count)) {
        return scan_fail(scanner, start, "duplicate name in the object that begins here");
    }
    container_close(scanner, index, count, start);
    return true;
}

/* "[" [ value { "," value } ] "]" */
static bool scan_array(struct scanner *scanner, struct slice key)
{
    const char *start;
    uint32_t count = 0;
    int64_t index = container_open(scanner, VALUE_ARRAY, key, &start);
    if (index < 0) {
        return false;
    }
    bool more = scanner->at < scanner->end && *scanner->at != ']';
    while (more) {
        if (!scan_value(scanner, (struct slice){0})) {
            return false;
        }
        count++;
        skip_space(scanner);
        more = take(scanner, ',');
    }
    if (scanner->at == scanner->end) {
        return scan_fail(scanner, scanner->at, "the text ends within an array");
    }
    if (*scanner->at != ']') {
        return scan_fail(scanner, scanner->at, "\",\" or \"]\" expected");
    }
    container_close(scanner, index, count, start);
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

/* true, false, null: in small letters only. */
static bool scan_word(struct scanner *scanner, struct slice key, struct slice word,
                      enum value_kind kind)
{
    if ((size_t) (scanner->end - scanner->at) < word.length ||
        memcmp(scanner->at, word.data, word.length) != 0) {
        return scan_fail(scanner, scanner->at, "a value expected");
    }
    scanner->at += word.length;
    struct node *node = node_add(scanner, kind, key, (struct slice){0});
    if (node != NULL) {
        node->boolean = word.data[0] == 't';
    }
    return node != NULL;
}

/* NaN and Infinity in the spellings of printf() and of programs: a null that still says what it
 * was. */
static bool scan_special(struct scanner *scanner, struct slice key)
{
    static const struct {
        const char *word;
        const char *text;
    } specials[] = {{"nan", "NaN"},           {"-nan", "NaN"},
                    {"infinity", "Infinity"}, {"-infinity", "-Infinity"},
                    {"inf", "Infinity"},      {"-inf", "-Infinity"}};
    size_t left = (size_t) (scanner->end - scanner->at);
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        size_t length = strlen(specials[i].word);
        if (left < length || strncasecmp(scanner->at, specials[i].word, length) != 0) {
            continue;
        }
        if (!scanner->lenient) {
            return scan_fail(scanner, scanner->at,
                             "NaN and Infinity are not JSON (lenient = true "
                             "reads them)");
        }
        scanner->at += length;
        scanner->special = true;
        return node_add(scanner, VALUE_NULL, key, slice_of(specials[i].text)) != NULL;
    }
    return scan_fail(scanner, scanner->at, "a value expected");
}

/* Before a number is tried: "-inf" begins like one. */
static bool begins_special(const struct scanner *scanner)
{
    const char *at = scanner->at;
    at += at < scanner->end && *at == '-';
    char first = at < scanner->end ? (char) (*at | 0x20) : '\0';
    return (first == 'n' || first == 'i') && scanner->end - at >= 3 &&
           (strncasecmp(at, "nan", 3) == 0 || strncasecmp(at, "inf", 3) == 0);
}

/* The value at which the scanner stands; white space before it is taken already. */
static bool scan_value(struct scanner *scanner, struct slice key)
{
    struct slice text;
    if (scanner->at == scanner->end) {
        return scan_fail(scanner, scanner->at, "a value expected, but the text ends");
    }
    switch (*scanner->at) {
    case '{':
        return scan_object(scanner, key);
    case '[':
        return scan_array(scanner, key);
    case '"':
        return scan_string(scanner, &text) && node_add(scanner, VALUE_TEXT, key, text) != NULL;
    case 't':
        return scan_word(scanner, key, (struct slice) SLICE_LITERAL("true"), VALUE_BOOLEAN);
    case 'f':
        return scan_word(scanner, key, (struct slice) SLICE_LITERAL("false"), VALUE_BOOLEAN);
    case 'n':
        return begins_special(scanner)
                   ? scan_special(scanner, key)
                   : scan_word(scanner, key, (struct slice) SLICE_LITERAL("null"), VALUE_NULL);
    default:
        if (*scanner->at >= '0' && *scanner->at <= '9') {
            return scan_number(scanner, key);
        }
        if (begins_special(scanner)) {
            return scan_special(scanner, key);
        }
        return *scanner->at == '-' ? scan_number(scanner, key)
                                   : scan_fail(scanner, scanner->at, "a value expected");
    }
}

/* Before the NUL bytes at the end, and the white space among them. */
static const char *without_nul(const char *begin, const char *end)
{
    const char *at = end;
    bool nul = false;
    while (at > begin && memchr("\0 \t\r\n", at[-1], 5) != NULL) {
        nul = nul || at[-1] == '\0';
        at--;
    }
    return nul ? at : end;
}

/* The whole text is one value, with white space around it. */
static enum outcome scan(struct slice text, bool lenient, struct arena *arena,
                         const struct node **root, struct error *error)
{
    const char *begin = text.length > 0 ? text.data : "";
    struct scanner scanner = {
        .begin = begin,
        .at = begin,
        .end = begin + text.length,
        .error = error,
        .lenient = lenient,
    };
    if (text.length >= 3 && memcmp(begin, "\xef\xbb\xbf", 3) == 0) {
        scanner.at += 3;
    }
    scanner.end = without_nul(scanner.at, scanner.end);
    nodes_begin(&scanner.nodes, arena, text.length / 16);
    skip_space(&scanner);
    if (!scan_value(&scanner, (struct slice){0})) {
        return OUTCOME_REJECT;
    }
    skip_space(&scanner);
    if (scanner.at != scanner.end) {
        scan_fail(&scanner, scanner.at, "unexpected bytes after the value");
        return OUTCOME_REJECT;
    }
    *root = scanner.nodes.list;
    return OUTCOME_OK;
}

enum outcome json_scan(struct slice text, struct arena *arena, const struct node **root,
                       struct error *error)
{
    return scan(text, false, arena, root, error);
}

enum outcome decode_json(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error)
{
    bool lenient = input->options != NULL && input->options->lenient;
    return scan(input->payload, lenient, arena, root, error);
}
