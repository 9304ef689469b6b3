/*
 * RFC 8259, section 7: a string is any character of Unicode but quote, backslash and control
 * characters, which are escaped:  \" \\ \/ \b \f \n \r \t  and \uXXXX, where characters beyond
 * U+FFFF are two of the latter, a surrogate pair. Half a pair has no UTF-8 and is rejected.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/json_string.h"

#include <assert.h>

#include "base/text.h"

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    char lower = (char) (character | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* "\uXXXX" at the front of `text`: takes it and returns its number, or -1. */
static int32_t take_code_unit(struct slice *text)
{
    if (text->length < 6 || text->data[0] != '\\' || text->data[1] != 'u') {
        return -1;
    }
    int32_t unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(text->data[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    *text = slice_make(text->data + 6, text->length - 6);
    return unit;
}

/* RFC 3629: 1 to 4 bytes. */
static size_t put_utf8(int32_t code, char out[4])
{
    assert(code >= 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
    if (code < 0x80) {
        out[0] = (char) code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char) (0xc0 | code >> 6);
        out[1] = (char) (0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char) (0xe0 | code >> 12);
        out[1] = (char) (0x80 | (code >> 6 & 0x3f));
        out[2] = (char) (0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char) (0xf0 | code >> 18);
    out[1] = (char) (0x80 | (code >> 12 & 0x3f));
    out[2] = (char) (0x80 | (code >> 6 & 0x3f));
    out[3] = (char) (0x80 | (code & 0x3f));
    return 4;
}

/* The high half (d800 to dbff) stands first, the low half (dc00 to dfff) behind it. 0: none. */
static size_t unescape_unicode(struct slice *text, char out[4])
{
    int32_t code = take_code_unit(text);
    if (code >= 0xd800 && code <= 0xdbff) {
        int32_t low = take_code_unit(text);
        bool paired = low >= 0xdc00 && low <= 0xdfff;
        code = paired ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        code = -1;
    }
    return code < 0 ? 0 : put_utf8(code, out);
}

/* The eight escapes of one letter, or \u. */
size_t json_unescape(struct slice *text, char out[4])
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";

    if (text->length < 2 || text->data[0] != '\\') {
        return 0;
    }
    if (text->data[1] == 'u') {
        return unescape_unicode(text, out);
    }
    const char *letter = memchr(letters, text->data[1], sizeof(letters) - 1);
    if (letter == NULL) {
        return 0;
    }
    out[0] = meanings[letter - letters];
    *text = slice_make(text->data + 2, text->length - 2);
    return 1;
}

/* What stood between the quotes, decoded; NULL, or the escape that is none. No escape is shorter
 * than what it stands for. */
static const char *decode_escapes(struct slice raw, struct arena *arena, struct slice *decoded)
{
    char *out = arena_alloc(arena, raw.length);
    size_t length = 0;
    while (raw.length > 0) {
        const char *backslash = memchr(raw.data, '\\', raw.length);
        size_t plain = backslash != NULL ? (size_t) (backslash - raw.data) : raw.length;
        memcpy(out + length, raw.data, plain);
        length += plain;
        raw = slice_make(raw.data + plain, raw.length - plain);
        if (raw.length > 0) {
            char character[4];
            size_t bytes = json_unescape(&raw, character);
            if (bytes == 0) {
                return backslash;
            }
            assert(bytes <= sizeof(character));
            memcpy(out + length, character, bytes);
            length += bytes;
        }
    }
    *decoded = slice_make(out, length);
    return NULL;
}

const char *json_string_read(const char **position, const char *end, struct arena *arena,
                             struct slice *text)
{
    const char *start = *position;
    const char *at = json_skip_plain(start, end);
    bool escapes = false;
    bool wide = false;
    for (; at < end && *at != '"'; at = json_skip_plain(at, end)) {
        unsigned char byte = (unsigned char) *at;
        if (byte < 0x20) {
            *position = at;
            return "control character in a string";
        }
        escapes |= byte == '\\';
        wide |= byte >= 0x80;
        at += byte == '\\' && end - at > 1 ? 2 : 1;
    }
    *position = end;
    if (at == end) {
        return "the text ends within a string";
    }
    *text = slice_make(start, (size_t) (at - start));
    if (wide && !text_is_utf8(*text)) {
        *position = start;
        return "a string is not UTF-8";
    }
    const char *mistake = escapes ? decode_escapes(*text, arena, text) : NULL;
    *position = mistake != NULL ? mistake : at + 1;
    return mistake != NULL ? "unknown escape, or half a surrogate pair" : NULL;
}
