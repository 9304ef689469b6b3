/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <assert.h>
#include <time.h>

#include "base/ascii.h"

/* How many bytes the well-formed UTF-8 character at the start takes; 0 when
 * none stands there. Table 3-7 of the Unicode standard. */
static size_t utf8_length(const unsigned char *at, size_t length)
{
    assert(length > 0);
    unsigned char first = at[0];
    if (first < 0x80) {
        return 1;
    }
    size_t needed = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length < needed) {
        return 0;
    }
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < needed; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return needed;
}

static size_t character_length(struct slice text, size_t offset)
{
    assert(offset < text.length);
    return utf8_length((const unsigned char *) text.data + offset, text.length - offset);
}

/* Eight bytes of ASCII stand here. */
static bool is_ascii_word(struct slice text, size_t offset)
{
    uint64_t word;
    if (text.length - offset < sizeof(word)) {
        return false;
    }
    memcpy(&word, text.data + offset, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* Are the bytes behind the last whole word of eight bytes ASCII? Looks at words that overlap what
 * was checked before, and byte by byte only at fewer than four bytes. */
static bool is_ascii_end(struct slice text)
{
    uint32_t first;
    uint32_t last;
    if (text.length >= sizeof(uint64_t)) {
        return is_ascii_word(text, text.length - sizeof(uint64_t));
    }
    if (text.length >= sizeof(first)) {
        memcpy(&first, text.data, sizeof(first));
        memcpy(&last, text.data + text.length - sizeof(last), sizeof(last));
        return ((first | last) & UINT32_C(0x80808080)) == 0;
    }
    unsigned char all = 0;
    for (size_t i = 0; i < text.length; i++) {
        all |= (unsigned char) text.data[i];
    }
    return all < 0x80;
}

/* Most texts are ASCII: eight ASCII bytes are checked in one step. */
bool text_is_utf8(struct slice text)
{
    size_t i = 0;
    while (is_ascii_word(text, i)) {
        i += sizeof(uint64_t);
    }
    if (text.length - i < sizeof(uint64_t) && is_ascii_end(text)) {
        return true;
    }
    while (i < text.length) {
        if (is_ascii_word(text, i)) {
            i += sizeof(uint64_t);
            continue;
        }
        size_t length = character_length(text, i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

bool text_has_nul(struct slice text)
{
    return text.length > 0 && memchr(text.data, '\0', text.length) != NULL;
}

size_t text_characters(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += ((unsigned char) text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, for the way back. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};

static const struct unit sizes[] = {
    {"TB", INT64_C(1) << 40},
    {"GB", 1 << 30},
    {"MB", 1 << 20},
    {"KB", 1 << 10},
    {"", 1},
    {"TiB", INT64_C(1) << 40},
    {"GiB", 1 << 30},
    {"MiB", 1 << 20},
    {"KiB", 1 << 10},
    {"B", 1},
    {"kB", 1 << 10},
    {"Ti", INT64_C(1) << 40},
    {"Gi", 1 << 30},
    {"Mi", 1 << 20},
    {"Ki", 1 << 10},
    {NULL, 0},
};

/* Digits, then the name of a unit, and nothing else. */
static bool parse_with_unit(struct slice text, const struct unit *units, int64_t *value)
{
    int64_t number = 0;
    size_t i = 0;
    for (; i < text.length && ascii_is_digit(text.data[i]); i++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.data[i] - '0', &number)) {
            return false;
        }
    }
    if (i == 0) {
        return false;
    }
    struct slice name = slice_make(text.data + i, text.length - i);
    for (; units->name != NULL; units++) {
        if (slice_is(name, units->name)) {
            return !__builtin_mul_overflow(number, units->factor, value);
        }
    }
    return false;
}

bool text_parse_duration(struct slice text, int64_t *milliseconds)
{
    if (slice_is(text, "0")) {
        *milliseconds = 0;
        return true;
    }
    int64_t value;
    bool parsed = parse_with_unit(text, durations, &value);
    if (parsed) {
        *milliseconds = value;
    }
    return parsed;
}

bool text_parse_size(struct slice text, int64_t *bytes)
{
    int64_t value;
    bool parsed = parse_with_unit(text, sizes, &value);
    if (parsed) {
        *bytes = value;
    }
    return parsed;
}

/* The first, that is the largest, unit that leaves no rest. */
static void format_with_unit(struct buf *out, const struct unit *units, int64_t value)
{
    if (value == 0) {
        buf_append_byte(out, '0');
        return;
    }
    while (value % units->factor != 0) {
        units++;
        assert(units->name != NULL); /* each table has the factor 1 */
    }
    buf_printf(out, "%lld%s", (long long) (value / units->factor), units->name);
}

void text_format_duration(struct buf *out, int64_t milliseconds)
{
    format_with_unit(out, durations, milliseconds);
}

void text_format_size(struct buf *out, int64_t bytes)
{
    format_with_unit(out, sizes, bytes);
}

/* Recursion: a number has at most seven groups of three digits. */
void text_format_span(struct buf *out, int64_t seconds)
{
    if (seconds < 100) {
        buf_printf(out, "%lld s", (long long) (seconds < 0 ? 0 : seconds));
    } else if (seconds < 6000) {
        buf_printf(out, "%lld min", (long long) (seconds / 60));
    } else if (seconds < 172800) {
        buf_printf(out, "%lld h %lld min", (long long) (seconds / 3600),
                   (long long) (seconds % 3600 / 60));
    } else {
        buf_printf(out, "%lld days", (long long) (seconds / 86400));
    }
}

void text_format_count(struct buf *out, uint64_t count)
{
    if (count >= 1000) {
        text_format_count(out, count / 1000);
        buf_printf(out, ",%03llu", (unsigned long long) (count % 1000));
    } else {
        buf_printf(out, "%llu", (unsigned long long) count);
    }
}

void text_format_time(struct buf *out, int64_t microseconds)
{
    int64_t seconds = microseconds / 1000000;
    int64_t fraction = microseconds % 1000000;
    if (fraction < 0) { /* before 1970 */
        seconds--;
        fraction += 1000000;
    }
    assert(fraction >= 0 && fraction < 1000000);
    time_t time = (time_t) seconds;
    struct tm utc;
    gmtime_r(&time, &utc);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900, utc.tm_mon + 1,
               utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int) fraction);
}

/* Characters of which a terminal shows something else than themselves. */
static bool is_control(const unsigned char *at, size_t length)
{
    assert(length >= 1 && length <= 4);
    if (length == 1) {
        return at[0] < 0x20 || at[0] == 0x7f;
    }
    if (length == 2) {
        return (at[0] == 0xc2 && at[1] < 0xa0) || /* U+0080 to U+009F: C1 */
               (at[0] == 0xd8 && at[1] == 0x9c);  /* U+061C */
    }
    bool marks = at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f);   /* U+200E, U+200F */
    bool overrides = at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae; /* U+2028 to U+202E */
    bool isolates = at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;  /* U+2066 to U+2069 */
    return length == 3 && at[0] == 0xe2 && (marks || overrides || isolates);
}

static void append_json_ascii(struct buf *out, char character)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    assert((unsigned char) character < 0x80);
    const char *found = character != '\0' ? strchr(plain, character) : NULL;
    if (found != NULL) {
        buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t) letters[found - plain]);
    } else if ((unsigned char) character < 0x20) {
        buf_printf(out, "\\u%04x", (unsigned) character);
    } else {
        buf_append_byte(out, (uint8_t) character);
    }
}

/* A character of two or three bytes. */
static void append_json_escape(struct buf *out, const unsigned char *at, size_t length)
{
    unsigned code = length == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                                : (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    assert(length == 2 || length == 3);
    buf_printf(out, "\\u%04x", code);
}

void text_append_json(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.length;) {
        size_t length = character_length(text, i);
        if (length == 0) {
            buf_append_text(out, "\xef\xbf\xbd"); /* U+FFFD, one for each bad byte */
            length = 1;
        } else if (length == 1) {
            append_json_ascii(out, text.data[i]);
        } else if (is_control((const unsigned char *) text.data + i, length)) {
            append_json_escape(out, (const unsigned char *) text.data + i, length);
        } else {
            buf_append(out, text.data + i, length);
        }
        i += length;
    }
    buf_append_byte(out, '"');
}

bool text_is_printable(struct slice text)
{
    for (size_t i = 0; i < text.length;) {
        const unsigned char *at = (const unsigned char *) text.data + i;
        size_t length = character_length(text, i);
        if (length == 0 || (is_control(at, length) && *at != '\n' && *at != '\t')) {
            return false;
        }
        i += length;
    }
    return true;
}

void text_append_printable(struct buf *out, struct slice text, size_t characters_max)
{
    for (size_t i = 0; i < text.length; characters_max--) {
        if (characters_max == 0) {
            buf_append_text(out, "…");
            return;
        }
        const unsigned char *at = (const unsigned char *) text.data + i;
        size_t length = character_length(text, i);
        if (length > 0 && !is_control(at, length)) {
            buf_append(out, at, length);
        } else {
            length += length == 0;
            for (size_t k = 0; k < length; k++) {
                buf_printf(out, "\\x%02x", at[k]);
            }
        }
        i += length;
    }
}

enum { SUGGEST_WORD_MAX = 63 };

static size_t least(size_t left, size_t right)
{
    return left < right ? left : right;
}

/* Insertions, deletions, substitutions and swaps of neighbours ("optimal
 * string alignment"), row by row with the last three rows kept. The case of
 * letters does not count. */
static size_t edit_distance(struct slice from, struct slice to)
{
    size_t rows[3][SUGGEST_WORD_MAX + 1];
    size_t *above2 = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];

    assert(from.length <= SUGGEST_WORD_MAX && to.length <= SUGGEST_WORD_MAX);
    for (size_t k = 0; k <= to.length; k++) {
        above2[k] = 0; /* read only from the second row on */
        row[k] = k;
    }
    for (size_t i = 1; i <= from.length; i++) {
        size_t *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t k = 1; k <= to.length; k++) {
            bool same = ascii_to_lower(from.data[i - 1]) == ascii_to_lower(to.data[k - 1]);
            row[k] = least(above[k - 1] + !same, least(above[k], row[k - 1]) + 1);
            if (i > 1 && k > 1 && from.data[i - 1] == to.data[k - 2] &&
                from.data[i - 2] == to.data[k - 1]) {
                row[k] = least(row[k], above2[k - 2] + 1);
            }
        }
    }
    return row[to.length];
}

const char *text_suggest(struct slice word, const char *const *words, size_t count, size_t stride)
{
    const char *best = NULL;
    size_t best_distance = word.length / 3 + 1;
    assert(stride >= sizeof(const char *));
    if (word.length > SUGGEST_WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const char *candidate;
        memcpy(&candidate, (const char *) words + i * stride, sizeof(candidate));
        struct slice other = slice_of(candidate);
        if (other.length == 0 || other.length > SUGGEST_WORD_MAX) {
            continue;
        }
        size_t distance = edit_distance(word, other);
        /* Of two words at the same distance take the longer one: leaving a letter out is a more
         * frequent slip than typing a wrong one. */
        if (distance < best_distance ||
            (distance == best_distance && best != NULL && other.length > strlen(best))) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}
