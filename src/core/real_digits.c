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
 * SPDX-License-Identifier: MIT
 */
#include "core/real_digits.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stddef.h>

typedef unsigned __int128 wide;

enum { POWERS_OF_5 = 28 }; /* 5^27 has 63 bits: times 4m it stays below 2^118 */

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

/* The three numbers of the file's comment, each to be divided by 2^shift. */
struct bounds {
    wide low;
    wide value;
    wide high;
    int shift;
};

static bool scale(double magnitude, bool single, struct bounds *bounds, int *power)
{
    int binary;
    double fraction = frexp(magnitude, &binary); /* 0.5 to 1, times 2^binary */
    int bits = single ? FLT_MANT_DIG : DBL_MANT_DIG;
    uint64_t mantissa = (uint64_t) ldexp(fraction, bits);
    int wanted = single ? 8 : 16; /* digits behind the first one, and perhaps one more */
    /* Floor of (binary - 1) × log10(2): the decimal exponent, or one less. */
    int decimal = (int) floor((binary - 1) * 0.30102999566398119521);
    *power = wanted - decimal > 0 ? wanted - decimal : 0;
    if (*power >= POWERS_OF_5 || binary > 63 || (single && magnitude < (double) FLT_MIN)) {
        return false;
    }
    wide scaled = powers_of_5[*power];
    bool power_of_two = mantissa == UINT64_C(1) << (bits - 1);
    assert(mantissa >> bits == 0);
    *bounds = (struct bounds){.low = (4 * (wide) mantissa - (power_of_two ? 1 : 2)) * scaled,
                              .value = 4 * (wide) mantissa * scaled,
                              .high = (4 * (wide) mantissa + 2) * scaled,
                              .shift = 2 - (binary - bits) - *power};
    if (bounds->shift < 0) { /* a large integer: below 2^63 by the check above */
        bounds->low <<= -bounds->shift;
        bounds->value <<= -bounds->shift;
        bounds->high <<= -bounds->shift;
        bounds->shift = 0;
    }
    return true;
}

/* Is the exact value nearer to (kept + 1) × unit than to kept × unit, or in the middle and `kept`
 * odd? */
static bool rounds_up(const struct bounds *bounds, uint64_t kept, uint64_t unit)
{
    wide below = bounds->value - ((wide) kept * unit << bounds->shift);
    wide all = (wide) unit << bounds->shift;
    assert(below < all);
    return 2 * below > all || (2 * below == all && kept % 2 == 1);
}

bool real_digits_shortest(double magnitude, bool single, struct real_digits *out)
{
    struct bounds bounds;
    int power;
    if (!scale(magnitude, single, &bounds, &power)) {
        return false;
    }
    uint64_t low = (uint64_t) (bounds.low >> bounds.shift);         /* not more than low */
    uint64_t high = (uint64_t) ((bounds.high - 1) >> bounds.shift); /* less than high */
    uint64_t kept = (uint64_t) (bounds.value >> bounds.shift);
    uint64_t unit = 1; /* 10^dropped */
    int dropped = 0;
    assert(low < high);
    while (low / 10 < high / 10) {
        low /= 10;
        high /= 10;
        kept /= 10;
        unit *= 10;
        dropped++;
    }
    /* low < the wanted number <= high, both in units. */
    bool up = rounds_up(&bounds, kept, unit);
    if (kept + up <= low) {
        up = true;
    } else if (kept + up > high) {
        up = false;
    }
    *out = (struct real_digits){.digits = kept + up, .exponent = dropped - power};
    assert(out->digits > low && out->digits <= high);
    return true;
}
