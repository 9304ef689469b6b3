/* The bridge's own schema and its progress, against a real PostgreSQL.
 *
 * SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "pg/pg_live.h"
#include "pg/progress.h"

#define JOURNAL "11111111-2222-3333-4444-555555555555"
#define OTHER_JOURNAL "99999999-2222-3333-4444-555555555555"

static void test_schema(void)
{
    LIVE_OR_RETURN();
    static const char *const names[] = {"mqtt2pg", "My \"odd\" Schema"};
    struct pg_connection *admin = live_connect();
    struct error error = {0};
    struct pg_failure failure = {0};
    for (size_t i = 0; i < 2; i++) {
        struct pg_connection *connection = live_connect_as(names[i], NULL);
        UNIT_CASE("%s", names[i]);
        live_run(admin, i == 0 ? "drop schema if exists mqtt2pg cascade"
                               : "drop schema if exists \"My \"\"odd\"\" Schema\" cascade");
        CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
        CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
        /* Idempotent as it stands, too. */
        struct buf sql = {0};
        progress_schema_sql(&sql, names[i]);
        live_run(connection, buf_string(&sql));
        buf_fini(&sql);
        CHECK_INT_EQ(progress_write(connection, JOURNAL, 5, &failure), OUTCOME_OK);
        pg_connection_free(connection);
    }
    unit_case[0] = '\0';
    CHECK_TEXT_EQ(
        live_text(admin, "select string_agg(attname, ',' order by attnum) from pg_attribute "
                         "where attrelid = 'mqtt2pg.dead_letter'::regclass and attnum > 0"),
        "id,received_at,failed_at,rule,topic,payload,qos,retained,properties,reason,sqlstate,"
        "parked,client_id,journal,sequence");
    CHECK_TEXT_EQ(
        live_text(
            admin,
            "select count(*) from pg_class c, pg_attribute a where relnamespace = "
            "'mqtt2pg'::regnamespace and relkind = 'r' and attrelid = c.oid and attnum > 0 "
            "and col_description(c.oid, attnum) is null and relname <> 'gap' and attname <> 'id'"),
        "0");
    live_run(admin, "drop schema \"My \"\"odd\"\" Schema\" cascade");
    pg_connection_free(admin);
}

static void check_fatal(struct pg_connection *connection, const char *wanted)
{
    struct error error = {0};
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_FATAL);
    if (strstr(error.text, wanted) == NULL) {
        CHECK_TEXT_EQ(error.text, wanted);
    }
}

static void test_schema_denied(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct error error = {0};
    live_run(connection,
             "drop schema if exists mqtt2pg cascade; drop role if exists meek; create role meek;"
             "set role meek");
    check_fatal(connection, "the schema \"mqtt2pg\" lacks bridge, dead_letter, gap, memory, "
                            "progress, replay, and making it "
                            "failed: permission denied for database unit_");
    /* The connection is usable, and nothing is left open. */
    live_run(connection, "reset role");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    live_run(connection, "set role meek");
    check_fatal(connection, "no privilege to use the schema \"mqtt2pg\"");
    live_run(connection,
             "reset role; grant usage on schema mqtt2pg to meek;"
             "grant select, insert, update on mqtt2pg.progress to meek;"
             "grant select, insert, update, delete on mqtt2pg.dead_letter, mqtt2pg.memory to meek;"
             "set role meek");
    check_fatal(connection, "privileges are missing in the schema \"mqtt2pg\": insert on gap");
    live_run(connection, "reset role; grant insert on mqtt2pg.gap to meek; set role meek");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(error.text, "");
    live_run(connection, "reset role; drop schema mqtt2pg cascade; drop role meek");

    live_run(connection, "create schema mqtt2pg; create table mqtt2pg.progress (client_id text)");
    check_fatal(connection, "progress.journal");
    live_run(connection, "drop schema mqtt2pg cascade");
    pg_connection_free(connection);
}

static void *ensure(void *unused)
{
    (void) unused;
    struct pg_connection *connection = live_connect();
    struct error error = {0};
    bool good = progress_ensure_schema(connection, &error) == OUTCOME_OK;
    pg_connection_free(connection);
    return good ? "" : NULL;
}

static void test_schema_race(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    for (int round = 0; round < 5; round++) {
        pthread_t threads[4];
        live_run(connection, "drop schema if exists mqtt2pg cascade");
        for (size_t i = 0; i < 4; i++) {
            pthread_create(&threads[i], NULL, ensure, NULL);
        }
        for (size_t i = 0; i < 4; i++) {
            void *good = NULL;
            pthread_join(threads[i], &good);
            CHECK(good != NULL);
        }
    }
    pg_connection_free(connection);
}

static bool move(struct pg_connection *connection, const char *journal, uint64_t from, uint64_t to)
{
    struct pg_failure failure = {0};
    int64_t stored_at_us = 0;
    const struct progress_step step = {.journal = journal, .from = from, .to = to};
    if (progress_move(connection, &step, &stored_at_us, &failure) != OUTCOME_OK) {
        unit_record(false, __FILE__, __LINE__, "progress_move: %s", failure.message);
    }
    return stored_at_us != 0;
}

static void test_move(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct error error = {0};
    struct pg_failure failure = {0};
    struct progress progress = {0};
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    live_run(connection, "truncate mqtt2pg.progress");
    CHECK_INT_EQ(progress_read(connection, JOURNAL, &progress, &failure), OUTCOME_OK);
    CHECK_INT_EQ(progress.owner, PROGRESS_NONE);
    CHECK(!move(connection, JOURNAL, 0, 1));
    CHECK_INT_EQ(progress_write(connection, JOURNAL, 0, &failure), OUTCOME_OK);
    CHECK(move(connection, JOURNAL, 0, 10));
    CHECK(!move(connection, JOURNAL, 0, 10));
    CHECK(!move(connection, OTHER_JOURNAL, 10, 20));
    CHECK(move(connection, JOURNAL, 10, INT64_MAX));
    CHECK_INT_EQ(progress_read(connection, JOURNAL, &progress, &failure), OUTCOME_OK);
    CHECK_INT_EQ(progress.owner, PROGRESS_OURS);
    CHECK(progress.stored_at_us > INT64_C(1600000000000000));
    /* Where the position stays, and the clock too or goes back, stored_at grows all the same. */
    live_run(connection, "update mqtt2pg.progress set stored_at = now() + interval '1 hour'");
    CHECK_INT_EQ(progress_read(connection, JOURNAL, &progress, &failure), OUTCOME_OK);
    const struct progress_step stay = {.journal = JOURNAL, .from = INT64_MAX, .to = INT64_MAX};
    int64_t stored_at_us = 0;
    CHECK_INT_EQ(progress_move(connection, &stay, &stored_at_us, &failure), OUTCOME_OK);
    CHECK(stored_at_us > progress.stored_at_us);
    CHECK_INT_EQ(progress_read(connection, JOURNAL, &progress, &failure), OUTCOME_OK);
    CHECK_INT_EQ(progress.stored_at_us, stored_at_us);
    live_run(connection, "update mqtt2pg.progress set stored_at = now()");
    CHECK_TEXT_EQ(progress.journal, JOURNAL);
    CHECK(progress.position == INT64_MAX);
    CHECK_INT_EQ(progress_write(connection, OTHER_JOURNAL, 7, &failure), OUTCOME_OK);
    CHECK(move(connection, OTHER_JOURNAL, 7, 8));
    CHECK_INT_EQ(progress_read(connection, JOURNAL, &progress, &failure), OUTCOME_OK);
    CHECK(progress.position == INT64_MAX); /* each journal has its own */
    CHECK_INT_EQ(
        progress_read(connection, "00000000-0000-0000-0000-000000000000", &progress, &failure),
        OUTCOME_OK);
    CHECK_TEXT_EQ(progress.journal, OTHER_JOURNAL); /* the one that moved last */
    pg_connection_free(connection);
}

/* One of two transactions at the same place. */
struct racer {
    struct pg_connection *connection;
    bool moved;
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct pg_failure failure = {0};
    racer->moved = move(racer->connection, JOURNAL, 10, 20);
    if (pg_commit(racer->connection, &failure) != OUTCOME_OK) {
        racer->moved = false;
    }
    return NULL;
}

/* The old backend's transaction is not over: the second waits for it, and then knows. */
static void test_race(void)
{
    LIVE_OR_RETURN();
    for (int commits = 0; commits < 2; commits++) {
        struct pg_connection *old = live_connect();
        struct racer racer = {.connection = live_connect()};
        struct pg_failure failure = {0};
        struct error error = {0};
        pthread_t thread;
        CHECK_INT_EQ(progress_ensure_schema(old, &error), OUTCOME_OK);
        CHECK_INT_EQ(progress_write(old, JOURNAL, 10, &failure), OUTCOME_OK);
        live_run(old, "begin");
        CHECK(move(old, JOURNAL, 10, 20));
        live_run(racer.connection, "begin");
        pthread_create(&thread, NULL, race, &racer);
        /* Until it waits for the row. */
        for (int i = 0; i < 500; i++) {
            if (strcmp(
                    live_text(
                        old,
                        "select count(*) from pg_stat_activity where datname = current_database() "
                        "and wait_event_type = 'Lock'"),
                    "1") == 0) {
                break;
            }
            usleep(10000);
        }
        if (commits) {
            CHECK_INT_EQ(pg_commit(old, &failure), OUTCOME_OK);
        } else {
            live_run(old, "rollback");
        }
        pthread_join(thread, NULL);
        CHECK_INT_EQ(racer.moved, !commits);
        CHECK_TEXT_EQ(
            live_text(old, "select position from mqtt2pg.progress where client_id = 'test'"), "20");
        pg_connection_free(old);
        pg_connection_free(racer.connection);
    }
}

static void test_lock(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *one = live_connect();
    struct pg_connection *two = live_connect();
    struct pg_connection *other_client = live_connect_as(NULL, "you");
    struct pg_connection *other_schema = live_connect_as("other", NULL);
    struct pg_failure failure = {0};
    struct progress_lock lock = {.taken = false};
    CHECK_INT_EQ(progress_lock(one, &lock, &failure), OUTCOME_OK);
    CHECK(lock.taken);
    CHECK_INT_EQ(progress_lock(two, &lock, &failure), OUTCOME_OK);
    CHECK(!lock.taken);
    CHECK(!lock.holder_waits);
    CHECK(strncmp(lock.holder, "pid ", 4) == 0);
    CHECK_INT_EQ(progress_lock(other_client, &lock, &failure), OUTCOME_OK);
    CHECK(lock.taken);
    CHECK_INT_EQ(progress_lock(other_schema, &lock, &failure), OUTCOME_OK);
    CHECK(lock.taken);
    pg_disconnect(one);
    lock.taken = false;
    for (int i = 0; i < 500 && !lock.taken; i++) {
        CHECK_INT_EQ(progress_lock(two, &lock, &failure), OUTCOME_OK);
        usleep(10000);
    }
    CHECK(lock.taken);
    pg_connection_free(one);
    pg_connection_free(two);
    pg_connection_free(other_client);
    pg_connection_free(other_schema);
}

UNIT_MAIN("live_progress", {"schema", test_schema}, {"schema_denied", test_schema_denied},
          {"schema_race", test_schema_race}, {"move", test_move}, {"race", test_race},
          {"lock", test_lock})
