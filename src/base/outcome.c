/* SPDX-License-Identifier: MIT */
#include "base/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static PRINTF_LIKE(3, 0) void error_write(struct error *error, enum outcome outcome,
                                          const char *format, va_list arguments)
{
    error->outcome = outcome;
    error->sqlstate[0] = '\0';
    vsnprintf(error->text, sizeof(error->text), format, arguments);
}

/* error_set() and error_errno() keep errno, so that a caller may still tell ENOENT from the
 * rest. */
enum outcome error_set(struct error *error, enum outcome outcome, const char *format, ...)
{
    int number = errno;
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error_write(error, outcome, format, arguments);
        va_end(arguments);
    }
    errno = number;
    return outcome;
}

enum outcome error_errno(struct error *error, enum outcome outcome, const char *format, ...)
{
    int number = errno;
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error_write(error, outcome, format, arguments);
        va_end(arguments);

        char reason[128];
        size_t used = strlen(error->text);
        snprintf(error->text + used, sizeof(error->text) - used, ": %s",
                 strerror_r(number, reason, sizeof(reason)));
    }
    errno = number;
    return outcome;
}

/* A text that gets too long is cut at its end. The prefix, which says where the error happened,
 * stays. */
void error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL) {
        return;
    }
    char old[ERROR_TEXT_MAX];
    memcpy(old, error->text, sizeof(old));

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);

    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof(error->text) - used, ": %s", old);
}

void error_clear(struct error *error)
{
    if (error != NULL) {
        error->outcome = OUTCOME_OK;
        error->sqlstate[0] = '\0';
        error->text[0] = '\0';
    }
}
