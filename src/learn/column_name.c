/* SPDX-License-Identifier: MIT */
#include "learn/column_name.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "learn/latin.h"

/* NAME_BYTES_MAX is PostgreSQL's NAMEDATALEN - 1. NUMBER_BYTES is the room that a name which is
 * taken leaves for "_2" to "_99999". */
enum { NAME_BYTES_MAX = 63, NUMBER_BYTES = 6 };

void name_list_fini(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct name_list){0};
}

bool name_list_has(const struct name_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* How many bytes of the name fit into `bytes_max`. A character of UTF-8 is never cut in two. */
static size_t cut_length(struct slice name, size_t bytes_max)
{
    size_t length = name.length < bytes_max ? name.length : bytes_max;
    while (length < name.length && length > 0 &&
           ((unsigned char) name.data[length] & 0xC0) == 0x80) {
        length--;
    }
    assert(length <= bytes_max && length <= name.length);
    return length;
}

const char *name_list_add(struct name_list *list, struct slice name)
{
    char *made = memory_printf("%.*s", (int) cut_length(name, NAME_BYTES_MAX), name.data);
    for (unsigned number = 2; name_list_has(list, made); number++) {
        free(made);
        made = memory_printf("%.*s_%u", (int) cut_length(name, NAME_BYTES_MAX - NUMBER_BYTES),
                             name.data, number);
    }
    list->names = memory_grow(list->names, list->count, &list->capacity, sizeof(*list->names));
    list->names[list->count++] = made;
    assert(strlen(made) <= NAME_BYTES_MAX);
    return made;
}

bool name_is_plain(const char *name)
{
    if (!isalpha((unsigned char) name[0]) && name[0] != '_') {
        return false;
    }
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] ==
           '\0';
}

/* isalnum(3) without its trap: a negative char is undefined behaviour. */
static bool is_letter_or_digit(char c)
{
    return isalnum((unsigned char) c) != 0;
}

/* False for "%", "µ" and what else snake_case would turn into nothing. */
static bool has_letters(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (is_letter_or_digit(name.data[i])) {
            return true;
        }
    }
    return false;
}

/* Does a new word begin at this byte: at the "L" of "batteryLevel", at the "C" of "HTTPCode"? One
 * small letter is no word of its own, so the units "mV", "kWh" and "pH" stay in one piece. */
static bool begins_word(struct slice name, size_t at)
{
    assert(at < name.length);
    if (at == 0 || !isupper((unsigned char) name.data[at])) {
        return false;
    }
    unsigned char before = (unsigned char) name.data[at - 1];
    bool alone = at == 1 || !is_letter_or_digit(name.data[at - 2]);
    bool next_is_lower = at + 1 < name.length && islower((unsigned char) name.data[at + 1]);
    return (islower(before) && !alone) || isdigit(before) || (isupper(before) && next_is_lower);
}

/* Appends "_" unless `out` is empty or ends with "_": words are parted by one "_", never two. */
static void append_gap(struct buf *out)
{
    if (out->length > 0 && out->data[out->length - 1] != '_') {
        buf_append_byte(out, '_');
    }
}

/* `name` comes from latin_append(). Bytes that are still no ASCII belong to alphabets which latin
 * does not know, such as Chinese: they become gaps. */
static void append_snake(struct buf *out, struct slice name)
{
    append_gap(out);
    if (!has_letters(name)) {
        /* NUL is the one byte that no name can have. */
        for (size_t i = 0; i < name.length; i++) {
            buf_append_byte(out, name.data[i] == '\0' ? '_' : (uint8_t) name.data[i]);
        }
        return;
    }
    for (size_t i = 0; i < name.length; i++) {
        if (!is_letter_or_digit(name.data[i])) {
            append_gap(out);
            continue;
        }
        if (begins_word(name, i)) {
            append_gap(out);
        }
        if (out->length == 0 && isdigit((unsigned char) name.data[i])) {
            buf_append_byte(out, '_');
        }
        buf_append_byte(out, (uint8_t) tolower((unsigned char) name.data[i]));
    }
    while (out->length > 1 && out->data[out->length - 1] == '_') {
        out->length--;
    }
}

void name_append_snake(struct buf *out, struct slice text)
{
    struct buf latin = {0};
    latin_append(&latin, text);
    append_snake(out, buf_slice(&latin));
    buf_fini(&latin);
}

/* Does the word end with `end`, and is it longer than that? */
static bool ends_with(struct slice word, const char *end)
{
    size_t length = strlen(end);
    return word.length > length && memcmp(word.data + word.length - length, end, length) == 0;
}

/* English endings, the most regular ones only: a wrong singular ("serie") would be worse than a
 * plural. `same` are endings that look like a plural and are none: "glass", "status", "gas". */
void name_append_singular(struct buf *out, struct slice word)
{
    static const char *const same[] = {"ss", "us", "is", "news", "series", "gas"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (slice_is(word, same[i]) || ends_with(word, same[i])) {
            buf_append_slice(out, word);
            return;
        }
    }
    if (ends_with(word, "ies") && word.length > 4) {
        buf_append(out, word.data, word.length - 3);
        buf_append_byte(out, 'y');
    } else if (ends_with(word, "sses") || ends_with(word, "xes") || ends_with(word, "ches") ||
               ends_with(word, "shes") || ends_with(word, "uses")) {
        buf_append(out, word.data, word.length - 2);
    } else if (ends_with(word, "s")) {
        buf_append(out, word.data, word.length - 1);
    } else {
        buf_append_slice(out, word);
    }
}
