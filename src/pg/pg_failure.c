/* SPDX-License-Identifier: MIT */
#include "pg/pg_failure.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/health.h"
#include "base/text.h"
#include "pg/pg_quote.h"

enum outcome pg_failure_set(struct pg_failure *failure, enum sql_action action, const char *format,
                            ...)
{
    *failure = (struct pg_failure){.action = action, .fatal = action == SQL_RECONNECT};
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
    assert(used < sizeof(failure->message));
    size_t room = sizeof(failure->message) - 1 - used;
    if (text.length > room) {
        text.length = room;
        /* A character of UTF-8 has at most 4 bytes: cut a torn one off. */
        while (text.length > 0 && !text_is_utf8(text) && room - text.length < 4) {
            text.length--;
        }
    }
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        failure->message[used++] = (unsigned char) c < ' ' || c == 0x7f ? ' ' : c;
    }
    assert(used < sizeof(failure->message));
    failure->message[used] = '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_with(struct slice text, struct slice start)
{
    return text.length >= start.length && memcmp(text.data, start.data, start.length) == 0;
}

/* May the DETAIL of this SQLSTATE be logged? In these classes DETAIL is about sessions, objects and
 * limits. In all other classes it may quote values of the row ("Key (id)=(7) already exists"). */
static bool tells_no_values(const char *sqlstate)
{
    static const char *const classes[] = {"08", "0A", "25", "26", "28", "3D", "3F",    "40",
                                          "42", "53", "55", "57", "58", "72", "XX001", "XX002"};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strncmp(sqlstate, classes[i], strlen(classes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Was the error raised in a procedural language, whose source files are pl_exec.c, plpy_elog.c,
 * plperl.c, pltcl.c, …? Some files of the planner also begin with "pl": their DETAIL is then kept
 * out of the log without need. */
static bool is_raised(struct slice source)
{
    return starts_with(source, slice_of("pl"));
}

static struct slice skip(struct slice text, size_t length)
{
    assert(length <= text.length);
    return slice_make(text.data + length, text.length - length);
}

bool pg_failure_is_syntax_of_value(const char *sqlstate, struct slice source)
{
    /* gram.y and scan.l, with the files between them and the planner; postgres.c refuses several
     * statements in one; "pl": see is_raised(). */
    static const char *const of_statements[] = {"gram.",    "scan.",     "parse",
                                                "analyze.", "postgres.", "pl"};

    if (strcmp(sqlstate, "42601") != 0 || source.length == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(of_statements) / sizeof(of_statements[0]); i++) {
        if (starts_with(source, slice_of(of_statements[i]))) {
            return false;
        }
    }
    return true;
}

static void append_part(struct pg_failure *failure, const char *before, struct slice text)
{
    if (text.length > 0) {
        append_words(failure, slice_of(before));
        append_words(failure, text);
    }
}

void pg_failure_append(struct pg_failure *failure, const char *words)
{
    append_words(failure, slice_of(words));
}

/* How PostgreSQL names the kind of an object behind these words, and what GRANT wants. Tables
 * have several privileges: those that the statement needs. */
static const char permission_denied[] = "permission denied for ";
static const struct denied_kind {
    const char *name;
    const char *grant; /* NULL: a table */
    const char *more;
} denied_kinds[] = {
    {"table ", NULL, ""},
    {"view ", NULL, ""},
    {"foreign table ", NULL, ""},
    {"materialized view ", NULL, ""},
    {"sequence ", "usage on sequence ", ""},
    /* The same words for a look into the schema and for a new table in it. */
    {"schema ", "usage on schema ", " (to make tables there: create, too)"},
    {"function ", "execute on function ", ""},
    {"procedure ", "execute on procedure ", ""},
    {"type ", "usage on type ", ""},
    {"domain ", "usage on domain ", ""},
    {"foreign server ", "usage on foreign server ", ""},
    {"database ", "create on database ", ""},
};

/* What a statement inside of a function needs; the context begins with its text. Of a statement of
 * the rule itself PostgreSQL does not tell the verb. */
static const char *table_privileges(struct slice context)
{
    static const char statement[] = "SQL statement \"";
    static const struct {
        const char *verb;
        const char *privileges;
    } verbs[] = {{"insert", "insert"},
                 {"select", "select"},
                 {"update", "select, update"},
                 {"delete", "select, delete"}};

    if (starts_with(context, slice_of(statement))) {
        context = skip(context, strlen(statement));
        while (context.length > 0 && strchr(" \t\n", context.data[0]) != NULL) {
            context = skip(context, 1);
        }
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
            size_t length = strlen(verbs[i].verb);

            if (context.length > length && strncasecmp(context.data, verbs[i].verb, length) == 0) {
                return verbs[i].privileges;
            }
        }
    }
    return "select, insert, update";
}

/* For "permission denied for schema x": appends the GRANT that helps. A hint of PostgreSQL's own
 * comes first. */
static void append_grant(struct pg_failure *failure, const struct pg_words *words)
{
    struct slice object = words->primary;

    if (strcmp(failure->sqlstate, "42501") != 0 || failure->raised || words->hint.length > 0 ||
        words->role.length == 0 || !starts_with(object, slice_of(permission_denied))) {
        return;
    }
    object = skip(object, strlen(permission_denied));
    for (size_t i = 0; i < sizeof(denied_kinds) / sizeof(denied_kinds[0]); i++) {
        const struct denied_kind *kind = &denied_kinds[i];

        if (starts_with(object, slice_of(kind->name))) {
            struct buf sql = {0};

            buf_printf(&sql, "; hint: grant %s%s",
                       kind->grant == NULL ? table_privileges(words->context) : kind->grant,
                       kind->grant == NULL ? " on " : "");
            pg_quote_identifier(&sql, skip(object, strlen(kind->name)));
            buf_append_text(&sql, " to ");
            pg_quote_identifier(&sql, words->role);
            buf_append_text(&sql, kind->more);
            append_words(failure, buf_slice(&sql));
            buf_fini(&sql);
            return;
        }
    }
}

void pg_failure_say(struct pg_failure *failure, const struct pg_words *words)
{
    bool raised = is_raised(words->source);
    bool plain = !raised && tells_no_values(failure->sqlstate);

    failure->raised = raised;
    failure->message[0] = '\0';
    append_words(failure, words->primary);
    if (plain) {
        append_part(failure, ": ", words->detail);
    }
    append_grant(failure, words);
    if (!raised) {
        append_part(failure, "; hint: ", words->hint);
    }
    if (!plain) {
        append_part(failure, HEALTH_DETAIL, words->detail);
    }
    if (raised) {
        append_part(failure, words->detail.length > 0 ? "; hint: " : HEALTH_DETAIL, words->hint);
    }
}

/* The text after "COPY relation" in the last line of the context; empty when there is none. */
static struct slice behind_relation(const char *context, struct slice relation)
{
    const struct slice none = {0};
    if (context == NULL || relation.length == 0) {
        return none;
    }
    const char *last = strrchr(context, '\n');
    struct slice line = slice_of(last != NULL ? last + 1 : context);
    struct slice command = SLICE_LITERAL("COPY ");
    if (starts_with(line, command)) {
        line = skip(line, command.length);
    } else if (memmem(line.data, line.length, "COPY", 4) == NULL) {
        return none;
    }
    if (!starts_with(line, relation)) {
        return none;
    }
    line = skip(line, relation.length);
    /* After the name comes a comma or a particle: "COPY t1" is not about the table t. */
    return line.length > 0 && is_digit(line.data[0]) ? none : line;
}

/* Takes the first number off `line`; 0 when there is none. */
static uint64_t take_number(struct slice *line)
{
    uint64_t number = 0;
    while (line->length > 0 && !is_digit(line->data[0])) {
        *line = skip(*line, 1);
    }
    while (line->length > 0 && is_digit(line->data[0])) {
        if (number > UINT64_MAX / 10 - 1) {
            return 0;
        }
        number = number * 10 + (uint64_t) (line->data[0] - '0');
        *line = skip(*line, 1);
    }
    return number;
}

uint64_t pg_failure_copy_line(const char *context, struct slice relation)
{
    struct slice line = behind_relation(context, relation);
    return take_number(&line);
}

struct slice pg_failure_copy_column(const char *context, struct slice relation)
{
    struct slice line = behind_relation(context, relation);
    const struct slice comma = SLICE_LITERAL(", ");
    if (take_number(&line) == 0 || !starts_with(line, comma)) {
        return slice_of(NULL);
    }
    line = skip(line, comma.length);
    const char *space = memchr(line.data, ' ', line.length);
    if (space == NULL) {
        return slice_of(NULL);
    }
    line = skip(line, (size_t) (space + 1 - line.data));
    const char *end = memmem(line.data, line.length, ": ", 2);
    line.length = end == NULL ? line.length : (size_t) (end - line.data);
    if (line.length > 2 && line.data[0] == '"' && line.data[line.length - 1] == '"') {
        line = slice_make(line.data + 1, line.length - 2);
    }
    return line;
}
