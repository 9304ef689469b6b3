/*
 * pg_live: what the tests against a real PostgreSQL share. They run under
 * tests/tools/with-postgres.sh, and pass over with a word where PG_TEST_CONNINFO is not set.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_UNIT_PG_LIVE_H
#define MQTT2PG_UNIT_PG_LIVE_H

#include <stdarg.h>

#include "base/memory.h"
#include "pg/pg_connection.h"
#include "unit.h"

/* A connection that is not connected yet; `extra` (may be "") is added to the conninfo and wins. */
static inline struct pg_connection *live_new_at(const char *conninfo, const char *extra,
                                                int64_t statement_ms)
{
    char *all = memory_printf("%s %s", conninfo, extra);
    const struct pg_options options = {.conninfo = all,
                                       .schema = "mqtt2pg",
                                       .client_id = "test",
                                       .connect_ms = 10000,
                                       .statement_ms = statement_ms};
    struct pg_connection *connection = pg_connection_new(&options);
    free(all);
    return connection;
}

/* Makes a database of this process's own, for programs run side by side; the server goes when the
 * tests are over, and it with it. */
static inline char *live_make_database(const char *conninfo)
{
    struct pg_connection *connection = live_new_at(conninfo, "", 60000);
    struct error error = {0};
    struct pg_failure failure = {0};
    char *sql = memory_printf("create database unit_%d", (int) getpid());
    if (pg_connect(connection, &error) != OUTCOME_OK ||
        pg_run(connection, sql, &failure) != OUTCOME_OK) {
        fprintf(stderr, "%s: %s%s\n", sql, error.text, failure.message);
        abort();
    }
    free(sql);
    pg_connection_free(connection);
    return memory_printf("%s dbname=unit_%d", conninfo, (int) getpid());
}

/* With a database of this process's own; NULL where there is no server. */
static inline const char *live_conninfo(void)
{
    static char *made;
    const char *given = getenv("PG_TEST_CONNINFO");
    static bool said;
    if (given == NULL && !said) {
        printf("skipped: PG_TEST_CONNINFO is not set, see tests/tools/with-postgres.sh\n");
        said = true;
    }
    if (given != NULL && made == NULL) {
        made = live_make_database(given);
    }
    return made;
}

/* At the start of each test. */
#define LIVE_OR_RETURN() \
    do { \
        if (live_conninfo() == NULL) { \
            return; \
        } \
    } while (0)

static inline struct pg_connection *live_new(const char *extra, int64_t statement_ms)
{
    return live_new_at(live_conninfo(), extra, statement_ms);
}

/* Connected as another bridge; NULL stands for the usual schema or client. */
static inline struct pg_connection *live_connect_as(const char *schema, const char *client_id)
{
    const struct pg_options options = {.conninfo = live_conninfo(),
                                       .schema = schema != NULL ? schema : "mqtt2pg",
                                       .client_id = client_id != NULL ? client_id : "test",
                                       .connect_ms = 10000,
                                       .statement_ms = 20000};
    struct pg_connection *connection = pg_connection_new(&options);
    struct error error = {0};
    if (pg_connect(connection, &error) != OUTCOME_OK) {
        unit_record(false, __FILE__, __LINE__, "pg_connect: %s", error.text);
    }
    return connection;
}

static inline struct pg_connection *live_connect(void)
{
    return live_connect_as(NULL, NULL);
}

static inline void live_run_at(struct pg_connection *connection, const char *sql, int line)
{
    struct pg_failure failure = {0};
    if (pg_run(connection, sql, &failure) != OUTCOME_OK) {
        unit_record(false, __FILE__, line, "%s: %s %s", sql, failure.sqlstate, failure.message);
    }
}
#define live_run(connection, sql) live_run_at((connection), (sql), __LINE__)

/* The first value of the answer, or "(failed)" with the reason as a failure of the test; borrowed
 * until the next call. */
static inline const char *live_text(struct pg_connection *connection, const char *sql)
{
    static char text[4096];
    struct pg_rows *rows = NULL;
    struct pg_failure failure = {0};
    snprintf(text, sizeof(text), "(failed)");
    if (pg_query(connection, sql, PG_NO_PARAMS, &rows, &failure) != OUTCOME_OK) {
        unit_record(false, __FILE__, __LINE__, "%s: %s", sql, failure.message);
    } else if (pg_rows_count(rows) == 0) {
        snprintf(text, sizeof(text), "(no row)");
    } else {
        const char *value = pg_rows_text(rows, 0, 0);
        snprintf(text, sizeof(text), "%s", value != NULL ? value : "(null)");
    }
    pg_rows_free(rows);
    return text;
}

/* COPY of rows in text form, one string. */
static inline enum outcome live_copy_text(struct pg_connection *connection, const char *sql,
                                          const char *rows, struct pg_failure *failure)
{
    const struct slice part = slice_of(rows);
    return pg_copy(connection, sql, &part, 1, failure);
}

#endif
