/* SPDX-License-Identifier: MIT */
#include "pg/pg_quote.h"
#include "unit.h"

static void test_identifier(void)
{
    static const char *const cases[][2] = {
        {"telemetry", "telemetry"}, {"t_1", "t_1"},     {"_x", "_x"},       {"time", "\"time\""},
        {"select", "\"select\""},   {"Odd", "\"Odd\""}, {"1st", "\"1st\""}, {"a b", "\"a b\""},
        {"a\"b", "\"a\"\"b\""},     {"", "\"\""},       {"ü", "\"ü\""},     {"a$b", "\"a$b\""},
        {"timer", "timer"},         {"tim", "tim"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        pg_quote_identifier(&out, slice_of(cases[i][0]));
        CHECK_TEXT_EQ(buf_string(&out), cases[i][1]);
        buf_fini(&out);
    }
    for (size_t i = 1; i < pg_keyword_count; i++) {
        CHECK(strcmp(pg_keywords[i - 1], pg_keywords[i]) < 0);
    }
}

static void test_literal(void)
{
    static const char *const cases[][2] = {
        {"", "''"},
        {"it's", "'it''s'"},
        {"a\\'b", " E'a\\\\''b'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        pg_quote_literal(&out, slice_of(cases[i][0]));
        CHECK_TEXT_EQ(buf_string(&out), cases[i][1]);
        buf_fini(&out);
    }
}

static void test_relation(void)
{
    /* Second: NULL when it is no name; third: its last part, as it is. */
    static const char *const cases[][3] = {
        {"t", "t", "t"},
        {"Public.Telemetry", "public.telemetry", "telemetry"},
        {"\"Odd.Name\".T", "\"Odd.Name\".t", "t"},
        {"a.\"b\"\"c\"", "a.\"b\"\"c\"", "b\"c"},
        {"pg_temp.batch", "pg_temp.batch", "batch"},
        {"\"time\"", "\"time\"", "time"},
        {"", NULL, NULL},
        {".t", NULL, NULL},
        {"t.", NULL, NULL},
        {"t; drop table x", NULL, NULL},
        {"\"open", NULL, NULL},
        {"\"\"", NULL, NULL},
        {"1t", NULL, NULL},
        {"a b", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        struct buf last = {0};
        UNIT_CASE("%s", cases[i][0]);
        buf_append_text(&out, "=");
        CHECK_INT_EQ(pg_quote_relation(&out, slice_of(cases[i][0])), cases[i][1] != NULL);
        CHECK_TEXT_EQ(buf_string(&out) + 1, cases[i][1] != NULL ? cases[i][1] : "");
        if (cases[i][2] != NULL) {
            struct slice sql = slice_of(cases[i][0]);
            CHECK(pg_take_relation(&sql, &last));
            CHECK_TEXT_EQ(buf_string(&last), cases[i][2]);
            CHECK_INT_EQ(sql.length, 0);
        }
        buf_fini(&out);
        buf_fini(&last);
    }
}

static void test_array(void)
{
    static const char *const texts[] = {"a", "b\"c\\", "", "NULL", "x,y"};
    struct buf out = {0};
    pg_quote_array(&out, texts, 5);
    CHECK_TEXT_EQ(buf_string(&out), "{\"a\",\"b\\\"c\\\\\",\"\",\"NULL\",\"x,y\"}");
    buf_reset(&out);
    pg_quote_array(&out, NULL, 0);
    CHECK_TEXT_EQ(buf_string(&out), "{}");
    buf_fini(&out);
}

static void test_schema(void)
{
    struct buf out = {0};
    pg_append_for_schema(&out,
                         "-- of mqtt2pg\ncreate schema mqtt2pg; select 'mqtt2pg', \"mqtt2pg\" "
                         "from mqtt2pg.t, mqtt2pg_x, x_mqtt2pg; -- mqtt2pg",
                         "My \"own\"");
    CHECK_TEXT_EQ(buf_string(&out),
                  "-- of mqtt2pg\ncreate schema \"My \"\"own\"\"\"; select 'mqtt2pg', "
                  "\"mqtt2pg\" from \"My \"\"own\"\"\".t, mqtt2pg_x, x_mqtt2pg; -- mqtt2pg");
    buf_reset(&out);
    pg_append_for_schema(&out, "select 'open mqtt2pg", "x");
    CHECK_TEXT_EQ(buf_string(&out), "select 'open mqtt2pg");
    buf_fini(&out);
}

UNIT_MAIN("pg_quote", {"identifier", test_identifier}, {"literal", test_literal},
          {"relation", test_relation}, {"array", test_array}, {"schema", test_schema})
