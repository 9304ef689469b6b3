/* SPDX-License-Identifier: MIT */
#include "pg/pg_reason.h"

#include <assert.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"

/* Marks in a reason that stand for parts of struct pg_where: %h host, %p port, %d database, %r
 * role. */
struct reason {
    const char *sqlstate; /* NULL: any, also none */
    const char *needle;   /* in libpq's text; NULL: any */
    const char *words;
};

#define REFUSED "connection refused by "

/* The first row that fits counts, so rows with a needle stand before the general one of the same
 * SQLSTATE. Needles like "CheckMyDatabase" are functions of PostgreSQL: they stand in the message's
 * LOCATION, which no language of lc_messages translates. */
static const struct reason reasons[] = {
    {"28P01", NULL,
     "password authentication failed for role \"%r\": check the password in database.conninfo "
     "or its file"},
    {"28000", "InitializeSessionUserId",
     "role \"%r\" does not exist or may not log in: create role \"%r\" login"},
    {"28000", "valid client certificate",
     "the server wants a client certificate for role \"%r\": set sslcert and sslkey in "
     "database.conninfo"},
    {"28000", "ClientAuthentication",
     "the server's pg_hba.conf has no entry for role \"%r\" and database \"%d\" from this host: "
     "add one and reload the server"},
    {"28000", "does not exist", "role \"%r\" does not exist: create role \"%r\" login"},
    {"28000", "Peer authentication",
     "role \"%r\" may log in over this socket only for the Linux user of the same name (peer): "
     "leave out user, run as that user, or write host=localhost and a password"},
    {"28000", NULL,
     "the server refuses role \"%r\": check its pg_hba.conf and pg_ident.conf, or use another "
     "role"},
    {"3D000", NULL, "database \"%d\" does not exist: create database \"%d\", or change dbname"},
    {"42501", NULL,
     "role \"%r\" may not connect to database \"%d\": grant connect on database \"%d\" to \"%r\""},
    {"53300", "InitializeSessionUserId",
     "role \"%r\" has no connection left: alter role \"%r\" connection limit, or close others of "
     "that role"},
    {"53300", "CheckMyDatabase",
     "database \"%d\" has no connection left: alter database \"%d\" connection limit, or close "
     "others"},
    {"53300", NULL, "the server has no connection left: raise max_connections or close others"},
    {"57P03", NULL, "the server is starting up, shutting down or in recovery: trying again"},
    {NULL, "unsupported startup parameter",
     "a connection pooler at %h port %p refuses a startup parameter: set ignore_startup_parameters "
     "= "
     "options there (PgBouncer), or leave options out of database.conninfo"},
    {NULL, "no password supplied",
     PG_REASON_PASSWORD_WANTED " for role \"%r\": set password_file, or password in "
                               "database.conninfo"},
    {NULL, "accepting connections on that socket",
     "no PostgreSQL listens on the socket in %h port %p: is it running, and is that its "
     "unix_socket_directories?"},
    {NULL, "session is read-only",
     "%h port %p takes no writes, it is a standby or read-only: name the primary in "
     "database.conninfo"},
    {NULL, "server is in hot standby mode",
     "%h port %p is a standby: name the primary in database.conninfo"},
    {NULL, "server does not support SSL",
     "%h port %p does not speak TLS: switch it on there, or lower sslmode in database.conninfo"},
    {NULL, "certificate verify failed",
     "the certificate of %h is not signed by a CA that we trust, or has expired: set sslrootcert "
     "in database.conninfo, or renew it"},
    {NULL, "unknown ca",
     "%h does not accept our client certificate: it is signed by a CA that the server does not "
     "know"},
    {NULL, "does not match host name",
     "the certificate of %h is for another host name: check host in database.conninfo"},
    {NULL, "server closed the connection unexpectedly",
     "%h port %p closed the connection before it answered: is PostgreSQL listening there?"},
    /* Last, because a name may have several addresses: an answer from one of them tells more than
     * a refusal by another (localhost is ::1 first, where Debian's PostgreSQL may not listen). */
    {NULL, "Connection refused",
     REFUSED "%h port %p: is PostgreSQL running there, and listening on that "
             "address?"},
    {NULL, "could not translate host name",
     "host \"%h\" is not known: check its name in database.conninfo and the DNS"},
};

static bool is_code(const char *at)
{
    for (int i = 0; i < 5; i++) {
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'A' && at[i] <= 'Z'))) {
            return false;
        }
    }
    return at[5] == ':' && at[6] == ' ';
}

/* "FATAL:  28P01: …": the code behind the severity and two spaces, whatever the severity is
 * called. */
static void find_sqlstate(const char *message, char sqlstate[6])
{
    sqlstate[0] = '\0';
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        if (is_code(at + 3)) {
            memcpy(sqlstate, at + 3, 5);
            sqlstate[5] = '\0';
            return;
        }
    }
}

static void append_or(struct buf *out, const char *text, const char *otherwise)
{
    buf_append_text(out, text != NULL && text[0] != '\0' ? text : otherwise);
}

static void append_words(struct buf *out, const char *words, const struct pg_where *where)
{
    for (const char *at = words; *at != '\0'; at++) {
        if (at[0] != '%') {
            buf_append_byte(out, (uint8_t) *at);
            continue;
        }
        at++;
        if (*at == 'h') {
            append_or(out, where->host, "the server");
        } else if (*at == 'p') {
            append_or(out, where->port, "5432");
        } else if (*at == 'd') {
            append_or(out, where->database, "(default)");
        } else {
            assert(*at == 'r'); /* the table knows four marks */
            append_or(out, where->role, "(default)");
        }
    }
}

/* Appends the first line of libpq's message, for a failure that the table does not explain. */
static void append_first_line(struct buf *out, const char *message)
{
    struct slice line = slice_make(message, strcspn(message, "\n"));
    while (line.length > 0 &&
           (line.data[line.length - 1] == '.' || line.data[line.length - 1] == ' ')) {
        line.length--;
    }
    buf_append_slice(out, line);
}

void pg_reason_append(struct buf *out, const char *message, const struct pg_where *where,
                      char sqlstate[6])
{
    if (message == NULL || message[0] == '\0') {
        sqlstate[0] = '\0';
        buf_append_text(out, "no connection, and libpq does not say why");
        return;
    }
    find_sqlstate(message, sqlstate);
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        const struct reason *reason = &reasons[i];
        bool same_state = reason->sqlstate == NULL || strcmp(reason->sqlstate, sqlstate) == 0;
        bool same_text = reason->needle == NULL || strstr(message, reason->needle) != NULL;
        if (same_state && same_text) {
            append_words(out, reason->words, where);
            if (strcmp(sqlstate, "28000") == 0 && where->role != NULL &&
                strcmp(where->role, "root") == 0) {
                buf_append_text(out, "; a service logs in as its own user: mqtt2pg(1), SERVICE, "
                                     "has the command");
            }
            return;
        }
    }
    append_first_line(out, message);
}

bool pg_reason_is_refused(const char *reason)
{
    return strncmp(reason, REFUSED, strlen(REFUSED)) == 0;
}

/* The keyword of libpq that is most like the mistyped word; NULL when none is near. */
static const char *keyword_meant(struct slice word)
{
    static const char *const keywords[] = {
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "sslmode",
        "password",
        "passfile",
        "sslcert",
        "sslkey",
        "service",
        "sslrootcert",
        "connect_timeout",
        "options",
        "application_name",
    };
    static const struct {
        const char *used; /* elsewhere */
        const char *meant;
    } others[] = {{"username", "user"}, {"database", "dbname"}, {"db", "dbname"}};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (slice_is(word, others[i].used)) {
            return others[i].meant;
        }
    }
    return text_suggest(word, keywords, sizeof(keywords) / sizeof(keywords[0]),
                        sizeof(keywords[0]));
}

/* Writes "…" in place of a word that libpq quotes, because it may be a part of the password: a
 * space in a password without quotes makes the rest of it look like a keyword. Only the "=" that
 * libpq misses is shown. For an unknown keyword (`option`) adds the one that was probably meant. */
static void append_quoted(struct buf *out, struct slice word, bool option)
{
    const char *meant = option ? keyword_meant(word) : NULL;

    buf_append_text(out, "\"");
    buf_append_text(out, slice_is(word, "=") ? "=" : "…");
    buf_append_text(out, "\"");
    if (meant != NULL) {
        buf_printf(out, " (did you mean %s?)", meant);
    }
}

void pg_reason_append_conninfo(struct buf *out, const char *message)
{
    bool option = strstr(message, "invalid connection option") != NULL;
    const char *end = message + strcspn(message, "\n");

    buf_append_text(out, "database.conninfo is malformed: ");
    while (message < end) {
        size_t plain = strcspn(message, "\"\n");

        buf_append_slice(out, slice_make(message, plain));
        message += plain;
        if (*message == '"') {
            size_t length = strcspn(message + 1, "\"\n");

            append_quoted(out, slice_make(message + 1, length), option);
            message += 1 + length + (message[1 + length] == '"');
        }
    }
    assert(message == end);
    buf_append_text(out, "; write like host=db dbname=telemetry user=bridge, or a "
                         "postgresql:// URI");
}
