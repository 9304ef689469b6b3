/* SPDX-License-Identifier: MIT */
#include "route/copy_bringers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

/* a subscription that was silent for longer may be refused by the broker */
enum { BRINGS_MESSAGES = 16384 };

void bringers_fini(struct bringers *bringers)
{
    free(bringers->list);
    *bringers = (struct bringers){0};
}

void bringers_use(struct bringers *bringers, const struct plans *plans)
{
    struct bringers taken = {.list = memory_alloc((plans->count + 1) * sizeof(*taken.list)),
                             .count = plans->count};

    for (size_t i = 0; i < plans->count; i++) {
        taken.list[i] = (struct bringer){.identifier = plans->list[i].identifier};
        for (size_t j = 0; j < bringers->count; j++) {
            if (bringers->list[j].identifier == taken.list[i].identifier) {
                taken.list[i] = bringers->list[j];
            }
        }
    }
    bringers_fini(bringers);
    *bringers = taken;
}

void bringers_rewind(struct bringers *bringers, uint64_t first)
{
    for (size_t i = 0; i < bringers->count; i++) {
        struct bringer *bringer = &bringers->list[i];

        if (bringer->last >= first) {
            bringer->last = bringer->first < first ? first - 1 : 0;
            bringer->first = bringer->last == 0 ? 0 : bringer->first;
        }
        assert((bringer->first == 0) == (bringer->last == 0) && bringer->first <= bringer->last);
    }
}

void bringers_note(struct bringers *bringers, size_t at, uint64_t sequence)
{
    struct bringer *bringer = &bringers->list[at];

    assert(at < bringers->count && sequence > 0);
    bringer->first = bringer->first == 0 ? sequence : bringer->first;
    bringer->last = sequence > bringer->last ? sequence : bringer->last;
}

bool bringers_bring(const struct bringers *bringers, size_t at, uint64_t sequence)
{
    const struct bringer *bringer = &bringers->list[at];

    assert(at < bringers->count);
    return bringer->last > 0 && bringer->first < sequence &&
           bringer->last + BRINGS_MESSAGES >= sequence;
}
