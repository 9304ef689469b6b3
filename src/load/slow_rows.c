/* SPDX-License-Identifier: MIT */
#include "load/slow_rows.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "load/blame_fate.h"
#include "load/rule_groups.h"

/* How long all trials may take while rules of other tables wait. */
enum { TIMED_MS = 1000 };

void slow_rows_init(struct slow_rows *slow, const struct store *store, const struct batch *batch,
                    const struct store_failure *failure)
{
    *slow = (struct slow_rows){
        .store = store,
        .batch = batch,
        .seen = memory_alloc((batch->runs.count + 1) * sizeof(*slow->seen)),
        .started_ms = clock_monotonic_ms(),
        .immediate = failure->place.kind != PLACE_ROWS,
        .timed = store->patience != NULL && blame_is_timeout(&failure->pg),
    };
    if (failure->place.kind == PLACE_ROWS) {
        assert(failure->place.run < batch->runs.count);
        for (size_t i = 0; i < failure->place.run; i++) {
            /* the batch's own statements have stored these rows in time */
            slow->seen[i] = OTHERS_PASS;
        }
    }
}

void slow_rows_fini(struct slow_rows *slow)
{
    free(slow->seen);
}

int64_t slow_rows_deadline_ms(const struct slow_rows *slow)
{
    return slow->started_ms + (slow->timed ? TIMED_MS : TRIAL_MS);
}

static size_t count_tried(const struct trial *trial)
{
    assert(trial->tested >= trial->batch->runs.list[trial->run].low);
    return trial->tested - trial->batch->runs.list[trial->run].low;
}

void slow_rows_note(struct slow_rows *slow, const struct trial *trial)
{
    bool passes = trial->count < count_tried(trial);

    assert(trial->count <= count_tried(trial));
    slow->tried += count_tried(trial);
    for (size_t i = 0; i < trial->count; i++) {
        passes = passes || !blame_is_timeout(&trial->refusals[i].failure);
    }
    slow->seen[trial->run] = passes ? OTHERS_PASS : OTHERS_FAIL;
}

void slow_rows_note_empty(struct slow_rows *slow, size_t run, const struct pg_failure *failure)
{
    if (blame_is_timeout(failure)) {
        slow->seen[run] = OTHERS_FAIL;
    }
}

/* Did rows of tables other than this run's pass? */
static enum patience_others others_of(const struct slow_rows *slow, size_t run)
{
    const struct run *runs = slow->batch->runs.list;
    enum patience_others others = OTHERS_UNKNOWN;

    for (size_t i = 0; i < slow->batch->runs.count && others != OTHERS_PASS; i++) {
        if (runs[i].table != runs[run].table && slow->seen[i] != OTHERS_UNKNOWN) {
            others = slow->seen[i];
        }
    }
    return others;
}

/* Tries the first rows of another table. A connection that is lost is noticed by the caller's next
 * statement. */
static void try_others(struct slow_rows *slow, size_t run)
{
    const struct row_runs *runs = &slow->batch->runs;
    struct trial trial = {.store = slow->store,
                          .batch = slow->batch,
                          .immediate = slow->immediate,
                          .timed = true,
                          /* already over: the trial ends after one window */
                          .deadline_ms = slow->started_ms};
    struct pg_failure failure;
    bool passes = true;

    while (trial.run < runs->count && runs->list[trial.run].table == runs->list[run].table) {
        trial.run++;
    }
    if (trial.run == runs->count || trial_empty(&trial, &passes, &failure) != OUTCOME_OK) {
        return;
    }
    if (!passes) {
        slow_rows_note_empty(slow, trial.run, &failure);
    } else if (trial_run(&trial, &failure) == OUTCOME_OK) {
        slow_rows_note(slow, &trial);
    }
    trial_fini(&trial);
}

/* Releases a rule that was held before it was known that the server is slow. */
static void acquit(const struct slow_rows *slow, int rule)
{
    if (rule >= 0 && rule_targets_get(slow->store->targets, (unsigned) rule)->state == RULE_HELD) {
        rule_targets_resume(slow->store->targets, (unsigned) rule);
    }
}

bool slow_rows_blame(struct slow_rows *slow, size_t run, unsigned rule,
                     const struct pg_failure *failure)
{
    const struct rule_targets *targets = slow->store->targets;
    int suspect = patience_suspect(slow->store->patience);
    bool same = suspect >= 0 && rule_groups_same(rule_targets_get(targets, (unsigned) suspect),
                                                 rule_targets_get(targets, rule));

    if (!slow->timed || !blame_is_timeout(failure)) {
        return true;
    }
    if (slow->server) {
        return false;
    }
    if (others_of(slow, run) == OTHERS_UNKNOWN) {
        try_others(slow, run);
    }
    slow->server = !patience_blames(slow->store->patience, rule, others_of(slow, run), same);
    if (slow->server) {
        acquit(slow, suspect);
        log_warn_state("database", "statements for rows of all rules take long: they get more time",
                       F_INT("milliseconds", patience_limit_ms(slow->store->patience)));
    }
    return !slow->server;
}

size_t slow_rows_fit(const struct slow_rows *slow)
{
    int64_t took_ms = clock_monotonic_ms() - slow->started_ms;
    int64_t limit_ms = patience_limit_ms(slow->store->patience);
    size_t fits;

    if (!slow->timed || slow->server || limit_ms == 0 || slow->tried == 0) {
        return 0;
    }
    fits = slow->tried * (size_t) (limit_ms / 4) / (size_t) (took_ms + 1);
    return fits > 0 ? fits : 1;
}
