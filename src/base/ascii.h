/*
 * ascii: what one byte of ASCII is, whatever the locale, and the white space around a text.
 *
 * <ctype.h> answers by locale and is undefined for a negative char; these functions take any char.
 * A byte of UTF-8 above 0x7f is no digit, letter or space.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_ASCII_H
#define MQTT2PG_BASE_ASCII_H

#include <stdbool.h>

#include "base/slice.h"

/* What a locale calls a digit or a letter does not matter: the languages that are read here (JSON,
 * topics, settings, PostgreSQL's numbers) are defined by ASCII. */
static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_letter(char c)
{
    return ascii_is_lower(c) || ascii_is_upper(c);
}

/* Space, tab, line feed, vertical tab, form feed, carriage return: as isspace() in the C locale and
 * as PostgreSQL's input functions skip it. */
static inline bool ascii_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char ascii_to_lower(char c)
{
    return ascii_is_upper(c) ? (char) (c - 'A' + 'a') : c;
}

static inline char ascii_to_upper(char c)
{
    return ascii_is_lower(c) ? (char) (c - 'a' + 'A') : c;
}

/* The value of a hexadecimal digit in either case, or -1. */
static inline int ascii_hex_digit(char c)
{
    if (ascii_is_digit(c)) {
        return c - '0';
    }
    char lower = ascii_to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The text without the white space at both ends. Borrows the same bytes. */
static inline struct slice ascii_trim(struct slice text)
{
    while (text.length > 0 && ascii_is_space(text.data[text.length - 1])) {
        text.length--;
    }
    while (text.length > 0 && ascii_is_space(text.data[0])) {
        text = slice_make(text.data + 1, text.length - 1);
    }
    return text;
}

#endif
