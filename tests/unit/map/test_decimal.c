/* SPDX-License-Identifier: MIT */
#include "map/decimal.h"

#include "unit.h"

static struct arena *arena;

static struct decimal parse(const char *text)
{
    struct decimal decimal = {0};
    CHECK(decimal_parse(slice_of(text), &decimal));
    return decimal;
}

static void check_format(const char *text, const char *expected)
{
    UNIT_CASE("%s", text);
    CHECK_SLICE_EQ(decimal_format(parse(text), arena), expected);
}

static void test_format(void)
{
    arena = arena_new(1000);
    check_format("0", "0");
    check_format("-0.00", "0");
    check_format("0e999999999999", "0");
    check_format("1500", "1500");
    check_format("+5.44", "5.44"); /* what columns read, too */
    check_format(".5", "0.5");
    check_format("5.", "5");
    check_format("06.3", "6.3");
    check_format("1.5e3", "1500");
    check_format("0.001", "0.001");
    check_format("1e-3", "0.001");
    check_format("21.50", "21.5");
    check_format("-21.50", "-21.5");
    check_format("-0.5", "-0.5");
    check_format("123456789.123456789", "123456789.123456789");
    check_format("9223372036854775807", "9223372036854775807");
    check_format("18446744073709551616", "18446744073709551616");
    check_format("99999999999999999999999999999999999999",
                 "99999999999999999999999999999999999999");
    check_format("1e39", "1000000000000000000000000000000000000000");
    check_format("-1e38", "-100000000000000000000000000000000000000");
    check_format("-1e39", "-1e39"); /* 41 characters */
    check_format("1e40", "1e40");
    check_format("1e-38", "0.00000000000000000000000000000000000001");
    check_format("1e-39", "1e-39");
    check_format("-1e-38", "-1e-38");
    check_format("12.5e-300", "1.25e-299");
    check_format("12.5e300", "1.25e301");
    check_format("1e100000", "1e100000");
    check_format("1e-100000", "1e-100000");
    arena_free(arena);
}

static void test_limits(void)
{
    static const char *const refused[] = {
        "",
        "-",
        "+",
        ".",
        "1e",
        "abc",
        "NaN",
        "1 ",
        "0x1",
        "100000000000000000000000000000000000001", /* 39 digits */
        "0.123456789012345678901234567890123456789",
        "1e100001",
        "1e-100001",
        "0.1e-100000",
        "10e100000",
        "1e99999999999999999999999",
        "1e-99999999999999999999999",
    };
    struct decimal decimal;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        UNIT_CASE("%s", refused[i]);
        CHECK(!decimal_parse(slice_of(refused[i]), &decimal));
    }
    UNIT_CASE("%s", "");
    decimal = parse("0.0000000000000000000000000000000000000000000000000012300000000000000000000"
                    "0000000000000000000000000000");
    CHECK_INT_EQ(decimal.digits, 123);
    CHECK_INT_EQ(decimal.exponent, -53);
    decimal = parse("99999999999999999999999999999999999999000000000000000000");
    CHECK_INT_EQ(decimal.exponent, 18);
}

static void test_arithmetic_limits(void)
{
    struct decimal result;
    struct decimal largest = parse("99999999999999999999999999999999999999");
    CHECK(!decimal_add(largest, parse("0.1"), &result));
    CHECK(!decimal_add(largest, largest, &result));
    CHECK(decimal_add(largest, parse("1"), &result)); /* 10^38: one digit */
    CHECK_INT_EQ(result.digits, 1);
    CHECK_INT_EQ(result.exponent, 38);
    CHECK(decimal_add(largest, parse("0"), &result));
    CHECK(!decimal_multiply(largest, parse("3"), &result));
    CHECK(!decimal_multiply(largest, largest, &result));
    CHECK(decimal_multiply(largest, parse("1e50"), &result));
    CHECK(!decimal_multiply(parse("1e60000"), parse("1e60000"), &result));
    CHECK(!decimal_multiply(parse("1e-60000"), parse("1e-60000"), &result));
    CHECK(!decimal_add(parse("1e100000"), parse("1e-100000"), &result));
}

static void check_int64(const char *text, bool fits, int64_t expected)
{
    int64_t integer = 0;
    UNIT_CASE("%s", text);
    CHECK_INT_EQ(decimal_to_int64(parse(text), &integer), fits);
    CHECK_INT_EQ(integer, expected);
}

static void check_floor(const char *text, bool fits, int64_t expected)
{
    int64_t integer = 0;
    UNIT_CASE("%s", text);
    CHECK_INT_EQ(decimal_floor(parse(text), &integer), fits);
    CHECK_INT_EQ(integer, expected);
}

static void test_integers(void)
{
    check_int64("9223372036854775807", true, INT64_MAX);
    check_int64("-9223372036854775808", true, INT64_MIN);
    check_int64("9223372036854775808", false, 0);
    check_int64("-9223372036854775809", false, 0);
    check_int64("9007199254740993", true, 9007199254740993);
    check_int64("1e18", true, 1000000000000000000);
    check_int64("1e19", false, 0);
    check_int64("1e100000", false, 0);
    check_int64("12.000", true, 12);
    check_int64("12.001", false, 0);
    check_int64("1e-1", false, 0);
    check_int64("-0", true, 0);
    check_floor("1.9999", true, 1);
    check_floor("-1.0001", true, -2);
    check_floor("-1", true, -1);
    check_floor("1e-100000", true, 0);
    check_floor("-1e-100000", true, -1);
    check_floor("9223372036854775807.9", true, INT64_MAX);
    check_floor("-9223372036854775808", true, INT64_MIN);
    check_floor("-9223372036854775808.1", false, 0);
    check_floor("-9223372036854775807.1", true, INT64_MIN);
    /* Not normalized by hand: still right. */
    int64_t integer;
    CHECK(decimal_to_int64((struct decimal){false, 1200, -2}, &integer));
    CHECK_INT_EQ(integer, 12);
}

static int compare(const char *left_text, const char *right_text)
{
    struct number left;
    struct number right;
    CHECK(number_parse(slice_of(left_text), &left) && number_parse(slice_of(right_text), &right));
    return decimal_compare(&left, &right);
}

static void test_compare(void)
{
    /* In ascending order; those on one line are equal. */
    static const char *const ordered[][4] = {
        {"-1e99999999999999999999"},
        {"-12345678901234567890123456789012345678901234567890"},
        {"-9223372036854775809"},
        {"-10", "-1e1", "-0.1e2"},
        {"-1.5", "-15e-1"},
        {"-0.00000000000000000000000000000000000000000000000000000000001"},
        {"0", "-0", "0.000", "0e5"},
        {"1e-99999999999999999999"},
        {"0.1", "1e-1", "0.10", "0.001e2"},
        {"0.3"},
        {"0.30000000000000000000000000000000000000000000000000000001"},
        {"1", "1.0", "10e-1", "1.000000000000000000000000000000000000000000000000"},
        {"12", "12.0", "1.2E+1", "0.12e2"},
        {"9007199254740992"},
        {"9007199254740993", "9007199254740993.0"},
        {"12345678901234567890123456789012345678901234567890"},
        {"12345678901234567890123456789012345678901234567891"},
        {"1e99999999999999999999"},
    };
    size_t count = sizeof(ordered) / sizeof(ordered[0]);
    for (size_t i = 0; i < count * 4; i++) {
        for (size_t k = 0; k < count * 4; k++) {
            const char *left = ordered[i / 4][i % 4];
            const char *right = ordered[k / 4][k % 4];
            if (left != NULL && right != NULL) {
                UNIT_CASE("%s with %s", left, right);
                CHECK_INT_EQ(compare(left, right), (i / 4 > k / 4) - (i / 4 < k / 4));
            }
        }
    }
}

/* --- against integers ------------------------------------------------------------------------- */

static uint64_t random_state = 20261123;

static int random_below(int bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int) ((random_state >> 33) % (unsigned) bound);
}

/* `millionths` of one, written in one of many ways. */
static void write_number(char *out, size_t size, int64_t millionths)
{
    const char *sign = millionths < 0 ? "-" : "";
    long long positive = millionths < 0 ? -millionths : millionths;
    switch (random_below(3)) {
    case 0:
        snprintf(out, size, "%s%lld.%06lld", sign, positive / 1000000, positive % 1000000);
        break;
    case 1:
        snprintf(out, size, "%s%llde-6", sign, positive);
        break;
    default:
        snprintf(out, size, "%s0.%019lldE+13", sign, positive);
        break;
    }
}

static int64_t random_millionths(void)
{
    int64_t number = random_below(1000000);
    for (int i = random_below(4); i > 0; i--) {
        number = number * 10 / (random_below(3) + 1);
    }
    number = random_below(4) == 0 ? number * 1000000 : number;
    return random_below(2) == 0 ? -number : number;
}

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

static int64_t round_half_away(int64_t value, int64_t unit)
{
    int64_t positive = value < 0 ? -value : value;
    int64_t rounded = (positive + unit / 2) / unit * unit;
    return value < 0 ? -rounded : rounded;
}

/* The decimal as a count of 10^-`places`; it has to be one. */
static int64_t count_of(struct decimal decimal, int places)
{
    int64_t integer = 0;
    decimal.exponent += places;
    CHECK(decimal_to_int64(decimal, &integer));
    return integer;
}

static void check_pair(int64_t a, int64_t b)
{
    char left_text[64];
    char right_text[64];
    struct decimal result;
    int64_t integer;
    write_number(left_text, sizeof(left_text), a);
    write_number(right_text, sizeof(right_text), b);
    UNIT_CASE("%s and %s", left_text, right_text);
    struct decimal left = parse(left_text);
    struct decimal right = parse(right_text);
    CHECK_INT_EQ(count_of(left, 6), a);
    CHECK_INT_EQ(compare(left_text, right_text), (a > b) - (a < b));
    CHECK(decimal_add(left, right, &result));
    CHECK_INT_EQ(count_of(result, 6), a + b);
    CHECK(decimal_floor(left, &integer));
    CHECK_INT_EQ(integer, floor_divide(a, 1000000));
    int64_t unit = 1;
    for (int places = 6; places >= -4; places--, unit *= 10) {
        CHECK_INT_EQ(count_of(decimal_round(left, places), 6), round_half_away(a, unit));
    }
    int64_t product;
    if (!__builtin_mul_overflow(a, b, &product)) {
        CHECK(decimal_multiply(left, right, &result));
        CHECK_INT_EQ(count_of(result, 12), product);
    }
    struct slice again = decimal_format(left, arena);
    CHECK(decimal_parse(again, &result));
    CHECK(memcmp(&result.digits, &left.digits, sizeof(left.digits)) == 0);
    CHECK_INT_EQ(result.exponent, left.exponent);
}

static void test_random(void)
{
    arena = arena_new(10000);
    printf("random numbers: seed %" PRIu64 "\n", random_state);
    for (int i = 0; i < 20000; i++) {
        int64_t a = random_millionths();
        check_pair(a, random_below(10) == 0 ? a : random_millionths());
    }
    arena_free(arena);
}

UNIT_MAIN("decimal", {"format", test_format}, {"limits", test_limits},
          {"arithmetic limits", test_arithmetic_limits}, {"integers", test_integers},
          {"compare", test_compare}, {"random", test_random})
