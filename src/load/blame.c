/* SPDX-License-Identifier: MIT */
#include "load/blame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "load/rule_check.h"
#include "load/slow_rows.h"
#include "load/trial.h"

/* What an inquiry has found out so far. */
struct inquiry {
    const struct store *store;
    const struct batch *batch;
    struct blame_tally *tallies; /* owned; of each rule */
    struct pg_failure *reasons;  /* owned; of each rule: why its last message was refused */
    struct slow_rows slow;
    int64_t deadline_ms; /* monotonic; of the trials */
    bool partial;        /* not all rows of the runs so far are in the transaction */
    bool learned;
    bool too_large; /* the batch, for one transaction */
};

static bool is_over(const struct inquiry *inquiry)
{
    return inquiry->learned || inquiry->too_large || inquiry->slow.server;
}

/* The message becomes a dead letter when the batch is built again: the verdict is remembered under
 * its sequence. */
static void refuse(const struct store *store, uint64_t sequence, unsigned rule,
                   const struct pg_failure *failure)
{
    char reason[RULE_REASON_MAX];

    assert(rule < store->ruleset->count);
    rule_refusal(store->ruleset->rules[rule], failure, reason, sizeof(reason));
    verdicts_add(store->verdicts, sequence, rule,
                 &(struct refused){reason, failure->sqlstate, blame_may_pass(failure),
                                   store->part && blame_may_pass(failure)});
}

/* Holds the rule. Of a lock PostgreSQL says no more than "canceling statement due to lock
 * timeout". */
static void hold(const struct inquiry *inquiry, unsigned rule, const struct pg_failure *failure)
{
    char reason[RULE_REASON_MAX];
    bool locked = strcmp(failure->sqlstate, "55P03") == 0;

    snprintf(reason, sizeof(reason), "%s%s",
             locked ? "another session has locked the table or a row: " : "", failure->message);
    rule_targets_hold(inquiry->store->targets, rule, reason, failure->sqlstate);
}

static void park_or_hold(struct inquiry *inquiry, unsigned rule, const struct pg_failure *failure,
                         bool park)
{
    if (park) {
        rule_targets_park(inquiry->store->targets, rule, failure->message, failure->sqlstate);
    } else {
        hold(inquiry, rule, failure);
    }
    inquiry->learned = true;
}

/* The run's statements fail even without rows, so no message is to blame. The rules of the run are
 * parked when the table does not fit, and held when the cause may pass. */
static void blame_rules(struct inquiry *inquiry, size_t run_index, const struct pg_failure *failure)
{
    const struct run *run = &inquiry->batch->runs.list[run_index];
    const struct write *write = &inquiry->batch->runs.writes[run->write];
    enum blame_kind kind = blame_kind_of(failure);
    size_t last = SIZE_MAX;

    assert(run->low < run->high);
    slow_rows_note_empty(&inquiry->slow, run_index, failure);
    if (!slow_rows_blame(&inquiry->slow, run_index, write->extents[run->low].rule, failure)) {
        return;
    }
    for (size_t i = run->low; i < run->high; i++) {
        if (write->extents[i].rule != last) {
            last = write->extents[i].rule;
            park_or_hold(inquiry, (unsigned) last, failure,
                         kind == BLAME_RULE || kind == BLAME_ROW);
        }
    }
}

/* Counts the messages of each rule: those that passed and, by kind, those that were refused.
 * Extents and refusals have the same order, so one walk over both is enough. */
static void count_refusals(struct inquiry *inquiry, const struct trial *trial)
{
    const struct run *run = &inquiry->batch->runs.list[trial->run];
    const struct write *write = &inquiry->batch->runs.writes[run->write];
    size_t next = 0;

    assert(trial->tested >= run->low && trial->tested <= run->high);
    for (size_t i = run->low; i < trial->tested; i++) {
        unsigned rule = write->extents[i].rule;

        if (next < trial->count && trial->refusals[next].extent == i) {
            const struct pg_failure *failure = &trial->refusals[next++].failure;

            inquiry->tallies[rule].refused[blame_kind_of(failure)]++;
            inquiry->reasons[rule] = *failure;
        } else {
            inquiry->tallies[rule].passed++;
        }
    }
    assert(next == trial->count);
}

/* Does the message become a dead letter? When its data are at fault, yes, whatever the rule's fate:
 * parking or holding the rule would not make the row any better. */
static bool is_final(enum blame_fate fate, const struct pg_failure *failure)
{
    return fate == BLAME_REJECT || blame_kind_of(failure) == BLAME_ROW;
}

/* How many messages in a row were refused alone before this one. Returns BLAME_ALONE_MAX when the
 * catalog already shows that no row of the rule can pass: then the first message is proof
 * enough. */
static unsigned refused_alone(const struct store *store, unsigned rule)
{
    const struct rule_target *target = rule_targets_get(store->targets, rule);
    bool hopeless = target->table != NULL &&
                    rule_check_lacks_sequence(store->ruleset->rules[rule], target->table->shape);

    return hopeless ? BLAME_ALONE_MAX : target->alone;
}

/* Turns each rule's tally into a fate, and the fate into verdicts and the rule's state. */
static void judge_run(struct inquiry *inquiry, const struct trial *trial)
{
    const struct run *run = &inquiry->batch->runs.list[trial->run];
    const struct write *write = &inquiry->batch->runs.writes[run->write];

    for (unsigned rule = 0; rule < inquiry->batch->rule_count; rule++) {
        inquiry->tallies[rule].alone = refused_alone(inquiry->store, rule);
        inquiry->tallies[rule].passed += inquiry->store->others_pass;
    }
    for (size_t i = 0; i < trial->count; i++) {
        const struct refusal *refusal = &trial->refusals[i];
        const struct extent *extent = &write->extents[refusal->extent];
        enum blame_fate fate =
            blame_fate_of(&inquiry->tallies[extent->rule], inquiry->store->letters);

        assert(refusal->extent >= run->low && refusal->extent < run->high);
        assert(fate != BLAME_NOTHING);
        if (is_final(fate, &refusal->failure)) {
            refuse(inquiry->store, inquiry->batch->sequences[extent->message], extent->rule,
                   &refusal->failure);
            inquiry->learned = true;
        }
    }
    for (unsigned rule = 0; rule < inquiry->batch->rule_count; rule++) {
        enum blame_fate fate = blame_fate_of(&inquiry->tallies[rule], inquiry->store->letters);

        if (fate == BLAME_REJECT && inquiry->tallies[rule].refused[BLAME_RULE] > 0 &&
            inquiry->tallies[rule].passed == 0) {
            rule_targets_refused_alone(inquiry->store->targets, rule);
        }
        if (fate == BLAME_PARK ||
            (fate == BLAME_HOLD &&
             slow_rows_blame(&inquiry->slow, trial->run, rule, &inquiry->reasons[rule]))) {
            park_or_hold(inquiry, rule, &inquiry->reasons[rule], fate == BLAME_PARK);
        }
    }
}

static bool was_used_up(const struct trial *trial)
{
    for (size_t i = 0; i < trial->count; i++) {
        if (blame_is_used_up(&trial->refusals[i].failure)) {
            return true;
        }
    }
    return false;
}

/* Tries one run; the runs before it are in the transaction. */
static enum outcome try_run(struct inquiry *inquiry, struct trial *trial,
                            struct pg_failure *failure)
{
    bool passes = true;
    enum outcome outcome = trial_empty(trial, &passes, failure);

    if (outcome == OUTCOME_OK && !passes) {
        blame_rules(inquiry, trial->run, failure);
    } else if (outcome == OUTCOME_OK) {
        outcome = trial_run(trial, failure);
        inquiry->too_large = inquiry->batch->count > 1 && was_used_up(trial);
        slow_rows_note(&inquiry->slow, trial);
    }
    return outcome;
}

static void judge(struct inquiry *inquiry, const struct trial *trial)
{
    memset(inquiry->tallies, 0, inquiry->batch->rule_count * sizeof(*inquiry->tallies));
    count_refusals(inquiry, trial);
    judge_run(inquiry, trial);
}

/* Refused messages are tried again until no more of them pass, or a trial is cut off. */
static enum outcome try_again(struct trial *trials, size_t count, bool *cut_off,
                              struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;
    bool passed = true;

    while (passed && !*cut_off) {
        passed = false;
        for (size_t i = 0; outcome == OUTCOME_OK && i < count && !*cut_off; i++) {
            size_t before = trials[i].count;

            outcome = before > 0 ? trial_again(&trials[i], trial_may_be_met, failure) : OUTCOME_OK;
            passed = passed || (outcome == OUTCOME_OK && trials[i].count < before);
            *cut_off = trials[i].cut_off;
        }
    }
    return outcome;
}

/* Was a message refused that may pass when later rows are stored? */
static bool any_may_be_met(const struct trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < trials[i].count; j++) {
            if (trial_may_be_met(&trials[i].refusals[j])) {
                return true;
            }
        }
    }
    return false;
}

static bool speaks_of_table(const struct refusal *refusal)
{
    return blame_kind_of(&refusal->failure) == BLAME_RULE;
}

/* Did some messages pass, and were others refused for a reason that speaks of the table, such as a
 * missing privilege? */
static bool is_doubtful(const struct trial *trial)
{
    bool any = false;

    for (size_t i = 0; i < trial->count && !any; i++) {
        any = speaks_of_table(&trial->refusals[i]);
    }
    return any && trial->count < trial->tested - trial->batch->runs.list[trial->run].low;
}

/* Judges the messages of a run. Somebody may have put the table right while the messages were
 * tried; then those that were refused before pass now. */
static enum outcome decide(struct inquiry *inquiry, struct trial *trial, struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;

    if (is_doubtful(trial) && !trial->cut_off) {
        outcome = trial_again(trial, speaks_of_table, failure);
    }
    if (outcome == OUTCOME_OK) {
        judge(inquiry, trial);
    }
    return outcome;
}

/* The rows of one run were refused. The runs before it are tried too, since its rows may refer to
 * theirs. When an earlier run turns out to be at fault, that is an answer as well. */
static enum outcome inquire_rows(struct inquiry *inquiry, size_t last, struct pg_failure *reason)
{
    enum outcome outcome = OUTCOME_OK;

    assert(last < inquiry->batch->runs.count);
    for (size_t run = 0; outcome == OUTCOME_OK && run <= last && !is_over(inquiry); run++) {
        struct trial trial = {.store = inquiry->store,
                              .batch = inquiry->batch,
                              .run = run,
                              .timed = inquiry->slow.timed,
                              .deadline_ms = inquiry->deadline_ms};

        outcome = try_run(inquiry, &trial, reason);
        if (outcome == OUTCOME_OK && !is_over(inquiry)) {
            /* The refused row may refer to a row that no trial has reached. */
            inquiry->too_large = inquiry->partial && any_may_be_met(&trial, 1);
            inquiry->partial = inquiry->partial || trial.cut_off;
        }
        if (outcome == OUTCOME_OK && !is_over(inquiry)) {
            outcome = decide(inquiry, &trial, reason);
        }
        trial_fini(&trial);
    }
    return outcome;
}

/* The transaction was refused as a whole. Nothing is decided before all runs are tried: rows that a
 * deferred constraint misses may stand in a later run. When the time is over before that, the
 * caller halves the batch. A single message has no deadline. */
static enum outcome inquire_all(struct inquiry *inquiry, struct pg_failure *reason)
{
    size_t runs = inquiry->batch->runs.count, count = 0;
    struct trial *trials = memory_alloc((runs + 1) * sizeof(*trials));
    enum outcome outcome = OUTCOME_OK;
    bool cut_off = false;

    while (outcome == OUTCOME_OK && count < runs && !is_over(inquiry) && !cut_off) {
        struct trial *trial = &trials[count];

        *trial =
            (struct trial){.store = inquiry->store,
                           .batch = inquiry->batch,
                           .run = count,
                           .immediate = true,
                           .timed = inquiry->slow.timed,
                           .deadline_ms = inquiry->batch->count > 1 ? inquiry->deadline_ms : 0};
        outcome = try_run(inquiry, trial, reason);
        cut_off = trial->cut_off;
        count++;
    }
    if (outcome == OUTCOME_OK && !is_over(inquiry)) {
        outcome = try_again(trials, count, &cut_off, reason);
        inquiry->too_large = cut_off && any_may_be_met(trials, count);
        assert(!cut_off || inquiry->batch->count > 1);
        for (size_t i = 0; outcome == OUTCOME_OK && i < count && !inquiry->too_large; i++) {
            outcome = decide(inquiry, &trials[i], reason);
        }
    }
    for (size_t i = 0; i < count; i++) {
        trial_fini(&trials[i]);
    }
    free(trials);
    return outcome;
}

/* When a statement for rows was refused, its run is the last one to be tried. After a refusal at
 * COMMIT or by the check of types, all runs are tried. */
static enum outcome inquire(struct inquiry *inquiry, const struct store_failure *failure,
                            struct pg_failure *reason)
{
    bool rows = failure->place.kind == PLACE_ROWS;
    enum outcome outcome = trial_begin(inquiry->store, inquiry->slow.timed, reason);

    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    return rows ? inquire_rows(inquiry, failure->place.run, reason) : inquire_all(inquiry, reason);
}

bool blame_message(const struct store *store, const struct batch *batch,
                   const struct pg_failure *failure)
{
    size_t known = store->verdicts->count;

    assert(batch->count == 1);
    for (unsigned i = 0; i < batch->rule_count; i++) {
        if (batch->rules[i].row_count > 0) {
            refuse(store, batch->sequences[0], i, failure);
        }
    }
    return store->verdicts->count > known;
}

/* One of the bridge's own tables refuses data: somebody has added a trigger or a constraint to it,
 * or a partition is missing. Halving the batch stores the other messages and finds the one that is
 * refused. That message can't become a dead letter, since PostgreSQL may be refusing the dead
 * letter itself. The loader waits until a person has put the table right. */
static enum store_result own_tables(const struct batch *batch, struct store_failure *failure)
{
    struct pg_failure named;

    assert(failure->place.own != NULL);
    if (failure->pg.action != SQL_ROW) {
        return store_result_of(&failure->pg);
    }
    if (batch->count > 1) {
        return STORE_SMALLER;
    }
    named = failure->pg;
    snprintf(named.message, sizeof(named.message), "%s refuses a row: %.300s", failure->place.own,
             failure->pg.message);
    failure->pg = named;
    return STORE_WAIT;
}

/* PostgreSQL refused the rows before and accepts them now. Either the cause is gone, or only the
 * whole transaction shows it: halve the batch. */
static enum store_result passes_now(const struct store *store, const struct batch *batch,
                                    const struct store_failure *failure)
{
    enum blame_kind kind = blame_kind_of(&failure->pg);

    if (failure->pg.action == SQL_RETRY) {
        return STORE_SOON;
    }
    if (batch->count > 1) {
        return STORE_SMALLER;
    }
    /* The server may be slow for a while: give the statements more time, up to a limit. */
    if (blame_is_timeout(&failure->pg) && patience_doubles(store->patience)) {
        return STORE_SOON;
    }
    /* A batch of gaps alone has no message to blame. */
    if (batch->count == 0 || kind == BLAME_TIME) {
        return STORE_SOON;
    }
    return blame_message(store, batch, &failure->pg) ? STORE_AGAIN : STORE_SOON;
}

/* Reads the run's table from the catalog again, for all rules of the batch that write to it: after
 * an ALTER TABLE every row may look bad, and rules whose table is gone are parked together.
 * *changed: a table has another shape now, so the batch must be built again. */
static enum outcome refresh(const struct store *store, const struct batch *batch, size_t run_index,
                            bool *changed)
{
    const struct run *runs = batch->runs.list;
    enum outcome outcome = OUTCOME_OK;
    bool *seen = memory_alloc((batch->rule_count + 1) * sizeof(*seen));

    assert(run_index < batch->runs.count);
    for (size_t i = 0; i < batch->runs.count; i++) {
        const struct write *write = &batch->runs.writes[runs[i].write];

        for (size_t j = runs[i].low; j < runs[i].high && runs[i].table == runs[run_index].table;
             j++) {
            seen[write->extents[j].rule] = true;
        }
    }
    for (unsigned rule = 0; outcome == OUTCOME_OK && rule < batch->rule_count; rule++) {
        struct pg_failure failure;
        bool other = false;

        if (seen[rule]) {
            outcome =
                rule_targets_refresh(store->targets, store->connection, rule, &other, &failure);
            *changed |= other;
        }
    }
    free(seen);
    return outcome;
}

enum store_result blame(const struct store *store, const struct batch *batch,
                        struct store_failure *failure)
{
    struct inquiry inquiry = {.store = store, .batch = batch};
    enum place_kind kind = failure->place.kind;
    struct pg_failure reason = failure->pg;
    bool changed = false;
    enum outcome outcome;
    size_t fits;

    assert(batch->rule_count == store->ruleset->count);
    if (kind == PLACE_OWN_TABLES) {
        return own_tables(batch, failure);
    }
    if (kind == PLACE_BEGIN) {
        return store_result_of(&failure->pg);
    }
    if (blame_is_used_up(&failure->pg) && batch->count > 1) {
        return STORE_SMALLER;
    }
    if (kind != PLACE_COMMIT && refresh(store, batch, failure->place.run, &changed) != OUTCOME_OK) {
        return STORE_LOST;
    }
    if (changed) {
        return STORE_AGAIN;
    }
    inquiry.tallies = memory_alloc((batch->rule_count + 1) * sizeof(*inquiry.tallies));
    inquiry.reasons = memory_alloc((batch->rule_count + 1) * sizeof(*inquiry.reasons));
    slow_rows_init(&inquiry.slow, store, batch, failure);
    inquiry.deadline_ms = slow_rows_deadline_ms(&inquiry.slow);
    outcome = inquire(&inquiry, failure, &reason);
    fits = slow_rows_fit(&inquiry.slow);
    free(inquiry.tallies);
    free(inquiry.reasons);
    slow_rows_fini(&inquiry.slow);
    store_rollback(store);
    if (!pg_is_connected(store->connection)) {
        failure->pg = reason;
        return STORE_LOST;
    }
    if (inquiry.too_large || (inquiry.slow.server && !inquiry.learned)) {
        return STORE_SMALLER;
    }
    if (inquiry.learned) {
        return STORE_AGAIN;
    }
    if (outcome != OUTCOME_OK) {
        failure->pg = reason;
        return store_result_of(&reason);
    }
    failure->fits = fits;
    return passes_now(store, batch, failure);
}
