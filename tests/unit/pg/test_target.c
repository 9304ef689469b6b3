/* SPDX-License-Identifier: MIT */
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
                         const struct table_shape *shape, const char *before, const char *copy,
                         const char *after)
{
    const struct column_shape *columns[3] = {&shape->columns[0], &shape->columns[1],
                                             &shape->columns[2]};
    const struct row_plan plan = {.columns = columns, .count = 3, .format = COPY_BINARY};
    struct target *target = target_new(rule, table, &plan);
    CHECK_TEXT_EQ(target->before, before);
    CHECK_TEXT_EQ(target->copy, copy);
    CHECK_TEXT_EQ(target->after, after);
    CHECK_INT_EQ(target->deferred, table == NULL || table->deferrable);
    target_free(target);
}

#define BATCH \
    "CREATE TEMP TABLE batch (device text, \"time\" timestamp with time zone, \"Value\" double " \
    "precision"
#define NUMBERED \
    BATCH ", mqtt2pg_position bigint GENERATED ALWAYS AS IDENTITY (CACHE 100000)) ON COMMIT DROP"
#define COPY_BATCH "COPY pg_temp.batch (device, \"time\", \"Value\") FROM STDIN (FORMAT binary)"
#define INSERT "INSERT INTO public.\"Telemetry\" AS stored (device, \"time\", \"Value\")\n"
#define DROP ";\nDROP TABLE pg_temp.batch"

static void test_statements(void)
{
    struct table_shape *shape = make_shape(true);
    struct pg_table table = {.shape = shape, .copy_works = true};
    struct option_text key[] = {{.text = "device"}, {.text = "time"}};
    struct rule_options rule = {.name = "r", .table = {.text = "x"}};

    check_target(
        &rule, &table, shape, NULL,
        "COPY public.\"Telemetry\" (device, \"time\", \"Value\") FROM STDIN (FORMAT binary)", NULL);
    table.copy_works = false;
    table.deferrable = true;
    check_target(
        &rule, &table, shape, NUMBERED, COPY_BATCH,
        INSERT
        "SELECT device, \"time\", \"Value\" FROM pg_temp.batch ORDER BY mqtt2pg_position" DROP);

    rule.on_conflict = CONFLICT_NOTHING;
    table.copy_works = true;
    check_target(&rule, &table, shape, NUMBERED, COPY_BATCH,
                 INSERT
                 "SELECT device, \"time\", \"Value\" FROM pg_temp.batch ORDER BY mqtt2pg_position\n"
                 "ON CONFLICT DO NOTHING" DROP);
    rule.key = key;
    rule.key_count = 2;
    check_target(&rule, &table, shape, NUMBERED, COPY_BATCH,
                 INSERT "SELECT device, \"time\", \"Value\" FROM pg_temp.batch "
                        "ORDER BY device, \"time\", mqtt2pg_position\n"
                        "ON CONFLICT (device, \"time\") DO NOTHING" DROP);
    rule.on_conflict = CONFLICT_UPDATE;
    check_target(
        &rule, &table, shape, NUMBERED, COPY_BATCH,
        INSERT
        "SELECT DISTINCT ON (device, \"time\") device, \"time\", \"Value\" FROM pg_temp.batch "
        "ORDER BY device, \"time\", mqtt2pg_position DESC\n"
        "ON CONFLICT (device, \"time\") DO UPDATE SET \"Value\" = excluded.\"Value\"" DROP);
    rule.key_count = 1;
    rule.newest.text = "time";
    check_target(&rule, &table, shape, NUMBERED, COPY_BATCH,
                 INSERT
                 "SELECT DISTINCT ON (device) device, \"time\", \"Value\" FROM pg_temp.batch "
                 "ORDER BY device, \"time\" DESC NULLS LAST, mqtt2pg_position DESC\n"
                 "ON CONFLICT (device) DO UPDATE SET \"time\" = excluded.\"time\", \"Value\" = "
                 "excluded.\"Value\""
                 " WHERE stored.\"time\" IS NULL OR excluded.\"time\" >= stored.\"time\"" DROP);
    table_shape_free(shape);
}

static void test_null_key(void)
{
    struct table_shape *shape = make_shape(false);
    struct pg_table table = {.shape = shape, .copy_works = true};
    struct option_text key[] = {{.text = "device"}, {.text = "time"}, {.text = "Value"}};
    struct rule_options rule = {.on_conflict = CONFLICT_UPDATE, .key = key, .key_count = 3};
    check_target(
        &rule, &table, shape, NUMBERED, COPY_BATCH,
        INSERT
        "SELECT DISTINCT ON (device, \"time\", \"Value\", CASE WHEN device IS NULL OR "
        "\"time\" IS NULL OR \"Value\" IS NULL THEN mqtt2pg_position END) "
        "device, \"time\", \"Value\" FROM pg_temp.batch ORDER BY device, \"time\", \"Value\", "
        "CASE WHEN device IS NULL OR \"time\" IS NULL OR \"Value\" IS NULL THEN "
        "mqtt2pg_position END, mqtt2pg_position DESC\n"
        "ON CONFLICT (device, \"time\", \"Value\") DO NOTHING" DROP);
    table_shape_free(shape);
}

static void test_own_sql(void)
{
    struct table_shape *shape = make_shape(false);
    struct rule_options rule = {.sql = {.text = "insert into t select * from batch -- all"}};
    check_target(&rule, NULL, shape, BATCH ") ON COMMIT DROP", COPY_BATCH,
                 "DROP TABLE pg_temp.batch");
    rule.sql.text = " insert into t select * from batch -- all;\n; ; delete from u;";
    const struct row_plan plan = {.format = COPY_TEXT};
    struct target *target = target_new(&rule, NULL, &plan);
    CHECK_INT_EQ(target->own_count, 2);
    CHECK_TEXT_EQ(target->own[0], "insert into t select * from batch -- all;\n");
    CHECK_TEXT_EQ(target->own[1], "delete from u");
    target_free(target);
    table_shape_free(shape);
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
    buf_reset(&sql);
    rule.table.text = "x; drop table y";
    target_create_sql(&sql, &rule, shape);
    CHECK_INT_EQ(sql.length, 0);
    buf_fini(&sql);
    table_shape_free(shape);
}

UNIT_MAIN("target", {"statements", test_statements}, {"null_key", test_null_key},
          {"own_sql", test_own_sql}, {"create", test_create})
