/* SPDX-License-Identifier: MIT */
#include "base/problems.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

void problems_fini(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->list[i].text);
    }
    free(problems->list);
    *problems = (struct problems){0};
}

/* "FILE:LINE: [warning: ][SETTING: ]message": what is not known is left out. */
static void problem_add(struct problems *problems, enum problem_level level, struct place place,
                        const char *what, const char *message)
{
    struct buf text = {0};
    assert(message != NULL && problems->count <= problems->capacity);
    if (place.file != NULL && place.line > 0) {
        buf_printf(&text, "%s:%d: ", place.file, place.line);
    } else if (place.file != NULL) {
        buf_printf(&text, "%s: ", place.file);
    }
    if (level == PROBLEM_WARNING) {
        buf_append_text(&text, "warning: ");
    }
    if (what != NULL) {
        text_append_printable(&text, slice_of(what), SIZE_MAX);
        buf_append_text(&text, ": ");
    }
    text_append_printable(&text, slice_of(message), SIZE_MAX);

    problems->list = memory_grow(problems->list, problems->count, &problems->capacity,
                                 sizeof(problems->list[0]));
    problems->list[problems->count++] = (struct problem){
        .level = level,
        .text = memory_copy(buf_slice(&text)),
        .line = place.line,
    };
    problems->errors += level == PROBLEM_ERROR;
    assert(problems->errors <= problems->count);
    buf_fini(&text);
}

static PRINTF_LIKE(1, 0) char *message_new(const char *format, va_list arguments)
{
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0) {
        message = memory_strdup(format);
    }
    return message;
}

void problem_error(struct problems *problems, struct place place, const char *what,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = message_new(format, arguments);
    va_end(arguments);
    problem_add(problems, PROBLEM_ERROR, place, what, message);
    free(message);
}

void problem_warning(struct problems *problems, struct place place, const char *what,
                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = message_new(format, arguments);
    va_end(arguments);
    problem_add(problems, PROBLEM_WARNING, place, what, message);
    free(message);
}

void problems_print(const struct problems *problems, FILE *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        fprintf(out, "%s\n", problems->list[i].text);
    }
}

void problems_log(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (problems->list[i].level == PROBLEM_ERROR) {
            log_error("configuration", F_TEXT("problem", problems->list[i].text));
        } else {
            log_warn("configuration", F_TEXT("problem", problems->list[i].text));
        }
    }
}
