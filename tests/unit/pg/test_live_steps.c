/* Many statements in one message, against a real PostgreSQL.
 *
 * SPDX-License-Identifier: MIT */
#include "pg/pg_live.h"
#include "pg/pg_steps.h"

/* Each character a step: "." succeeds, "!" fails; "|" ends a group. What became of each: "." done,
 * "!" failed, "-" passed over. */
static void test_groups(void)
{
    LIVE_OR_RETURN();
    static const struct {
        const char *steps;
        const char *fates;
    } cases[] = {
        {".", "."},        {"...", "..."},         {".!.", ".!-"},
        {"!..|.", "!--."}, {".!.|.!|.", ".!-.!."}, {"!|!|!", "!!!"},
    };
    struct pg_connection *connection = live_connect();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_steps steps = {0};
        struct pg_failure failure;
        struct buf fates = {0};

        UNIT_CASE("%s", cases[i].steps);
        for (const char *at = cases[i].steps; *at != '\0'; at++) {
            if (*at == '|') {
                pg_steps_end_group(&steps);
            } else {
                (void) pg_steps_add(&steps, *at == '.' ? "select 1" : "select 1 / 0", NULL, 0,
                                    false);
            }
        }
        CHECK_INT_EQ(pg_steps_run(connection, &steps, &failure), OUTCOME_OK);
        for (size_t j = 0; j < steps.count; j++) {
            const struct pg_step *step = &steps.list[j];
            buf_append_byte(&fates, step->done ? '.' : step->failed ? '!' : '-');
            CHECK(!step->failed || strcmp(step->failure->sqlstate, "22012") == 0);
        }
        CHECK_TEXT_EQ(buf_string(&fates), cases[i].fates);
        buf_fini(&fates);
        pg_steps_fini(&steps);
        CHECK(pg_is_connected(connection));
    }
    pg_connection_free(connection);
}

/* More than any buffer holds, in both directions. */
static void test_large(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_steps steps = {0};
    struct pg_failure failure;
    struct buf text = {0};

    buf_append_zeros(&text, (size_t) 1000 * 1000);
    memset(text.data, 'x', text.length);
    const struct slice value = {.data = buf_string(&text), .length = text.length};
    for (int i = 0; i < 30; i++) {
        (void) pg_steps_add(&steps, "select $1::text", &value, 1, false);
    }
    CHECK_INT_EQ(steps.bytes, 30 * 1000 * 1000);
    CHECK_INT_EQ(pg_steps_run(connection, &steps, &failure), OUTCOME_OK);
    for (size_t i = 0; i < steps.count; i++) {
        CHECK(steps.list[i].done);
        CHECK_INT_EQ(steps.list[i].affected, 1);
    }
    pg_steps_reset(&steps);
    CHECK_INT_EQ(steps.count, 0);
    CHECK_INT_EQ(pg_steps_run(connection, &steps, &failure), OUTCOME_OK);
    pg_steps_fini(&steps);
    buf_fini(&text);
    pg_connection_free(connection);
}

/* The server ends the connection in the middle. */
static void test_lost(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_steps steps = {0};
    struct pg_failure failure = {0};

    (void) pg_steps_add(&steps, "select 1", NULL, 0, false);
    (void) pg_steps_add(&steps, "select pg_terminate_backend(pg_backend_pid())", NULL, 0, false);
    (void) pg_steps_add(&steps, "select 2", NULL, 0, false);
    CHECK_INT_EQ(pg_steps_run(connection, &steps, &failure), OUTCOME_RETRY);
    CHECK(steps.list[0].done && !steps.list[2].done);
    CHECK(failure.fatal);
    CHECK(!pg_is_connected(connection));
    CHECK_INT_EQ(pg_steps_run(connection, &steps, &failure), OUTCOME_RETRY);
    pg_steps_fini(&steps);
    pg_connection_free(connection);
}

/* Several statements in one Query, COPY among them. */
static void test_query(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    const struct slice first = SLICE_LITERAL("1\n2\n"), second = SLICE_LITERAL("3\nx\n");
    struct pg_stream streams[] = {{.relation = "q", .parts = &first, .count = 1},
                                  {.relation = "q", .parts = &second, .count = 1}};
    struct pg_query query = {.sql = "begin; copy q from stdin; copy q from stdin; commit",
                             .streams = streams,
                             .count = 2};
    struct pg_failure failure;

    live_run(connection, "drop table if exists q; create table q (n int)");
    CHECK_INT_EQ(pg_query_run(connection, &query, &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(query.done, 2);
    CHECK_INT_EQ(streams[0].affected, 2);
    CHECK_TEXT_EQ(failure.sqlstate, "22P02");
    CHECK_INT_EQ(failure.line, 2);
    live_run(connection, "rollback");
    streams[1].parts = &first;
    CHECK_INT_EQ(pg_query_run(connection, &query, &failure), OUTCOME_OK);
    CHECK_INT_EQ(query.done, 4);
    CHECK(!query.rolled_back);
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from q"), "4");
    pg_connection_free(connection);
}

UNIT_MAIN("live_steps", {"groups", test_groups}, {"large", test_large}, {"lost", test_lost},
          {"query", test_query})
