/* SPDX-License-Identifier: MIT */
#include "ack/outbox_loss.h"

#include <assert.h>

enum {
    TOGETHER = 1000, /* so many are published, then confirmed; published again after a loss */
    LOSSES_MAX = 3,  /* alone: then it is no chance any more */
};

uint32_t outbox_entry_step(const struct outbox_entry *entry)
{
    return entry->state == OUTBOX_DUE ? TOGETHER : 1;
}

void outbox_entry_confirmed(struct outbox_entry *entry, uint32_t count)
{
    assert(count <= entry->count - entry->confirmed);
    entry->confirmed += count;
    if (count == 0 || entry->state != OUTBOX_ALONE) {
        return;
    }
    entry->losses = 0;
    entry->alone -= count < entry->alone ? count : entry->alone;
    if (entry->alone == 0) {
        entry->state = OUTBOX_DUE;
    }
}

/* The next of several, or the last one, has ended a connection alone. */
static enum outbox_remedy lost_alone(struct outbox_entry *entry, uint64_t confirmed,
                                     bool aside_full)
{
    if (aside_full) {
        entry->losses++;
        return entry->losses < LOSSES_MAX ? OUTBOX_AGAIN : OUTBOX_GIVE_UP;
    }
    if (entry->count - entry->confirmed > 1) {
        return OUTBOX_MOVE_ASIDE;
    }
    entry->state = OUTBOX_ASIDE;
    entry->losses = 1;
    entry->others = confirmed;
    return OUTBOX_TO_THE_END;
}

enum outbox_remedy outbox_entry_lost(struct outbox_entry *entry, uint64_t confirmed,
                                     bool aside_full)
{
    assert(entry->state != OUTBOX_WRITTEN && entry->confirmed < entry->count);
    switch (entry->state) {
    case OUTBOX_WRITTEN:
    case OUTBOX_DUE:
        entry->state = OUTBOX_ALONE;
        entry->alone = TOGETHER;
        entry->losses = 0;
        return OUTBOX_AGAIN;
    case OUTBOX_ALONE:
        return lost_alone(entry, confirmed, aside_full);
    case OUTBOX_ASIDE:
        break;
    }
    entry->losses++;
    return entry->losses >= LOSSES_MAX && (aside_full || confirmed > entry->others)
               ? OUTBOX_GIVE_UP
               : OUTBOX_TO_THE_END;
}
