/* SPDX-License-Identifier: MIT */
#include "core/table_shape.h"

#include "unit.h"

static void test_columns(void)
{
    struct table_shape *shape = table_shape_new();
    char name[20];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        struct column_shape *column = table_shape_add(shape, slice_of(name));
        CHECK_INT_EQ(column->typmod, -1);
        CHECK_INT_EQ(column->family, TYPE_NONE);
        column->type_oid = (uint32_t) i;
    }
    CHECK_INT_EQ(shape->count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        const struct column_shape *column = table_shape_find(shape, slice_of(name));
        CHECK(column != NULL && column->type_oid == (uint32_t) i);
    }
    CHECK(table_shape_find(shape, slice_of("c")) == NULL);
    CHECK(table_shape_find(shape, slice_of("C1")) == NULL);
    table_shape_free(shape);
    table_shape_free(NULL);
}

/* tests/integration/test_encoders.py compares the same with the server. */
static const struct {
    const char *text;
    const char *name; /* NULL: no type name */
    enum type_family family;
    uint32_t oid;
    uint32_t element_oid;
    int32_t typmod;
} types[] = {
    {"int", "integer", TYPE_INT4, 23, 0, -1},
    {"INTEGER", "integer", TYPE_INT4, 23, 0, -1},
    {" int8 ", "bigint", TYPE_INT8, 20, 0, -1},
    {"smallint", "smallint", TYPE_INT2, 21, 0, -1},
    {"bool", "boolean", TYPE_BOOL, 16, 0, -1},
    {"float", "double precision", TYPE_FLOAT8, 701, 0, -1},
    {"float(24)", "real", TYPE_FLOAT4, 700, 0, -1},
    {"float(25)", "double precision", TYPE_FLOAT8, 701, 0, -1},
    {"double  precision", "double precision", TYPE_FLOAT8, 701, 0, -1},
    {"numeric", "numeric", TYPE_NUMERIC, 1700, 0, -1},
    {"decimal(10,2)", "numeric(10,2)", TYPE_NUMERIC, 1700, 0, (10 << 16 | 2) + 4},
    {"numeric( 5 )", "numeric(5,0)", TYPE_NUMERIC, 1700, 0, (5 << 16) + 4},
    {"numeric(5,-2)", "numeric(5,-2)", TYPE_NUMERIC, 1700, 0, (5 << 16 | 0x7fe) + 4},
    {"text", "text", TYPE_TEXT, 25, 0, -1},
    {"varchar", "character varying", TYPE_VARCHAR, 1043, 0, -1},
    {"character varying(20)", "character varying(20)", TYPE_VARCHAR, 1043, 0, 24},
    {"varchar (20)", "character varying(20)", TYPE_VARCHAR, 1043, 0, 24},
    {"char", "character(1)", TYPE_CHAR, 1042, 0, 5},
    {"char(3)", "character(3)", TYPE_CHAR, 1042, 0, 7},
    {"bpchar", "bpchar", TYPE_CHAR, 1042, 0, -1},
    {"\"char\"", "\"char\"", TYPE_OTHER, 18, 0, -1},
    {"\"text\"", "text", TYPE_TEXT, 25, 0, -1},
    {"timestamptz", "timestamp with time zone", TYPE_TIMESTAMPTZ, 1184, 0, -1},
    {"timestamp(3) with time zone", "timestamp(3) with time zone", TYPE_TIMESTAMPTZ, 1184, 0, 3},
    {"timestamp", "timestamp without time zone", TYPE_TIMESTAMP, 1114, 0, -1},
    {"time(0)", "time(0) without time zone", TYPE_TIME, 1083, 0, 0},
    {"timetz", "time with time zone", TYPE_OTHER, 1266, 0, -1},
    {"interval", "interval", TYPE_INTERVAL, 1186, 0, -1},
    {"interval(3)", "interval(3)", TYPE_INTERVAL, 1186, 0, 0x7fff << 16 | 3},
    {"interval day to second(3)", "interval day to second(3)", TYPE_INTERVAL, 1186, 0,
     0x1c08 << 16 | 3},
    {"cidr", "cidr", TYPE_INET, 650, 0, -1},
    {"jsonb", "jsonb", TYPE_JSONB, 3802, 0, -1},
    {"text[]", "text[]", TYPE_TEXT, 1009, 25, -1},
    {"int[3][4]", "integer[]", TYPE_INT4, 1007, 23, -1},
    {"int [ ] [ ]", "integer[]", TYPE_INT4, 1007, 23, -1},
    {"text array", "text[]", TYPE_TEXT, 1009, 25, -1},
    {"numeric(4,1)[]", "numeric(4,1)[]", TYPE_NUMERIC, 1231, 1700, (4 << 16 | 1) + 4},
    {"bit", "bit(1)", TYPE_OTHER, 1560, 0, 1},
    {"pg_catalog.int4", "integer", TYPE_INT4, 23, 0, -1},
    {"citext", "citext", TYPE_TEXT, 0, 0, -1},
    {"mood", "mood", TYPE_OTHER, 0, 0, -1},
    {"MySchema.Mood[]", "myschema.mood[]", TYPE_OTHER, 0, 0, -1},
    {"\"My Schema\".\"Mood\"", "\"My Schema\".\"Mood\"", TYPE_OTHER, 0, 0, -1},
    {"\"a\"\"b\"", "\"a\"\"b\"", TYPE_OTHER, 0, 0, -1},
    {"geometry(Point,4326)", "geometry(Point,4326)", TYPE_OTHER, 0, 0, -1},
    /* In quotes a keyword is a name like any other. */
    {"\"integer\"", "\"integer\"", TYPE_OTHER, 0, 0, -1},
    {"\"float\"", "\"float\"", TYPE_OTHER, 0, 0, -1},
    {"\"float\"(3)[]", "\"float\"(3)[]", TYPE_OTHER, 0, 0, -1},
    {"public.float", "public.float", TYPE_OTHER, 0, 0, -1},
    {"\"interval\"", "interval", TYPE_INTERVAL, 1186, 0, -1},
    {"grün", "grün", TYPE_OTHER, 0, 0, -1},
    {"", NULL, 0, 0, 0, 0},
    {"   ", NULL, 0, 0, 0, 0},
    {"int int", NULL, 0, 0, 0, 0},
    {"unsigned int", NULL, 0, 0, 0, 0},
    {"int; drop table t", NULL, 0, 0, 0, 0},
    {"geometry('x')", NULL, 0, 0, 0, 0},
    {"geometry(a);(b)", NULL, 0, 0, 0, 0},
    {"int(4)", NULL, 0, 0, 0, 0},
    {"varchar(0)", NULL, 0, 0, 0, 0},
    {"varchar(3,4)", NULL, 0, 0, 0, 0},
    {"varchar()", NULL, 0, 0, 0, 0},
    {"varchar(3", NULL, 0, 0, 0, 0},
    {"varchar(3)(4)", NULL, 0, 0, 0, 0},
    {"varchar(99999999999)", NULL, 0, 0, 0, 0},
    {"numeric(0)", NULL, 0, 0, 0, 0},
    {"numeric(1001)", NULL, 0, 0, 0, 0},
    {"numeric(1,1001)", NULL, 0, 0, 0, 0},
    {"numeric(1,2,3)", NULL, 0, 0, 0, 0},
    {"timestamp(7)", NULL, 0, 0, 0, 0},
    {"float(54)", NULL, 0, 0, 0, 0},
    {"interval fortnight", NULL, 0, 0, 0, 0},
    {"interval year(3)", NULL, 0, 0, 0, 0},
    {"int[", NULL, 0, 0, 0, 0},
    {"int]", NULL, 0, 0, 0, 0},
    {"int[x]", NULL, 0, 0, 0, 0},
    {"int[] x", NULL, 0, 0, 0, 0},
    {"a.b.c", NULL, 0, 0, 0, 0},
    {"a.", NULL, 0, 0, 0, 0},
    {".a", NULL, 0, 0, 0, 0},
    {"1a", NULL, 0, 0, 0, 0},
    {"\"", NULL, 0, 0, 0, 0},
    {"\"\"", NULL, 0, 0, 0, 0},
    {"\"open", NULL, 0, 0, 0, 0},
    {"int--", NULL, 0, 0, 0, 0},
};

static void test_types(void)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        UNIT_CASE("%s", types[i].text);
        struct column_shape column = {.name = "v", .typmod = -1};
        bool known = type_parse(slice_of(types[i].text), &column);
        CHECK_INT_EQ(known, types[i].name != NULL);
        if (known && types[i].name != NULL) {
            CHECK_TEXT_EQ(column.type_name, types[i].name);
            CHECK_INT_EQ(column.family, types[i].family);
            CHECK_INT_EQ(column.type_oid, types[i].oid);
            CHECK_INT_EQ(column.element_oid, types[i].element_oid);
            CHECK_INT_EQ(column.array, strchr(types[i].name, ']') != NULL);
            CHECK_INT_EQ(column.typmod, types[i].typmod);
        }
        free(column.type_name);
    }
}

/* The canonical name reads as itself, also where it replaces another. */
static void test_canonical(void)
{
    struct column_shape first = {.name = "v"};
    struct column_shape again = {.name = "v"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].name != NULL) {
            UNIT_CASE("%s", types[i].text);
            CHECK(type_parse(slice_of(types[i].text), &first));
            CHECK(type_parse(slice_of(first.type_name), &again));
            CHECK_TEXT_EQ(again.type_name, first.type_name);
            CHECK_INT_EQ(again.typmod, first.typmod);
            CHECK_INT_EQ(again.type_oid, first.type_oid);
        }
    }
    free(first.type_name);
    free(again.type_name);
}

static void test_too_long(void)
{
    struct column_shape column = {.name = "v"};
    char text[400];
    memset(text, 'x', sizeof(text));
    CHECK(!type_parse(slice_make(text, sizeof(text)), &column));
    text[0] = '"';
    text[399] = '"';
    CHECK(!type_parse(slice_make(text, sizeof(text)), &column));
    CHECK(!type_parse(slice_make("a\0b", 3), &column));
    CHECK(!type_parse(slice_make("\"a\0b\"", 5), &column));
}

static void test_families(void)
{
    CHECK_INT_EQ(type_family_of(23), TYPE_INT4);
    CHECK_INT_EQ(type_family_of(19), TYPE_TEXT);
    CHECK_INT_EQ(type_family_of(650), TYPE_INET);
    CHECK_INT_EQ(type_family_of(600), TYPE_OTHER);
    CHECK_INT_EQ(type_family_of(1007), TYPE_OTHER);
    CHECK_INT_EQ(type_family_of(0), TYPE_OTHER);
    CHECK_INT_EQ(type_family_of(123456), TYPE_OTHER);
}

UNIT_MAIN("table_shape", {"columns", test_columns}, {"types", test_types},
          {"canonical", test_canonical}, {"too long", test_too_long}, {"families", test_families})
