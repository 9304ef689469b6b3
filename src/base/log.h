/*
 * log: one line per event on standard error.
 *
 *   log_warn("broker connection lost", F_TEXT("url", url), F_INT("retry_ms", wait));
 *
 * text:  2026-11-23 03:29:30.123Z WARN  broker connection lost url=mqtt://… retry_ms=812
 * json:  {"time":"…","level":"warn","event":"broker connection lost","url":"mqtt://…",
 *         "retry_ms":812}
 *
 * The event is a string constant; the fields hold everything that varies. This module makes values
 * printable (it escapes control characters and cuts at 500 characters), so a caller may log a topic
 * as received. No caller logs payloads or secrets.
 *
 * A line that repeats another within ten seconds is counted and not written; the next line of that
 * event shows the count as `repeated=`. Two lines are the same when level, event and first field
 * (if it is a text) are equal. Debug lines are always written. Under systemd (JOURNAL_STREAM) text
 * lines carry the journal's priority prefix "<N>" instead of the time. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_LOG_H
#define MQTT2PG_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* error: a person has to act. warn: something went wrong, and the bridge handles it. info: an
 * expected change of state. debug: each step, for finding a fault. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_REAL };

struct log_field {
    const char *key; /* NULL ends the list */
    enum log_field_type type;
    union {
        const char *text; /* NULL: an empty value */
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

/* log_info("event") expands to LOG_LINE(LOG_INFO, "event", LOG_FIELDS_END). The end marker stands
 * in the variable arguments, so that C11 accepts a line without fields. */
#define LOG_LINE(level, event, ...) \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__})
#define LOG_FIELDS_END ((struct log_field){.key = NULL})

#define log_debug(...) LOG_LINE(LOG_DEBUG, __VA_ARGS__, LOG_FIELDS_END)
#define log_info(...) LOG_LINE(LOG_INFO, __VA_ARGS__, LOG_FIELDS_END)
#define log_warn(...) LOG_LINE(LOG_WARN, __VA_ARGS__, LOG_FIELDS_END)
#define log_error(...) LOG_LINE(LOG_ERROR, __VA_ARGS__, LOG_FIELDS_END)

/* Writes the line even when it repeats another one: for events that are rare by themselves, such as
 * attempts to connect, which have pauses between them. */
#define log_info_each(event, ...) \
    log_write_each(LOG_INFO, (event), (const struct log_field[]){__VA_ARGS__, LOG_FIELDS_END})

#define log_warn_each(event, ...) \
    log_write_each(LOG_WARN, (event), (const struct log_field[]){__VA_ARGS__, LOG_FIELDS_END})

/* Reports the state of `subject` ("database", "journal", the name of a rule). The line is left out
 * only when the subject's last line had the same level and event and is less than ten seconds old.
 * So the last line of a subject always shows its current state. */
#define LOG_STATE(level, subject, event, ...) \
    log_write_state((level), (subject), (event), (const struct log_field[]){__VA_ARGS__})
#define log_info_state(subject, ...) LOG_STATE(LOG_INFO, subject, __VA_ARGS__, LOG_FIELDS_END)
#define log_warn_state(subject, ...) LOG_STATE(LOG_WARN, subject, __VA_ARGS__, LOG_FIELDS_END)
#define log_error_state(subject, ...) LOG_STATE(LOG_ERROR, subject, __VA_ARGS__, LOG_FIELDS_END)

struct log_options {
    enum log_level level;
    enum log_format format;
};

/* Takes effect at once; a reload calls it again. Before the first call the level is info and the
 * format is text. */
void log_configure(const struct log_options *options);

/* If standard error is a regular file, opens the file again by the name that it had at the first
 * log_configure(): a program that rotates logs moves the file away and sends SIGHUP. When the file
 * can't be opened, the log stays in the old file, and a warning gives the reason. */
void log_reopen(void);

/* Ends the ten seconds of every event, so that the next line of each is written: a person who asks
 * for something, such as a reload, gets an answer each time. Keeps the counts of repeats. */
void log_forget_repeats(void);

/* The last line of level warn or error, for the pages and commands that show no log. */
struct log_problem {
    int64_t at_us;  /* wall clock; 0 = no such line yet */
    char text[400]; /* "event", or "event: …" with the value of its field "reason" or "problem" */
};
void log_last_problem(struct log_problem *out);

/* The functions behind the macros. `event` is a string constant; `fields` is borrowed for the
 * call. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
void log_write_state(enum log_level level, const char *subject, const char *event,
                     const struct log_field *fields);
void log_write_each(enum log_level level, const char *event, const struct log_field *fields);

#endif
