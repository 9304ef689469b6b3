/* SPDX-License-Identifier: MIT */
#include "core/number.h"

#include <math.h>

#include "row/numeric.h"
#include "unit.h"

static uint64_t random_state = 88172645463325252;

/* xorshift64: the same numbers in every run. */
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t random_below(uint64_t limit)
{
    return random_next() % limit;
}

static size_t random_digits(char *out, uint64_t most)
{
    size_t count = (size_t) random_below(most) + 1;
    for (size_t i = 0; i < count; i++) {
        out[i] = (char) ('0' + random_below(10));
    }
    return count;
}

/* Around the border between the fast way and strtod(): up to 20 digits, small exponents. */
static size_t random_number(char *out, size_t size)
{
    size_t used = 0;
    if (random_below(2) == 0) {
        out[used++] = '-';
    }
    used += random_digits(out + used, 10);
    if (random_below(2) == 0) {
        out[used++] = '.';
        used += random_digits(out + used, 10);
    }
    if (random_below(2) == 0) {
        used += (size_t) snprintf(out + used, size - used, "e%d", (int) random_below(60) - 30);
    }
    out[used] = '\0';
    return used;
}

static bool same_bits(double left, double right)
{
    return memcmp(&left, &right, sizeof(left)) == 0;
}

static void test_reals_as_strtod(void)
{
    struct arena *arena = arena_new(1 << 16);
    int wrong = 0;
    for (int i = 0; i < 2000000; i++) {
        char text[64];
        struct slice slice = slice_make(text, random_number(text, sizeof(text)));
        double real8;
        double real4;
        wrong += number_to_float8(slice, arena, &real8) != NUMBER_FITS;
        wrong += number_to_float4(slice, arena, &real4) != NUMBER_FITS &&
                 fabs(strtod(text, NULL)) < 3e38;
        if (!same_bits(real8, strtod(text, NULL)) ||
            !same_bits(real4, (double) strtof(text, NULL))) {
            printf("%s\n", text);
            wrong++;
        }
        if (i % 1000 == 0) {
            arena_reset(arena);
        }
    }
    CHECK_INT_EQ(wrong, 0);
    arena_free(arena);
}

static void test_integers_as_strtoll(void)
{
    for (int i = 0; i < 300000; i++) {
        char text[64];
        struct number number;
        int64_t integer = 0;
        int64_t wanted = (int64_t) random_next() >> random_below(63);
        int zeros = (int) random_below(20);
        snprintf(text, sizeof(text), "%lld.%.*s", (long long) wanted, zeros,
                 "00000000000000000000");
        CHECK(number_parse(slice_of(text), &number));
        if (number_to_int64(&number, &integer) != NUMBER_FITS || integer != wanted) {
            UNIT_CASE("%s", text);
            CHECK_INT_EQ(integer, wanted);
        }
        /* The same digits with the point elsewhere and an exponent that puts it back. */
        snprintf(text, sizeof(text), "%lld%.*se-%d", (long long) wanted, zeros,
                 "00000000000000000000", zeros);
        CHECK(number_parse(slice_of(text), &number));
        if (number_to_int64(&number, &integer) != NUMBER_FITS || integer != wanted) {
            UNIT_CASE("%s", text);
            CHECK_INT_EQ(integer, wanted);
        }
    }
}

static void test_grammar(void)
{
    static const char *const good[] = {"0",   "-0",   "1.5",  "+1",  ".5",   "5.",
                                       "1e5", "1E+5", "1e-5", "007", "-.5e0"};
    static const char *const bad[] = {"",    "-",     "+",   ".",  "e5",   "1e",
                                      "1e+", "1.2.3", "--1", " 1", "1 ",   "1e5.",
                                      "0x1", "1_0",   "NaN", "1f", "-.e1", "١"};
    struct number number;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        UNIT_CASE("%s", good[i]);
        CHECK(number_parse(slice_of(good[i]), &number));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        UNIT_CASE("%s", bad[i]);
        CHECK(!number_parse(slice_of(bad[i]), &number));
    }
    CHECK(number_parse(slice_of("1e99999999999999999999"), &number));
    CHECK_INT_EQ(number.exponent, NUMBER_EXPONENT_MAX);
    CHECK(number_parse(slice_of("1e-1073741824"), &number));
    CHECK_INT_EQ(number.exponent, -NUMBER_EXPONENT_MAX);
    CHECK(number_parse(slice_of("1e1073741822"), &number));
    CHECK_INT_EQ(number.exponent, 1073741822);
}

static void test_numeric_binary(void)
{
    static const struct {
        const char *text;
        struct slice binary;
    } cases[] = {
        {"0", SLICE_LITERAL("\0\1\0\0\0\0\0\0\0\0")},
        {"1", SLICE_LITERAL("\0\1\0\0\0\0\0\0\0\1")},
        {"-10000", SLICE_LITERAL("\0\2\0\1\x40\0\0\0\0\1\0\0")},
        {"1.5", SLICE_LITERAL("\0\2\0\0\0\0\0\1\0\1\x13\x88")},
        {"0.00001", SLICE_LITERAL("\0\3\0\0\0\0\0\5\0\0\0\0\x03\xe8")},
        {"1234567.89", SLICE_LITERAL("\0\3\0\1\0\0\0\2\0\x7b\x11\xd7\x22\xc4")},
        {"NaN", SLICE_LITERAL("\0\0\0\0\xc0\0\0\0")},
        {"Infinity", SLICE_LITERAL("\0\0\0\0\xd0\0\0\0")},
        {"-Infinity", SLICE_LITERAL("\0\0\0\0\xf0\0\0\0")},
    };
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].text);
        buf_reset(&out);
        numeric_append_binary(&out, slice_of(cases[i].text));
        CHECK(slice_equal(buf_slice(&out), cases[i].binary));
    }
    buf_fini(&out);
}

UNIT_MAIN("number", {"reals as strtod", test_reals_as_strtod},
          {"integers as strtoll", test_integers_as_strtoll}, {"grammar", test_grammar},
          {"numeric binary", test_numeric_binary})
