/*
 * A float is m × 2^e. The decimals that read back as it lie between the middles to its neighbours:
 *
 *   low = (4m - 2) × 2^(e-2)     value = 4m × 2^(e-2)     high = (4m + 2) × 2^(e-2)
 *
 * or low = (4m - 1) × 2^(e-2) where m is a power of two, because the floats below lie twice as
 * close. Scaled by 10^k, so that the value has 17 or 18 digits before the point, all three are
 * integers divided by 2^shift. Then as many digits are dropped at the end as leave a number that is
 * strictly between low and high. The middles themselves are left out: reading them goes to the even
 * float, on which PostgreSQL does not rely either.
 *
 * 10^k is 2^k × 5^k:
 *
 *   k = 0 to 27     5^k has 63 bits, and the products are exact: what measurements have
 *   k = -27 to -1   a quotient; its lowest bit is set when the division left a rest
 *   other k         5^(27a) × 5^b, where 5^(27a) is rounded down to 128 bits. The integers may be
 *                   too small by less than ERROR_MAX. Where that could change a digit (no random
 *                   number comes so close) there is no answer. No bound is a whole number here
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/real_digits.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stddef.h>

typedef unsigned __int128 wide;

enum { POWERS_OF_5 = 28 }; /* 5^27 has 63 bits: times 4m it stays below 2^118 */

/* How much the scaled integers may be too small, where 5^k is rounded: one for each of the two
 * products and one for the power, and one to spare. */
enum { ERROR_MAX = 4 };

static const uint64_t powers_of_5[POWERS_OF_5] = {
    1,
    5,
    25,
    125,
    625,
    3125,
    15625,
    78125,
    390625,
    1953125,
    9765625,
    48828125,
    244140625,
    1220703125,
    6103515625,
    30517578125,
    152587890625,
    762939453125,
    3814697265625,
    19073486328125,
    95367431640625,
    476837158203125,
    2384185791015625,
    11920928955078125,
    59604644775390625,
    298023223876953125,
    1490116119384765625,
    7450580596923828125,
};

enum { STEP = POWERS_OF_5 - 1, STEPS_MIN = -11, STEPS_MAX = 12 };

/* 5^(27a) is (high × 2^64 + low) × 2^exponent, and less than one unit of `low` more. Made with the
 * integers of Python, which have any size. */
static const struct {
    uint64_t high, low;
    int exponent;
} steps_of_5[] = {
    {0xa76c582338ed2621, 0xaf2af2b80af6f24e, -817}, /* 5^-297 */
    {0x873e4f75e2224e68, 0x5a7744a6e804a291, -754}, /* 5^-270 */
    {0xda7f5bf590966848, 0xaf39a475506a899e, -692}, /* 5^-243 */
    {0xb080392cc4349dec, 0xbd8d794d96aacfb3, -629}, /* 5^-216 */
    {0x8e938662882af53e, 0x547eb47b7282ee9c, -566}, /* 5^-189 */
    {0xe65829b3046b0afa, 0x0cb4a5a3112a5112, -504}, /* 5^-162 */
    {0xba121a4650e4ddeb, 0x92f34d62616ce413, -441}, /* 5^-135 */
    {0x964e858c91ba2655, 0x3a6a07f8d510f86f, -378}, /* 5^-108 */
    {0xf2d56790ab41c2a2, 0xfae27299423fb9c3, -316}, /* 5^-81 */
    {0xc428d05aa4751e4c, 0xaa97e14c3c26b886, -253}, /* 5^-54 */
    {0x9e74d1b791e07e48, 0x775ea264cf55347d, -190}, /* 5^-27 */
    {0x8000000000000000, 0x0000000000000000, -127}, /* 5^0 */
    {0xcecb8f27f4200f3a, 0x0000000000000000, -65},  /* 5^27 */
    {0xa70c3c40a64e6c51, 0x999090b65f67d924, -2},   /* 5^54 */
    {0x86f0ac99b4e8dafd, 0x69a028bb3ded71a3, 61},   /* 5^81 */
    {0xda01ee641a708de9, 0xe80e6f4820cc9495, 123},  /* 5^108 */
    {0xb01ae745b101e9e4, 0x5ec05dcff72e7f8f, 186},  /* 5^135 */
    {0x8e41ade9fbebc27d, 0x14588f13be847307, 249},  /* 5^162 */
    {0xe5d3ef282a242e81, 0x8f1668c8a86da5fa, 311},  /* 5^189 */
    {0xb9a74a0637ce2ee1, 0x6d953e2bd7173692, 374},  /* 5^216 */
    {0x95f83d0a1fb69cd9, 0x4abdaf101564f98e, 437},  /* 5^243 */
    {0xf24a01a73cf2dccf, 0xbc633b39673c8cec, 499},  /* 5^270 */
    {0xc3b8358109e84f07, 0x0a862f80ec4700c8, 562},  /* 5^297 */
    {0x9e19db92b4e31ba9, 0x6c07a2c26a8346d1, 625},  /* 5^324 */
};

/* The three numbers of the file's comment, each to be divided by 2^shift. */
struct bounds {
    wide low;
    wide value;
    wide high;
    int shift;
    wide error; /* each may be too small by less than that */
};

/* The bounds before they are scaled; `shift` is 2 - e. */
static struct bounds bounds_of(double magnitude, bool single)
{
    int binary;
    int bits = single ? FLT_MANT_DIG : DBL_MANT_DIG;
    int lowest = single ? FLT_MIN_EXP : DBL_MIN_EXP; /* numbers below are not normalized */
    (void) frexp(magnitude, &binary);                /* 0.5 to 1, times 2^binary */
    int exponent = (binary > lowest ? binary : lowest) - bits;
    uint64_t mantissa = (uint64_t) ldexp(magnitude, -exponent);
    bool power_of_two = mantissa == UINT64_C(1) << (bits - 1) && binary > lowest;
    assert(mantissa > 0 && mantissa >> bits == 0);
    return (struct bounds){.low = 4 * (wide) mantissa - (power_of_two ? 1 : 2),
                           .value = 4 * (wide) mantissa,
                           .high = 4 * (wide) mantissa + 2,
                           .shift = 2 - exponent};
}

static void multiply(struct bounds *bounds, uint64_t factor)
{
    bounds->low *= factor;
    bounds->value *= factor;
    bounds->high *= factor;
}

static void shift_left(struct bounds *bounds, int bits)
{
    assert(bits >= 0 && bounds->high >> (127 - bits) == 0);
    bounds->low <<= bits;
    bounds->value <<= bits;
    bounds->high <<= bits;
    bounds->shift += bits;
}

/* By how many bits all can be shifted and stay below 2^bits. */
static int room_below(const struct bounds *bounds, int bits)
{
    int room = 0;
    while (bounds->high >> (bits - 1 - room) == 0) {
        room++;
    }
    return room;
}

/* Divides the bounds by 5^power. The results are doubled, and 1 is added where the division leaves
 * a rest, so that an exact quotient can be told from one that was cut. */
static void divide(struct bounds *bounds, int power)
{
    uint64_t divisor = powers_of_5[power];
    wide *const numbers[] = {&bounds->low, &bounds->value, &bounds->high};
    shift_left(bounds, room_below(bounds, 126));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        bool left = *numbers[i] % divisor != 0;
        *numbers[i] = *numbers[i] / divisor * 2 + left;
    }
    bounds->shift++;
}

/* Floor of left × (high × 2^64 + low) / 2^128, or one less. */
static wide multiply_high(wide left, uint64_t high, uint64_t low)
{
    uint64_t left_high = (uint64_t) (left >> 64);
    uint64_t left_low = (uint64_t) left;
    wide middle = ((wide) left_high * low >> 64) + ((wide) left_low * high >> 64);
    return (wide) left_high * high + middle;
}

/* Times 5^power, rounded: what comes out has 117 bits at least. */
static void multiply_rounded(struct bounds *bounds, int power)
{
    int steps = power >= 0 ? power / STEP : -((STEP - 1 - power) / STEP);
    assert(steps >= STEPS_MIN && steps <= STEPS_MAX);
    multiply(bounds, powers_of_5[power - steps * STEP]);
    shift_left(bounds, room_below(bounds, 119));
    uint64_t high = steps_of_5[steps - STEPS_MIN].high;
    uint64_t low = steps_of_5[steps - STEPS_MIN].low;
    bounds->low = multiply_high(bounds->low, high, low);
    bounds->value = multiply_high(bounds->value, high, low);
    bounds->high = multiply_high(bounds->high, high, low);
    bounds->shift -= 128 + steps_of_5[steps - STEPS_MIN].exponent;
    bounds->error = ERROR_MAX;
}

/* So that the value has 17 or 18 digits before the point (of a float4 nine or ten): times
 * 10^*power. */
static struct bounds scale(double magnitude, bool single, int *power)
{
    int binary;
    int wanted = single ? 8 : 16; /* digits behind the first one, and perhaps one more */
    struct bounds bounds = bounds_of(magnitude, single);
    (void) frexp(magnitude, &binary);
    /* Floor of (binary - 1) × log10(2): the decimal exponent, or one less. */
    int decimal = (int) floor((binary - 1) * 0.30102999566398119521);
    *power = wanted - decimal;
    if (*power < 0 && binary <= 63) {
        *power = 0; /* an integer of 64 bits is exact as it is */
    }
    if (*power >= 0 && *power < POWERS_OF_5) {
        multiply(&bounds, powers_of_5[*power]);
    } else if (*power < 0 && *power > -POWERS_OF_5) {
        divide(&bounds, -*power);
    } else {
        multiply_rounded(&bounds, *power);
    }
    bounds.shift -= *power;
    if (bounds.shift < 0) { /* a large integer: below 2^63 by the check above */
        assert(bounds.error == 0);
        shift_left(&bounds, -bounds.shift);
    }
    return bounds;
}

/* On which side of the middle between kept × unit and (kept + 1) × unit the value lies: below 0 in
 * the lower half, 0 in the middle, as far as its error lets that be known. */
static int side_of_middle(const struct bounds *bounds, uint64_t kept, uint64_t unit)
{
    wide all = (wide) unit << bounds->shift;
    wide below = bounds->value - ((wide) kept * unit << bounds->shift);
    assert(below < all);
    if (2 * below > all) {
        return 1;
    }
    return 2 * (below + bounds->error) < all ? -1 : 0;
}

/* Does the error change what stands before the point? */
static bool is_sure(wide bound, const struct bounds *bounds)
{
    return bound >> bounds->shift == (bound + bounds->error) >> bounds->shift;
}

bool real_digits_shortest(double magnitude, bool single, struct real_digits *out)
{
    int power;
    assert(magnitude > 0 && isfinite(magnitude));
    struct bounds bounds = scale(magnitude, single, &power);
    assert(bounds.shift >= 0 && bounds.shift < 120);
    uint64_t low = (uint64_t) (bounds.low >> bounds.shift);         /* not more than low */
    uint64_t high = (uint64_t) ((bounds.high - 1) >> bounds.shift); /* less than high */
    uint64_t kept = (uint64_t) (bounds.value >> bounds.shift);
    uint64_t unit = 1; /* 10^dropped */
    int dropped = 0;
    bool sure = is_sure(bounds.low, &bounds) && is_sure(bounds.high - 1, &bounds);
    assert(low < high);
    while (low / 10 < high / 10) {
        low /= 10;
        high /= 10;
        kept /= 10;
        unit *= 10;
        dropped++;
    }
    /* low < the wanted number <= high, both in units. Among those the nearest one, in the middle
     * the even one. */
    int side = side_of_middle(&bounds, kept, unit);
    bool up = side > 0 || (side == 0 && kept % 2 == 1);
    if (kept + up <= low) {
        up = true;
    } else if (kept + up > high) {
        up = false;
    } else {
        sure = sure && (side != 0 || bounds.error == 0);
    }
    *out = (struct real_digits){.digits = kept + up, .exponent = dropped - power};
    assert(out->digits > low && out->digits <= high);
    return sure;
}
