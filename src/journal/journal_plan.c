/*
 * The plan: which is the newest, and which was in force at a number.
 *
 *   segment 1                       segment 2                    segment 3
 *   │ PLAN a │ … │ PLAN b │ … │     │ PLAN b │ … │               │ PLAN b │ … │ PLAN c │ …
 *                                     └─ repeated by the appender ─┘
 *
 * So the plan in force at a number stands in the number's own segment, before it. The keeper deletes
 * a segment only when the repeat in the next one is on disk.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/journal_internal.h"
#include "journal/journal_reader.h"

/* Damage can take a segment's plan; then the segment before it is looked through, and no more: a
 * journal may have gigabytes without any plan. */
enum { SEGMENTS_SEARCHED = 2 };

void journal_take_plan(struct journal *journal, const struct message *message)
{
    if (message->kind != MESSAGE_PLAN) {
        return;
    }
    buf_reset(&journal->plan);
    buf_append_slice(&journal->plan, message->payload);
    journal->plan_sequence = message->sequence;
}

uint64_t journal_plan(struct journal *journal, struct buf *plan)
{
    buf_reset(plan);
    pthread_mutex_lock(&journal->lock);
    buf_append_slice(plan, buf_slice(&journal->plan));
    uint64_t sequence = journal->plan_sequence;
    pthread_mutex_unlock(&journal->lock);
    return sequence;
}

/* Where the segment begins that holds `sequence`, or the oldest when that is newer. */
static uint64_t segment_start(struct journal *journal, uint64_t sequence)
{
    pthread_mutex_lock(&journal->lock);
    size_t i = journal->segment_count;
    while (i > 1 && journal->segments[i - 1].first_sequence > sequence) {
        i--;
    }
    uint64_t start = i > 0 ? journal->segments[i - 1].first_sequence : 0;
    pthread_mutex_unlock(&journal->lock);
    return start;
}

/* The newest plan among the records `from` to `to`; `plan` stays as it is when there is none. */
static enum outcome search(struct journal_reader *reader, uint64_t from, uint64_t to,
                           struct buf *plan, uint64_t *plan_sequence, struct error *error)
{
    struct journal_next next;
    enum journal_read read = JOURNAL_READ_MESSAGE;
    enum outcome outcome = journal_reader_seek(reader, from, error);
    while (outcome == OUTCOME_OK && read != JOURNAL_READ_END &&
           journal_reader_position(reader) <= to) {
        read = journal_reader_next(reader, &next);
        if (read == JOURNAL_READ_FAILED) {
            *error = next.error;
            outcome = OUTCOME_FATAL;
        } else if (read == JOURNAL_READ_MESSAGE && next.message.kind == MESSAGE_PLAN &&
                   next.message.sequence <= to) {
            buf_reset(plan);
            buf_append_slice(plan, next.message.payload);
            *plan_sequence = next.message.sequence;
        }
    }
    return outcome;
}

enum outcome journal_plan_at(struct journal *journal, uint64_t sequence, struct buf *plan,
                             uint64_t *plan_sequence, struct error *error)
{
    struct journal_reader *reader = journal_reader_new_quiet(journal);
    enum outcome outcome = OUTCOME_OK;
    uint64_t to = sequence;
    buf_reset(plan);
    *plan_sequence = 0;
    for (int i = 0; i < SEGMENTS_SEARCHED && outcome == OUTCOME_OK && *plan_sequence == 0; i++) {
        uint64_t from = segment_start(journal, to);
        if (from == 0 || from > to) {
            break;
        }
        outcome = search(reader, from, to, plan, plan_sequence, error);
        to = from - 1;
    }
    journal_reader_free(reader);
    return outcome;
}
