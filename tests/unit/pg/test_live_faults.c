/* COMMIT whose fate nobody tells: the progress row does. Needs the fault points of a test build.
 *
 * SPDX-License-Identifier: MIT */
#include "pg/pg_live.h"
#include "pg/progress.h"

#define JOURNAL "11111111-2222-3333-4444-555555555555"

/* Before fault.c reads it. Connections 1 and 2 are for the database of the test and the test's
 * first. */
__attribute__((constructor)) static void set_faults(void)
{
    setenv(
        "MQTT2PG_FAULTS",
        "pg.commit.before=fail@2,pg.commit.sent=fail@2,pg.commit.after=fail@2,pg.copy.chunk=fail@2,"
        "pg.connect=fail@3",
        1);
}

/* One batch from `from` to `to`; false when its outcome is not known. */
static bool store(struct pg_connection *connection, uint64_t from, uint64_t to)
{
    struct pg_failure failure = {0};
    const struct progress_step step = {.journal = JOURNAL, .from = from, .to = to};
    int64_t stored_at_us = 0;
    live_run(connection, "begin");
    if (progress_move(connection, &step, &stored_at_us, &failure) != OUTCOME_OK ||
        stored_at_us == 0) {
        unit_record(false, __FILE__, __LINE__, "not moved from %d: %s", (int) from,
                    failure.message);
        return false;
    }
    live_run(connection, "insert into stored select generate_series(1, 10)");
    bool good = pg_commit(connection, &failure) == OUTCOME_OK;
    CHECK(good || failure.action == SQL_RECONNECT);
    CHECK_INT_EQ(pg_is_connected(connection), good);
    return good;
}

static uint64_t position(struct pg_connection *connection)
{
    struct progress progress = {0};
    struct pg_failure failure = {0};
    CHECK_INT_EQ(
        progress_read(connection, "11111111-2222-3333-4444-555555555555", &progress, &failure),
        OUTCOME_OK);
    CHECK_INT_EQ(progress.owner, PROGRESS_OURS);
    return progress.position;
}

static void test_commit(void)
{
#ifdef FAULT_POINTS
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct error error = {0};
    struct pg_failure failure = {0};
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK); /* passage 1 of each */
    live_run(connection, "create table stored (x int)");
    CHECK_INT_EQ(progress_write(connection, JOURNAL, 0, &failure), OUTCOME_OK);

    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_RETRY);
    CHECK_TEXT_EQ(error.text, "fault point: no connection");
    int cuts = 0;
    for (uint64_t at = 0, rounds = 0; at < 100 && rounds < 50; rounds++) {
        if (!pg_is_connected(connection)) {
            CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
            at = position(connection);
            continue;
        }
        if (store(connection, at, at + 10)) {
            at += 10;
        } else {
            cuts++;
        }
    }
    CHECK_INT_EQ(cuts, 3);
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from stored"), "100");
    pg_connection_free(connection);
#endif
}

static void test_copy(void)
{
#ifdef FAULT_POINTS
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    const struct slice parts[] = {slice_of("1\n"), slice_of("2\n")};
    live_run(connection, "create table cut (x int)");
    CHECK_INT_EQ(pg_copy(connection, "COPY cut FROM STDIN", parts, 2, &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RECONNECT);
    CHECK(!pg_is_connected(connection));
    struct error error = {0};
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from cut"), "0");
    pg_connection_free(connection);
#endif
}

UNIT_MAIN("live_faults", {"commit", test_commit}, {"copy", test_copy})
