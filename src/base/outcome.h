/*
 * outcome: the result of an operation, and a text for a person.
 *
 * Every function that can fail for a reason outside this program returns an enum outcome and
 * describes the failure in a struct error that the caller lends. Low levels fill the error and
 * return; the function that decides what happens next logs it, once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_OUTCOME_H
#define MQTT2PG_BASE_OUTCOME_H

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))

enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_RETRY,  /* the environment failed: the same call may work later */
    OUTCOME_REJECT, /* this message can never work: a dead letter */
    OUTCOME_FATAL,  /* going on would break a promise: stop the process */
};

#define ERROR_TEXT_MAX 512

struct error {
    enum outcome outcome;
    char sqlstate[6];          /* PostgreSQL's code, or "" */
    char text[ERROR_TEXT_MAX]; /* lower case, no full stop, cut if too long */
};

/* Fills `error` (may be NULL) and returns `outcome`, so that
 * `return error_set(e, OUTCOME_RETRY, …)` is one statement. */
enum outcome error_set(struct error *error, enum outcome outcome, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Like error_set(), with ": " and strerror(errno) at the end. */
enum outcome error_errno(struct error *error, enum outcome outcome, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "what: " before the text that stands in `error`. */
void error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Empties `error`: OUTCOME_OK and no text. */
void error_clear(struct error *error);

#endif
