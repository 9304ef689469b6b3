/* SPDX-License-Identifier: MIT */
#include "load/verdicts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Index of the first row that is not before (sequence, rule). */
static size_t lower_bound(const struct verdicts *verdicts, uint64_t sequence, unsigned rule)
{
    size_t low = 0, high = verdicts->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct verdict_row *row = &verdicts->list[middle];
        if (row->sequence < sequence || (row->sequence == sequence && row->rule < rule)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert(low <= verdicts->count);
    return low;
}

/* Is there a row for (sequence, rule) at this index? */
static bool is_at(const struct verdicts *verdicts, size_t at, uint64_t sequence, unsigned rule)
{
    return at < verdicts->count && verdicts->list[at].sequence == sequence &&
           verdicts->list[at].rule == rule;
}

/* The list is ordered by (sequence, rule). A second verdict for the same pair replaces the first:
 * the later trial knew more. */
void verdicts_add(struct verdicts *verdicts, uint64_t sequence, unsigned rule,
                  const struct refused *refused)
{
    size_t at = lower_bound(verdicts, sequence, rule);
    struct verdict_row *row;

    assert(refused->reason != NULL);

    if (is_at(verdicts, at, sequence, rule)) {
        row = &verdicts->list[at];
        free(row->reason);
    } else {
        verdicts->list = memory_grow(verdicts->list, verdicts->count, &verdicts->capacity,
                                     sizeof(*verdicts->list));
        row = &verdicts->list[at];
        memmove(row + 1, row, (verdicts->count - at) * sizeof(*row));
        verdicts->count++;
    }
    row->sequence = sequence;
    row->rule = rule;
    row->reason = memory_strdup(refused->reason);
    row->may_pass = refused->may_pass;
    row->of_part = refused->of_part;
    snprintf(row->sqlstate, sizeof(row->sqlstate), "%s",
             refused->sqlstate == NULL ? "" : refused->sqlstate);
    assert(at == 0 || verdicts->list[at - 1].sequence <= sequence);
    assert(at + 1 == verdicts->count || verdicts->list[at + 1].sequence >= sequence);
}

const struct verdict_row *verdicts_find(const struct verdicts *verdicts, uint64_t sequence,
                                        unsigned rule)
{
    size_t at = verdicts->count == 0 ? 0 : lower_bound(verdicts, sequence, rule);

    return is_at(verdicts, at, sequence, rule) ? &verdicts->list[at] : NULL;
}

void verdicts_reset(struct verdicts *verdicts)
{
    for (size_t i = 0; i < verdicts->count; i++) {
        free(verdicts->list[i].reason);
    }
    verdicts->count = 0;
}

void verdicts_fini(struct verdicts *verdicts)
{
    verdicts_reset(verdicts);
    free(verdicts->list);
    *verdicts = (struct verdicts){0};
}
