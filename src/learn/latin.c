/* SPDX-License-Identifier: MIT */
#include "learn/latin.h"

#include <stddef.h>
#include <stdint.h>

/* The i-th element is the ASCII spelling of the character U+00C0 + i (Latin), U+0218 + i, or U+0386
 * + i (Greek and Cyrillic). NULL: the character is copied. "": it is left out, like the Russian
 * hard sign. */
static const char *const from_c0[] = {
    "A", "A", "A",  "A",  "AE", "A", "AE", "C",  "E", "E", "E", "E", "I",  "I", "I",  "I",
    "D", "N", "O",  "O",  "O",  "O", "OE", NULL, "O", "U", "U", "U", "UE", "Y", "TH", "ss",
    "a", "a", "a",  "a",  "ae", "a", "ae", "c",  "e", "e", "e", "e", "i",  "i", "i",  "i",
    "d", "n", "o",  "o",  "o",  "o", "oe", NULL, "o", "u", "u", "u", "ue", "y", "th", "y",
    "A", "a", "A",  "a",  "A",  "a", "C",  "c",  "C", "c", "C", "c", "C",  "c", "D",  "d",
    "D", "d", "E",  "e",  "E",  "e", "E",  "e",  "E", "e", "E", "e", "G",  "g", "G",  "g",
    "G", "g", "G",  "g",  "H",  "h", "H",  "h",  "I", "i", "I", "i", "I",  "i", "I",  "i",
    "I", "i", "IJ", "ij", "J",  "j", "K",  "k",  "k", "L", "l", "L", "l",  "L", "l",  "L",
    "l", "L", "l",  "N",  "n",  "N", "n",  "N",  "n", "n", "N", "n", "O",  "o", "O",  "o",
    "O", "o", "OE", "oe", "R",  "r", "R",  "r",  "R", "r", "S", "s", "S",  "s", "S",  "s",
    "S", "s", "T",  "t",  "T",  "t", "T",  "t",  "U", "u", "U", "u", "U",  "u", "U",  "u",
    "U", "u", "U",  "u",  "W",  "w", "Y",  "y",  "Y", "Z", "z", "Z", "z",  "Z", "z",  "s"};
static const char *const from_386[] = {
    "A",    NULL, "E",  "I",  "I",  NULL, "O",  NULL, "Y",  "O",  "i",  "A",  "V",  "G",    "D",
    "E",    "Z",  "I",  "TH", "I",  "K",  "L",  "M",  "N",  "X",  "O",  "P",  "R",  NULL,   "S",
    "T",    "Y",  "F",  "CH", "PS", "O",  "I",  "Y",  "a",  "e",  "i",  "i",  "y",  "a",    "v",
    "g",    "d",  "e",  "z",  "i",  "th", "i",  "k",  "l",  "m",  "n",  "x",  "o",  "p",    "r",
    "s",    "s",  "t",  "y",  "f",  "ch", "ps", "o",  "i",  "y",  "o",  "y",  "o",  NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, "E",  "E",  "DJ", "G",  "YE", "DZ", "I",  "YI", "J",  "LJ", "NJ", "C",    "K",
    "I",    "U",  "DZ", "A",  "B",  "V",  "G",  "D",  "E",  "ZH", "Z",  "I",  "Y",  "K",    "L",
    "M",    "N",  "O",  "P",  "R",  "S",  "T",  "U",  "F",  "KH", "TS", "CH", "SH", "SHCH", "",
    "Y",    "",   "E",  "YU", "YA", "a",  "b",  "v",  "g",  "d",  "e",  "zh", "z",  "i",    "y",
    "k",    "l",  "m",  "n",  "o",  "p",  "r",  "s",  "t",  "u",  "f",  "kh", "ts", "ch",   "sh",
    "shch", "",   "y",  "",   "e",  "yu", "ya", "e",  "e",  "dj", "g",  "ye", "dz", "i",    "yi",
    "j",    "lj", "nj", "c",  "k",  "i",  "u",  "dz", NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "G",  "g"};
static const char *const from_218[] = {"S", "s", "T", "t"}; /* Romanian, with a comma below */

/* The ASCII spelling of a character of two bytes, or NULL when the tables do not have it. Marks
 * that stand behind their letter (U+0300 to U+036F) are left out. */
static const char *ascii_of(uint32_t code)
{
    if (code >= 0xC0 && code - 0xC0 < sizeof(from_c0) / sizeof(from_c0[0])) {
        return from_c0[code - 0xC0];
    }
    if (code >= 0x218 && code - 0x218 < sizeof(from_218) / sizeof(from_218[0])) {
        return from_218[code - 0x218];
    }
    if (code >= 0x386 && code - 0x386 < sizeof(from_386) / sizeof(from_386[0])) {
        return from_386[code - 0x386];
    }
    return code >= 0x300 && code < 0x370 ? "" : NULL;
}

/* The spelling of the character that begins here, or NULL: it is copied byte by byte. All
 * characters of the tables are two bytes of UTF-8, 110xxxxx 10xxxxxx. */
static const char *spelling_at(struct slice text, size_t at)
{
    unsigned char c = (unsigned char) text.data[at];
    unsigned char next = at + 1 < text.length ? (unsigned char) text.data[at + 1] : 0;
    bool two = (c & 0xE0) == 0xC0 && (next & 0xC0) == 0x80;
    return two ? ascii_of((uint32_t) (c & 0x1F) << 6 | (next & 0x3F)) : NULL;
}

enum letter_case { NO_LETTER, SMALL, CAPITAL };

static enum letter_case case_at(struct slice text, size_t at)
{
    const char *spelling = at < text.length ? spelling_at(text, at) : "";
    char c = spelling != NULL ? spelling[0] : text.data[at];
    return c >= 'a' && c <= 'z' ? SMALL : c >= 'A' && c <= 'Z' ? CAPITAL : NO_LETTER;
}

/* "Th" in "Θερμό" and "TH" in "ΘΕΡΜΟ": of several letters for a capital only the first one is a
 * capital, unless the word is written in capitals. */
static void append_spelling(struct buf *out, const char *spelling, bool capitals)
{
    for (size_t i = 0; spelling[i] != '\0'; i++) {
        bool small = i > 0 && !capitals && spelling[i] >= 'A' && spelling[i] <= 'Z';
        buf_append_byte(out, (uint8_t) (small ? spelling[i] - 'A' + 'a' : spelling[i]));
    }
}

void latin_append(struct buf *out, struct slice text)
{
    enum letter_case before = NO_LETTER;
    for (size_t i = 0; i < text.length;) {
        const char *spelling = spelling_at(text, i);
        size_t bytes = spelling != NULL ? 2 : 1;
        enum letter_case next = case_at(text, i + bytes);
        enum letter_case own = case_at(text, i);
        if (spelling != NULL) {
            append_spelling(out, spelling,
                            next == CAPITAL || (next == NO_LETTER && before == CAPITAL));
        } else {
            buf_append_byte(out, (uint8_t) text.data[i]);
        }
        before = own;
        i += bytes;
    }
}
