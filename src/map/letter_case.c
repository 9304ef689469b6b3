/*
 * Most texts are ASCII, where a letter's case is one bit. The rest is asked of the C library, in
 * the locale C.UTF-8 whatever the locale of the process is; where the system lacks that locale,
 * letters beyond ASCII stay as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/letter_case.h"

#include <assert.h>
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

enum { CHARACTER_BYTES_MAX = 4 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t unicode;

/* Lives as long as the process. */
static void make_locale(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
}

/* A letter of ASCII in the other case; anything else as it is. */
static char ascii_case(char c, bool upper)
{
    char first = upper ? 'a' : 'A';
    return (char) (c >= first && c < first + 26 ? c ^ 0x20 : c);
}

/* The character at `at`, which is well-formed, and its bytes. */
static size_t take_character(const char *at, uint32_t *character)
{
    unsigned char first = (unsigned char) at[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    *character = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        *character = *character << 6 | ((unsigned char) at[i] & 0x3f);
    }
    return length;
}

/* Writes a character in UTF-8; how many bytes that takes. */
static size_t put_character(char *out, uint32_t character)
{
    assert(character <= 0x10ffff);
    if (character < 0x80) {
        out[0] = (char) character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char) (0x80 | (character & 0x3f));
        character >>= 6;
    }
    out[0] = (char) (((0xf00u >> length) & 0xff) | character);
    return length;
}

struct slice letter_case(struct slice text, bool upper, struct arena *arena)
{
    pthread_once(&once, make_locale);
    /* Two bytes may become three (U+023A in lower case), never more than twice as many. */
    char *out = arena_alloc(arena, text.length * 2 + CHARACTER_BYTES_MAX);
    size_t length = 0;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        if (((unsigned char) text.data[at] & 0x80) == 0 || unicode == (locale_t) 0) {
            out[length++] = ascii_case(text.data[at++], upper);
            continue;
        }
        at += take_character(text.data + at, &character);
        wint_t changed = upper ? towupper_l((wint_t) character, unicode)
                               : towlower_l((wint_t) character, unicode);
        length += put_character(out + length, (uint32_t) changed);
        assert(length <= text.length * 2 + CHARACTER_BYTES_MAX);
    }
    return slice_make(out, length);
}
