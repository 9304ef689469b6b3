/* SPDX-License-Identifier: MIT */
#include "load/trial.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "load/name_column.h"
#include "pg/pg_steps.h"

enum {
    CHUNK_MESSAGES = 32,
    WINDOW_MESSAGES = 1024,
    SLOW_CHUNKS = 2, /* sent at once after a timeout: each may take a second */
    NAMED_MAX = 32,  /* refused messages of a run whose column is looked for: a round trip each */
};
#define WINDOW_BYTES_MAX ((size_t) 512 * 1024)

static const char back_sql[] = "rollback to savepoint mqtt2pg_row";
static const char keep_sql[] = "release savepoint mqtt2pg_row";
static const char mark_sql[] = "savepoint mqtt2pg_row";
static const char immediate_sql[] = "set constraints all immediate";

struct chunk {
    size_t low, high; /* extents */
    bool failed;
    struct pg_failure failure;
};

struct window {
    struct chunk *list; /* owned */
    size_t count;
    size_t capacity;
    bool slow; /* some chunks were refused by a timeout */
};

static const struct run *run_of(const struct trial *trial)
{
    assert(trial->run < trial->batch->runs.count);
    return &trial->batch->runs.list[trial->run];
}

static const struct write *write_of(const struct trial *trial)
{
    return &trial->batch->runs.writes[run_of(trial)->write];
}

static const struct target *target_of(const struct trial *trial)
{
    unsigned rule = write_of(trial)->extents[run_of(trial)->low].rule;

    return rule_targets_get(trial->store->targets, rule)->target;
}

static enum outcome run_all(struct pg_connection *connection, const char *const *list, size_t count,
                            struct pg_failure *failure)
{
    struct pg_steps steps = {0};
    enum outcome outcome;

    for (size_t i = 0; i < count; i++) {
        (void) pg_steps_add(&steps, list[i], NULL, 0, false);
    }
    outcome = pg_steps_run(connection, &steps, failure);
    if (outcome == OUTCOME_OK && pg_steps_failed(&steps) != NULL) {
        *failure = *pg_steps_failed(&steps)->failure;
        outcome = OUTCOME_RETRY;
    }
    pg_steps_fini(&steps);
    return outcome;
}

/* The timeouts are short: rows take milliseconds, and slower ones get another transaction. */
enum outcome trial_begin(const struct store *store, bool timed, struct pg_failure *failure)
{
    char timeout[64];
    const char *const begin[] = {
        "begin isolation level read committed",
        "set local lock_timeout = '100ms'",
        timeout,
        "savepoint mqtt2pg_window",
        mark_sql,
    };

    snprintf(timeout, sizeof(timeout), "set local statement_timeout = %" PRId64,
             patience_row_ms(store->patience, store->letters || !timed));
    return run_all(store->connection, begin, sizeof(begin) / sizeof(begin[0]), failure);
}

/* --- one message to the server ---------------------------------------------------------------- */

/* Where the steps of each chunk begin. */
struct plan {
    struct pg_steps steps;
    struct target_values *values;
    size_t *first;
    size_t count;
};

static void init_values(const struct trial *trial, const struct chunk *chunk,
                        struct target_values *values)
{
    const struct write *write = write_of(trial);

    target_values_init(values, target_of(trial), row_runs_bytes(write, chunk->low, chunk->high),
                       (size_t) row_runs_rows(write, chunk->low, chunk->high));
}

static void plan_chunk(const struct trial *trial, const struct chunk *chunk, struct plan *plan)
{
    const struct target *target = target_of(trial);
    struct target_values *values = &plan->values[plan->count];

    init_values(trial, chunk, values);
    plan->first[plan->count++] = pg_steps_add(&plan->steps, back_sql, NULL, 0, false);
    target_add_steps(target, values, &plan->steps);
    if (trial->immediate) {
        (void) pg_steps_add(&plan->steps, immediate_sql, NULL, 0, false);
    }
    (void) pg_steps_add(&plan->steps, keep_sql, NULL, 0, false);
    (void) pg_steps_add(&plan->steps, mark_sql, NULL, 0, false);
    pg_steps_end_group(&plan->steps);
}

/* Notes which chunks have failed; the plan's first one is the window's chunk `low`. */
static void note_failures(struct window *window, size_t low, const struct plan *plan)
{
    assert(low + plan->count <= window->count);
    for (size_t i = 0; i < plan->count; i++) {
        size_t end = i + 1 < plan->count ? plan->first[i + 1] : plan->steps.count;
        struct chunk *chunk = &window->list[low + i];

        chunk->failed = false;
        for (size_t step = plan->first[i]; step < end && !chunk->failed; step++) {
            if (plan->steps.list[step].failed) {
                chunk->failed = true;
                chunk->failure = *plan->steps.list[step].failure;
            }
        }
    }
}

/* The chunks from `low` up to `high`. */
static enum outcome try_by_steps(const struct trial *trial, struct window *window, size_t low,
                                 size_t high, struct pg_failure *failure)
{
    struct plan plan = {.values = memory_alloc((high - low + 1) * sizeof(*plan.values)),
                        .first = memory_alloc((high - low + 1) * sizeof(*plan.first))};
    enum outcome outcome;

    assert(low < high && high <= window->count);
    for (size_t i = low; i < high; i++) {
        plan_chunk(trial, &window->list[i], &plan);
    }
    outcome = pg_steps_run(trial->store->connection, &plan.steps, failure);
    if (outcome == OUTCOME_OK) {
        note_failures(window, low, &plan);
    }
    pg_steps_fini(&plan.steps);
    for (size_t i = 0; i < plan.count; i++) {
        target_values_fini(&plan.values[i]);
    }
    free(plan.values);
    free(plan.first);
    return outcome;
}

/* For a rule's own SQL that needs a temporary table: its statements depend on each other, so they
 * can't be sent as steps of one message. */
static enum outcome try_by_table(const struct trial *trial, struct chunk *chunk,
                                 struct pg_failure *failure)
{
    static const char *const keep[] = {keep_sql, mark_sql};
    struct pg_connection *connection = trial->store->connection;
    const struct write *write = write_of(trial);

    chunk->failed =
        target_run(connection, target_of(trial), row_runs_bytes(write, chunk->low, chunk->high),
                   (size_t) row_runs_rows(write, chunk->low, chunk->high),
                   &chunk->failure) != OUTCOME_OK;
    if (!chunk->failed && trial->immediate) {
        chunk->failed = pg_run(connection, immediate_sql, &chunk->failure) != OUTCOME_OK;
    }
    if (!pg_is_connected(connection)) {
        *failure = chunk->failure;
        return OUTCOME_RETRY;
    }
    return chunk->failed ? pg_run(connection, back_sql, failure)
                         : run_all(connection, keep, 2, failure);
}

/* Was the chunk refused by a timeout, of a statement or a lock? */
static bool timed_out(const struct chunk *chunk)
{
    return chunk->failed && (strcmp(chunk->failure.sqlstate, "57014") == 0 ||
                             strcmp(chunk->failure.sqlstate, "55P03") == 0);
}

static bool is_late(const struct trial *trial)
{
    return trial->deadline_ms != 0 && clock_monotonic_ms() >= trial->deadline_ms;
}

/* Is enough known of a `timed` trial? Each slow message keeps the other rules waiting, and one is
 * enough to hold its rule. Of letters, a slow one and one that passes are enough, or two slow. */
static bool is_known(const struct trial *trial, const struct window *window, size_t count)
{
    size_t slow = 0, passed = window->list[0].low - run_of(trial)->low; /* in windows before */

    assert(count <= window->count);
    for (size_t i = 0; i < count; i++) {
        const struct chunk *chunk = &window->list[i];

        slow += timed_out(chunk) && chunk->high - chunk->low == 1;
        passed += !chunk->failed;
    }
    return trial->timed && trial->batch->count > 1 &&
           slow >= (trial->store->letters && passed == 0 ? 2 : 1);
}

/* Tries the chunks, or cuts the window off when the time is over. */
static enum outcome try_chunks(struct trial *trial, struct window *window,
                               struct pg_failure *failure)
{
    bool by_steps = target_of(trial)->statement_count > 0;
    size_t at_once = !by_steps || trial->timed ? 1 : window->slow ? SLOW_CHUNKS : window->count;
    enum outcome outcome = OUTCOME_OK;

    for (size_t at = 0; outcome == OUTCOME_OK && at < window->count; at += at_once) {
        size_t high = at + at_once < window->count ? at + at_once : window->count;

        if (at > 0 && (is_late(trial) || is_known(trial, window, at))) {
            window->count = at;
            trial->cut_off = true;
            break;
        }
        outcome = by_steps ? try_by_steps(trial, window, at, high, failure)
                           : try_by_table(trial, &window->list[at], failure);
    }
    return outcome;
}

/* --- a window --------------------------------------------------------------------------------- */

static void add_chunk(struct window *window, size_t low, size_t high)
{
    assert(low < high);
    window->list =
        memory_grow(window->list, window->count, &window->capacity, sizeof(*window->list));
    window->list[window->count++] = (struct chunk){.low = low, .high = high};
}

/* Chunks from extent `low` on, as many as a window holds. Returns the extent behind them. */
static size_t fill_window(const struct trial *trial, struct window *window, size_t low)
{
    const struct run *run = run_of(trial);
    /* The first window shows whether the rows are slow. */
    bool first = low == run->low;
    size_t most = first ? CHUNK_MESSAGES : WINDOW_MESSAGES, chunk = CHUNK_MESSAGES;
    size_t begin = low, at = low;

    if (trial->timed) {
        most = first ? SLOW_CHUNKS : CHUNK_MESSAGES;
        chunk = first ? 1 : CHUNK_MESSAGES;
    }
    window->count = 0;
    window->slow = false;
    while (at < run->high && at - low < most) {
        size_t bytes = row_runs_bytes(write_of(trial), low, at + 1).length;

        if (at > low && bytes > WINDOW_BYTES_MAX) {
            break;
        }
        at++;
        if (at - begin == chunk) {
            add_chunk(window, begin, at);
            begin = at;
        }
    }
    if (at > begin) {
        add_chunk(window, begin, at);
    }
    assert(at > low);
    return at;
}

/* Splits chunks that failed into chunks of one message. False: they were that already. */
static bool split_failed(struct window *window)
{
    struct window split = {.slow = window->slow};
    bool any = false;

    for (size_t i = 0; i < window->count; i++) {
        const struct chunk *chunk = &window->list[i];

        if (!chunk->failed || chunk->high - chunk->low == 1) {
            add_chunk(&split, chunk->low, chunk->high);
            split.list[split.count - 1] = *chunk;
            continue;
        }
        any = true;
        split.slow = split.slow || timed_out(chunk);
        for (size_t at = chunk->low; at < chunk->high; at++) {
            add_chunk(&split, at, at + 1);
        }
    }
    free(window->list);
    *window = split;
    return any;
}

static enum outcome name_columns(struct trial *trial, struct window *window,
                                 struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;
    struct target_values values;

    for (size_t i = 0; outcome == OUTCOME_OK && i < window->count; i++) {
        struct chunk *chunk = &window->list[i];

        if (chunk->failed && chunk->failure.action == SQL_ROW && trial->named < NAMED_MAX &&
            chunk->failure.column[0] == '\0' && target_of(trial)->probes.count > 0) {
            init_values(trial, chunk, &values);
            trial->named++;
            outcome = name_column(trial->store->connection, target_of(trial), &values,
                                  &chunk->failure, failure);
            target_values_fini(&values);
        }
    }
    return outcome;
}

static void take_refusals(struct trial *trial, const struct window *window)
{
    for (size_t i = 0; i < window->count; i++) {
        const struct chunk *chunk = &window->list[i];

        if (chunk->failed) {
            assert(chunk->high - chunk->low == 1);
            trial->refusals = memory_grow(trial->refusals, trial->count, &trial->capacity,
                                          sizeof(*trial->refusals));
            trial->refusals[trial->count++] =
                (struct refusal){.extent = chunk->low, .failure = chunk->failure};
        }
    }
}

/* After a window that was cut off: only the messages before the first failed chunk that was not
 * split count as tried. Nobody knows which message of that chunk failed. */
static void drop_unsplit(struct window *window)
{
    size_t count = 0;

    while (count < window->count && (!window->list[count].failed ||
                                     window->list[count].high - window->list[count].low == 1)) {
        count++;
    }
    window->count = count;
}

static enum outcome try_window(struct trial *trial, struct window *window,
                               struct pg_failure *failure)
{
    static const char *const again[] = {"rollback to savepoint mqtt2pg_window", mark_sql};
    static const char *const next[] = {back_sql, "release savepoint mqtt2pg_window",
                                       "savepoint mqtt2pg_window", mark_sql};
    struct pg_connection *connection = trial->store->connection;

    while (true) {
        if (try_chunks(trial, window, failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        if (trial->cut_off) {
            drop_unsplit(window);
            break;
        }
        if (!split_failed(window)) {
            break;
        }
        if (run_all(connection, again, 2, failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
    }
    if (name_columns(trial, window, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    take_refusals(trial, window);
    if (window->count > 0) {
        trial->tested = window->list[window->count - 1].high;
    }
    return run_all(connection, next, 4, failure);
}

enum outcome trial_run(struct trial *trial, struct pg_failure *failure)
{
    struct window window = {0};
    enum outcome outcome = OUTCOME_OK;
    size_t low = run_of(trial)->low;

    trial->tested = low;
    while (outcome == OUTCOME_OK && low < run_of(trial)->high && !trial->cut_off) {
        low = fill_window(trial, &window, low);
        outcome = try_window(trial, &window, failure);
        trial->cut_off =
            trial->cut_off || (low < run_of(trial)->high &&
                               (is_late(trial) || is_known(trial, &window, window.count)));
    }
    free(window.list);
    return outcome;
}

bool trial_may_be_met(const struct refusal *refusal)
{
    return strncmp(refusal->failure.sqlstate, "23", 2) == 0;
}

/* Puts the refusals that were not tried again back among those that were, in the order of
 * extents. Extents from `tried` on were cut off. */
static void put_back(struct trial *trial, const struct refusal *before, size_t count,
                     refusal_test *wanted, size_t tried)
{
    struct refusal *again = trial->refusals;
    size_t again_count = trial->count, next = 0;

    trial->refusals = memory_alloc((count + 1) * sizeof(*trial->refusals));
    trial->count = 0;
    trial->capacity = count + 1;
    for (size_t i = 0; i < count; i++) {
        if (!wanted(&before[i]) || before[i].extent >= tried) {
            trial->refusals[trial->count++] = before[i];
        } else if (next < again_count && again[next].extent == before[i].extent) {
            trial->refusals[trial->count++] = again[next++];
        }
    }
    assert(next == again_count && trial->count <= count);
    free(again);
}

enum outcome trial_again(struct trial *trial, refusal_test *wanted, struct pg_failure *failure)
{
    struct refusal *before = trial->refusals;
    size_t count = trial->count, tested = trial->tested, next = 0;
    struct window window = {0};
    enum outcome outcome = OUTCOME_OK;

    assert(!trial->cut_off);
    trial->refusals = NULL;
    trial->count = trial->capacity = 0;
    while (outcome == OUTCOME_OK && next < count && !trial->cut_off) {
        size_t bytes = 0;

        window.count = 0;
        for (; next < count && window.count < WINDOW_MESSAGES && bytes <= WINDOW_BYTES_MAX;
             next++) {
            size_t extent = before[next].extent;

            if (wanted(&before[next])) {
                bytes += write_of(trial)->extents[extent].length;
                add_chunk(&window, extent, extent + 1);
            }
        }
        if (window.count > 0) {
            outcome = try_window(trial, &window, failure);
        }
    }
    put_back(trial, before, count, wanted, trial->cut_off ? trial->tested : SIZE_MAX);
    assert(!trial->cut_off || trial->count > 0);
    trial->tested = tested;
    free(window.list);
    free(before);
    return outcome;
}

enum outcome trial_empty(const struct trial *trial, bool *passes, struct pg_failure *failure)
{
    static const char *const back[] = {back_sql};
    struct pg_connection *connection = trial->store->connection;
    struct pg_failure reason;

    *passes = target_run(connection, target_of(trial), slice_make("", 0), 0, failure) == OUTCOME_OK;
    if (!pg_is_connected(connection)) {
        return OUTCOME_RETRY;
    }
    if (run_all(connection, back, 1, &reason) != OUTCOME_OK) {
        *failure = reason;
        return OUTCOME_RETRY;
    }
    return OUTCOME_OK;
}

void trial_fini(struct trial *trial)
{
    free(trial->refusals);
    trial->refusals = NULL;
    trial->count = trial->capacity = 0;
}
