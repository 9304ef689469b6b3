/* SPDX-License-Identifier: MIT */
#include "learn/latin.h"

#include <stddef.h>
#include <stdint.h>

/* The i-th element is the ASCII spelling of the character U+00C0 + i (Latin), or U+0386 + i (Greek
 * and Cyrillic). NULL: the character is copied. "": it is left out, like the Russian hard sign. */
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
    "A",    NULL, "E",  "I",  "I",  NULL, "O",  NULL, "Y",  "O",  NULL, "A",  "V",  "G",    "D",
    "E",    "Z",  "I",  "TH", "I",  "K",  "L",  "M",  "N",  "X",  "O",  "P",  "R",  NULL,   "S",
    "T",    "Y",  "F",  "CH", "PS", "O",  NULL, NULL, "a",  "e",  "i",  "i",  NULL, "a",    "v",
    "g",    "d",  "e",  "z",  "i",  "th", "i",  "k",  "l",  "m",  "n",  "x",  "o",  "p",    "r",
    "s",    "s",  "t",  "y",  "f",  "ch", "ps", "o",  NULL, NULL, "o",  "y",  "o",  NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, "E",  NULL, NULL, "YE", NULL, "I",  "YI", NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, "A",  "B",  "V",  "G",  "D",  "E",  "ZH", "Z",  "I",  "Y",  "K",    "L",
    "M",    "N",  "O",  "P",  "R",  "S",  "T",  "U",  "F",  "KH", "TS", "CH", "SH", "SHCH", "",
    "Y",    "",   "E",  "YU", "YA", "a",  "b",  "v",  "g",  "d",  "e",  "zh", "z",  "i",    "y",
    "k",    "l",  "m",  "n",  "o",  "p",  "r",  "s",  "t",  "u",  "f",  "kh", "ts", "ch",   "sh",
    "shch", "",   "y",  "",   "e",  "yu", "ya", NULL, "e",  NULL, NULL, "ye", NULL, "i",    "yi",
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   NULL,
    NULL,   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "G",  "g"};

/* The ASCII spelling of a character, or NULL when the tables do not have it. */
static const char *ascii_of(uint32_t code)
{
    if (code >= 0xC0 && code - 0xC0 < sizeof(from_c0) / sizeof(from_c0[0])) {
        return from_c0[code - 0xC0];
    }
    if (code >= 0x386 && code - 0x386 < sizeof(from_386) / sizeof(from_386[0])) {
        return from_386[code - 0x386];
    }
    return NULL;
}

void latin_append(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char) text.data[i];
        unsigned char next = i + 1 < text.length ? (unsigned char) text.data[i + 1] : 0;
        /* All characters of both tables are two bytes of UTF-8: 110xxxxx 10xxxxxx. */
        bool two = (c & 0xE0) == 0xC0 && (next & 0xC0) == 0x80;
        const char *ascii = two ? ascii_of((uint32_t) (c & 0x1F) << 6 | (next & 0x3F)) : NULL;
        if (ascii != NULL) {
            buf_append_text(out, ascii);
            i++;
        } else {
            buf_append_byte(out, c);
        }
    }
}
