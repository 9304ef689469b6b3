/* The indexes of the dead letters, against a real PostgreSQL: each question that the service asks
 * again and again is answered by an index of its own, and older schemas get the indexes too.
 *
 * SPDX-License-Identifier: MIT */
#include "pg/dead_letter.h"
#include "pg/gaps.h"
#include "pg/pg_live.h"
#include "pg/pg_quote.h"
#include "pg/progress.h"
#include "sql_text.h"

#define INDEXES \
    "select string_agg(indexrelid::regclass::text, ' ' order by indexrelid::regclass::text) from " \
    "pg_index where indrelid = 'mqtt2pg.dead_letter'::regclass"

static struct pg_connection *connect_empty(void)
{
    struct pg_connection *connection = live_connect();
    struct error error = {0};
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    live_run(connection, "truncate mqtt2pg.dead_letter restart identity");
    return connection;
}

static bool plan_has(struct pg_connection *connection, const char *sql, struct pg_params params,
                     const char *index)
{
    struct buf plan = {0};
    struct pg_rows *rows = NULL;
    struct pg_failure failure = {0};
    bool found;
    buf_append_text(&plan, "explain (format json) ");
    pg_append_for_schema(&plan, sql, "mqtt2pg");
    CHECK_INT_EQ(pg_query(connection, buf_string(&plan), params, &rows, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(failure.message, "");
    found = rows != NULL && strstr(pg_rows_text(rows, 0, 0), index) != NULL;
    if (!found && rows != NULL) {
        printf("%s\n", pg_rows_text(rows, 0, 0));
    }
    pg_rows_free(rows);
    buf_fini(&plan);
    return found;
}

/* Few letters are parked or wait among many that are rejected for good. */
static void test_plans(void)
{
    LIVE_OR_RETURN();
    static const struct {
        const char *parked, *waiting, *index;
    } cases[] = {
        {"true", NULL, "dead_letter_parked_by_client"},
        {"false", "true", "dead_letter_waiting"},
    };
    struct pg_connection *connection = connect_empty();
    live_run(connection,
             "insert into mqtt2pg.dead_letter (received_at, rule, topic, payload, qos, retained, "
             "reason, sqlstate, client_id, parked, properties) select now(), substr('rs', i % 2 + "
             "1, 1), 't', '', 0, "
             "false, 'x', '23503', 'test', i % 1000 = 0, "
             "case when i % 1000 = 1 then '{\"waits\":true}' else '{}' end::jsonb "
             "from generate_series(1, 20000) i");
    live_run(connection, "analyze mqtt2pg.dead_letter");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *choose[] = {"{r,s}", NULL,  "5",     cases[i].parked,
                                "test",  "500", "10000", cases[i].waiting};
        UNIT_CASE("%s", cases[i].index);
        CHECK(plan_has(connection, sql_dead_letter_choose, PG_PARAMS(choose), cases[i].index));
    }
    UNIT_CASE("%s", "");
    live_run(connection, "truncate mqtt2pg.dead_letter");
    pg_connection_free(connection);
}

/* A schema of before, with all columns, gets what it lacks of indexes. */
static void test_former_indexes(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct error error = {0};
    char *now = memory_strdup(live_text(connection, INDEXES));
    live_run(connection,
             "drop index mqtt2pg.dead_letter_waiting, mqtt2pg.dead_letter_sparkplug; "
             "create index dead_letter_later on mqtt2pg.dead_letter (client_id, rule, id) "
             "where sqlstate in ('23503', '23514') and not parked");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, INDEXES), now);
    free(now);
    pg_connection_free(connection);
}

#define MISSING \
    "select string_agg(c, ',') from unnest(array['replay.left_out', 'replay.last', " \
    "'gap.acknowledged_at']) as c where not exists (select from pg_attribute where attrelid = " \
    "('mqtt2pg.' || split_part(c, '.', 1))::regclass and attname = split_part(c, '.', 2))"

/* A schema of before, and a role that is not its owner: it goes on without what storing does not
 * need, and not without what storing needs. */
static void test_schema_of_before(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct error error = {0};
    live_run(connection, "drop role if exists letters_role");
    live_run(connection, "create role letters_role; grant usage on schema mqtt2pg to letters_role; "
                         "grant all on all tables in schema mqtt2pg to letters_role; "
                         "drop index mqtt2pg.dead_letter_waiting; "
                         "alter table mqtt2pg.replay drop column last, drop column left_out; "
                         "alter table mqtt2pg.gap drop column acknowledged_at; "
                         "set role letters_role");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, MISSING),
                  "replay.left_out,replay.last,gap.acknowledged_at");
    const struct gap_query query = {.client_id = "c"};
    struct gap_rows gaps = {0};
    struct pg_failure failure = {0};
    CHECK_INT_EQ(gaps_read(connection, &query, &gaps, &failure), OUTCOME_RETRY);
    CHECK(strstr(failure.message, "run `mqtt2pg schema | psql` as their owner") != NULL);
    live_run(connection, "reset role; alter table mqtt2pg.dead_letter drop column sequence; "
                         "set role letters_role");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "lacks dead_letter.sequence, and making it failed") != NULL);
    live_run(connection, "reset role; drop owned by letters_role; drop role letters_role; "
                         "alter table mqtt2pg.dead_letter add column sequence bigint");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    CHECK(strstr(live_text(connection, INDEXES), "dead_letter_waiting") != NULL);
    CHECK_TEXT_EQ(live_text(connection, MISSING), "(null)");
    pg_connection_free(connection);
}

UNIT_MAIN("live_letter_indexes", {"plans", test_plans}, {"former indexes", test_former_indexes},
          {"schema of before", test_schema_of_before})
