/* SPDX-License-Identifier: MIT */
#include "pg/pg_missing.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "pg/pg_reason.h"

static bool is_plain(const char *word)
{
    size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_./-");
    return length > 0 && word[length] == '\0' && word[0] != '-';
}

/* One word of a POSIX shell. */
static void append_word(struct buf *out, const char *word)
{
    if (is_plain(word)) {
        buf_append_text(out, word);
        return;
    }
    buf_append_byte(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            buf_append_text(out, "'\\''");
        } else {
            buf_append_byte(out, (uint8_t) *word);
        }
    }
    buf_append_byte(out, '\'');
}

static bool is_local(const struct pg_lack *lack)
{
    return lack->host == NULL || lack->host[0] == '/' || strcmp(lack->host, "localhost") == 0 ||
           strcmp(lack->host, "127.0.0.1") == 0 || strcmp(lack->host, "::1") == 0;
}

/* "sudo -iu postgres TOOL" on this machine, else over the network as its superuser. Without "-i"
 * the tool complains that it can't change to a home directory that only its owner may enter. */
static void append_tool(struct buf *out, const struct pg_lack *lack, const char *tool)
{
    buf_printf(out, "    %s%s", is_local(lack) ? "sudo -iu postgres " : "", tool);
    if (!is_local(lack)) {
        buf_append_text(out, " -U postgres -h ");
        append_word(out, lack->host);
    } else if (lack->host != NULL && lack->host[0] == '/') {
        buf_append_text(out, " -h ");
        append_word(out, lack->host);
    }
    if (lack->port != NULL && strcmp(lack->port, "5432") != 0) {
        buf_append_text(out, " -p ");
        append_word(out, lack->port);
    }
}

/* Over TCP a role usually needs a password. */
static void append_role(struct buf *out, const struct pg_lack *lack, const char *comment)
{
    bool socket = lack->host == NULL || lack->host[0] == '/';

    append_tool(out, lack, "createuser");
    buf_append_text(out, socket ? " " : " --pwprompt ");
    append_word(out, lack->role);
    buf_printf(out, "%s\n", comment);
}

static void append_database(struct buf *out, const struct pg_lack *lack, const char *comment)
{
    append_tool(out, lack, "createdb");
    buf_append_text(out, " -O ");
    append_word(out, lack->role);
    buf_append_byte(out, ' ');
    append_word(out, lack->database);
    buf_printf(out, "%s\n", comment);
}

/* grant PRIVILEGE on KIND NAME to the role */
static void append_grant(struct buf *out, const struct pg_lack *lack, const char *what,
                         const char *name)
{
    struct buf sql = {0};

    buf_printf(&sql, "grant %s ", what);
    pg_quote_identifier(&sql, slice_of(name));
    buf_append_text(&sql, " to ");
    pg_quote_identifier(&sql, slice_of(lack->role));
    append_tool(out, lack, "psql");
    buf_append_text(out, " -d ");
    append_word(out, lack->database);
    buf_append_text(out, " -c ");
    append_word(out, buf_string(&sql));
    buf_append_byte(out, '\n');
    buf_fini(&sql);
}

static bool append_grants(struct buf *out, const struct pg_lack *lack)
{
    size_t start = out->length;

    assert(lack->connected); /* the privileges are known only after connecting */
    if (!lack->schema_there && !lack->may_make_schema) {
        append_grant(out, lack, "create on database", lack->database);
    }
    if (lack->namespace != NULL && !lack->may_make_table) {
        append_grant(out, lack, "create on schema", lack->namespace);
    }
    return out->length > start;
}

bool pg_lack_append(struct buf *out, const struct pg_lack *lack)
{
    assert(lack->role != NULL && lack->database != NULL && lack->sqlstate != NULL);
    if (lack->connected) {
        return append_grants(out, lack);
    }
    if (strcmp(lack->sqlstate, "3D000") == 0) {
        append_database(out, lack, "");
        return true;
    }
    /* A server that asks for passwords gives the same error for a missing role and a wrong
     * password. */
    if (strcmp(lack->sqlstate, "28000") == 0) {
        append_role(out, lack, "");
        append_database(out, lack, "   # if that database is not there yet");
        return true;
    }
    if (strcmp(lack->sqlstate, "28P01") == 0 || lack->password_wanted) {
        append_role(out, lack, "   # if that role is not there yet");
        append_database(out, lack, "   # if that database is not there yet");
        return true;
    }
    if (strcmp(lack->sqlstate, "42501") == 0) {
        append_grant(out, lack, "connect, create on database", lack->database);
        return true;
    }
    return false;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The value of conninfo, else libpq's default, which PQconndefaults() takes from the environment, a
 * service file or libpq itself. Borrowed from `options` or `defaults`. */
static const char *value_of(const PQconninfoOption *options, const PQconninfoOption *defaults,
                            const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0 && options->val != NULL &&
            options->val[0] != '\0') {
            return options->val;
        }
    }
    for (; defaults->keyword != NULL; defaults++) {
        if (strcmp(defaults->keyword, keyword) == 0) {
            return defaults->val;
        }
    }
    return NULL;
}

static const char privileges[] =
    "select exists (select from pg_namespace where nspname = $1)::text, "
    "has_database_privilege(current_database(), 'CREATE')::text, current_schema(), "
    "(current_schema() is not null and has_schema_privilege(current_schema(), 'CREATE'))::text";

static bool is_true(const struct pg_rows *rows, int column)
{
    return slice_is(pg_rows_slice(rows, 0, column), "true");
}

static enum outcome append_asked(struct buf *out, struct pg_connection *connection,
                                 struct pg_lack *lack, bool *missing)
{
    const char *values[] = {pg_schema(connection)};
    struct pg_rows *rows = NULL;
    struct pg_failure failure;

    if (pg_query(connection, privileges, PG_PARAMS(values), &rows, &failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    lack->connected = true;
    lack->schema_there = is_true(rows, 0);
    lack->may_make_schema = is_true(rows, 1);
    lack->namespace = pg_rows_text(rows, 0, 2);
    lack->may_make_table = is_true(rows, 3);
    *missing = pg_lack_append(out, lack);
    pg_rows_free(rows);
    return OUTCOME_OK;
}

enum outcome pg_missing_append(struct buf *out, struct pg_connection *connection,
                               const char *conninfo, const struct error *error, bool *missing)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    PQconninfoOption *defaults = PQconndefaults();
    enum outcome outcome = OUTCOME_OK;

    assert(error != NULL || connection != NULL);
    *missing = false;
    if (options != NULL && defaults != NULL) {
        struct pg_lack lack = {.host = value_of(options, defaults, "host"),
                               .port = value_of(options, defaults, "port"),
                               .role = value_of(options, defaults, "user"),
                               .database = value_of(options, defaults, "dbname"),
                               .sqlstate = error == NULL ? "" : error->sqlstate,
                               .password_wanted = error != NULL &&
                                                  strncmp(error->text, PG_REASON_PASSWORD_WANTED,
                                                          strlen(PG_REASON_PASSWORD_WANTED)) == 0};

        lack.role = lack.role == NULL ? "mqtt2pg" : lack.role;
        lack.database = lack.database == NULL ? lack.role : lack.database;
        if (error == NULL) {
            outcome = append_asked(out, connection, &lack, missing);
        } else {
            *missing = pg_lack_append(out, &lack);
        }
    }
    PQconninfoFree(options);
    PQconninfoFree(defaults);
    return outcome;
}
