/* SPDX-License-Identifier: MIT */
#include "load/copies_recall.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

/* Teaches new `copies` the journal's notes of deleted messages. */
static void take_notes(struct copies *copies, struct journal *journal, uint64_t before)
{
    struct journal_delivery *deliveries;
    size_t count = journal_deliveries(journal, before, &deliveries);
    struct copy_note *notes = memory_alloc((count + 1) * sizeof(*notes));

    for (size_t i = 0; i < count; i++) {
        notes[i] = (struct copy_note){.sequence = deliveries[i].sequence,
                                      .hash = deliveries[i].hash,
                                      .subscription = deliveries[i].subscription,
                                      .broker = deliveries[i].broker};
    }
    copies_take_notes(copies, notes, count);
    free(notes);
    free(deliveries);
}

/* Makes `copies` forget messages numbered `first` and higher, so that copies_recall() can show them
 * again. */
static void rewind_to(struct copies *copies, struct journal *journal, uint64_t first)
{
    copies_rewind(copies, first);
    if (journal != NULL && copies_want_notes(copies)) {
        take_notes(copies, journal, first);
    }
}

/* The next message of the journal, over missing ones. False: there is none up to `upto`. */
static bool next_message(struct journal_reader *reader, uint64_t upto, struct journal_next *record)
{
    enum journal_read read;

    do {
        read = journal_reader_next(reader, record);
    } while (read == JOURNAL_READ_MISSING);
    return read == JOURNAL_READ_MESSAGE && record->message.sequence <= upto;
}

void copies_recall(struct journal_reader *reader, struct journal *journal,
                   const struct ruleset *ruleset, struct copies *copies, uint64_t upto)
{
    uint64_t reach =
        journal != NULL && copies_want_notes(copies) ? COPIES_REACH_START : COPIES_REACH;
    uint64_t first = upto > reach ? upto - reach + 1 : 1;
    struct route *routes = memory_alloc((ruleset->count + 1) * sizeof(*routes));
    struct journal_next record = {.message.sequence = 0};
    bool rewound = false;
    bool found;
    size_t count;

    assert(copies != NULL);
    found = first <= upto && journal_reader_seek(reader, first, &record.error) == OUTCOME_OK;
    while (found && next_message(reader, upto, &record)) {
        if (!message_is_delivery(&record.message)) {
            continue;
        }
        if (!rewound) {
            rewind_to(copies, journal, record.message.sequence);
            rewound = true;
        }
        (void) ruleset_find(ruleset, copies, &record.message, routes, &count);
    }
    if (!rewound) {
        rewind_to(copies, journal, upto + 1);
    }
    free(routes);
}
