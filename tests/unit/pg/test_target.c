/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "pg/target.h"
#include "unit.h"

/* Columns: device text not null, time timestamptz, value float8. */
static struct table_shape *make_shape(bool keys_not_null)
{
    static const char *const names[] = {"device", "time", "Value"};
    static const char *const types[] = {"text", "timestamp with time zone", "double precision"};
    struct table_shape *shape = table_shape_new();
    shape->schema = strdup("public");
    shape->name = strdup("Telemetry");
    for (int i = 0; i < 3; i++) {
        struct column_shape *column = table_shape_add(shape, slice_of(names[i]));
        free(column->type_name);
        column->type_name = strdup(types[i]);
        column->not_null = keys_not_null && i < 2;
    }
    return shape;
}

static void check_target(const struct rule_options *rule, const struct pg_table *table,
                         const struct table_shape *shape, const char *copy, const char *insert)
{
    const struct column_shape *columns[3] = {&shape->columns[0], &shape->columns[1],
                                             &shape->columns[2]};
    const struct row_plan plan = {.columns = columns,
                                  .count = 3,
                                  .stored = columns,
                                  .stored_count = 3,
                                  .format = COPY_BINARY};
    struct target *target = target_new(rule, table, &plan);
    CHECK_TEXT_EQ(target->copy, copy);
    CHECK_INT_EQ(target->statement_count, 1);
    CHECK_TEXT_EQ(target->statements[0].sql, insert);
    CHECK(target->statements[0].takes_rows);
    CHECK(target->before == NULL && target->after == NULL);
    target_free(target);
}

/* The types have no OID here, so they travel as texts. */
#define UNNEST \
    "(SELECT device::text AS device, \"time\"::timestamp with time zone AS \"time\", " \
    "\"Value\"::double precision AS \"Value\", mqtt2pg_position FROM unnest($1::text[], " \
    "$2::text[], $3::text[]) WITH ORDINALITY AS texts (device, \"time\", \"Value\", " \
    "mqtt2pg_position)) AS batch"
#define INSERT "INSERT INTO public.\"Telemetry\" AS stored (device, \"time\", \"Value\")\n"

static void test_statements(void)
{
    struct table_shape *shape = make_shape(true);
    struct pg_table table = {.shape = shape, .copy_works = true};
    struct option_text key[] = {{.text = "device"}, {.text = "time"}};
    struct rule_options rule = {.name = "r", .table = {.text = "x"}};

    check_target(
        &rule, &table, shape,
        "COPY public.\"Telemetry\" (device, \"time\", \"Value\") FROM STDIN (FORMAT binary)",
        INSERT "SELECT device, \"time\", \"Value\" FROM " UNNEST);
    table.copy_works = false;
    check_target(&rule, &table, shape, NULL,
                 INSERT "SELECT device, \"time\", \"Value\" FROM " UNNEST);

    rule.on_conflict = CONFLICT_NOTHING;
    table.copy_works = true;
    check_target(&rule, &table, shape, NULL,
                 INSERT "SELECT device, \"time\", \"Value\" FROM " UNNEST "\n"
                        "ON CONFLICT DO NOTHING");
    rule.key = key;
    rule.key_count = 2;
    check_target(&rule, &table, shape, NULL,
                 INSERT "SELECT device, \"time\", \"Value\" FROM " UNNEST
                        " ORDER BY device, \"time\", mqtt2pg_position\n"
                        "ON CONFLICT (device, \"time\") DO NOTHING");
    rule.on_conflict = CONFLICT_UPDATE;
    check_target(&rule, &table, shape, NULL,
                 INSERT
                 "SELECT DISTINCT ON (device, \"time\") device, \"time\", \"Value\" FROM " UNNEST
                 " ORDER BY device, \"time\", mqtt2pg_position DESC\n"
                 "ON CONFLICT (device, \"time\") DO UPDATE SET \"Value\" = excluded.\"Value\"");
    rule.key_count = 1;
    rule.newest.text = "time";
    check_target(&rule, &table, shape, NULL,
                 INSERT
                 "SELECT DISTINCT ON (device) device, \"time\", \"Value\" FROM " UNNEST
                 " ORDER BY device, \"time\" DESC NULLS LAST, mqtt2pg_position DESC\n"
                 "ON CONFLICT (device) DO UPDATE SET \"time\" = excluded.\"time\", \"Value\" = "
                 "excluded.\"Value\""
                 " WHERE stored.\"time\" IS NULL OR excluded.\"time\" >= stored.\"time\"");
    table_shape_free(shape);
}

static void test_null_key(void)
{
    struct table_shape *shape = make_shape(false);
    struct pg_table table = {.shape = shape, .copy_works = true};
    struct option_text key[] = {{.text = "device"}, {.text = "time"}, {.text = "Value"}};
    struct rule_options rule = {.on_conflict = CONFLICT_UPDATE, .key = key, .key_count = 3};
    check_target(
        &rule, &table, shape, NULL,
        INSERT "SELECT DISTINCT ON (device, \"time\", \"Value\", CASE WHEN device IS NULL OR "
               "\"time\" IS NULL OR \"Value\" IS NULL THEN mqtt2pg_position END) "
               "device, \"time\", \"Value\" FROM " UNNEST " ORDER BY device, \"time\", \"Value\", "
               "CASE WHEN device IS NULL OR \"time\" IS NULL OR \"Value\" IS NULL THEN "
               "mqtt2pg_position END, mqtt2pg_position DESC\n"
               "ON CONFLICT (device, \"time\", \"Value\") DO NOTHING");
    table_shape_free(shape);
}

static void test_own_sql(void)
{
    static const struct {
        const char *sql;
        const char *first;
        size_t count; /* statements over arrays; 0: a temporary table is needed */
    } cases[] = {
        {"insert into t select * from batch -- all",
         "WITH batch AS (%s)\ninsert into t select * "
         "from batch -- all",
         1},
        {" insert into t select * from batch;\n; ; delete from u;",
         "WITH batch AS (%s)\ninsert into t select * from batch", 2},
        {"with x as (select 1) insert into t select * from x, batch",
         "WITH batch AS (%s), x as (select 1) insert into t select * from x, batch", 1},
        {"with recursive x as (select 1) insert into t select * from x, batch",
         "WITH RECURSIVE batch AS (%s), x as (select 1) insert into t select * from x, batch", 1},
        {"update batch set v = 1; insert into t select * from batch", NULL, 0},
        {"delete from batch where v is null; insert into t select * from batch", NULL, 0},
        {"insert into t select * from pg_temp.batch", NULL, 0},
        {"insert into t select * from \"batch\"", NULL, 0},
        {"create index on batch (v); insert into t select * from batch", NULL, 0},
        {"call p()", NULL, 0},
        {"select f()", NULL, 0},
        {"insert into t select 'batch'", "insert into t select 'batch'", 1},
    };
    static const char source[] = "SELECT device, \"time\", \"Value\" FROM " UNNEST;
    struct table_shape *shape = make_shape(false);
    const struct column_shape *columns[3] = {&shape->columns[0], &shape->columns[1],
                                             &shape->columns[2]};
    const struct row_plan plan = {
        .columns = columns, .count = 3, .stored = columns, .stored_count = 3, .format = COPY_TEXT};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].sql);
        struct rule_options rule = {.sql = {.text = cases[i].sql}};
        struct target *target = target_new(&rule, NULL, &plan);

        CHECK_INT_EQ(target->statement_count, cases[i].count);
        CHECK(target->check == NULL);
        CHECK((target->before != NULL) == (cases[i].count == 0));
        if (cases[i].count > 0 && target->statement_count > 0) {
            const char *at = strstr(cases[i].first, "%s");
            char *expected = at == NULL ? memory_strdup(cases[i].first)
                                        : memory_printf("%.*s%s%s", (int) (at - cases[i].first),
                                                        cases[i].first, source, at + 2);
            CHECK_TEXT_EQ(target->statements[0].sql, expected);
            CHECK(target->statements[0].takes_rows == (at != NULL));
            free(expected);
        }
        target_free(target);
    }
    table_shape_free(shape);
}

/* What is made once stands in one block with the table, that an own statement can't leave. */
static void check_create_once(struct rule_options *rule, const struct table_shape *shape)
{
    struct option_text own[] = {{.text = "create index on {table} (x)"},
                                {.text = "select '$create$', '{table}'"}};
    struct buf sql = {0};

    rule->create_sql = own;
    rule->create_sql_count = 2;
    rule->partition = (struct partition_options){
        .wanted = true, .by = {.text = "time"}, .every_ms = 86400000, .keep_ms = 90 * 60000};
    target_create_sql(&sql, rule, shape);
    CHECK(strstr(buf_string(&sql),
                 "DO $mqtt2pg$\n"
                 "BEGIN\n"
                 "IF to_regclass('public.\"Odd\"') IS NULL THEN\n"
                 "CREATE TABLE public.\"Odd\" (\n"
                 "    device text,\n"
                 "    \"time\" timestamp with time zone,\n"
                 "    \"Value\" double precision,\n"
                 "    PRIMARY KEY (device, \"time\")\n"
                 ") PARTITION BY RANGE (\"time\");\n"
                 "CREATE TABLE public.\"Odd_default\" PARTITION OF public.\"Odd\" DEFAULT;\n"
                 "CREATE INDEX ON public.\"Odd_default\" (\"time\");\n"
                 "COMMENT ON TABLE public.\"Odd_default\" IS 'made by mqtt2pg: rows that have no "
                 "partition';\n"
                 "EXECUTE $create$create index on public.\"Odd\" (x)$create$;\n"
                 "EXECUTE $create1$select '$create$', 'public.\"Odd\"'$create1$;\n"
                 "END IF;\n"
                 "END\n"
                 "$mqtt2pg$;\n"
                 "ALTER TABLE ") == buf_string(&sql));
    buf_reset(&sql);
    rule->partition.timescale = true;
    target_create_sql(&sql, rule, shape);
    CHECK(strstr(buf_string(&sql), "PARTITION BY") == NULL);
    CHECK(strstr(buf_string(&sql), "PERFORM create_hypertable('public.\"Odd\"', 'time', "
                                   "chunk_time_interval => interval '1 days');\n"
                                   "PERFORM add_retention_policy('public.\"Odd\"', drop_after => "
                                   "interval '90 minutes');\n") != NULL);
    rule->create_sql_count = 0;
    rule->partition.wanted = false;
    buf_fini(&sql);
}

static void test_create(void)
{
    struct table_shape *shape = make_shape(false);
    struct option_text key[] = {{.text = "device"}, {.text = "time"}};
    struct rule_options rule = {.table = {.text = "Public.\"Odd\""}, .key = key, .key_count = 2};
    struct buf sql = {0};
    target_create_sql(&sql, &rule, shape);
    CHECK_TEXT_EQ(buf_string(&sql),
                  "CREATE TABLE IF NOT EXISTS public.\"Odd\" (\n"
                  "    device text,\n"
                  "    \"time\" timestamp with time zone,\n"
                  "    \"Value\" double precision,\n"
                  "    PRIMARY KEY (device, \"time\")\n"
                  ");\n"
                  "ALTER TABLE public.\"Odd\"\n"
                  "    ADD COLUMN IF NOT EXISTS device text,\n"
                  "    ADD COLUMN IF NOT EXISTS \"time\" timestamp with time zone,\n"
                  "    ADD COLUMN IF NOT EXISTS \"Value\" double precision;\n");
    check_create_once(&rule, shape);
    buf_reset(&sql);
    rule.table.text = "x; drop table y";
    target_create_sql(&sql, &rule, shape);
    CHECK_INT_EQ(sql.length, 0);
    buf_fini(&sql);
    table_shape_free(shape);
}

UNIT_MAIN("target", {"statements", test_statements}, {"null_key", test_null_key},
          {"own_sql", test_own_sql}, {"create", test_create})
