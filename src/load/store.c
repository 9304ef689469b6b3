/* SPDX-License-Identifier: MIT */
#include "load/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pg/dead_letter.h"
#include "pg/gaps.h"
#include "pg/progress.h"

#define NO_RULE UINT32_MAX /* the failure was not in a rule's rows */

enum store_result store_result_of(const struct pg_failure *failure)
{
    switch (failure->action) {
    case SQL_RECONNECT:
    case SQL_READ_WRITE:
        return STORE_LOST;
    case SQL_RETRY:
        return STORE_SOON;
    case SQL_SMALLER:
        return STORE_SMALLER;
    case SQL_STOP:
        return STORE_STOP;
    case SQL_ROW:
    case SQL_RULE:
    case SQL_WAIT:
        break;
    }
    return STORE_WAIT;
}

void store_rollback(const struct store *store)
{
    struct pg_failure failure;

    if (pg_is_connected(store->connection) &&
        pg_run(store->connection, "rollback", &failure) != OUTCOME_OK) {
        pg_disconnect(store->connection);
    }
}

/* COPY of the rows as they stand in the batch. */
static enum outcome copy_rows(const struct store *store, const struct target *target,
                              struct slice rows, struct pg_failure *failure)
{
    struct buf header = {0}, trailer = {0};
    enum outcome outcome;

    copy_append_header(&header, target->format);
    copy_append_trailer(&trailer, target->format);
    const struct slice parts[] = {buf_slice(&header), rows, buf_slice(&trailer)};
    outcome = pg_copy(store->connection, target->copy, parts, 3, failure);
    if (outcome == OUTCOME_OK && target->deferred) {
        outcome = pg_run(store->connection, target_deferred_sql, failure);
    }
    buf_fini(&header);
    buf_fini(&trailer);
    return outcome;
}

enum outcome store_rows(const struct store *store, const struct batch *batch, unsigned rule,
                        size_t low, size_t high, struct pg_failure *failure)
{
    const struct rule_batch *rows = &batch->rules[rule];
    const struct target *target = rule_targets_get(store->targets, rule)->target;
    const struct extent *first = &rows->extents[low], *last = &rows->extents[high - 1];
    struct slice bytes =
        slice_make(rows->rows.data + first->offset, last->offset + last->length - first->offset);
    size_t count = 0;

    if (target->statement_count > 0 && target->copy != NULL) {
        return copy_rows(store, target, bytes, failure);
    }
    for (size_t i = low; i < high; i++) {
        count += rows->extents[i].rows;
    }
    return target_run(store->connection, target, bytes, count, failure);
}

static enum outcome store_all_rows(const struct store *store, const struct batch *batch,
                                   unsigned *rule, struct pg_failure *failure)
{
    for (unsigned i = 0; i < batch->rule_count; i++) {
        if (batch->rules[i].row_count == 0) {
            continue;
        }
        *rule = i;
        if (store_rows(store, batch, i, 0, batch->rules[i].extent_count, failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
    }
    *rule = NO_RULE;
    return OUTCOME_OK;
}

enum outcome store_check_types(const struct store *store, const struct batch *batch, unsigned *rule,
                               struct pg_failure *failure)
{
    struct pg_query query = {.sql = ""};
    unsigned *checked = memory_alloc((batch->rule_count + 1) * sizeof(*checked));
    struct buf sql = {0};
    size_t count = 0;
    enum outcome outcome = OUTCOME_OK;

    for (unsigned i = 0; i < batch->rule_count; i++) {
        const struct target *target = rule_targets_get(store->targets, i)->target;

        if (batch->rules[i].row_count > 0 && target->check != NULL) {
            buf_printf(&sql, "%s;", target->check);
            checked[count++] = i;
        }
    }
    if (count > 0) {
        query.sql = buf_string(&sql);
        outcome = pg_query_run(store->connection, &query, failure);
    }
    if (outcome != OUTCOME_OK && strcmp(failure->sqlstate, TARGET_CHECK_STATE) == 0) {
        *rule = checked[query.done];
        target_check_failure(failure);
    }
    buf_fini(&sql);
    free(checked);
    return outcome;
}

enum outcome store_notify(const struct store *store, const struct batch *batch,
                          struct pg_failure *failure)
{
    struct buf sql = {0};
    enum outcome outcome = OUTCOME_OK;

    for (unsigned i = 0; i < batch->rule_count; i++) {
        target_notify_sql(&sql, store->ruleset->rules[i]->options, batch->rules[i].row_count);
    }
    if (sql.length > 0) {
        outcome = pg_run(store->connection, buf_string(&sql), failure);
    }
    buf_fini(&sql);
    return outcome;
}

static enum outcome store_letters_and_gaps(const struct store *store, const struct batch *batch,
                                           struct pg_failure *failure)
{
    if (batch->dead_letter_count > 0 &&
        dead_letters_copy(store->connection, buf_slice(&batch->dead_letters), failure) !=
            OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    for (size_t i = 0; i < batch->gap_count; i++) {
        if (gap_insert(store->connection, &batch->gaps[i], failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
    }
    return OUTCOME_OK;
}

enum store_result store_move(const struct store *store, const struct batch *batch,
                             int64_t *stored_at_us, struct pg_failure *failure)
{
    const struct progress_step step = {
        .journal = store->journal, .from = batch->from, .to = batch->to};

    if (progress_move(store->connection, &step, stored_at_us, failure) != OUTCOME_OK) {
        return store_result_of(failure);
    }
    return *stored_at_us == 0 ? STORE_STALE : STORE_DONE;
}

/* Everything up to COMMIT. *rule tells in whose rows it failed, or NO_RULE. */
static enum store_result fill_transaction(const struct store *store, const struct batch *batch,
                                          unsigned *rule, int64_t *stored_at_us,
                                          struct pg_failure *failure)
{
    enum store_result result;

    *rule = NO_RULE;
    if (pg_run(store->connection, "begin", failure) != OUTCOME_OK) {
        return store_result_of(failure);
    }
    result = store_move(store, batch, stored_at_us, failure);
    if (result != STORE_DONE) {
        return result;
    }
    if (store_all_rows(store, batch, rule, failure) != OUTCOME_OK ||
        store_check_types(store, batch, rule, failure) != OUTCOME_OK ||
        store_notify(store, batch, failure) != OUTCOME_OK ||
        store_letters_and_gaps(store, batch, failure) != OUTCOME_OK) {
        return store_result_of(failure);
    }
    return STORE_DONE;
}

static void refuse(const struct store *store, uint64_t sequence, unsigned rule,
                   const struct pg_failure *failure)
{
    char reason[RULE_REASON_MAX];

    rule_refusal(store->ruleset->rules[rule], failure, reason, sizeof(reason));
    verdicts_add(store->verdicts, sequence, rule, reason, failure->sqlstate);
}

/* The only message of a batch is refused by nobody knows which of its rows: all rules that made
 * rows of it give it up. */
static bool refuse_message(const struct store *store, const struct batch *batch,
                           const struct pg_failure *failure)
{
    size_t known = store->verdicts->count;

    for (unsigned i = 0; i < batch->rule_count; i++) {
        if (batch->rules[i].extent_count > 0) {
            refuse(store, batch->sequences[0], i, failure);
        }
    }
    return store->verdicts->count > known;
}

/* A data error that no rule's rows can be blamed for (a deferred trigger at COMMIT): halve, down to
 * one message. */
static enum store_result blame_by_halving(const struct store *store, const struct batch *batch,
                                          const struct pg_failure *failure)
{
    if (batch->count > 1) {
        return STORE_SMALLER;
    }
    return refuse_message(store, batch, failure) ? STORE_AGAIN : STORE_WAIT;
}

/* After a rollback: what the failure in this rule's rows means. */
static enum store_result after_rule_failure(const struct store *store, const struct batch *batch,
                                            unsigned rule, struct pg_failure *failure)
{
    if (failure->action == SQL_RULE) {
        rule_targets_park(store->targets, rule, failure->message, failure->sqlstate);
        return STORE_AGAIN;
    }
    return failure->action == SQL_ROW ? store_blame_rows(store, batch, rule, failure)
                                      : store_result_of(failure);
}

enum store_result store_commit(const struct store *store, const struct batch *batch,
                               int64_t stored_at_us, struct pg_failure *failure)
{
    const struct outbox_mark mark = {batch->to, stored_at_us};
    struct error error;
    enum store_result result;

    if (store->outbox != NULL &&
        outbox_prepare(store->outbox, &mark, &batch->acks, &error) != OUTCOME_OK) {
        *failure = (struct pg_failure){.action = SQL_WAIT};
        snprintf(failure->message, sizeof(failure->message), "acknowledgments: %.300s", error.text);
        store_rollback(store);
        return error.outcome == OUTCOME_FATAL    ? STORE_DISK
               : error.outcome == OUTCOME_REJECT ? STORE_SMALLER
                                                 : STORE_ACKS;
    }
    (void) FAULT("store.commit.before");
    if (pg_commit(store->connection, failure) == OUTCOME_OK) {
        (void) FAULT("store.commit.after");
        if (store->outbox != NULL) {
            outbox_commit(store->outbox);
        }
        return STORE_DONE;
    }
    result = store_result_of(failure);
    if (result == STORE_LOST || !pg_is_connected(store->connection)) {
        return STORE_LOST; /* unknown: the outbox file stays until `progress` has told */
    }
    store_rollback(store);
    if (store->outbox != NULL) {
        outbox_abort(store->outbox);
    }
    return result;
}

enum store_result store_batch(const struct store *store, const struct batch *batch, unsigned *rule,
                              struct pg_failure *failure)
{
    int64_t stored_at_us = 0;
    enum store_result result = fill_transaction(store, batch, rule, &stored_at_us, failure);

    if (result == STORE_DONE) {
        result = store_commit(store, batch, stored_at_us, failure);
        return result == STORE_WAIT && failure->action == SQL_ROW ? STORE_REFUSED : result;
    }
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST;
    }
    store_rollback(store);
    if (result == STORE_STALE || result == STORE_LOST || result == STORE_STOP || *rule == NO_RULE) {
        return result;
    }
    return STORE_REFUSED;
}

enum store_result store_blame(const struct store *store, const struct batch *batch, unsigned rule,
                              struct pg_failure *failure)
{
    return rule == NO_RULE ? blame_by_halving(store, batch, failure)
                           : after_rule_failure(store, batch, rule, failure);
}

/* Which extent does row `line` (from 1, counted from extent `low`) belong to? `high` when to
 * none. */
static size_t extent_of_line(const struct rule_batch *rows, size_t low, size_t high, uint64_t line)
{
    uint64_t before = 0;

    for (size_t i = low; i < high; i++) {
        before += rows->extents[i].rows;
        if (line <= before) {
            return i;
        }
    }
    return high;
}

/* The extent of a refused range that is to blame; `high` when that is not known. */
static size_t blamed_extent(const struct rule_batch *rows, size_t low, size_t high,
                            const struct pg_failure *failure)
{
    if (high - low == 1) {
        return low;
    }
    return failure->line > 0 ? extent_of_line(rows, low, high, failure->line) : high;
}

/* One attempt at a range inside its own subtransaction, which isolate() has begun; what
 * follows it begins the next. */
static enum outcome try_range(const struct store *store, const struct batch *batch, unsigned rule,
                              size_t low, size_t high, struct pg_failure *failure)
{
    struct pg_failure ignored;

    if (store_rows(store, batch, rule, low, high, failure) == OUTCOME_OK) {
        return pg_run(store->connection, "release savepoint isolate; savepoint isolate", failure);
    }
    if (failure->action == SQL_ROW &&
        pg_run(store->connection, "rollback to savepoint isolate", &ignored) != OUTCOME_OK) {
        *failure = ignored;
    }
    return OUTCOME_RETRY;
}

/*
 * Adds a verdict for every message in the range that PostgreSQL refuses; what it takes stays in the
 * transaction, so that later rows are judged as they will be. With a line number each refusal costs
 * two COPYs, without one about 1.5 log n: when the first half of a range that was refused is taken,
 * the second half needs no attempt of its own.
 */
static enum outcome isolate_range(const struct store *store, const struct batch *batch,
                                  unsigned rule, size_t low, size_t high,
                                  struct pg_failure *failure)
{
    const struct rule_batch *rows = &batch->rules[rule];
    bool refused = false; /* known to be, as a whole */

    while (low < high) {
        size_t bad = high, middle, known;

        if (!refused || high - low == 1) {
            if (try_range(store, batch, rule, low, high, failure) == OUTCOME_OK) {
                return OUTCOME_OK;
            }
            if (failure->action != SQL_ROW) {
                return OUTCOME_RETRY;
            }
            bad = blamed_extent(rows, low, high, failure);
        }
        refused = false;
        if (bad < high) {
            refuse(store, batch->sequences[rows->extents[bad].message], rule, failure);
            if (bad > low && isolate_range(store, batch, rule, low, bad, failure) != OUTCOME_OK) {
                return OUTCOME_RETRY;
            }
            low = bad + 1;
            continue;
        }
        middle = low + (high - low) / 2;
        known = store->verdicts->count;
        if (isolate_range(store, batch, rule, low, middle, failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        refused = store->verdicts->count == known;
        low = middle;
    }
    return OUTCOME_OK;
}

/* The messages that PostgreSQL refuses become verdicts. */
static enum store_result isolate(const struct store *store, const struct batch *batch,
                                 unsigned rule, struct pg_failure *failure)
{
    const struct pg_failure refused = *failure;
    size_t known = store->verdicts->count;
    enum outcome outcome;
    unsigned before;

    outcome = pg_run(store->connection, "begin", failure);
    /* The rules before it go first: its rows may refer to theirs. */
    for (before = 0; outcome == OUTCOME_OK && before < rule; before++) {
        if (batch->rules[before].row_count > 0) {
            outcome =
                store_rows(store, batch, before, 0, batch->rules[before].extent_count, failure);
        }
    }
    if (outcome == OUTCOME_OK) {
        outcome = pg_run(store->connection, "savepoint isolate", failure);
    }
    if (outcome == OUTCOME_OK) {
        outcome = isolate_range(store, batch, rule, 0, batch->rules[rule].extent_count, failure);
    }
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST;
    }
    store_rollback(store);
    if (store->verdicts->count > known) {
        return STORE_AGAIN;
    }
    if (outcome != OUTCOME_OK) {
        return failure->action == SQL_ROW ? blame_by_halving(store, batch, failure)
                                          : store_result_of(failure);
    }
    /* Refused once, taken now: something else was in the way, or it takes the whole transaction to
     * see it. */
    *failure = refused;
    return blame_by_halving(store, batch, failure);
}

enum store_result store_blame_rows(const struct store *store, const struct batch *batch,
                                   unsigned rule, struct pg_failure *failure)
{
    struct pg_failure look;
    bool changed;

    if (rule_targets_refresh(store->targets, store->connection, rule, &changed, &look) !=
        OUTCOME_OK) {
        return STORE_LOST;
    }
    return changed ? STORE_AGAIN : isolate(store, batch, rule, failure);
}
