/* SPDX-License-Identifier: MIT */
#include "base/health.h"
#include "base/text.h"
#include "pg/pg_failure.h"
#include "pg/pg_reason.h"
#include "unit.h"

static void test_copy_line(void)
{
    static const struct {
        const char *context;
        const char *relation;
        uint64_t line;
        const char *column;
    } cases[] = {
        {"COPY t, line 12", "t", 12, NULL},
        {"COPY t, line 12, column c3: \"x 9\"", "t", 12, "c3"},
        {"COPY t, line 12, column Odd Name: \"x: 9\"", "t", 12, "Odd Name"},
        {"COPY t, line 12, column c3: null input", "t", 12, "c3"},
        {"COPY t, line 12: \"x\"", "t", 12, NULL},
        {"COPY t, Zeile 7, Spalte \"c\"", "t", 7, "c"},
        {"COPY t, line 7, end", "t", 7, NULL},
        {"COPY t, строка 18446744073, столбец x", "t", 18446744073, "x"},
        {"COPY t, 3번째 줄", "t", 3, NULL},
        {"tのCOPY、行 5", "t", 5, NULL},
        {"PL/pgSQL function f() line 3 at RAISE\nCOPY t, line 4", "t", 4, NULL},
        {"COPY my, line 77, line 3", "my, line 77", 3, NULL},
        {"COPY t2, line 3", "t2", 3, NULL},
        {"COPY t2, line 3", "t", 0, NULL},  /* another table */
        {"COPY t20 line 3", "t2", 0, NULL}, /* likewise */
        {"COPY other, line 3", "t", 0, NULL},
        {"SQL statement \"SELECT 1 FROM ONLY t x WHERE id = $1\"", "t", 0, NULL},
        {"PL/pgSQL function t() line 3 at RAISE", "t", 0, NULL},
        {"COPY t, line 4\nPL/pgSQL function f() line 3 at RAISE", "t", 0, NULL},
        {"COPY t, line 99999999999999999999999", "t", 0, NULL},
        {"COPY t", "t", 0, NULL},
        {"COPY t, line", "t", 0, NULL},
        {"", "t", 0, NULL},
        {NULL, "t", 0, NULL},
        {"COPY t, line 1", "", 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].context != NULL ? cases[i].context : "NULL");
        CHECK_INT_EQ(pg_failure_copy_line(cases[i].context, slice_of(cases[i].relation)),
                     cases[i].line);
        struct slice column = pg_failure_copy_column(cases[i].context, slice_of(cases[i].relation));
        CHECK(slice_equal(column, slice_of(cases[i].column)));
    }
}

static void test_message(void)
{
    static const struct {
        const char *sqlstate;
        const char *primary, *detail, *hint, *source;
        const char *message;
        const char *told; /* while payloads are not shown */
    } cases[] = {
        {"40P01", "no.\n", "line 1\nline\t2.", NULL, "deadlock.c", "no: line 1 line 2",
         "no: line 1 line 2"},
        {"53400", "no", "line 2.", "Do it.", "varlena.c", "no: line 2; hint: Do it",
         "no: line 2; hint: Do it"},
        {"57014", "alone", NULL, NULL, "postgres.c", "alone", "alone"},
        {"23505", "twice", "Key (n)=(5) already exists.", "Do it.", "nbtinsert.c",
         "twice; hint: Do it; detail: Key (n)=(5) already exists", "twice; hint: Do it"},
        {"XX000", "odd", "row 5", NULL, "pgis.c", "odd; detail: row 5", "odd"},
        {"", "odd", "row 5", NULL, NULL, "odd; detail: row 5", "odd"},
        {"55P03", "busy", "row 5", "See 5.", "pl_exec.c", "busy; detail: row 5; hint: See 5",
         "busy"},
        {"55P03", "busy", NULL, "See 5.", "plpy_elog.c", "busy; detail: See 5", "busy"},
        {"23505", "a; detail: b", "c", NULL, "x.c", "a; detail: b; detail: c", "a"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pg_words words = {.primary = slice_of(cases[i].primary),
                                       .detail = slice_of(cases[i].detail),
                                       .hint = slice_of(cases[i].hint),
                                       .source = slice_of(cases[i].source)};
        struct pg_failure failure = {0};
        UNIT_CASE("%s", cases[i].message);
        snprintf(failure.sqlstate, sizeof(failure.sqlstate), "%s", cases[i].sqlstate);
        pg_failure_say(&failure, &words);
        CHECK_TEXT_EQ(failure.message, cases[i].message);
        CHECK_INT_EQ(failure.raised,
                     cases[i].source != NULL && strncmp(cases[i].source, "pl", 2) == 0);
        health_show_payloads(true);
        health_hide_detail(failure.message);
        CHECK_TEXT_EQ(failure.message, cases[i].message);
        health_show_payloads(false);
        health_hide_detail(failure.message);
        CHECK_TEXT_EQ(failure.message, cases[i].told);
    }
    unit_case[0] = '\0';
}

/* What helps when a privilege is missing. */
static void test_grants(void)
{
    static const struct {
        const char *primary;
        const char *context;
        const char *hint; /* "" = none */
    } cases[] = {
        {"permission denied for schema Odd", "",
         "grant usage on schema \"Odd\" to \"a role\" (to make tables there: create, too)"},
        {"permission denied for sequence s", "", "grant usage on sequence s to \"a role\""},
        {"permission denied for function f", "x", "grant execute on function f to \"a role\""},
        {"permission denied for table t", "", "grant select, insert, update on t to \"a role\""},
        {"permission denied for table t", "SQL statement \"insert into t values (1)\"\nPL/pgSQL",
         "grant insert on t to \"a role\""},
        {"permission denied for view v", "SQL statement \"\n SELECT 1 FROM v\"",
         "grant select on v to \"a role\""},
        {"permission denied for foreign table t", "SQL statement \"update t set a = 1\"",
         "grant select, update on t to \"a role\""},
        {"permission denied for table t", "SQL statement \"with x",
         "grant select, insert, update on t to \"a role\""},
        {"permission denied for operator +", "", ""},
        {"Berechtigung nicht erteilt für Tabelle t", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_words words = {.primary = slice_of(cases[i].primary),
                                 .context = slice_of(cases[i].context),
                                 .role = slice_of("a role")};
        struct pg_failure failure = {.sqlstate = "42501"};
        struct buf wanted = {0};
        UNIT_CASE("%s, %s", cases[i].primary, cases[i].context);
        buf_printf(&wanted, "%s%s%s", cases[i].primary,
                   cases[i].hint[0] == '\0' ? "" : "; hint: ", cases[i].hint);
        pg_failure_say(&failure, &words);
        CHECK_TEXT_EQ(failure.message, buf_string(&wanted));
        buf_fini(&wanted);
        words.source =
            slice_of("pl_exec.c"); /* a function says the same words for its own reason */
        pg_failure_say(&failure, &words);
        CHECK_TEXT_EQ(failure.message, cases[i].primary);
    }
    unit_case[0] = '\0';
}

static void test_syntax_of_value(void)
{
    static const struct {
        const char *sqlstate, *source;
        bool of_value;
    } cases[] = {
        {"42601", "tsquery.c", true},   {"42601", "jsonpath_scan.l", true},
        {"42601", "ltree_io.c", true},  {"42601", "hstore_io.c", true},
        {"42601", "gram.y", false},     {"42601", "scan.l", false},
        {"42601", "analyze.c", false},  {"42601", "parse_target.c", false},
        {"42601", "parser.c", false},   {"42601", "pl_exec.c", false},
        {"42601", "postgres.c", false}, {"42601", "pl_scanner.l", false},
        {"42601", NULL, false},         {"42P01", "hstore_io.c", false},
        {"", "hstore_io.c", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s of %s", cases[i].sqlstate,
                  cases[i].source == NULL ? "nowhere" : cases[i].source);
        CHECK_INT_EQ(pg_failure_is_syntax_of_value(cases[i].sqlstate, slice_of(cases[i].source)),
                     cases[i].of_value);
    }
    unit_case[0] = '\0';
}

/* Cut between characters, wherever the end falls. */
static void test_long_message(void)
{
    struct pg_failure failure = {0};
    for (size_t start = 0; start < 4; start++) {
        struct buf text = {0};
        buf_append_zeros(&text, start);
        memset(text.data, 'a', start);
        for (int i = 0; i < 200; i++) {
            buf_append_text(&text, "😀");
        }
        const struct pg_words words = {.primary = buf_slice(&text), .detail = slice_of("detail")};
        pg_failure_say(&failure, &words);
        CHECK(text_is_utf8(slice_of(failure.message)));
        CHECK(strlen(failure.message) > sizeof(failure.message) - 6);
        buf_fini(&text);
    }
    CHECK_INT_EQ(pg_failure_set(&failure, SQL_WAIT, "%d", 7), OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.message, "7");
    CHECK_TEXT_EQ(failure.sqlstate, "");
}

static const struct pg_where where = {
    .host = "db", .port = "5433", .database = "tele", .role = "bridge"};

static void test_reason(void)
{
    static const struct {
        const char *message;
        const char *sqlstate;
        const char *reason;
    } cases[] = {
        {"connection to server on socket \"/x\" failed: FATAL:  28P01: password authentication "
         "failed for "
         "user \"bridge\"\nLOCATION:  auth_failed, auth.c:335\n",
         "28P01", "password authentication failed for role \"bridge\": check"},
        {"Verbindung zum Server fehlgeschlagen: FATAL:  3D000: Datenbank existiert nicht\nORT:  "
         "InitPostgres, x.c:1",
         "3D000", "database \"tele\" does not exist: create database \"tele\", or change dbname"},
        {"connection to server failed: SCHWERWIEGEND:  28000: Rolle »bridge« existiert nicht\n"
         "ORT:  InitializeSessionUserId, miscinit.c:754",
         "28000", "role \"bridge\" does not exist or may not log in"},
        {"x failed: FATAL:  28000: kein pg_hba.conf-Eintrag\nORT:  ClientAuthentication, "
         "auth.c:543",
         "28000",
         "the server's pg_hba.conf has no entry for role \"bridge\" and database \"tele\""},
        {"x failed: FATAL:  28000: Peer authentication failed for user \"bridge\"\n"
         "LOCATION:  auth_failed, auth.c:335",
         "28000",
         "role \"bridge\" may log in over this socket only for the Linux user of the same name"},
        {"x failed: FATAL:  53300: sorry, too many clients already", "53300",
         "the server has no connection left"},
        {"x failed: FATAL:  53300: zu viele Verbindungen von Rolle »bridge«\n"
         "ORT:  InitializeSessionUserId, miscinit.c:832",
         "53300", "role \"bridge\" has no connection left: alter role \"bridge\" connection limit"},
        {"x failed: FATAL:  53300: zu viele Verbindungen für Datenbank »tele«\n"
         "ORT:  CheckMyDatabase, postinit.c:388",
         "53300", "database \"tele\" has no connection left"},
        {"x failed: FATAL:  08P01: unsupported startup parameter: options", "08P01",
         "a connection pooler at db port 5433 refuses a startup parameter"},
        {"connection to server at \"db\" (10.0.0.1), port 5433 failed: Connection refused\n\tIs "
         "the server running",
         "", "connection refused by db port 5433"},
        {"connection to server at \"localhost\" (::1), port 5433 failed: Connection refused\n"
         "\tIs the server running on that host and accepting TCP/IP connections?\n"
         "connection to server at \"localhost\" (127.0.0.1), port 5433 failed: SSL error: "
         "certificate verify failed",
         "", "the certificate of db is not signed by a CA that we trust"},
        {"could not translate host name \"db\" to address: Name or service not known", "",
         "host \"db\" is not known"},
        {"something new.\nand more", "", "something new"},
        {"x failed: FATAL:  XX000: odd thing\nLOCATION: y", "XX000",
         "x failed: FATAL:  XX000: odd thing"},
        {"", "", "no connection"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        char sqlstate[6];
        UNIT_CASE("%s", cases[i].message);
        pg_reason_append(&out, cases[i].message, &where, sqlstate);
        CHECK_TEXT_EQ(sqlstate, cases[i].sqlstate);
        if (strncmp(buf_string(&out), cases[i].reason, strlen(cases[i].reason)) != 0) {
            CHECK_TEXT_EQ(buf_string(&out), cases[i].reason);
        }
        CHECK(strchr(buf_string(&out), '\n') == NULL);
        buf_fini(&out);
    }
}

/* Root types a command for a service that logs in by peer as its own user. */
static void test_root(void)
{
    const struct pg_where peer = {.role = "root", .database = "tele"};
    struct buf out = {0};
    char sqlstate[6];

    pg_reason_append(&out, "x failed: FATAL:  28000: no\nORT:  InitializeSessionUserId, m.c:1",
                     &peer, sqlstate);
    CHECK_TEXT_EQ(buf_string(&out),
                  "role \"root\" does not exist or may not log in: create role \"root\" login; a "
                  "service logs in as its own user: mqtt2pg(1), SERVICE, has the command");
    buf_fini(&out);
}

static void test_conninfo(void)
{
    struct buf out = {0};
    pg_reason_append_conninfo(&out, "missing \"=\" after \"hunter2\" in connection info string\n");
    CHECK_TEXT_EQ(
        buf_string(&out),
        "database.conninfo is malformed: missing \"=\" after \"…\" in connection info string; "
        "write like host=db dbname=telemetry user=bridge, or a postgresql:// URI");
    buf_reset(&out);
    pg_reason_append_conninfo(&out, "invalid connection option \"pasword\"\n");
    CHECK(strstr(buf_string(&out), "option \"…\" (did you mean password?); write") != NULL);
    CHECK(strstr(buf_string(&out), "pasword") == NULL);
    buf_reset(&out);
    pg_reason_append_conninfo(&out, "invalid connection option \"hunter2\"\n");
    CHECK(strstr(buf_string(&out), "hunter2") == NULL);
    buf_fini(&out);
}

UNIT_MAIN("pg_failure", {"copy_line", test_copy_line}, {"message", test_message},
          {"grants", test_grants}, {"syntax_of_value", test_syntax_of_value},
          {"long_message", test_long_message}, {"reason", test_reason}, {"root", test_root},
          {"conninfo", test_conninfo})
