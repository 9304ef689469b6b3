/*
 * problems: every mistake of a configuration, collected and reported in one go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_PROBLEMS_H
#define MQTT2PG_BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/outcome.h"

/* A place in a configuration. `file` is borrowed from the configuration and lives as long; NULL
 * when the thing is in no file (a default, a command line). */
struct place {
    const char *file;
    int line; /* from 1 */
};

enum problem_level { PROBLEM_WARNING, PROBLEM_ERROR };

struct problem {
    enum problem_level level;
    char *text; /* owned: "FILE:LINE: message" */
    int line;
};

/* Zero-initialized memory is an empty list. */
struct problems {
    struct problem *list; /* owned, in the order of discovery */
    size_t count;
    size_t capacity;
    size_t errors; /* how many of them are errors */
};

void problems_fini(struct problems *problems);

/* Adds one; `what` and the message make "FILE:LINE: what: message" ("what" may be NULL). */
void problem_error(struct problems *problems, struct place place, const char *what,
                   const char *format, ...) PRINTF_LIKE(4, 5);
void problem_warning(struct problems *problems, struct place place, const char *what,
                     const char *format, ...) PRINTF_LIKE(4, 5);

/* One line each, warnings as "FILE:LINE: warning: …". */
void problems_print(const struct problems *problems, FILE *out);

/* The same to the log. */
void problems_log(const struct problems *problems);

#endif
