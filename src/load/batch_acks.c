/* SPDX-License-Identifier: MIT */
#include "load/batch_acks.h"

#include <assert.h>

#include "base/clock.h"
#include "base/memory.h"

#define ACK_ARENA_BYTES ((size_t) 4096)

/* False when the rule wants none. */
static bool append_ack(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                       const struct ack_facts *facts)
{
    const struct ack_template *template = mapped->rule->ack;
    struct subject subject = mapped->subject;
    uint32_t before = batch->acks.count;

    if (template == NULL || !ack_template_wants(template, facts->stored)) {
        return false;
    }
    subject.here = subject.payload;
    subject.ack = facts;
    ack_template_append(template, &subject, mapper_arena(mapper), &batch->acks);
    return batch->acks.count > before;
}

void batch_ack_refused(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                       const struct refused *refused)
{
    const struct ack_facts facts = {
        .reason = refused->reason, .sqlstate = refused->sqlstate, .stored_at_us = clock_wall_us()};

    (void) append_ack(batch, mapper, mapped, &facts);
}

void batch_ack_stored(struct batch *batch, struct mapper *mapper, const struct mapped *mapped,
                      const struct rule_target *target)
{
    if (mapped->rule->ack == NULL) {
        return; /* most rules: without a look at the clock */
    }
    /* The bridge can't know which rows a rule's own SQL stores: @rows counts all of them. */
    bool later = ack_template_uses_rows(mapped->rule->ack) && mapped->rows > 0 &&
                 mapped->rule->options->sql.text == NULL;
    const struct ack_facts facts = {
        .stored = true, .rows = mapped->rows, .rows_later = later, .stored_at_us = clock_wall_us()};

    if (!append_ack(batch, mapper, mapped, &facts) || !later) {
        return;
    }
    batch->later = memory_grow(batch->later, batch->later_count, &batch->later_capacity,
                               sizeof(*batch->later));
    batch->later[batch->later_count++] =
        (struct later_ack){.ack = batch->acks.count - 1, .rule = mapped->rule_index};
    row_runs_last(&batch->runs, target->place)->later = batch->later_count;
}

void batch_fill_acks(struct batch *batch, const struct ruleset *ruleset)
{
    struct slice bytes = buf_slice(&batch->acks.bytes);
    struct arena *arena = arena_new(ACK_ARENA_BYTES);
    struct ack_batch filled = {0};
    struct buf payload = {0};
    size_t next = 0;
    struct ack ack;

    assert(!batch->uncounted);
    while (ack_batch_next(&bytes, &ack)) {
        if (next < batch->later_count && batch->later[next].ack == filled.count) {
            const struct later_ack *later = &batch->later[next++];

            arena_reset(arena);
            buf_reset(&payload);
            ack_template_fill(ruleset->rules[later->rule]->ack, ack.payload, later->rows, arena,
                              &payload);
            ack.payload = buf_slice(&payload);
        }
        ack_batch_append(&filled, &ack);
    }
    assert(filled.count == batch->acks.count && next == batch->later_count);
    ack_batch_fini(&batch->acks);
    batch->acks = filled;
    batch->later_count = 0;
    buf_fini(&payload);
    arena_free(arena);
}
