/* SPDX-License-Identifier: MIT */
#include "load/loader_later.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "load/loader_columns.h"
#include "load/loader_trouble.h"
#include "load/retry.h"
#include "pg/dead_letter.h"

enum {
    LATER_FIRST_MS = 5000, /* between two rounds; doubles while nothing passes */
    LATER_MAX_MS = 300000,
    LATER_TURN_MS = 2000, /* a portion that still learns verdicts after this time gets smaller */
};

/* Asks once which rules have letters that wait although the rules have no retry_for: the rules had
 * that setting before, or an earlier process had cut a batch. The devices still wait for
 * acknowledgments of these letters. The next try of such a letter is its last. */
static enum outcome find_left(struct loader *loader, struct pg_failure *failure)
{
    size_t count = loader->ruleset->count;
    const char **names;
    bool *left;
    enum outcome outcome;

    if (loader->later.left != NULL) {
        return OUTCOME_OK;
    }
    names = memory_alloc((count + 1) * sizeof(*names));
    left = memory_alloc((count + 1) * sizeof(*left));
    for (size_t i = 0; i < count; i++) {
        names[i] = loader->ruleset->rules[i]->name;
    }
    outcome = dead_letters_wait(loader->connection, names, count, left, failure);
    if (outcome == OUTCOME_OK) {
        loader->later.left = left;
        for (size_t i = 0; i < count; i++) {
            loader->later.of_part = loader->later.of_part || left[i];
        }
    } else {
        free(left);
    }
    free(names);
    return outcome;
}

/* May the next try be the last one? Not while the journal still has the rest of a batch that was
 * cut, by this process or an earlier one: a letter may refer to rows of that rest. */
static bool may_be_last(const struct loader *loader)
{
    return loader->stored >= loader->tried_to && loader->stored >= loader->last_at_start;
}

/* Are this rule's waiting letters tried? Yes when the rule has retry_for or letters whose next try
 * is their last, and its rows go straight to the table. Letters of a parked rule are stored by
 * loader_heal() later, in order. */
static bool is_tried(const struct loader *loader, unsigned rule)
{
    assert(loader->later.left != NULL);
    return (loader->ruleset->rules[rule]->options->retry_for_ms > 0 ||
            (loader->later.left[rule] && may_be_last(loader))) &&
           rule_targets_get(loader->targets, rule)->state == RULE_WORKS;
}

/* All rules had their turn. The pause doubles while no letter passes. After a success it is short
 * again: the same missing row may have kept other letters back. */
static void end_round(struct loader_later *later)
{
    int64_t pause_ms = later->pause_ms == 0 || later->stored ? LATER_FIRST_MS : 2 * later->pause_ms;

    later->pause_ms = pause_ms < LATER_MAX_MS ? pause_ms : LATER_MAX_MS;
    assert(later->pause_ms >= LATER_FIRST_MS && later->pause_ms <= LATER_MAX_MS);
    later->next_ms = clock_monotonic_ms() + later->pause_ms;
    later->rule = 0;
    later->after_id = 0;
    later->stored = false;
}

/* The next rule is tried from its first letter on. */
static void next_rule(struct loader_later *later)
{
    later->rule++;
    later->after_id = 0;
}

/* Tries the next `later->letters` letters of one rule, in the order of their ids. STORE_AGAIN means
 * that blame() has learned something, so the same portion is tried at once. */
static enum store_result retry_portion(struct loader *loader, struct retry_counts *counts,
                                       struct pg_failure *failure)
{
    const struct loader_later *later = &loader->later;
    const struct dead_letter_query query = {.client_id = pg_client_id(loader->connection),
                                            .parked = 0,
                                            .waiting = LETTERS_WAITING,
                                            .after_id = later->after_id,
                                            .limit = later->letters};
    const struct retry_rules rules = {&later->rule, 1, NULL};
    /* of the letters; the verdicts of the batch that waits are kept */
    struct verdicts verdicts = {0};
    struct store store = loader_store(loader);
    int64_t until_ms = clock_monotonic_ms() + LATER_TURN_MS;
    enum store_result result;

    store.verdicts = &verdicts;
    store.untaken = loader->untaken;
    do {
        result = retry_letters(&store, &rules, &query, counts, failure);
    } while (result == STORE_AGAIN && !loader_stopping(loader) &&
             !loader_add_letter_columns(loader, &store) &&
             (counts->portion <= 1 || clock_monotonic_ms() < until_ms));
    verdicts_fini(&verdicts);
    if (result == STORE_AGAIN && counts->portion > 1) {
        result = STORE_SMALLER;
    }
    /* After a refusal blame() reads the catalog again. The batch that was built ahead may have been
     * built for other columns or another state of the rule. */
    if (loader->reading == READING_AHEAD && pg_is_connected(loader->connection)) {
        loader_rewind(loader);
    }
    return result;
}

/* Counts the letters whose end is known now. A letter that still waits is not counted. */
static void count_ended(const struct loader *loader, const struct retry_counts *counts)
{
    int metrics = loader->ruleset->rules[loader->later.rule]->metrics;

    assert(counts->stored + counts->filtered + counts->rejected <= counts->letters);
    metric_rule_add(metrics, RULE_METRIC_MATCHED,
                    (int64_t) (counts->stored + counts->filtered + counts->rejected));
    metric_rule_add(metrics, RULE_METRIC_REJECTED, (int64_t) counts->rejected);
    metric_rule_add(metrics, RULE_METRIC_STORED, (int64_t) counts->stored);
    metric_rule_add(metrics, RULE_METRIC_FILTERED, (int64_t) counts->filtered);
    metric_rule_add(metrics, RULE_METRIC_ROWS, (int64_t) counts->rows);
}

/* Halves the next portion when this one was too large for the server, doubles it after a success.
 * True: halved, so the caller tries again. */
static bool resize(struct loader_later *later, enum store_result result, uint64_t portion)
{
    assert(later->letters >= 1 && later->letters <= LATER_LETTERS_MAX);
    if (result == STORE_DONE) {
        later->letters =
            2 * later->letters < LATER_LETTERS_MAX ? 2 * later->letters : LATER_LETTERS_MAX;
    }
    if (result != STORE_SMALLER || portion <= 1) {
        return false;
    }
    assert(portion <= (uint64_t) later->letters);
    later->letters = (int) portion / 2;
    return true;
}

void loader_later_committed(struct loader *loader)
{
    struct loader_later *later = &loader->later;
    const struct batch *batch = loader->batch;

    assert(batch->rule_count == loader->ruleset->count);
    for (size_t i = 0; i < batch->rule_count; i++) {
        if (batch->rules[i].waiting > 0 && loader->ruleset->rules[i]->options->retry_for_ms == 0) {
            later->of_part = true;
            if (later->left != NULL) {
                later->left[i] = true;
            }
        }
    }
    if (later->of_part && may_be_last(loader)) {
        later->of_part = false;
        later->next_ms = later->pause_ms = 0;
        later->rule = 0;
        later->after_id = 0;
    }
}

void loader_retry_later(struct loader *loader)
{
    struct loader_later *later = &loader->later;
    struct pg_failure failure = {.message = ""};
    struct retry_counts counts = {0};

    if (loader_stopping(loader) || clock_monotonic_ms() < later->next_ms) {
        return;
    }
    if (find_left(loader, &failure) != OUTCOME_OK) {
        end_round(later);
        return;
    }
    while (later->rule < loader->ruleset->count && !is_tried(loader, later->rule)) {
        next_rule(later);
    }
    if (later->rule >= loader->ruleset->count) {
        end_round(later);
        return;
    }
    enum store_result result = retry_portion(loader, &counts, &failure);
    assert(counts.stored + counts.filtered + counts.rejected + counts.waiting == counts.letters);
    if (!pg_is_connected(loader->connection)) {
        result = STORE_LOST;
    }
    if (result == STORE_LOST || result == STORE_STALE) {
        loader_trouble(loader, result, &failure);
        return;
    }
    if (resize(later, result, counts.portion)) {
        return;
    }
    if (result == STORE_DONE && counts.letters > 0) {
        later->after_id = counts.last_id;
        later->stored = later->stored || counts.stored > 0;
        count_ended(loader, &counts);
        if (counts.stored > 0) {
            log_info("dead letters stored",
                     F_TEXT("rule", loader->ruleset->rules[later->rule]->name),
                     F_INT("letters", counts.stored));
        }
        return;
    }
    later->left[later->rule] &= result != STORE_DONE;
    if (result != STORE_DONE) {
        health_hide_detail(failure.message);
        log_warn("dead letters can't be tried again now", F_TEXT("reason", failure.message));
    }
    next_rule(later);
}
