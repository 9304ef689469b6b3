/* SPDX-License-Identifier: MIT */
#include "convert_case.h"

static const struct convert_case booleans[] = {
    {"bool", BOOLEAN(true), "t", NULL},
    {"bool", BOOLEAN(false), "f", NULL},
    {"bool", NUMBER("1"), "t", NULL},
    {"bool", NUMBER("0"), "f", NULL},
    {"bool", NUMBER("-0.0"), "f", NULL},
    {"bool", NUMBER("10e-1"), "t", NULL},
    {"bool", TEXT(" YES "), "t", NULL},
    {"bool", TEXT("of"), "f", NULL},
    {"bool", TEXT("tr"), "t", NULL},
    {"bool", NUMBER("2"), NULL, "2 is not a boolean (only 0 and 1 are)"},
    {"bool", NUMBER("0.5"), NULL, "0.5 is not a boolean (only 0 and 1 are)"},
    {"bool", TEXT("o"), NULL, "\"o\" is not a boolean"},
    {"bool", TEXT(""), NULL, "\"\" is not a boolean"},
    {"bool", TEXT("truely"), NULL, "\"truely\" is not a boolean"},
    {"bool", TIME(0), NULL, "a timestamp can't become boolean"},
    {"bool", BYTES("t"), NULL, "\"t\" can't become boolean"},
    {"bool", OBJECT("{}"), NULL, "an object can't become boolean"},
};

static const struct convert_case integers[] = {
    {"int2", NUMBER("32767"), "32767", NULL},
    {"int2", NUMBER("-32768"), "-32768", NULL},
    {"int2", NUMBER("32768"), NULL, "32768 is out of range"},
    {"int2", NUMBER("-32769"), NULL, "-32769 is out of range"},
    {"int4", NUMBER("2147483647"), "2147483647", NULL},
    {"int4", NUMBER("-2147483648"), "-2147483648", NULL},
    {"int4", NUMBER("2147483648"), NULL, "2147483648 is out of range"},
    {"int8", NUMBER("9223372036854775807"), "9223372036854775807", NULL},
    {"int8", NUMBER("-9223372036854775808"), "-9223372036854775808", NULL},
    {"int8", NUMBER("9223372036854775808"), NULL, "9223372036854775808 is out of range"},
    {"int8", NUMBER("-9223372036854775809"), NULL, "-9223372036854775809 is out of range"},
    {"int8", NUMBER("18446744073709551616"), NULL, "18446744073709551616 is out of range"},
    {"int8", NUMBER("18446744073709551615"), NULL, "18446744073709551615 is out of range"},
    {"int8", NUMBER("9007199254740993"), "9007199254740993", NULL},
    {"int8", NUMBER("123456789012345678"), "123456789012345678", NULL},
    {"int8", NUMBER("1234567890123456789"), "1234567890123456789", NULL},
    {"int4", NUMBER("21.0"), "21", NULL},
    {"int4", NUMBER("2.1e1"), "21", NULL},
    {"int4", NUMBER("2100E-2"), "21", NULL},
    {"int4", NUMBER("-0"), "0", NULL},
    {"int4", NUMBER("0e999999999999999999999"), "0", NULL},
    {"int4", NUMBER("21.5"), NULL, "21.5 has a fraction"},
    {"int4", NUMBER("1e-1"), NULL, "1e-1 has a fraction"},
    {"int4", NUMBER("1e-999999999999999999999"), NULL, "1e-999999999999999999999 has a fraction"},
    {"int4", NUMBER("1e999999999999999999999"), NULL, "1e999999999999999999999 is out of range"},
    {"int4", TEXT(" +007\n"), "7", NULL},
    {"int4", TEXT("5."), "5", NULL},
    {"int4", TEXT("1e3"), "1000", NULL},
    {"int4", TEXT("0x10"), NULL, "\"0x10\" is not a number"},
    {"int4", TEXT(""), NULL, "\"\" is not a number"},
    {"int4", TEXT("-"), NULL, "\"-\" is not a number"},
    {"int4", TEXT("."), NULL, "\".\" is not a number"},
    {"int4", TEXT("+-1"), NULL, "\"+-1\" is not a number"},
    {"int4", TEXT("1 2"), NULL, "\"1 2\" is not a number"},
    {"int4", TEXT("1\0"), NULL, "\"1\\x00\" is not a number"},
    {"int4", TEXT("NaN"), NULL, "\"NaN\" is not a number"},
    {"int4", BOOLEAN(true), NULL, "true can't become integer"},
    {"int4", TIME(5), NULL, "a timestamp can't become integer"},
    {"int4", ARRAY("[1]"), NULL, "an array can't become integer"},
    {"int4", TEXT("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"), NULL,
     "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmn…\" is not a number"},
};

static const struct convert_case floats[] = {
    {"float8", NUMBER("0.1"), "0.1", NULL},
    {"float8", NUMBER("-0"), "-0", NULL},
    {"float8", NUMBER("1e23"), "9.999999999999999e+22", NULL}, /* as PostgreSQL prints it */
    {"float8", NUMBER("9007199254740993"), "9.007199254740992e+15", NULL},
    {"float8", NUMBER("1.7976931348623157e308"), "1.7976931348623157e+308", NULL},
    {"float8", NUMBER("1.7976931348623159e308"), NULL, "1.7976931348623159e308 is out of range"},
    {"float8", NUMBER("5e-324"), "5e-324", NULL},
    {"float8", NUMBER("2e-324"), NULL, "2e-324 is out of range"},
    {"float8", NUMBER("0e-9999"), "0", NULL},
    {"float8", NUMBER("100000000000000"), "100000000000000", NULL},
    {"float8", NUMBER("1000000000000000"), "1e+15", NULL},
    {"float8", NUMBER("0.0001"), "0.0001", NULL},
    {"float8", NUMBER("0.00001"), "1e-05", NULL},
    {"float8", TEXT(" nAn "), "NaN", NULL},
    {"float8", TEXT("inf"), "Infinity", NULL},
    {"float8", TEXT("-Infinity"), "-Infinity", NULL},
    {"float8", TEXT("-nan"), NULL, "\"-nan\" is not a number"},
    {"float8", TEXT("1d"), NULL, "\"1d\" is not a number"},
    {"float8", BOOLEAN(false), NULL, "false can't become double precision"},
    {"float4", NUMBER("0.1"), "0.1", NULL},
    {"float4", NUMBER("16777217"), "1.6777216e+07", NULL},
    {"float4", NUMBER("3.4028235e38"), "3.4028235e+38", NULL},
    {"float4", NUMBER("3.4028236e38"), NULL, "3.4028236e38 is out of range"},
    {"float4", NUMBER("1e-45"), "1e-45", NULL},
    {"float4", NUMBER("1e-46"), NULL, "1e-46 is out of range"},
    /* Rounded once, not over double: the middle between two floats, and a little more. */
    {"float4", NUMBER("1.00000017881393432617187499"), "1.0000001", NULL},
    {"float4", NUMBER("1.00000017881393432617187500"), "1.0000002", NULL},
};

static const struct convert_case numerics[] = {
    {"numeric", NUMBER("0.1"), "0.1", NULL},
    {"numeric", NUMBER("1.50"), "1.50", NULL},
    {"numeric", NUMBER("-0.00"), "0.00", NULL},
    {"numeric", NUMBER("-0"), "0", NULL},
    {"numeric", NUMBER("123456789012345678901234567890.12"), "123456789012345678901234567890.12",
     NULL},
    {"numeric", NUMBER("1.5e3"), "1500", NULL},
    {"numeric", NUMBER("1.50e1"), "15.0", NULL},
    {"numeric", NUMBER("15e-3"), "0.015", NULL},
    {"numeric", NUMBER("0e5"), "0", NULL},
    {"numeric", NUMBER("0E400000"), "0", NULL},
    {"numeric", TEXT("+007.10"), "7.10", NULL},
    {"numeric", TEXT(".5"), "0.5", NULL},
    {"numeric", TEXT("5."), "5", NULL},
    {"numeric", TEXT("-infinity"), "-Infinity", NULL},
    {"numeric", NUMBER("1e131072"), NULL, "1e131072 is out of range"},
    {"numeric", NUMBER("1e-16384"), NULL, "1e-16384 is out of range"},
    {"numeric", NUMBER("0e1073741823"), NULL, "0e1073741823 is out of range"},
    {"numeric(4,2)", NUMBER("1.005"), "1.01", NULL},
    {"numeric(4,2)", NUMBER("-1.005"), "-1.01", NULL},
    {"numeric(4,2)", NUMBER("-0.004"), "0.00", NULL},
    {"numeric(4,2)", NUMBER("7"), "7.00", NULL},
    {"numeric(4,2)", NUMBER("99.994"), "99.99", NULL},
    {"numeric(4,2)", NUMBER("99.995"), NULL, "99.995 is out of range"},
    {"numeric(4,2)", NUMBER("100"), NULL, "100 is out of range"},
    {"numeric(4,2)", NUMBER("1e-1000000"), "0.00", NULL},
    {"numeric(4,2)", TEXT("NaN"), "NaN", NULL},
    {"numeric(4,2)", TEXT("Infinity"), NULL, "\"Infinity\" is out of range"},
    {"numeric(3,-2)", NUMBER("12350"), "12400", NULL},
    {"numeric(3,-2)", NUMBER("49"), "0", NULL},
    {"numeric(3,-2)", NUMBER("-50"), "-100", NULL},
    {"numeric(3,-2)", NUMBER("99950"), NULL, "99950 is out of range"},
    {"numeric(2,4)", NUMBER("0.00994"), "0.0099", NULL},
    {"numeric(2,4)", NUMBER("0.00995"), NULL, "0.00995 is out of range"},
    {"numeric", BOOLEAN(true), NULL, "true can't become numeric"},
    {"numeric", TEXT("1,5"), NULL, "\"1,5\" is not a number"},
};

static void test_booleans(void)
{
    CHECK_CASES(booleans);
}

static void test_integers(void)
{
    CHECK_CASES(integers);
}

static void test_floats(void)
{
    CHECK_CASES(floats);
}

static void test_numerics(void)
{
    CHECK_CASES(numerics);
}

/* 131072 digits before the point and 16383 behind it, and one more of each. */
static void test_numeric_limits(void)
{
    struct arena *arena = arena_new(1 << 20);
    struct column_shape column = column_of_type("numeric");
    struct datum datum;
    char *digits = malloc(131073 + 1 + 16384);
    memset(digits, '9', 131073 + 1 + 16384);
    digits[131073] = '.';
    struct value value = value_number(slice_make(digits + 1, 131072 + 1 + 16383));
    CHECK_INT_EQ(convert_value(&value, &column, arena, &datum, NULL), OUTCOME_OK);
    CHECK(datum.text.data == value.text.data && datum.text.length == value.text.length);
    value.text.length++;
    CHECK_INT_EQ(convert_value(&value, &column, arena, &datum, NULL), OUTCOME_REJECT);
    value.text = slice_make(digits, 131073);
    CHECK_INT_EQ(convert_value(&value, &column, arena, &datum, NULL), OUTCOME_REJECT);
    free(digits);
    free(column.type_name);
    arena_free(arena);
}

UNIT_MAIN("convert_number", {"booleans", test_booleans}, {"integers", test_integers},
          {"floats", test_floats}, {"numerics", test_numerics},
          {"numeric limits", test_numeric_limits})
