/* SPDX-License-Identifier: MIT */
#include "mqtt/pairs.h"

#include <assert.h>

/* Own runs are counted in periods of WATCHED_RUNS runs. The last full period and the current one
 * count; earlier periods are forgotten. */
enum { WATCHED_RUNS = 1000 };

static unsigned larger(unsigned left, unsigned right)
{
    return left > right ? left : right;
}

static unsigned own_runs(const struct pairs *pairs)
{
    unsigned here = larger(pairs->own_here, pairs->lone >= pairs->changes);

    return larger(here, larger(pairs->own_now, pairs->own_before));
}

/* Notes that `runs` runs of two in a row were no copies. */
static void note_own(struct pairs *pairs, unsigned runs)
{
    unsigned *own = pairs->watching ? &pairs->own_now : &pairs->own_here;

    *own = larger(*own, runs);
    assert(own_runs(pairs) >= runs);
}

static bool copies_come(const struct pairs *pairs)
{
    return !pairs->watching && pairs->twos > own_runs(pairs);
}

static bool may_guess(const struct pairs *pairs)
{
    return own_runs(pairs) == 0 && pairs->singles >= pairs->singles_wanted;
}

/* The run that goes on is one of two. */
static void end_two(struct pairs *pairs)
{
    if (pairs->twos == 0 || pairs->hash != pairs->twos_hash) {
        pairs->twos++;
        pairs->twos_hash = pairs->hash;
    }
    pairs->singles = 0;
    if (pairs->watching) {
        note_own(pairs, pairs->twos);
    }
}

void pairs_break(struct pairs *pairs)
{
    unsigned length = pairs->length;

    pairs->length = 0;
    if (length == 0 || (length == 1 && pairs->carried)) {
        return; /* its first message was counted on the connection before */
    }
    if (length == 1) {
        pairs->lone += pairs->twos == 1;
        pairs->twos = 0;
        pairs->singles++;
    } else if (length == 2 || (pairs->believed && length % 2 == 0)) {
        end_two(pairs);
    } else {
        note_own(pairs, 1);
        pairs->twos = 0;
        pairs->singles = 0;
    }
}

void pairs_begin(struct pairs *pairs, unsigned singles_wanted)
{
    pairs_break(pairs);
    pairs->watching = false;
    pairs->own_here = 0;
    pairs->lone = 0;
    pairs->changes = 1;
    pairs->singles_wanted = singles_wanted;
    pairs->singles = 0;
    pairs->twos = 0;
    assert(pairs->length == 0);
}

void pairs_change(struct pairs *pairs, unsigned singles_wanted)
{
    assert(!pairs->watching);
    pairs->singles_wanted = singles_wanted;
    pairs->changes++;
}

void pairs_forget_last(struct pairs *pairs)
{
    pairs->length = 0;
}

void pairs_resume(struct pairs *pairs)
{
    bool odd = pairs->length % 2 == 1;

    if (pairs->length == 1) {
        pairs_forget_last(pairs); /* the run goes on, so its message is not a single one yet */
    }
    pairs_begin(pairs, 0);
    pairs->length = odd;
    pairs->carried = odd;
    pairs->believed = false;
}

/* False: the message begins a new run. */
static bool goes_on(struct pairs *pairs, uint64_t hash)
{
    if (pairs->length > 0 && hash == pairs->hash) {
        pairs->length++;
        return true;
    }
    pairs_break(pairs);
    pairs->hash = hash;
    pairs->length = 1;
    pairs->carried = false;
    pairs->believed = copies_come(pairs);
    return false;
}

void pairs_watch(struct pairs *pairs, uint64_t hash)
{
    if (!pairs->watching) {
        pairs_begin(pairs, 0);
        pairs->watching = true;
    }
    if (!goes_on(pairs, hash) && ++pairs->watched >= WATCHED_RUNS) {
        pairs->watched = 0;
        pairs->own_before = pairs->own_now;
        pairs->own_now = 0;
    }
}

bool pairs_take(struct pairs *pairs, uint64_t hash)
{
    assert(!pairs->watching);
    if (!goes_on(pairs, hash)) {
        return false;
    }
    assert(pairs->length >= 2);
    if (pairs->believed) {
        return pairs->length % 2 == 0;
    }
    if (pairs->length == 2) {
        return may_guess(pairs);
    }
    note_own(pairs, 1);
    return false;
}
