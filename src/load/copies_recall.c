/* SPDX-License-Identifier: MIT */
#include "load/copies_recall.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

void copies_recall(struct journal_reader *reader, const struct ruleset *ruleset,
                   struct copies *copies, uint64_t upto)
{
    uint64_t first = upto > COPIES_REACH ? upto - COPIES_REACH + 1 : 1;
    struct route *routes = memory_alloc((ruleset->count + 1) * sizeof(*routes));
    struct journal_next record = {.message.sequence = 0};
    enum journal_read read = JOURNAL_READ_MESSAGE;
    bool rewound = false;
    size_t count;

    assert(copies != NULL);
    if (first <= upto && journal_reader_seek(reader, first, &record.error) == OUTCOME_OK) {
        while (read == JOURNAL_READ_MESSAGE || read == JOURNAL_READ_MISSING) {
            read = journal_reader_next(reader, &record);
            if (read == JOURNAL_READ_MESSAGE && record.message.sequence > upto) {
                break;
            }
            if (read == JOURNAL_READ_MESSAGE && record.message.kind == MESSAGE_PUBLISH) {
                if (!rewound) {
                    copies_rewind(copies, record.message.sequence);
                    rewound = true;
                }
                (void) ruleset_find(ruleset, copies, &record.message, routes, &count);
            }
        }
    }
    if (!rewound) {
        copies_rewind(copies, upto + 1);
    }
    free(routes);
}
