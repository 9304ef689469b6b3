/* SPDX-License-Identifier: MIT */
#include "mqtt/pairs.h"

#include <assert.h>

/* How many runs of two it takes to believe in copies, after equal neighbours that were none. */
enum { TWOS_WANTED = 2 };

void pairs_begin(struct pairs *pairs, unsigned singles_wanted)
{
    *pairs = (struct pairs){.singles_wanted = singles_wanted};
}

static bool copies_come(const struct pairs *pairs)
{
    return pairs->twos >= (pairs->equals ? TWOS_WANTED : 1);
}

static bool may_guess(const struct pairs *pairs)
{
    return !pairs->equals && pairs->singles >= pairs->singles_wanted;
}

void pairs_break(struct pairs *pairs)
{
    unsigned length = pairs->length;

    pairs->length = 0;
    if (length == 0 || (length == 1 && pairs->repeated)) {
        return; /* the other copy may have come on an earlier connection */
    }
    if (length == 1) {
        /* One run of two between single ones was not a time of copies. */
        pairs->equals = pairs->equals || pairs->twos == 1;
        pairs->twos = 0;
        pairs->singles++;
    } else if (length == 2 || (pairs->believed && length % 2 == 0)) {
        pairs->twos++;
        pairs->singles = 0;
    } else {
        pairs->equals = true;
        pairs->twos = 0;
        pairs->singles = 0;
    }
}

bool pairs_take(struct pairs *pairs, uint64_t hash, bool repeat)
{
    if (pairs->length == 0 || hash != pairs->hash) {
        pairs_break(pairs);
        pairs->hash = hash;
        pairs->length = 1;
        pairs->repeated = repeat;
        pairs->believed = copies_come(pairs);
        return false;
    }
    pairs->length++;
    assert(pairs->length >= 2);
    if (pairs->believed) {
        return pairs->length % 2 == 0;
    }
    if (pairs->length == 2) {
        return may_guess(pairs);
    }
    pairs->equals = true;
    return false;
}
