/*
 * PostgreSQL's own float8out() and float4out() are compared in integration/test_encoders; here
 * reading back and the number of digits are compared with the C library's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/real_text.h"

#include <float.h>
#include <math.h>

#include "core/real_digits.h"
#include "unit.h"

static const char *text_of(double real, bool single)
{
    static char text[REAL_TEXT_BYTES + 1];
    text[real_write_text(text, real, single)] = '\0';
    return text;
}

static void test_cases(void)
{
    static const struct {
        double real;
        bool single;
        const char *text;
    } cases[] = {
        {0, false, "0"},
        {-0.0, false, "-0"},
        {21.53, false, "21.53"},
        {-0.1, false, "-0.1"},
        {0.1f, true, "0.1"},
        {0.1f, false, "0.10000000149011612"},
        {1.0 / 3, false, "0.3333333333333333"},
        {(float) (1.0 / 3), true, "0.33333334"},
        {999999, true, "999999"},
        {1e6, true, "1e+06"},
        {(double) 123456789.0f, true, "1.2345679e+08"},
        {1e14, false, "100000000000000"},
        {1e15, false, "1e+15"},
        {1732332570123456, false, "1.732332570123456e+15"},
        {1732332570123456789.0, false, "1.7323325701234568e+18"},
        {9007199254740992, false, "9.007199254740992e+15"},
        {9223372036854775807.0, false, "9.223372036854776e+18"},
        {1e23, false, "9.999999999999999e+22"},
        {8.5e22, false, "8.5e+22"},
        {0.0001, false, "0.0001"},
        {0.00012345678901234567, false, "0.00012345678901234567"},
        {0.00001, false, "1e-05"},
        /* The floats below a power of two lie closer than those above. */
        {0x1p-24, false, "5.960464477539063e-08"},
        {0x1p-24f, true, "5.9604645e-08"},
        {DBL_MAX, false, "1.7976931348623157e+308"},
        {DBL_MIN, false, "2.2250738585072014e-308"},
        {DBL_TRUE_MIN, false, "5e-324"},
        {(double) FLT_MAX, true, "3.4028235e+38"},
        {(double) FLT_TRUE_MIN, true, "1e-45"},
        {(double) NAN, false, "NaN"},
        {-(double) INFINITY, false, "-Infinity"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%.17g %s", cases[i].real, cases[i].single ? "single" : "double");
        CHECK_TEXT_EQ(text_of(cases[i].real, cases[i].single), cases[i].text);
    }
}

static int digits_of(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        bool digit = *text >= '0' && *text <= '9';
        zeros = !digit ? zeros : *text != '0' ? 0 : zeros + (count > 0);
        count += digit && (count > 0 || *text != '0');
    }
    return count - zeros;
}

static double read_back(const char *text, bool single)
{
    return single ? (double) strtof(text, NULL) : strtod(text, NULL);
}

/* Is the text the middle between the number and a neighbour? PostgreSQL prints one digit more than
 * that. */
static bool is_middle(const char *text, double real, bool single)
{
    double up = single ? (double) nextafterf((float) real, FLT_MAX) : nextafter(real, DBL_MAX);
    double down = single ? (double) nextafterf((float) real, 0) : nextafter(real, 0);
    long double said = strtold(text, NULL);
    return said == ((long double) real + up) / 2 || said == ((long double) real + down) / 2;
}

/* Reads back as itself, and no rounding to fewer digits does. */
static void check_shortest(double real, bool single)
{
    const char *text = text_of(real, single);
    char shorter[64];
    int digits = digits_of(text);
    UNIT_CASE("%.17g %s", real, single ? "single" : "double");
    CHECK(read_back(text, single) == real);
    if (digits > 1) {
        snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, real);
        CHECK(read_back(shorter, single) != real || is_middle(shorter, real, single));
    }
}

/* The nearest of its number of digits, where printf() can tell: it rounds the exact number. */
static void check_nearest(double real, bool single)
{
    const char *text = text_of(real, single);
    char rounded[64];
    snprintf(rounded, sizeof(rounded), "%.*e", digits_of(text) - 1, real);
    bool reads_back = read_back(rounded, single) == real && !is_middle(rounded, real, single);
    CHECK(!reads_back || strtod(text, NULL) == strtod(rounded, NULL));
}

/* All bits at random: numbers of any exponent, also those that are not normalized. */
static void test_any_bits(void)
{
    uint64_t seed = 7;
    int unanswered = 0;
    for (int i = 0; i < 200000; i++) {
        struct real_digits digits;
        double real;
        float narrow;
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        uint64_t bits = (seed ^ seed >> 29) & UINT64_C(0x7fffffffffffffff) >> (i % 4 == 0 ? 11 : 0);
        uint32_t low = (uint32_t) (seed >> 33) >> (i % 4 == 0 ? 8 : 0);
        memcpy(&real, &bits, sizeof(real));
        memcpy(&narrow, &low, sizeof(narrow));
        if (isfinite(real) && real > 0) {
            unanswered += !real_digits_shortest(real, false, &digits);
            check_shortest(real, false);
            check_nearest(real, false);
        }
        if (isfinite(narrow) && narrow > 0) {
            unanswered += !real_digits_shortest((double) narrow, true, &digits);
            check_shortest((double) narrow, true);
            check_nearest((double) narrow, true);
        }
    }
    CHECK_INT_EQ(unanswered, 0);
}

static void test_random(void)
{
    uint64_t seed = 42;
    for (int i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        int exponent = (int) (seed >> 58) - 32; /* 2^-32 to 2^31 */
        check_shortest(ldexp((double) (seed >> 11 | UINT64_C(1) << 52) * 0x1p-53, exponent * 2),
                       false);
        check_shortest((double) ldexpf((float) (seed >> 40 | 1 << 23) * 0x1p-24f, exponent * 2),
                       true);
    }
}

/* Powers of two and their neighbours. */
static void test_edges(void)
{
    for (int exponent = -1074; exponent < 1024; exponent++) {
        for (int step = -2; step <= 2; step++) {
            double edge = ldexp(1, exponent);
            float narrow = ldexpf(1, exponent);
            for (int i = 0; i < abs(step); i++) {
                edge = nextafter(edge, step < 0 ? 0 : DBL_MAX);
                narrow = nextafterf(narrow, step < 0 ? 0 : FLT_MAX);
            }
            if (edge > 0) {
                check_shortest(edge, false);
            }
            if (narrow > 0 && isfinite(narrow)) {
                check_shortest((double) narrow, true);
            }
        }
    }
}

UNIT_MAIN("real_text", {"cases", test_cases}, {"random", test_random}, {"any bits", test_any_bits},
          {"edges", test_edges})
