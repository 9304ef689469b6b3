/* SPDX-License-Identifier: MIT */
#include "pg/pg_failure.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum outcome pg_failure_set(struct pg_failure *failure, enum sql_action action, const char *format,
                            ...)
{
    *failure = (struct pg_failure){.action = action};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof(failure->message), format, arguments);
    va_end(arguments);
    return OUTCOME_RETRY;
}

/* Appends what fits of `text` without line breaks and without a full stop at its end. */
static void append_words(struct pg_failure *failure, struct slice text)
{
    while (text.length > 0 &&
           (text.data[text.length - 1] == '.' || text.data[text.length - 1] == '\n')) {
        text.length--;
    }
    size_t used = strlen(failure->message);
    size_t room = sizeof(failure->message) - 1 - used;
    if (text.length > room) {
        text.length = room;
        /* Not in the middle of a character. */
        while (text.length > 0 && !text_is_utf8(text) && room - text.length < 4) {
            text.length--;
        }
    }
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        failure->message[used++] = (unsigned char) c < ' ' || c == 0x7f ? ' ' : c;
    }
    failure->message[used] = '\0';
}

void pg_failure_message(struct pg_failure *failure, struct slice primary, struct slice detail)
{
    failure->message[0] = '\0';
    append_words(failure, primary);
    if (detail.length > 0) {
        append_words(failure, slice_make(": ", 2));
        append_words(failure, detail);
    }
}

static bool starts_with(struct slice text, struct slice start)
{
    return text.length >= start.length && memcmp(text.data, start.data, start.length) == 0;
}

static struct slice skip(struct slice text, size_t length)
{
    return slice_make(text.data + length, text.length - length);
}

uint64_t pg_failure_copy_line(const char *context, struct slice relation)
{
    if (context == NULL || relation.length == 0) {
        return 0;
    }
    const char *last = strrchr(context, '\n');
    struct slice line = slice_of(last != NULL ? last + 1 : context);
    struct slice command = SLICE_LITERAL("COPY ");
    if (starts_with(line, command)) {
        line = skip(line, command.length);
    } else if (memmem(line.data, line.length, "COPY", 4) == NULL) {
        return 0;
    }
    if (!starts_with(line, relation)) {
        return 0;
    }
    line = skip(line, relation.length);
    /* Behind the name comes a comma or a particle: "COPY t1" is not about the table t. */
    if (line.length == 0 || (line.data[0] >= '0' && line.data[0] <= '9')) {
        return 0;
    }

    size_t at = 0;
    while (at < line.length && (line.data[at] < '0' || line.data[at] > '9')) {
        at++;
    }
    uint64_t number = 0;
    for (; at < line.length && line.data[at] >= '0' && line.data[at] <= '9'; at++) {
        if (number > UINT64_MAX / 10 - 1) {
            return 0;
        }
        number = number * 10 + (uint64_t) (line.data[at] - '0');
    }
    return number;
}
