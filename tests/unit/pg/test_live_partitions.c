/* Partitions as a real PostgreSQL has them: kinds of keys, odd names, rows that move, and partitions
 * that change under the bridge.
 *
 * SPDX-License-Identifier: MIT */
#include "pg/partitions.h"
#include "pg/pg_catalog.h"
#include "pg/pg_live.h"

/* 2026-11-29 00:00 UTC. */
#define SUNDAY_US (INT64_C(1795910400) * 1000000)
#define DAY_LONG_US (INT64_C(86400) * 1000000)

/* One table with its state. */
struct table_state {
    struct pg_connection *connection;
    struct pg_table *table;
    struct partitions state;
};

static void read_again(struct table_state *t)
{
    struct pg_failure failure = {.message = ""};

    partitions_fini(&t->state);
    CHECK_INT_EQ(partitions_read(t->connection, t->table->oid, &t->state, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(failure.message, "");
}

static void look_at(struct table_state *t, struct pg_connection *connection, const char *name)
{
    struct pg_failure failure = {.message = ""};

    *t = (struct table_state){.connection = connection};
    CHECK_INT_EQ(pg_catalog_table(connection, slice_of(name), &t->table, &failure), OUTCOME_OK);
    if (!CHECK(t->table != NULL)) {
        printf("%s: %s\n", name, failure.message);
        exit(1);
    }
    read_again(t);
}

static void leave(struct table_state *t)
{
    partitions_fini(&t->state);
    pg_table_free(t->table);
}

/* Makes the partition of that day and reads the state again. */
static enum short_ddl make_day(struct table_state *t, int day, struct pg_failure *failure)
{
    const struct new_partition new = {
        t->table->shape,
        &t->state,
        {SUNDAY_US + day * DAY_LONG_US, SUNDAY_US + (day + 1) * DAY_LONG_US}};
    struct buf name = {0};
    enum short_ddl result;

    failure->message[0] = '\0';
    result = partition_make(t->connection, &new, &name, failure);
    buf_fini(&name);
    read_again(t);
    return result;
}

/* Each type of key; what is made is read back with the same bounds, and is ours. */
static void test_keys(void)
{
    static const struct {
        const char *type;
        bool time;
    } cases[] = {{"timestamptz", true}, {"timestamp", true}, {"date", true}, {"int8", false}};
    struct pg_connection *connection;

    LIVE_OR_RETURN();
    connection = live_connect();
    live_run(connection, "set timezone = 'Pacific/Kiritimati'");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_failure failure;
        struct table_state t;
        char *sql = memory_printf("drop table if exists k; create table k (\"At\" %s) partition by "
                                  "range (\"At\")",
                                  cases[i].type);

        UNIT_CASE("%s", cases[i].type);
        live_run(connection, sql);
        look_at(&t, connection, "k");
        CHECK_INT_EQ(t.state.kind, 'p');
        CHECK_TEXT_EQ(t.state.key, "At");
        CHECK(t.state.key_is_time == cases[i].time);
        if (cases[i].time) {
            CHECK_INT_EQ(make_day(&t, 0, &failure), SHORT_DDL_DONE);
            CHECK_INT_EQ(make_day(&t, -20000, &failure), SHORT_DDL_DONE);
            CHECK_TEXT_EQ(failure.message, "");
            CHECK_INT_EQ(t.state.count, 2);
            CHECK_INT_EQ(t.state.spans[1].from_us, SUNDAY_US);
            CHECK_INT_EQ(t.state.spans[1].to_us, SUNDAY_US + DAY_LONG_US);
            CHECK_INT_EQ(t.state.spans[0].to_us, SUNDAY_US - 19999 * DAY_LONG_US);
            CHECK(t.state.list[0].mine && t.state.list[1].mine);
            CHECK(t.state.list[1].made_us <= t.state.now_us);
            CHECK(t.state.list[1].made_us > t.state.now_us - 60 * INT64_C(1000000));
            CHECK_INT_EQ(make_day(&t, 0, &failure), SHORT_DDL_REFUSED); /* another one was faster */
            CHECK_TEXT_EQ(failure.sqlstate, "42P07");
        }
        leave(&t);
        free(sql);
    }
    UNIT_CASE("%s", "");
    pg_connection_free(connection);
}

/* Bounds without end, other strategies, and no table at all. */
static void test_odd_tables(void)
{
    struct pg_failure failure = {.message = ""};
    struct pg_connection *connection;
    struct partitions none;
    struct table_state t;

    LIVE_OR_RETURN();
    connection = live_connect();
    live_run(connection,
             "create table o (at timestamptz, n int) partition by range (at);"
             "create table o1 partition of o for values from (minvalue) to "
             "('-infinity'); create table o2 partition of o for values from "
             "('4000-01-01 BC') to ('294276-12-31'); create table o3 partition of o for "
             "values from ('infinity') to (maxvalue)");
    look_at(&t, connection, "o");
    CHECK_INT_EQ(t.state.count, 3);
    for (size_t i = 0; i < t.state.count; i++) {
        CHECK(t.state.spans[i].from_us <= t.state.spans[i].to_us && !t.state.list[i].mine);
    }
    leave(&t);
    live_run(connection,
             "create table h (at timestamptz) partition by hash (at);"
             "create table e (at timestamp) partition by range ((date_trunc('day', at)));"
             "create table two (at timestamptz, n int) partition by range (at, n)");
    for (int i = 0; i < 3; i++) {
        look_at(&t, connection, i == 0 ? "h" : i == 1 ? "e" : "two");
        CHECK(t.state.key == NULL && t.state.kind == 'p');
        leave(&t);
    }
    CHECK_INT_EQ(partitions_read(connection, 1, &none, &failure), OUTCOME_OK);
    CHECK_INT_EQ(none.kind, 0);
    pg_connection_free(connection);
}

/* Rows of the day move with every column there is now, whatever the names are. */
static void test_rows_move(void)
{
    struct pg_failure failure = {.message = ""};
    struct pg_connection *connection;
    struct table_state t;
    int64_t at_us;

    LIVE_OR_RETURN();
    connection = live_connect();
    live_run(
        connection,
        "create schema \"Odd %s's\";"
        "create table \"Odd %s's\".\"T \"\"%d\" (\"At 'x'\" timestamptz, gone int, n int, twice "
        "int generated always as (n * 2) stored, check (n > 0), primary key (\"At 'x'\", n)) "
        "partition by range (\"At 'x'\");"
        "alter table \"Odd %s's\".\"T \"\"%d\" drop column gone;"
        "create table \"Odd %s's\".rest partition of \"Odd %s's\".\"T \"\"%d\" default;"
        "comment on table \"Odd %s's\".rest is 'made by mqtt2pg: rest';"
        "insert into \"Odd %s's\".\"T \"\"%d\" values ('2026-11-29 12:00+00', 1), ('2026-11-29 "
        "23:59:59.999999+00', 2), ('2026-11-30 00:00+00', 3), ('infinity', 4)");
    look_at(&t, connection, "\"Odd %s's\".\"T \"\"%d\"");
    CHECK(t.state.default_mine && !t.state.rows_stay && t.state.is_owner);
    live_run(connection, "alter table \"Odd %s's\".\"T \"\"%d\" add column later text default 'l'");
    const struct span span = {SUNDAY_US, SUNDAY_US + 10 * DAY_LONG_US};
    CHECK_INT_EQ(partitions_earliest(connection, &t.state, span, &at_us, &failure), OUTCOME_OK);
    CHECK_INT_EQ(at_us, SUNDAY_US + DAY_LONG_US / 2);
    CHECK_INT_EQ(make_day(&t, 0, &failure), SHORT_DDL_DONE);
    CHECK_TEXT_EQ(failure.message, "");
    CHECK_TEXT_EQ(live_text(connection, "select string_agg(concat_ws(' ', n, twice, later), ',' "
                                        "order by n) from \"Odd %s's\".\"T \"\"%d_p20261129\""),
                  "1 2 l,2 4 l");
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from \"Odd %s's\".rest"), "2");
    live_run(connection, "create function f() returns trigger language plpgsql as $$ begin return "
                         "old; end $$; create trigger t before delete on \"Odd %s's\".\"T \"\"%d\" "
                         "for each row execute function f()");
    read_again(&t);
    CHECK(t.state.rows_stay);
    CHECK_INT_EQ(make_day(&t, 1, &failure), SHORT_DDL_REFUSED); /* a row of it stays: 23514 */
    CHECK_TEXT_EQ(failure.sqlstate, "23514");
    CHECK_INT_EQ(make_day(&t, 2, &failure), SHORT_DDL_DONE);
    leave(&t);
    pg_connection_free(connection);
}

/* What a person detached, or attached with other bounds, since the state was read, stays. */
static void test_drop_only_what_was_read(void)
{
    static const char *const changes[] = {
        "alter table d detach partition d_p20261129",
        "alter table d detach partition d_p20261129; alter table d attach partition d_p20261129 "
        "for values from ('2026-11-29 00:00+00') to ('2026-11-29 12:00+00')",
        "comment on table d_p20261129 is 'mine now'",
        "alter table d_p20261129 rename to kept; create table d_p20261129 partition of d for "
        "values from ('2030-01-01') to ('2030-01-02')",
        "", /* nothing: this one goes */
    };
    struct pg_connection *connection;

    LIVE_OR_RETURN();
    connection = live_connect();
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        bool goes = changes[i][0] == '\0';
        struct pg_failure failure = {.message = ""};
        struct table_state t;

        UNIT_CASE("%s", changes[i]);
        live_run(connection, "drop table if exists d, d_p20261129, kept; create table d (at "
                             "timestamptz) partition by range (at)");
        look_at(&t, connection, "d");
        CHECK_INT_EQ(make_day(&t, 0, &failure), SHORT_DDL_DONE);
        live_run(connection, goes ? "select" : changes[i]);
        CHECK_INT_EQ(partition_drop(connection, t.table->shape, &t.state.list[0], &failure),
                     goes ? SHORT_DDL_DONE : SHORT_DDL_LATER);
        CHECK_TEXT_EQ(live_text(connection, "select to_regclass('d_p20261129') is null"),
                      goes ? "t" : "f");
        leave(&t);
    }
    UNIT_CASE("%s", "");
    pg_connection_free(connection);
}

UNIT_MAIN("pg/live_partitions", {"keys", test_keys}, {"odd_tables", test_odd_tables},
          {"rows_move", test_rows_move}, {"drop_only_what_was_read", test_drop_only_what_was_read})
