/*
 * log: one line per event on standard error.
 *
 *   log_warn("broker connection lost", F_TEXT("url", url), F_INT("retry_ms", wait));
 *
 * text:  2026-11-23 03:29:30.123Z WARN  broker connection lost url=mqtt://… retry_ms=812
 * json:  {"time":"…","level":"warn","event":"broker connection lost","url":"mqtt://…",
 *         "retry_ms":812}
 *
 * The event is a constant in the program's own words; what varies stands in fields. Values are made
 * printable here (control characters escaped, cut at 500 characters), so a topic may be logged as
 * it came. Payloads and secrets never are. An event that repeats within ten seconds, with the same
 * first field if that is a text, is counted instead, and the count appears with its next line
 * (`repeated=`); debug lines are all written. Under systemd (JOURNAL_STREAM) text lines carry the
 * journal's priority prefix "<N>" instead of the time. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_LOG_H
#define MQTT2PG_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* error: a person has to act. warn: something did not go as it should, and the bridge deals with
 * it. info: a change that is as it should be. debug: each step, for whoever looks for a fault. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_REAL };

struct log_field {
    const char *key; /* NULL ends the list */
    enum log_field_type type;
    union {
        const char *text; /* NULL is written as an empty value */
        struct slice slice;
        int64_t integer;
        double real;
    };
};

#define F_TEXT(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_TEXT, .text = (v)})
#define F_SLICE(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_SLICE, .slice = (v)})
#define F_INT(k, v) \
    ((struct log_field){.key = (k), .type = LOG_FIELD_INT, .integer = (int64_t) (v)})
#define F_REAL(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_REAL, .real = (v)})

/* The event is an argument like the fields, so that a line without fields needs no comma. */
#define LOG_LINE(level, event, ...) \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__})
#define LOG_FIELDS_END ((struct log_field){.key = NULL})

#define log_debug(...) LOG_LINE(LOG_DEBUG, __VA_ARGS__, LOG_FIELDS_END)
#define log_info(...) LOG_LINE(LOG_INFO, __VA_ARGS__, LOG_FIELDS_END)
#define log_warn(...) LOG_LINE(LOG_WARN, __VA_ARGS__, LOG_FIELDS_END)
#define log_error(...) LOG_LINE(LOG_ERROR, __VA_ARGS__, LOG_FIELDS_END)

/* Also when the same was written a moment ago: for events that have a pause of their own, such as
 * an attempt to connect that waits for its turn. */
#define log_info_each(event, ...) \
    log_write_each(LOG_INFO, (event), (const struct log_field[]){__VA_ARGS__, LOG_FIELDS_END})

#define log_warn_each(event, ...) \
    log_write_each(LOG_WARN, (event), (const struct log_field[]){__VA_ARGS__, LOG_FIELDS_END})

/* One state of `subject` ("database", "journal", the name of a rule): left out only when the last
 * line of this subject was the same event and came a moment ago. So the last line always tells how
 * it is, however often the state changes. */
#define LOG_STATE(level, subject, event, ...) \
    log_write_state((level), (subject), (event), (const struct log_field[]){__VA_ARGS__})
#define log_info_state(subject, ...) LOG_STATE(LOG_INFO, subject, __VA_ARGS__, LOG_FIELDS_END)
#define log_warn_state(subject, ...) LOG_STATE(LOG_WARN, subject, __VA_ARGS__, LOG_FIELDS_END)
#define log_error_state(subject, ...) LOG_STATE(LOG_ERROR, subject, __VA_ARGS__, LOG_FIELDS_END)

struct log_options {
    enum log_level level;
    enum log_format format;
};

/* Takes effect at once; may be called again (reload). Before the first call:
 * info, text. */
void log_configure(const struct log_options *options);

/* Where standard error is a regular file: opens it again by the name that it had at the first
 * log_configure(), so that a program that rotates logs can move it away and send SIGHUP. A file
 * that cannot be opened is no reason to lose the old one: a line says why. */
void log_reopen(void);

/* Somebody asks for something (a reload): what is said of it is said, even if the same was said a
 * moment ago. Counts of what was left out remain. */
void log_forget_repeats(void);

/* The last line of the level warn or error, for people who can't see the log. */
struct log_problem {
    int64_t at_us;  /* wall clock; 0 = there was none */
    char text[400]; /* the event and, behind a colon, its field "reason" */
};
void log_last_problem(struct log_problem *out);

/* `event` is a string constant; `fields` borrowed for the call. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
void log_write_state(enum log_level level, const char *subject, const char *event,
                     const struct log_field *fields);
void log_write_each(enum log_level level, const char *event, const struct log_field *fields);

#endif
