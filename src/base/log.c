/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

enum { VALUE_CHARACTERS_MAX = 500, REPEAT_EVENTS = 64, REPEAT_WINDOW_MS = 10000 };

static const struct {
    const char *word;   /* in JSON */
    const char *column; /* in text: five characters */
    const char *colour; /* on a terminal: an escape sequence */
    char priority;      /* in systemd's journal, as in syslog(3) */
} levels[] = {
    [LOG_DEBUG] = {"debug", "DEBUG", "\033[2m", '7'},
    [LOG_INFO] = {"info", "INFO ", "\033[32m", '6'},
    [LOG_WARN] = {"warn", "WARN ", "\033[33m", '4'},
    [LOG_ERROR] = {"error", "ERROR", "\033[31m", '3'},
};

enum destination { TO_UNKNOWN, TO_FILE, TO_TERMINAL, TO_JOURNAL };

static atomic_int level_min = LOG_INFO;
static atomic_int format_chosen = LOG_TEXT;
static atomic_int destination = TO_UNKNOWN;

/* An event that was written lately. A new event replaces the oldest entry of a full table; that
 * loses only the old event's count. */
struct repeat {
    uint64_t key;        /* repeat_key(), or the hash of a subject (log_write_state()); 0 = free */
    uint64_t state;      /* of a subject: the hash of its last level and event; else 0 */
    int64_t written_ms;  /* monotonic: when its last line was written */
    uint64_t suppressed; /* lines that were counted and not written since */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_EVENTS];
static struct log_problem last_problem; /* guarded by the mutex */
static char path[PATH_MAX];             /* of standard error; "" = no regular file */

/* systemd sets JOURNAL_STREAM to "device:inode" of the stream that it made. Standard error still is
 * that stream when both numbers match (sd-daemon(3)). */
static enum destination destination_find(void)
{
    const char *journal = getenv("JOURNAL_STREAM");
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
    struct stat status;
    unsigned long long device;
    unsigned long long inode;

    if (journal != NULL && sscanf(journal, "%llu:%llu", &device, &inode) == 2 &&
        fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode) {
        return TO_JOURNAL;
    }
    if (isatty(STDERR_FILENO) && (no_colour == NULL || no_colour[0] == '\0')) {
        return TO_TERMINAL;
    }
    return TO_FILE;
}

static bool is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 0;
}

/* Called with the mutex held. /proc gives the current name of an open file, so this function reads
 * the name once, before a log rotation renames the file. */
static void remember_path(void)
{
    if (path[0] == '\0' && is_regular(STDERR_FILENO)) {
        ssize_t length = readlink("/proc/self/fd/2", path, sizeof(path) - 1);
        path[length > 0 && path[0] == '/' ? length : 0] = '\0';
    }
}

void log_reopen(void)
{
    int number = 0;
    pthread_mutex_lock(&mutex);
    int fd = path[0] == '\0' ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (path[0] != '\0' && (fd < 0 || dup2(fd, STDERR_FILENO) < 0)) {
        number = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    pthread_mutex_unlock(&mutex);
    if (number != 0) {
        log_warn("could not open the log file again", F_TEXT("file", path),
                 F_TEXT("reason", strerror(number)));
    }
}

void log_configure(const struct log_options *options)
{
    pthread_mutex_lock(&mutex);
    remember_path();
    pthread_mutex_unlock(&mutex);
    atomic_store(&level_min, (int) options->level);
    atomic_store(&format_chosen, (int) options->format);
    atomic_store(&destination, (int) destination_find());
}

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char) *text) * UINT64_C(1099511628211);
    }
    return hash;
}

/* Two lines are the same when level, event and first field (if it is a text, such as a rule's name
 * or a reason) are equal. */
static uint64_t repeat_key(enum log_level level, const char *event, const struct log_field *fields)
{
    uint64_t hash = hash_text(UINT64_C(14695981039346656037) + (uint64_t) level, event);
    if (fields->key != NULL && fields->type == LOG_FIELD_TEXT && fields->text != NULL) {
        hash = hash_text(hash, fields->text);
    }
    return hash == 0 ? 1 : hash;
}

void log_forget_repeats(void)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < REPEAT_EVENTS; i++) {
        repeats[i].written_ms -= REPEAT_WINDOW_MS;
    }
    pthread_mutex_unlock(&mutex);
}

/* Returns whether to write the line. If so, sets `repeated` to the number of lines that were
 * counted and not written since the last one; if not, counts this line. Admits every debug line. */
static bool repeat_admit(enum log_level level, uint64_t key, uint64_t state, uint64_t *repeated)
{
    int64_t now_ms = clock_monotonic_ms();
    bool admitted = true;
    assert(key != 0); /* 0 marks a free entry */
    *repeated = 0;
    if (level == LOG_DEBUG) {
        return true;
    }
    pthread_mutex_lock(&mutex);
    struct repeat *entry = NULL;
    struct repeat *oldest = &repeats[0];
    for (size_t i = 0; i < REPEAT_EVENTS && entry == NULL; i++) {
        struct repeat *each = &repeats[i];
        if (each->key == key) {
            entry = each;
        } else if (each->key == 0 || each->written_ms < oldest->written_ms) {
            oldest = oldest->key == 0 ? oldest : each;
        }
    }
    if (entry != NULL && entry->state == state && now_ms - entry->written_ms < REPEAT_WINDOW_MS) {
        entry->suppressed++;
        admitted = false;
    } else {
        *repeated = entry != NULL && entry->state == state ? entry->suppressed : 0;
        entry = entry != NULL ? entry : oldest;
        *entry = (struct repeat){key, state, now_ms, 0};
    }
    pthread_mutex_unlock(&mutex);
    return admitted;
}

/* Writes the value as printable text, without quotes. */
static void value_print(struct buf *out, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        text_append_printable(out, slice_of(field->text), VALUE_CHARACTERS_MAX);
        break;
    case LOG_FIELD_SLICE:
        text_append_printable(out, field->slice, VALUE_CHARACTERS_MAX);
        break;
    case LOG_FIELD_INT:
        buf_printf(out, "%lld", (long long) field->integer);
        break;
    case LOG_FIELD_REAL:
        buf_printf(out, "%.6g", field->real);
        break;
    }
}

static bool is_number(const struct log_field *field)
{
    return field->type == LOG_FIELD_INT || (field->type == LOG_FIELD_REAL && isfinite(field->real));
}

/* Quotes a value that is empty or has a space, a quote or an equals sign. */
static void append_text_value(struct buf *out, const char *value)
{
    if (value[0] != '\0' && strpbrk(value, " \"=") == NULL) {
        buf_append_text(out, value);
        return;
    }
    buf_append_byte(out, '"');
    for (; *value != '\0'; value++) {
        if (*value == '"') {
            buf_append_byte(out, '\\');
        }
        buf_append_byte(out, (uint8_t) *value);
    }
    buf_append_byte(out, '"');
}

static void append_field(struct buf *line, enum log_format format, const struct log_field *field)
{
    struct buf value = {0};
    assert(field->key != NULL);
    value_print(&value, field);
    if (format == LOG_TEXT) {
        buf_printf(line, " %s=", field->key);
        append_text_value(line, buf_string(&value));
    } else {
        buf_append_byte(line, ',');
        text_append_json(line, slice_of(field->key));
        buf_append_byte(line, ':');
        if (is_number(field)) {
            buf_append_slice(line, buf_slice(&value));
        } else {
            text_append_json(line, buf_slice(&value));
        }
    }
    buf_fini(&value);
}

static void append_text_head(struct buf *line, enum log_level level, const char *event)
{
    enum destination to = (enum destination) atomic_load(&destination);
    if (to == TO_JOURNAL) {
        buf_printf(line, "<%c>", levels[level].priority);
    } else {
        struct buf stamp = {0};
        text_format_time(&stamp, clock_wall_us());
        /* "YYYY-MM-DD HH:MM:SS.mmmZ": easier to read than RFC 3339 with microseconds. */
        buf_printf(line, "%.10s %.12sZ ", stamp.data, stamp.data + 11);
        buf_fini(&stamp);
    }
    bool coloured = to == TO_TERMINAL;
    buf_printf(line, "%s%s%s %s", coloured ? levels[level].colour : "", levels[level].column,
               coloured ? "\033[0m" : "", event);
}

static void append_json_head(struct buf *line, enum log_level level, const char *event)
{
    buf_append_text(line, "{\"time\":\"");
    text_format_time(line, clock_wall_us());
    buf_printf(line, "\",\"level\":\"%s\",\"event\":", levels[level].word);
    text_append_json(line, slice_of(event));
}

static void remember_problem(const char *event, const struct log_field *fields)
{
    const char *reason = NULL;
    for (; fields->key != NULL; fields++) {
        if (fields->type == LOG_FIELD_TEXT &&
            (strcmp(fields->key, "reason") == 0 || strcmp(fields->key, "problem") == 0)) {
            reason = fields->text;
        }
    }
    pthread_mutex_lock(&mutex);
    last_problem.at_us = clock_wall_us();
    snprintf(last_problem.text, sizeof(last_problem.text), "%s%s%s", event,
             reason != NULL ? ": " : "", reason != NULL ? reason : "");
    pthread_mutex_unlock(&mutex);
}

void log_last_problem(struct log_problem *out)
{
    pthread_mutex_lock(&mutex);
    *out = last_problem;
    pthread_mutex_unlock(&mutex);
}

static void write_line(enum log_level level, const char *event, const struct log_field *fields,
                       uint64_t repeated)
{
    assert(level <= LOG_ERROR);
    if (level >= LOG_WARN) {
        remember_problem(event, fields);
    }
    if (atomic_load(&destination) == TO_UNKNOWN) {
        atomic_store(&destination, (int) destination_find());
    }
    enum log_format format = (enum log_format) atomic_load(&format_chosen);
    struct buf line = {0};
    if (format == LOG_TEXT) {
        append_text_head(&line, level, event);
    } else {
        append_json_head(&line, level, event);
    }
    for (; fields->key != NULL; fields++) {
        append_field(&line, format, fields);
    }
    if (repeated > 0) {
        append_field(&line, format, &F_INT("repeated", repeated));
    }
    buf_append_text(&line, format == LOG_TEXT ? "\n" : "}\n");

    /* One write() for the whole line, so that the lines of several threads do not mix. The bridge
     * ignores a failure: it goes on storing messages when the log can't be written. */
    if (write(STDERR_FILENO, line.data, line.length) < 0) {
    }
    buf_fini(&line);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    uint64_t repeated;
    if ((int) level >= atomic_load(&level_min) &&
        repeat_admit(level, repeat_key(level, event, fields), 0, &repeated)) {
        write_line(level, event, fields, repeated);
    }
}

/* The key of a subject's entry is the hash of the subject alone; the entry remembers the subject's
 * last state. `| 1` keeps both hashes from being 0: key 0 marks a free entry, state 0 an entry that
 * is not of a subject. */
void log_write_state(enum log_level level, const char *subject, const char *event,
                     const struct log_field *fields)
{
    const uint64_t basis = UINT64_C(14695981039346656037);
    uint64_t key = hash_text(basis, subject);
    uint64_t state = hash_text(basis + (uint64_t) level, event); /* not the fields */
    uint64_t repeated;

    assert(subject[0] != '\0');
    if ((int) level >= atomic_load(&level_min) &&
        repeat_admit(level, key | 1, state | 1, &repeated)) {
        write_line(level, event, fields, repeated);
    }
}

void log_write_each(enum log_level level, const char *event, const struct log_field *fields)
{
    if ((int) level >= atomic_load(&level_min)) {
        write_line(level, event, fields, 0);
    }
}
