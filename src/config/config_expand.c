/*
 *   "${NAME}"            the variable, which has to be set
 *   "${NAME:-default}"   the same, or the default where it is unset or empty
 *   "$${"                a plain "${"
 *
 * The value of a variable is not expanded again: a password may contain "${".
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_expand.h"

#include <assert.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/memory.h"

/* The length of the variable's name that the text begins with; 0 when none does. POSIX recommends
 * upper case, but lower case is taken too. */
static size_t name_length(struct slice text)
{
    size_t length = 0;
    while (length < text.length &&
           (ascii_is_letter(text.data[length]) || text.data[length] == '_' ||
            (length > 0 && ascii_is_digit(text.data[length])))) {
        length++;
    }
    return length;
}

/* Is it written as captures are? Environment variables hardly ever are in lower case, so ${device}
 * was probably meant as {device}. */
static bool is_lower(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (ascii_is_upper(name.data[i])) {
            return false;
        }
    }
    return true;
}

/* Appends the value for one "${…}". `inside` is what stands between "${" and "}", empty when no "}"
 * follows. */
static bool expand_one(struct buf *out, struct slice inside, struct error *error)
{
    size_t length = name_length(inside);
    struct slice tail = slice_make(inside.data + length, inside.length - length);
    bool has_default = tail.length >= 2 && memcmp(tail.data, ":-", 2) == 0;
    if (length == 0 || (tail.length > 0 && !has_default)) {
        error_set(error, OUTCOME_FATAL,
                  "\"${\" begins an environment variable, ${NAME} or ${NAME:-default}; "
                  "write $${ where \"${\" itself is meant");
        return false;
    }
    char *name = memory_copy(slice_make(inside.data, length));
    const char *value = getenv(name);
    bool good = value != NULL || has_default;
    if (!good) {
        error_set(error, OUTCOME_FATAL,
                  "the environment variable %s is not set: set it, or write ${%s:-default}%s%s%s",
                  name, name, is_lower(inside) ? "; a part of the topic is {" : "",
                  is_lower(inside) ? name : "", is_lower(inside) ? "}" : "");
    } else if (has_default && (value == NULL || value[0] == '\0')) {
        buf_append(out, tail.data + 2, tail.length - 2);
    } else {
        buf_append_text(out, value);
    }
    free(name);
    return good;
}

bool config_expand(struct buf *out, struct slice text, struct error *error)
{
    size_t at = 0;
    while (at < text.length) {
        struct slice rest = slice_make(text.data + at, text.length - at);
        if (rest.length >= 3 && memcmp(rest.data, "$${", 3) == 0) {
            buf_append_text(out, "${");
            at += 3;
        } else if (rest.length >= 2 && memcmp(rest.data, "${", 2) == 0) {
            const char *end = memchr(rest.data, '}', rest.length);
            struct slice inside =
                slice_make(rest.data + 2, end == NULL ? 0 : (size_t) (end - rest.data) - 2);
            if (!expand_one(out, inside, error)) {
                return false;
            }
            assert(end != NULL); /* without "}" expand_one() fails: `inside` is empty */
            at += inside.length + 3;
        } else {
            buf_append_byte(out, (uint8_t) rest.data[0]);
            at++;
        }
    }
    return true;
}

bool config_expand_needed(struct slice text)
{
    for (size_t at = 0; at + 1 < text.length; at++) {
        if (text.data[at] == '$' && text.data[at + 1] == '{' &&
            (at == 0 || text.data[at - 1] != '$')) {
            return true;
        }
    }
    return false;
}
