/* The statements of target.c, run against a real PostgreSQL.
 *
 * SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "pg/pg_catalog.h"
#include "pg/pg_live.h"
#include "pg/target.h"

/* A rule with its table, as load/ would have them. */
struct bench {
    struct pg_connection *connection;
    struct rule_options rule;
    struct option_text key[2];
    struct pg_table *table; /* NULL for a rule with `sql` */
    struct target *target;
    struct row_plan plan;
    bool by_copy;
    const struct column_shape *columns[8];
};

static void open_bench(struct bench *bench, const char *table)
{
    struct pg_failure failure = {0};
    bench->connection = live_connect();
    bench->rule.key = bench->key;
    CHECK_INT_EQ(pg_catalog_table(bench->connection, slice_of(table), &bench->table, &failure),
                 OUTCOME_OK);
    if (!CHECK(bench->table != NULL)) {
        abort();
    }
    for (size_t i = 0; i < bench->table->shape->count; i++) {
        bench->columns[i] = &bench->table->shape->columns[i];
    }
    bench->plan = (struct row_plan){.columns = bench->columns,
                                    .count = bench->table->shape->count,
                                    .stored = bench->columns,
                                    .stored_count = bench->table->shape->count,
                                    .format = COPY_TEXT};
    bench->target =
        target_new(&bench->rule, bench->rule.sql.text != NULL ? NULL : bench->table, &bench->plan);
}

static void close_bench(struct bench *bench)
{
    target_free(bench->target);
    pg_table_free(bench->table);
    pg_connection_free(bench->connection);
}

/* One batch, as load/ runs it; nothing is committed after a failure. */
static enum outcome store(struct bench *bench, const char *rows, struct pg_failure *failure)
{
    const struct target *target = bench->target;
    size_t count = 0;
    *failure = (struct pg_failure){0};
    for (const char *at = rows; *at != '\0'; at++) {
        count += *at == '\n';
    }
    enum outcome outcome = pg_run(bench->connection, "begin", failure);
    if (outcome == OUTCOME_OK && bench->by_copy) {
        outcome = live_copy_text(bench->connection, target->copy, rows, failure);
    } else if (outcome == OUTCOME_OK) {
        outcome = target_run(bench->connection, target, slice_of(rows), count, failure);
    }
    if (outcome == OUTCOME_OK) {
        return pg_commit(bench->connection, failure);
    }
    live_run(bench->connection, "rollback");
    return outcome;
}

static void check_store(struct bench *bench, const char *rows, const char *table_content)
{
    struct pg_failure failure;
    if (store(bench, rows, &failure) != OUTCOME_OK) {
        unit_record(false, __FILE__, __LINE__, "%s %s", failure.sqlstate, failure.message);
    }
    CHECK_TEXT_EQ(live_text(bench->connection,
                            "select string_agg(concat_ws(',', k, coalesce(t::text, '-'), "
                            "v), ' ' order by k, t, v) from tgt"),
                  table_content);
}

static void make_table(const char *definition)
{
    struct pg_connection *connection = live_connect();
    live_run(connection, "drop view if exists tgt_view; drop table if exists tgt");
    live_run(connection, definition);
    pg_connection_free(connection);
}

static void test_plain(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text, t int, v text)");
    struct bench bench = {.rule = {.on_conflict = CONFLICT_ERROR}, .by_copy = true};
    open_bench(&bench, "tgt");
    check_store(&bench, "a\t1\tx\nb\t\\N\ty\n", "a,1,x b,-,y");
    bench.by_copy = false;
    check_store(&bench, "c\t\\N\tt\\tn\\nr\\rb\\\\N\n", "a,1,x b,-,y c,-,t\tn\nr\rb\\N");
    check_store(&bench, "", "a,1,x b,-,y c,-,t\tn\nr\rb\\N");
    close_bench(&bench);

    live_run((bench.connection = live_connect()),
             "create view tgt_view as select * from tgt; delete from tgt where k = 'c'");
    pg_connection_free(bench.connection);
    bench = (struct bench){.rule = {.on_conflict = CONFLICT_ERROR}};
    open_bench(&bench, "tgt_view");
    CHECK(bench.target->copy == NULL);
    check_store(&bench, "c\t3\tz\n", "a,1,x b,-,y c,3,z");
    close_bench(&bench);
}

/* Another type than the rows were made for fails by itself, behind the rows. */
static void test_check(void)
{
    LIVE_OR_RETURN();
    make_table("drop domain if exists small; create domain small as int; "
               "create table tgt (k text, t small, v text)");
    struct bench bench = {.rule = {.on_conflict = CONFLICT_ERROR}};
    struct pg_failure failure;
    open_bench(&bench, "tgt");
    check_store(&bench, "a\t1\tx\n", "a,1,x");
    live_run(bench.connection, "alter table tgt alter t type bigint");
    CHECK_INT_EQ(store(&bench, "b\t1\tx\n", &failure), OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "42804");
    CHECK_INT_EQ(failure.action, SQL_ROW);
    close_bench(&bench);
}

static void test_nothing(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text, t int, v text, unique (k, t))");
    struct bench bench = {.rule = {.on_conflict = CONFLICT_NOTHING, .key_count = 2},
                          .key = {{.text = "k"}, {.text = "t"}}};
    open_bench(&bench, "tgt");
    check_store(&bench, "a\t1\tfirst\na\t1\tsecond\nb\t1\tx\n", "a,1,first b,1,x");
    check_store(&bench, "a\t1\tthird\nc\t1\ty\nd\t\\N\tn1\nd\t\\N\tn2\n",
                "a,1,first b,1,x c,1,y d,-,n1 d,-,n2");
    close_bench(&bench);
    bench = (struct bench){.rule = {.on_conflict = CONFLICT_NOTHING}};
    open_bench(&bench, "tgt");
    check_store(&bench, "a\t1\tfourth\ne\t1\te\n", "a,1,first b,1,x c,1,y d,-,n1 d,-,n2 e,1,e");
    close_bench(&bench);
}

static void test_update(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text, t int, v text, unique (k))");
    struct bench bench = {.rule = {.on_conflict = CONFLICT_UPDATE, .key_count = 1},
                          .key = {{.text = "k"}}};
    open_bench(&bench, "tgt");
    /* The last of the batch wins, whatever its time. */
    check_store(&bench, "a\t5\t1\na\t9\t2\na\t3\t3\nb\t1\tx\n", "a,3,3 b,1,x");
    check_store(&bench, "a\t1\t4\n\\N\t1\tn1\n\\N\t1\tn2\n", "a,1,4 b,1,x 1,n1 1,n2");
    /* Many rows of many pages and widths keep their order. */
    struct buf rows = {0};
    for (int i = 0; i < 3000; i++) {
        buf_printf(&rows, "k\t%d\t%0*d\n", i, i % 7 == 0 ? 1500 : 1 + i % 300, i);
    }
    live_run(bench.connection, "truncate tgt");
    buf_append_text(&rows, "k\t3000\tlast\n");
    check_store(&bench, buf_string(&rows), "k,3000,last");
    buf_fini(&rows);
    close_bench(&bench);
}

static void test_newest(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text primary key, t int, v text)");
    struct bench bench = {
        .rule = {.on_conflict = CONFLICT_UPDATE, .key_count = 1, .newest = {.text = "t"}},
        .key = {{.text = "k"}}};
    open_bench(&bench, "tgt");
    check_store(&bench, "a\t5\tx\na\t9\ty\na\t3\tz\n", "a,9,y");
    check_store(&bench, "a\t8\told\n", "a,9,y");
    check_store(&bench, "a\t\\N\tundated\n", "a,9,y");
    check_store(&bench, "a\t9\tsame1\na\t9\tsame2\n", "a,9,same2");
    check_store(&bench, "b\t\\N\tu1\nb\t\\N\tu2\n", "a,9,same2 b,-,u2");
    check_store(&bench, "b\t1\tdated\nb\t\\N\tlater\n", "a,9,same2 b,1,dated");
    close_bench(&bench);
}

static void test_own_sql(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text, t int, v text)");
    struct bench bench = {
        .rule = {.sql = {.text =
                             "insert into tgt select k, sum(t)::int, min(v) from batch group by k;"
                             "update tgt set v = upper(v) -- both"}}};
    open_bench(&bench, "tgt");
    check_store(&bench, "a\t1\tx\na\t2\ty\nb\t7\tz\n", "a,3,X b,7,Z");
    check_store(&bench, "c\t1\tx\n", "a,3,X b,7,Z c,1,X");
    struct pg_failure failure;
    CHECK_INT_EQ(store(&bench, "c\tnone\tx\n", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_ROW);
    /* select * sees the declared columns only */
    target_free(bench.target);
    bench.rule.sql.text = "insert into tgt select * from batch";
    bench.target = target_new(&bench.rule, NULL, &bench.plan);
    check_store(&bench, "d\t1\tx\n", "a,3,X b,7,Z c,1,X d,1,x");
    close_bench(&bench);
}

/* What would get past the configuration's check: the server takes one statement a message, and an
 * ended transaction is noticed. */
static void test_own_transaction(void)
{
    LIVE_OR_RETURN();
    static const struct {
        const char *sql;
        enum sql_action action;
    } wicked[] = {
        {"insert into tgt values ('w', 0, 'w'); commit", SQL_RULE},
        {"insert into tgt values ('w', 0, 'w'); rollback; begin", SQL_RULE},
        {"do $$ begin insert into tgt values ('w', 0, 'w'); commit; end $$", SQL_RULE},
        {"rollback", SQL_STOP},
    };
    make_table("create table tgt (k text, t int, v text)");
    struct pg_connection *connection = live_connect();
    struct pg_failure failure;
    for (size_t i = 0; i < sizeof(wicked) / sizeof(wicked[0]); i++) {
        UNIT_CASE("%s", wicked[i].sql);
        live_run(connection, "begin");
        CHECK_INT_EQ(pg_run_own(connection, wicked[i].sql, &failure), OUTCOME_RETRY);
        CHECK_TEXT_EQ(sql_action_name(failure.action), sql_action_name(wicked[i].action));
        live_run(connection, "rollback");
        CHECK_TEXT_EQ(live_text(connection, "select count(*) from tgt"), "0");
    }
    pg_connection_free(connection);
}

/* A deferred constraint fails at COMMIT. */
static void test_deferred(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text unique deferrable initially deferred, t int, v text)");
    struct bench bench = {.rule = {.on_conflict = CONFLICT_ERROR}};
    struct pg_failure failure;
    open_bench(&bench, "tgt");
    CHECK_INT_EQ(store(&bench, "a\t1\tx\na\t1\ty\n", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_TEXT_EQ(failure.sqlstate, "23505");
    close_bench(&bench);
}

enum { WRITERS = 2, WRITER_ROWS = 2000, WRITER_BATCHES = 15 };

struct writer {
    bool reversed;
    int failures;
    pthread_t thread;
};

static void *write_batches(void *context)
{
    struct writer *writer = context;
    struct bench bench = {.rule = {.on_conflict = CONFLICT_UPDATE, .key_count = 1},
                          .key = {{.text = "k"}}};
    struct buf rows = {0};
    open_bench(&bench, "tgt");
    for (int i = 0; i < WRITER_ROWS; i++) {
        buf_printf(&rows, "%06d\t%d\tv\n", writer->reversed ? WRITER_ROWS - i : i + 1, i);
    }
    for (int batch = 0; batch < WRITER_BATCHES; batch++) {
        struct pg_failure failure;
        writer->failures += store(&bench, buf_string(&rows), &failure) != OUTCOME_OK;
    }
    buf_fini(&rows);
    close_bench(&bench);
    return NULL;
}

/* Two bridges with the same keys in opposite order: no deadlock. */
static void test_writers(void)
{
    LIVE_OR_RETURN();
    make_table("create table tgt (k text primary key, t int, v text)");
    struct writer writers[WRITERS] = {{.reversed = false}, {.reversed = true}};
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_create(&writers[i].thread, NULL, write_batches, &writers[i]);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        CHECK_INT_EQ(writers[i].failures, 0);
    }
}

static void test_create(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct rule_options rule = {.table = {.text = "made.\"Odd\""}};
    struct option_text key[] = {{.text = "time"}};
    struct table_shape *shape = table_shape_new();
    struct buf sql = {0};
    live_run(connection, "drop schema if exists made cascade; create schema made");
    struct column_shape *column = table_shape_add(shape, slice_of("time"));
    CHECK(type_parse(slice_of("timestamptz"), column));
    column = table_shape_add(shape, slice_of("Value"));
    CHECK(type_parse(slice_of("numeric(10,2)"), column));
    rule.key = key;
    rule.key_count = 1;
    target_create_sql(&sql, &rule, shape);
    live_run(connection, buf_string(&sql));
    live_run(connection, buf_string(&sql));
    live_run(connection, "insert into made.\"Odd\" values (now(), 1.5)");

    column = table_shape_add(shape, slice_of("select"));
    CHECK(type_parse(slice_of("text[]"), column));
    buf_reset(&sql);
    target_create_sql(&sql, &rule, shape);
    live_run(connection, buf_string(&sql));
    CHECK_TEXT_EQ(
        live_text(connection,
                  "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' "
                  "order by attnum) "
                  "from pg_attribute where attrelid = 'made.\"Odd\"'::regclass and attnum > 0"),
        "time timestamp with time zone, Value numeric(10,2), select text[]");
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from made.\"Odd\""), "1");
    live_run(connection, "drop schema made cascade");
    buf_fini(&sql);
    table_shape_free(shape);
    pg_connection_free(connection);
}

UNIT_MAIN("live_target", {"plain", test_plain}, {"check", test_check}, {"nothing", test_nothing},
          {"update", test_update}, {"newest", test_newest}, {"own_sql", test_own_sql},
          {"own transaction", test_own_transaction}, {"deferred", test_deferred},
          {"writers", test_writers}, {"create", test_create})
