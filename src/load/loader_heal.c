/* SPDX-License-Identifier: MIT */
#include "load/loader_heal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "load/loader_columns.h"
#include "load/loader_trouble.h"
#include "load/retry.h"

/* A turn begins no further portion after HEAL_MS, so that letters which are stored or refused
 * slowly do not keep the other rules waiting. The next turn uses the verdicts that this one has
 * found. */
#define HEAL_MS 2000

/* Rules of one table whose letters are stored together. */
struct healing {
    unsigned *rules; /* owned */
    size_t count;
    struct retry_counts *counts; /* owned; of each rule, in one portion */
    int64_t until_ms;            /* monotonic; the end of this turn */
};

static struct healing healing_of(const struct loader *loader, unsigned rule)
{
    struct healing healing = {.until_ms = clock_monotonic_ms() + HEAL_MS};
    size_t room = loader->ruleset->count;

    healing.rules = memory_alloc(room * sizeof(*healing.rules));
    healing.count = rule_targets_group(loader->targets, rule, healing.rules);
    healing.counts = memory_alloc(room * sizeof(*healing.counts));
    assert(healing.count >= 1 && healing.count <= room);
    return healing;
}

static void healing_fini(struct healing *healing)
{
    free(healing->rules);
    free(healing->counts);
}

/* Counts letters that were stored, filtered or rejected. */
static void count_healed(const struct loader *loader, const struct healing *healing)
{
    for (size_t i = 0; i < healing->count; i++) {
        const struct retry_counts *counts = &healing->counts[i];
        int metrics = loader->ruleset->rules[healing->rules[i]]->metrics;

        assert(counts->waiting <= counts->letters);
        /* Letters that wait count as matched when their end is known. */
        metric_rule_add(metrics, RULE_METRIC_MATCHED,
                        (int64_t) (counts->letters - counts->waiting));
        metric_rule_add(metrics, RULE_METRIC_STORED, (int64_t) counts->stored);
        metric_rule_add(metrics, RULE_METRIC_FILTERED, (int64_t) counts->filtered);
        metric_rule_add(metrics, RULE_METRIC_REJECTED, (int64_t) counts->rejected);
        metric_rule_add(metrics, RULE_METRIC_ROWS, (int64_t) counts->rows);
    }
}

/* The next portion is twice as large, unless it would take too long. */
static void portion_stored(struct loader *loader, const struct retry_counts *counts,
                           int64_t took_ms)
{
    int64_t limit_ms = patience_limit_ms(loader_store(loader).patience);

    if (limit_ms == 0 || 4 * took_ms <= limit_ms) {
        loader->heal_letters = 2 * loader->heal_letters < HEAL_LETTERS_MAX
                                   ? 2 * loader->heal_letters
                                   : HEAL_LETTERS_MAX;
    }
    backoff_reset(&loader->wait);
    if (counts->rows > 0) {
        patience_stored(&loader->patience, took_ms);
    }
}

/* The portion was too large or took too long: the next one has a quarter of its letters, or as many
 * as should be stored in time. */
static enum store_result make_smaller(struct loader *loader, const struct retry_counts *counts)
{
    int letters = counts->portion > 0 ? (int) counts->portion : loader->heal_letters;

    loader->heal_letters = letters > 4 ? letters / 4 : 1;
    if (counts->fits > 0 && counts->fits < (uint64_t) loader->heal_letters) {
        loader->heal_letters = (int) counts->fits;
    }
    return letters > 1 ? STORE_AGAIN : STORE_WAIT;
}

/* Stores one portion of parked letters in one transaction; `counts` tells how many. Portions get
 * smaller after one was too large for the server, and larger with each success. The verdicts of
 * letters are kept apart from those of the batch that waits. */
static enum store_result heal_portion(struct loader *loader, const struct healing *healing,
                                      struct retry_counts *counts, struct pg_failure *failure)
{
    const struct retry_rules rules = {healing->rules, healing->count, healing->counts};
    const struct dead_letter_query query = {
        .client_id = pg_client_id(loader->connection), .parked = 1, .limit = loader->heal_letters};
    struct store store = loader_store(loader);
    int64_t started_ms = clock_monotonic_ms();
    enum store_result result;

    assert(loader->heal_letters >= 1 && loader->heal_letters <= HEAL_LETTERS_MAX);

    memset(healing->counts, 0, healing->count * sizeof(*healing->counts));
    if (loader->heal_rule != healing->rules[0]) {
        verdicts_reset(&loader->heal_verdicts);
        loader->heal_rule = healing->rules[0];
    }
    store.verdicts = &loader->heal_verdicts;
    store.untaken = loader->untaken;
    do {
        result = retry_letters(&store, &rules, &query, counts, failure);
    } while (result == STORE_AGAIN && !loader_stopping(loader) &&
             !loader_add_letter_columns(loader, &store) &&
             clock_monotonic_ms() < healing->until_ms);
    if (result == STORE_AGAIN) {
        return result;
    }
    verdicts_reset(&loader->heal_verdicts);
    if (result == STORE_DONE) {
        portion_stored(loader, counts, clock_monotonic_ms() - started_ms);
        count_healed(loader, healing);
    } else if (result == STORE_SMALLER) {
        result = make_smaller(loader, counts);
    }
    assert(loader->heal_letters >= 1);
    return result;
}

/*
 * How many letters to store before the next batch: twice what the last one added, so that healing
 * gains on live traffic and other rules still get their turn.
 */
static uint64_t heal_quota(const struct loader *loader, const struct healing *healing)
{
    uint64_t quota = 0;

    for (size_t i = 0; i < healing->count; i++) {
        assert(healing->rules[i] < loader->batch->rule_count);
        quota += 2 * loader->batch->rules[healing->rules[i]].parked;
    }
    return quota > HEAL_LETTERS_MAX ? quota : HEAL_LETTERS_MAX;
}

/* Was one of the rules parked or held again? Its next look comes later; the other rules go on
 * without it. */
static bool was_set_aside(const struct loader *loader, const struct healing *healing)
{
    for (size_t i = 0; i < healing->count; i++) {
        if (!rule_targets_healing(loader->targets, healing->rules[i])) {
            return true;
        }
    }
    return false;
}

/* Stores portions until the quota is reached, the turn is over, a portion fails, or no letter is
 * left; then the rules work again. */
static void heal_portions(struct loader *loader, const struct healing *healing)
{
    uint64_t quota = heal_quota(loader, healing), healed = 0;
    struct pg_failure failure = {.message = ""};
    enum store_result result;

    do {
        struct retry_counts counts = {0};

        result = heal_portion(loader, healing, &counts, &failure);
        healed += counts.letters;
        if (result == STORE_DONE && counts.letters == 0) {
            if (rule_targets_unpark(loader->targets, loader->connection, healing->rules[0],
                                    &failure) != OUTCOME_OK) {
                result = STORE_LOST;
            }
            break;
        }
    } while (result == STORE_DONE && healed < quota && clock_monotonic_ms() < healing->until_ms &&
             !loader_stopping(loader));
    /* When a rule was set aside, the database itself works, so the loader must not pause. */
    if (result != STORE_DONE && result != STORE_AGAIN &&
        !(result == STORE_WAIT && was_set_aside(loader, healing))) {
        loader_trouble(loader, result, &failure);
    }
}

void loader_heal(struct loader *loader, unsigned rule)
{
    struct pg_failure failure = {.message = ""};
    struct healing healing;

    assert(rule < loader->ruleset->count);
    if (!rule_targets_healing(loader->targets, rule) &&
        rule_targets_look(loader->targets, loader->connection, rule, &failure) != OUTCOME_OK) {
        loader_trouble(loader, STORE_LOST, &failure);
        return;
    }
    if (rule_targets_healing(loader->targets, rule)) {
        healing = healing_of(loader, rule);
        heal_portions(loader, &healing);
        healing_fini(&healing);
    }
}
