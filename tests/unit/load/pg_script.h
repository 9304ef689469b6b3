/*
 * pg_script: a server that speaks PostgreSQL's protocol (version 3.0, "Frontend/Backend Protocol")
 * and answers as a script says. For tests of what a batch, a trial or a retry makes of answers that
 * a real server gives rarely or slowly.
 *
 *   struct pg_script script;
 *   pg_script_start(&script);
 *   pg_script_add(&script, (struct script_line){.sql = "insert into", .data = "bad",
 *                                               .answer = "ERROR:23514:refused:positive"});
 *   … pg_script_connect(&script) …
 *   pg_script_stop(&script);
 *
 * Answers: "ERROR:SQLSTATE:message[:constraint]", "FATAL:…" (and the connection ends), "CLOSE",
 * "TAG:command tag", "NONE" (nothing at all), "WAIT:milliseconds" (then as if no line answered),
 * "ROWS:a|b\nc|d" (texts; \N is null). What no line answers gets the answer of a
 * server to which all is well: transactions and savepoints are kept, INSERT and COPY count their
 * rows. Nothing is stored: a failed statement is known by the transaction's state alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_UNIT_PG_SCRIPT_H
#define MQTT2PG_UNIT_PG_SCRIPT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "pg/pg_connection.h"
#include "unit.h"

enum { SCRIPT_LINES = 32, SCRIPT_PID = 4711, SCRIPT_FIELDS = 32 };

struct script_line {
    const char *sql;    /* the statement contains it, or begins with what stands behind "^" */
    const char *data;   /* its parameters or the COPY's bytes contain it; NULL: whatever they are */
    const char *answer; /* see above */
    int times;          /* how often it answers; 0 = always */
};

struct pg_script {
    pthread_t thread;
    pthread_mutex_t mutex; /* over all below but the connection's own */
    int listener;
    int port;
    bool ended;
    struct script_line lines[SCRIPT_LINES];
    size_t line_count;
    struct buf seen; /* statements, one a line */
    int trips;       /* messages that were answered: Query, Sync, and the data of a COPY */
    int connections;

    /* Of the connection under way; the server's thread alone. */
    int link;
    char state;         /* 'I' idle, 'T' in a transaction, 'E' in a failed one */
    bool skipping;      /* after an ERROR, up to the Sync */
    bool closing;       /* after FATAL or CLOSE */
    char *parsed;       /* of the last Parse; owned */
    struct buf in, out; /* bytes received and not handled; to be sent */
    struct buf bound;   /* of the last Bind: the parameters' bytes */
    long long bound_rows;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static void script_byte(struct buf *out, char byte)
{
    buf_append(out, &byte, 1);
}

static void script_number(struct buf *out, uint32_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        script_byte(out, (char) (number >> (8 * i)));
    }
}

static uint32_t script_read(const char *at, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number = number << 8 | (unsigned char) at[i];
    }
    return number;
}

static void script_text(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text) + 1);
}

/* A message of the server: its type, its length, its body. */
static void script_message(struct pg_script *script, char type, const struct buf *body)
{
    script_byte(&script->out, type);
    script_number(&script->out, (uint32_t) (body == NULL ? 4 : body->length + 4), 4);
    if (body != NULL) {
        buf_append(&script->out, body->data, body->length);
    }
}

static void script_message_text(struct pg_script *script, char type, const char *text)
{
    struct buf body = {0};
    script_text(&body, text);
    script_message(script, type, &body);
    buf_fini(&body);
}

static void script_send(struct pg_script *script)
{
    size_t at = 0;
    while (at < script->out.length) {
        ssize_t sent =
            send(script->link, script->out.data + at, script->out.length - at, MSG_NOSIGNAL);
        if (sent <= 0) {
            break;
        }
        at += (size_t) sent;
    }
    buf_reset(&script->out);
}

static void script_trip(struct pg_script *script)
{
    pthread_mutex_lock(&script->mutex);
    script->trips++;
    pthread_mutex_unlock(&script->mutex);
    script_send(script);
}

static void script_ready(struct pg_script *script)
{
    struct buf body = {0};
    script_byte(&body, script->state);
    script_message(script, 'Z', &body);
    buf_fini(&body);
    script_trip(script);
}

/* Waits for `length` bytes. False: the client has gone. */
static bool script_need(struct pg_script *script, size_t length)
{
    while (script->in.length < length) {
        char *at = buf_reserve(&script->in, 65536);
        ssize_t got = recv(script->link, at, 65536, 0);
        if (got <= 0) {
            return false;
        }
        script->in.length += (size_t) got;
    }
    return true;
}

static void script_drop(struct pg_script *script, size_t length)
{
    memmove(script->in.data, script->in.data + length, script->in.length - length);
    script->in.length -= length;
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool script_contains(const struct buf *bytes, const char *text)
{
    return bytes->length > 0 && memmem(bytes->data, bytes->length, text, strlen(text)) != NULL;
}

static bool script_matches(const char *sql, const char *pattern)
{
    return pattern[0] == '^' ? strncmp(sql, pattern + 1, strlen(pattern + 1)) == 0
                             : strstr(sql, pattern) != NULL;
}

/* The script's answer to this statement; NULL: none. Counts and records the statement. */
static const char *script_answer(struct pg_script *script, const char *sql, const struct buf *data)
{
    const char *answer = NULL;

    pthread_mutex_lock(&script->mutex);
    for (size_t i = 0; i < script->line_count && answer == NULL; i++) {
        struct script_line *line = &script->lines[i];

        if (line->times >= 0 && script_matches(sql, line->sql) &&
            (line->data == NULL || script_contains(data, line->data))) {
            answer = line->answer;
            line->times = line->times == 1 ? -1 : line->times > 1 ? line->times - 1 : 0;
        }
    }
    buf_printf(&script->seen, "%s\n", sql);
    pthread_mutex_unlock(&script->mutex);
    return answer;
}

static void script_field(struct buf *body, char field, const char *text)
{
    script_byte(body, field);
    script_text(body, text);
}

/* "23514:message[:constraint]" */
static void script_error(struct pg_script *script, const char *severity, const char *what)
{
    char *text = memory_strdup(what);
    char *message = text + 6, *constraint = strchr(message, ':');
    struct buf body = {0};

    text[5] = '\0';
    if (constraint != NULL) {
        *constraint++ = '\0';
    }
    script_field(&body, 'S', severity);
    script_field(&body, 'V', severity);
    script_field(&body, 'C', text);
    script_field(&body, 'M', message);
    if (constraint != NULL) {
        script_field(&body, 'n', constraint);
    }
    script_byte(&body, '\0');
    script_message(script, 'E', &body);
    script->state = script->state == 'I' ? 'I' : 'E';
    script->closing = strcmp(severity, "FATAL") == 0;
    buf_fini(&body);
    free(text);
}

static void script_row(struct pg_script *script, char *row, bool description)
{
    struct buf body = {0}, fields = {0};
    uint32_t count = 0;

    for (char *rest = row, *field; (field = strsep(&rest, "|")) != NULL; count++) {
        if (description) {
            script_text(&fields, "column");
            script_number(&fields, 0, 4);
            script_number(&fields, 0, 2);
            script_number(&fields, 25, 4); /* text */
            script_number(&fields, 0xffff, 2);
            script_number(&fields, 0xffffffff, 4);
            script_number(&fields, 0, 2);
        } else if (strcmp(field, "\\N") == 0) {
            script_number(&fields, 0xffffffff, 4);
        } else {
            script_number(&fields, (uint32_t) strlen(field), 4);
            buf_append(&fields, field, strlen(field));
        }
    }
    script_number(&body, count, 2);
    buf_append(&body, fields.data, fields.length);
    script_message(script, description ? 'T' : 'D', &body);
    buf_fini(&body);
    buf_fini(&fields);
}

static void script_rows(struct pg_script *script, const char *rows)
{
    char *text = memory_strdup(rows), *rest = text, *row;
    char *first = memory_strdup(rows);
    char tag[32];
    int count = 0;

    first[strcspn(first, "\n")] = '\0';
    script_row(script, first, true);
    while (rows[0] != '\0' && (row = strsep(&rest, "\n")) != NULL) {
        script_row(script, row, false);
        count++;
    }
    snprintf(tag, sizeof(tag), "SELECT %d", count);
    script_message_text(script, 'C', tag);
    free(first);
    free(text);
}

/* The answer of a server to which all is well. */
static void script_well(struct pg_script *script, const char *sql, long long rows)
{
    char tag[48] = "SELECT 0";

    if (strncasecmp(sql, "begin", 5) == 0) {
        script->state = 'T';
        snprintf(tag, sizeof(tag), "BEGIN");
    } else if (strncasecmp(sql, "commit", 6) == 0) {
        snprintf(tag, sizeof(tag), script->state == 'E' ? "ROLLBACK" : "COMMIT");
        script->state = 'I';
    } else if (strncasecmp(sql, "rollback", 8) == 0) {
        snprintf(tag, sizeof(tag), "ROLLBACK");
        script->state = strncasecmp(sql, "rollback to", 11) == 0 ? 'T' : 'I';
    } else if (strncasecmp(sql, "select", 6) != 0 && strncasecmp(sql, "with", 4) != 0) {
        sscanf(sql, "%40[a-zA-Z]", tag);
        for (char *c = tag; *c != '\0'; c++) {
            *c = (char) (*c & ~0x20);
        }
        if (strcmp(tag, "INSERT") == 0 || strcmp(tag, "COPY") == 0) {
            snprintf(tag, sizeof(tag), tag[0] == 'I' ? "INSERT 0 %lld" : "COPY %lld", rows);
        }
    }
    script_message_text(script, 'C', tag);
}

static bool script_ends_failure(const char *sql)
{
    return strncasecmp(sql, "rollback", 8) == 0 || strncasecmp(sql, "commit", 6) == 0;
}

/* One statement. False: it failed, and what follows is passed over. */
static bool script_execute(struct pg_script *script, const char *sql, const struct buf *data,
                           long long rows)
{
    const char *answer = script_answer(script, sql, data);

    if (script->state == 'E' && !script_ends_failure(sql)) {
        script_error(script, "ERROR", "25P02:the transaction is aborted");
        return false;
    }
    if (answer != NULL && strncmp(answer, "WAIT:", 5) == 0) {
        long ms = strtol(answer + 5, NULL, 10);
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
        answer = NULL;
    }
    if (answer == NULL) {
        script_well(script, sql, rows);
        return true;
    }
    if (strncmp(answer, "ROWS:", 5) == 0) {
        script_rows(script, answer + 5);
        return true;
    }
    if (strncmp(answer, "TAG:", 4) == 0) {
        script_message_text(script, 'C', answer + 4);
        return true;
    }
    if (strcmp(answer, "NONE") == 0) {
        return true;
    }
    if (strcmp(answer, "CLOSE") == 0) {
        script->closing = true;
    } else {
        script_error(script, answer[0] == 'F' ? "FATAL" : "ERROR", answer + 6);
    }
    return false;
}

/* --- the simple protocol ---------------------------------------------------------------------- */

/* Rows of COPY BINARY: behind 19 bytes of header each begins with its number of fields. */
static long long script_copy_rows(const struct buf *data)
{
    long long rows = 0;
    size_t at = 19;

    while (at + 2 <= data->length && script_read(data->data + at, 2) != 0xffff) {
        uint32_t fields = script_read(data->data + at, 2);

        at += 2;
        for (uint32_t i = 0; i < fields && at + 4 <= data->length; i++) {
            uint32_t length = script_read(data->data + at, 4);
            at += 4 + (length == 0xffffffff ? 0 : length);
        }
        rows++;
    }
    return rows;
}

/* Asks for the data of a COPY and reads them. False: the client has gone. */
static bool script_copy(struct pg_script *script, struct buf *data)
{
    struct buf body = {0};
    bool more = true;

    script_byte(&body, 1);
    script_number(&body, 0, 2);
    script_message(script, 'G', &body);
    buf_fini(&body);
    script_trip(script);
    while (more && script_need(script, 5)) {
        char type = script->in.data[0];
        size_t length = script_read(script->in.data + 1, 4) + 1;

        if (!script_need(script, length)) {
            return false;
        }
        if (type == 'd') {
            buf_append(data, script->in.data + 5, length - 5);
        }
        more = type == 'd';
        script_drop(script, length);
    }
    return !more;
}

static bool script_statement(struct pg_script *script, const char *sql)
{
    struct buf data = {0};
    bool copies = strncasecmp(sql, "copy", 4) == 0 && script->state != 'E';
    bool there = !copies || script_copy(script, &data);
    bool good = there && script_execute(script, sql, &data, copies ? script_copy_rows(&data) : 0);

    buf_fini(&data);
    return good;
}

static void script_query(struct pg_script *script, const char *sql)
{
    char *text = memory_strdup(sql), *at = text, *end;
    bool good = true;

    while (good && at != NULL && *at != '\0') {
        end = strstr(at, ";\n");
        end = end == NULL ? strstr(at, "; ") : end;
        if (end != NULL) {
            *end = '\0';
        }
        good = script_statement(script, at);
        at = end == NULL ? NULL : end + 2;
    }
    free(text);
    if (!script->closing) {
        script_ready(script);
    }
}

/* --- the extended protocol -------------------------------------------------------------------- */

/* Parameters of a Bind, and how many rows the first one has when it is a binary array. */
static void script_bind(struct pg_script *script, const char *body)
{
    const char *at = body + strlen(body) + 1;
    at += strlen(at) + 1;
    uint32_t formats = script_read(at, 2);
    bool binary = formats > 0 && script_read(at + 2, 2) == 1;
    at += 2 + 2 * formats;
    uint32_t count = script_read(at, 2);
    at += 2;
    buf_reset(&script->bound);
    script->bound_rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = script_read(at, 4);
        at += 4;
        if (length == 0xffffffff) {
            continue;
        }
        if (i == 0 && binary && length >= 20) {
            script->bound_rows = script_read(at + 12, 4);
        }
        buf_append(&script->bound, at, length);
        at += length;
    }
}

static void script_extended(struct pg_script *script, char type, const char *body)
{
    if (type == 'S') {
        script->skipping = false;
        script_ready(script);
    } else if (!script->skipping && type == 'P') {
        free(script->parsed);
        script->parsed = memory_strdup(body + strlen(body) + 1);
        script_message(script, '1', NULL);
    } else if (!script->skipping && type == 'B') {
        script_bind(script, body);
        script_message(script, '2', NULL);
    } else if (!script->skipping && type == 'E') {
        script->skipping =
            !script_execute(script, script->parsed, &script->bound, script->bound_rows);
    } /* D: script_execute() describes the rows */
}

/* --- a connection ----------------------------------------------------------------------------- */

static void script_parameter(struct pg_script *script, const char *name, const char *value)
{
    struct buf body = {0};
    script_text(&body, name);
    script_text(&body, value);
    script_message(script, 'S', &body);
    buf_fini(&body);
}

/* Up to the first ReadyForQuery. */
static bool script_greet(struct pg_script *script)
{
    struct buf body = {0};

    if (!script_need(script, 8)) {
        return false;
    }
    uint32_t length = script_read(script->in.data, 4);
    if (!script_need(script, length)) {
        return false;
    }
    script_drop(script, length);
    script_number(&body, 0, 4);
    script_message(script, 'R', &body); /* AuthenticationOk */
    script_parameter(script, "server_version", "15.0");
    script_parameter(script, "client_encoding", "UTF8");
    script_parameter(script, "server_encoding", "UTF8");
    script_parameter(script, "integer_datetimes", "on");
    script_parameter(script, "standard_conforming_strings", "on");
    buf_reset(&body);
    script_number(&body, SCRIPT_PID, 4);
    script_number(&body, 1, 4);
    script_message(script, 'K', &body);
    buf_fini(&body);
    script->state = 'I';
    script_ready(script);
    return true;
}

static void script_serve(struct pg_script *script)
{
    bool there = script_greet(script);

    while (there && !script->closing && script_need(script, 5)) {
        char type = script->in.data[0];
        size_t length = script_read(script->in.data + 1, 4) + 1;

        if (!script_need(script, length) || type == 'X') {
            break;
        }
        char *body = memory_copy(slice_make(script->in.data + 5, length - 5));
        script_drop(script, length);
        if (type == 'Q') {
            script_query(script, body);
        } else {
            script_extended(script, type, body);
        }
        free(body);
    }
    script_send(script);
}

static void *script_main(void *context)
{
    struct pg_script *script = context;

    while ((script->link = accept(script->listener, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&script->mutex);
        bool ended = script->ended;
        script->connections++;
        pthread_mutex_unlock(&script->mutex);
        script->closing = script->skipping = false;
        buf_reset(&script->in);
        buf_reset(&script->out);
        if (!ended) {
            script_serve(script);
        }
        close(script->link);
        if (ended) {
            break;
        }
    }
    return NULL;
}

/* --- for tests -------------------------------------------------------------------------------- */

static inline void pg_script_add(struct pg_script *script, struct script_line line)
{
    pthread_mutex_lock(&script->mutex);
    CHECK(script->line_count < SCRIPT_LINES);
    script->lines[script->line_count++] = line;
    pthread_mutex_unlock(&script->mutex);
}

/* Forgets the lines, what was seen and the count of round trips. */
static inline void pg_script_clear(struct pg_script *script)
{
    pthread_mutex_lock(&script->mutex);
    script->line_count = 0;
    script->trips = 0;
    buf_reset(&script->seen);
    pthread_mutex_unlock(&script->mutex);
}

/* How many statements contained this text? */
static inline int pg_script_seen(struct pg_script *script, const char *text)
{
    int count = 0;

    pthread_mutex_lock(&script->mutex);
    for (const char *at = buf_string(&script->seen); (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    pthread_mutex_unlock(&script->mutex);
    return count;
}

static inline int pg_script_trips(struct pg_script *script)
{
    pthread_mutex_lock(&script->mutex);
    int trips = script->trips;
    pthread_mutex_unlock(&script->mutex);
    return trips;
}

static inline void pg_script_start(struct pg_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    *script = (struct pg_script){.link = -1};
    pthread_mutex_init(&script->mutex, NULL);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(script->listener, (struct sockaddr *) &address, length) == 0 &&
          listen(script->listener, 8) == 0 &&
          getsockname(script->listener, (struct sockaddr *) &address, &length) == 0);
    script->port = ntohs(address.sin_port);
    CHECK(pthread_create(&script->thread, NULL, script_main, script) == 0);
}

/* A connection that is established. The caller's. */
static inline struct pg_connection *pg_script_connect(struct pg_script *script)
{
    static const struct script_line session[] = {
        {.sql = "server_version_num", .answer = "ROWS:150000|UTF8|f|f|4711|1"}, /* SCRIPT_PID */
        {.sql = "pg_control", .answer = "ERROR:42501:denied"}};
    char conninfo[200];
    struct error error = {0};

    for (size_t i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
        pg_script_add(script, session[i]);
    }
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d user=u dbname=d sslmode=disable gssencmode=disable",
             script->port);
    const struct pg_options options = {.conninfo = conninfo,
                                       .client_id = "client",
                                       .schema = "mqtt2pg",
                                       .connect_ms = 5000,
                                       .statement_ms = 5000};
    struct pg_connection *connection = pg_connection_new(&options);
    if (!CHECK(pg_connect(connection, &error) == OUTCOME_OK)) {
        printf("%s\n", error.text);
    }
    pg_script_clear(script);
    return connection;
}

/* Behind pg_connection_free() of all connections. */
static inline void pg_script_stop(struct pg_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t) script->port)};

    pthread_mutex_lock(&script->mutex);
    script->ended = true;
    pthread_mutex_unlock(&script->mutex);
    int knock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(knock, (struct sockaddr *) &address, sizeof(address)) == 0);
    pthread_join(script->thread, NULL);
    close(knock);
    close(script->listener);
    free(script->parsed);
    buf_fini(&script->seen);
    buf_fini(&script->in);
    buf_fini(&script->out);
    buf_fini(&script->bound);
    pthread_mutex_destroy(&script->mutex);
}

#endif
