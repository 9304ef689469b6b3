/* SPDX-License-Identifier: MIT */
#include "ack/outbox_loss.h"

#include <assert.h>

enum {
    TOGETHER = 1000, /* acknowledgments that may be under way together */
    LOSSES_MAX = 3,  /* so many connections lost with the same acknowledgment alone are enough */
};

uint32_t outbox_entry_step(const struct outbox_entry *entry)
{
    return entry->state == OUTBOX_DUE ? TOGETHER : 1;
}

void outbox_entry_confirmed(struct outbox_entry *entry, uint32_t count)
{
    assert(count <= entry->count - entry->confirmed);
    entry->confirmed += count;
    if (count == 0 || entry->state == OUTBOX_ASIDE) {
        return;
    }
    entry->losses = 0;
    if (entry->state == OUTBOX_ALONE) {
        entry->alone -= count < entry->alone ? count : entry->alone;
    }
    if (entry->alone == 0) {
        entry->state = OUTBOX_DUE;
    }
}

void outbox_entry_explained(struct outbox_entry *entry)
{
    if (entry->state == OUTBOX_ALONE) {
        entry->state = OUTBOX_DUE;
        entry->alone = 0;
    }
}

/* A connection has ended while only the entry's next acknowledgment was under way. */
static enum outbox_remedy lost_alone(struct outbox_entry *entry, const struct outbox_loss *loss)
{
    if (loss->aside_full) {
        entry->losses++;
        return entry->losses < LOSSES_MAX ? OUTBOX_AGAIN : OUTBOX_GIVE_UP;
    }
    if (entry->count - entry->confirmed > 1) {
        return OUTBOX_MOVE_ASIDE;
    }
    entry->state = OUTBOX_ASIDE;
    entry->losses = 1;
    entry->others = loss->confirmed;
    return OUTBOX_TO_THE_END;
}

enum outbox_remedy outbox_entry_lost(struct outbox_entry *entry, const struct outbox_loss *loss)
{
    assert(entry->state != OUTBOX_WRITTEN && entry->confirmed < entry->count);
    assert(loss->alone || (entry->state == OUTBOX_DUE && !loss->hopeless));
    if (loss->hopeless) {
        entry->losses++;
        return OUTBOX_GIVE_UP;
    }
    if (entry->state == OUTBOX_ASIDE) {
        entry->losses++;
        return entry->losses >= LOSSES_MAX && (loss->aside_full || loss->confirmed > entry->others)
                   ? OUTBOX_GIVE_UP
                   : OUTBOX_TO_THE_END;
    }
    if (loss->alone) {
        return lost_alone(entry, loss);
    }
    entry->state = OUTBOX_ALONE;
    entry->alone = TOGETHER;
    entry->losses = 0;
    return OUTBOX_AGAIN;
}
