/* SPDX-License-Identifier: MIT */
#include "load/retry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "load/blame.h"
#include "load/transaction.h"
#include "load/trial.h"
#include "pg/pg_quote.h"
#include "pg/progress.h"

/* Bytes of payloads in one portion. Memory holds each payload several times: as text, as bytes and
 * as rows. */
#define PORTION_BYTES (2 * 1024 * 1024)

/* A letter that fails this often alone, each time for a reason that may pass, is given up. */
enum { FUTILE_MAX = 5 };

/* How many letters of each rule are tried to find out whether any pass, and for how long. */
enum { NEWEST_TRIED = 8, TIMED_MS = 1500 };

static const char begin_sql[] =
    "begin isolation level read committed; set local lock_timeout = '2s'";
static const char begin_impatient_sql[] =
    "begin isolation level read committed; set local lock_timeout = '100ms'";

/* Deletes the letters that are stored or filtered; gives the others their new reason. */
static enum outcome update_letters(const struct letter_batch *portion, struct pg_failure *failure)
{
    struct pg_connection *connection = portion->store->connection;
    int64_t *gone = memory_alloc((portion->letters.count + 1) * sizeof(*gone));
    size_t gone_count = 0;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; outcome == OUTCOME_OK && i < portion->letters.count; i++) {
        const struct second_verdict *verdict = &portion->verdicts[i];
        int64_t id = portion->letters.list[i].letter.id;

        if (verdict->claimed) {
            continue;
        }
        if (verdict->verdict != VERDICT_REJECTED) {
            gone[gone_count++] = id;
        } else {
            const struct dead_letter letter = {.id = id,
                                               .reason = verdict->reason,
                                               .sqlstate = verdict->sqlstate,
                                               .waits = verdict->waits};

            outcome = dead_letter_update(connection, &letter, failure);
        }
    }
    assert(gone_count <= portion->letters.count);
    if (outcome == OUTCOME_OK && gone_count > 0) {
        outcome = dead_letters_delete(connection, gone, gone_count, failure);
    }
    free(gone);
    return outcome;
}

static void count_letter(const struct second_verdict *verdict, struct retry_counts *counts)
{
    counts->letters++;
    if (verdict->claimed) {
        counts->claimed++;
        return;
    }
    counts->stored += verdict->verdict == VERDICT_ROWS;
    counts->filtered += verdict->verdict == VERDICT_FILTERED;
    counts->waiting += verdict->waits;
    counts->rejected += verdict->verdict == VERDICT_REJECTED && !verdict->waits;
    assert(counts->stored + counts->filtered + counts->rejected + counts->waiting +
               counts->claimed ==
           counts->letters);
}

/* Adds the portion to the caller's counts; only after COMMIT, or a portion would be counted
 * twice. */
static void count_letters(const struct letter_batch *portion, struct retry_counts *counts)
{
    struct retry_counts *each = portion->rules->each;

    for (size_t i = 0; i < portion->letters.count; i++) {
        count_letter(&portion->verdicts[i], counts);
        if (each != NULL) {
            count_letter(&portion->verdicts[i], &each[portion->verdicts[i].of]);
        }
        counts->last_id = portion->letters.list[i].letter.id;
    }
    for (size_t i = 0; i < portion->rules->count; i++) {
        uint64_t rows = portion->batch->rules[portion->rules->list[i]].rows_stored;

        counts->rows += rows;
        if (each != NULL) {
            each[i].rows += rows;
        }
    }
}

/* Has blame() parked or held one of the rules? RULE_HELD if any is held, else RULE_PARKED if any is
 * parked, else RULE_WORKS. */
static enum rule_state set_aside(const struct letter_batch *portion, unsigned *rule)
{
    enum rule_state state = RULE_WORKS;

    for (size_t i = 0; i < portion->rules->count && state != RULE_HELD; i++) {
        enum rule_state now =
            rule_targets_get(portion->store->targets, portion->rules->list[i])->state;

        if (now == RULE_PARKED || now == RULE_HELD) {
            state = now;
            *rule = portion->rules->list[i];
        }
    }
    return state;
}

/* How many messages of the batch pass, each tried alone? In a transaction that is rolled back. */
static size_t count_passing(const struct store *store, const struct batch *batch, bool timed)
{
    struct pg_failure failure;
    enum outcome outcome = trial_begin(store, timed, &failure);
    size_t passing = 0;

    for (size_t run = 0; outcome == OUTCOME_OK && run < batch->runs.count; run++) {
        struct trial trial = {.store = store,
                              .batch = batch,
                              .run = run,
                              .deadline_ms = clock_monotonic_ms() + (timed ? TIMED_MS : TRIAL_MS)};

        outcome = trial_run(&trial, &failure);
        if (outcome == OUTCOME_OK) {
            passing += trial.tested - batch->runs.list[run].low - trial.count;
        }
        trial_fini(&trial);
    }
    store_rollback(store);
    return passing;
}

/* The newest letters of the same rules. */
struct newest {
    size_t letters;
    size_t passing;
};

/* Do some of the newest letters pass? If so, the letters of this portion keep others waiting, for
 * example because another session has locked one row. Nothing is stored. `timed`: the trial has
 * less time. */
static struct newest try_newest(const struct letter_batch *portion, bool timed)
{
    struct store store = *portion->store;
    struct pg_connection *connection = portion->store->connection;
    const char **names = letter_batch_names(portion);
    struct letter_choices choices = {names, portion->rules->count, 1, NULL};
    struct letter_batch newest = {.store = portion->store, .rules = portion->rules};
    struct newest found = {0};
    struct dead_letter_query query = {.client_id = pg_client_id(connection), .parked = 1};
    struct pg_failure failure;

    store.letters = !timed;
    if (dead_letters_newest(connection, NEWEST_TRIED, &choices, &failure) == OUTCOME_OK &&
        choices.ids != NULL) {
        query.ids = choices.ids;
        if (dead_letters_read(connection, &query, &newest.letters, &failure) == OUTCOME_OK) {
            letter_batch_map(&newest);
            found.letters = newest.letters.count;
            found.passing = count_passing(&store, newest.batch, timed);
        }
    }
    letter_batch_fini(&newest);
    free(choices.ids);
    free(names);
    return found;
}

/* The portion is a single letter that has failed for a reason that may pass. While rules of other
 * tables wait, a letter that takes too long is given up as soon as another letter passes; while
 * none passes, the table is slow, and the rule waits. Without such a time limit the letter is given
 * up after FUTILE_MAX failures in a row. */
static bool gives_up_letter(const struct letter_batch *portion, const struct store_failure *failure)
{
    const struct store *store = portion->store;
    struct newest newest;
    unsigned futile;

    if (portion->letters.count != 1 || blame_kind_of(&failure->pg) != BLAME_TWICE) {
        return false;
    }
    futile = rule_targets_futile(store->targets, portion->rules->list[portion->verdicts[0].of]);
    if (store->patience == NULL || !blame_is_timeout(&failure->pg)) {
        return futile >= FUTILE_MAX;
    }
    newest = try_newest(portion, true);
    return newest.passing > 0 || (newest.letters <= 1 && futile >= FUTILE_MAX);
}

/* Called when row locks of other sessions have kept all letters of the portion from passing. After
 * FUTILE_MAX such portions in a row, tries newer letters. When some of these pass, blame() rejects
 * the refused letters. When none passes, the table or one that it refers to is locked, and the rule
 * waits until the lock is gone. */
static bool rejects_locked(const struct letter_batch *portion, unsigned rule,
                           struct store_failure *failure)
{
    struct store others = *portion->store;

    if (strcmp(failure->pg.sqlstate, "55P03") != 0 ||
        rule_targets_futile(others.targets, rule) < FUTILE_MAX ||
        try_newest(portion, false).passing == 0 || !pg_is_connected(others.connection)) {
        return false;
    }
    others.others_pass = true;
    rule_targets_resume(others.targets, rule);
    return blame(&others, portion->batch, failure) == STORE_AGAIN &&
           set_aside(portion, &rule) == RULE_WORKS;
}

/* After an ERROR: rolls back and lets blame() find the cause. STORE_AGAIN: there are new verdicts,
 * try again at once. STORE_WAIT: a rule is parked or held and waits for its next look. */
static enum store_result after_failure(const struct letter_batch *portion,
                                       struct store_failure *failure)
{
    const struct store *store = portion->store;
    enum store_result result;
    enum rule_state state;
    unsigned rule = 0;

    if (!pg_is_connected(store->connection)) {
        return STORE_LOST;
    }
    store_rollback(store);
    result = blame(store, portion->batch, failure);
    state = set_aside(portion, &rule);
    if (result != STORE_AGAIN || state == RULE_WORKS) {
        return result;
    }
    /* A timeout: fewer letters may be quick enough. A single letter has FUTILE_MAX tries. */
    if (state == RULE_HELD && blame_kind_of(&failure->pg) == BLAME_TWICE &&
        portion->letters.count > 1) {
        rule_targets_resume(store->targets, rule);
        return STORE_SMALLER;
    }
    if (gives_up_letter(portion, failure) && blame_message(store, portion->batch, &failure->pg)) {
        if (state == RULE_HELD) {
            rule_targets_resume(store->targets, rule);
        }
        return STORE_AGAIN;
    }
    if (state == RULE_HELD && rejects_locked(portion, rule, failure)) {
        return STORE_AGAIN;
    }
    return pg_is_connected(store->connection) ? STORE_WAIT : STORE_LOST;
}

/* Rolls back, which releases the letters' locks for other sessions. */
static enum store_result give_back(const struct letter_batch *portion, enum store_result result)
{
    if (!pg_is_connected(portion->store->connection)) {
        return STORE_LOST;
    }
    store_rollback(portion->store);
    return result;
}

/* Locks and reads one portion of letters: as many as have payloads that fit into PORTION_BYTES. No
 * letters are read when another session has them. */
static enum outcome begin(struct letter_batch *portion, struct dead_letter_query *query,
                          struct pg_failure *failure)
{
    struct pg_connection *connection = portion->store->connection;
    const char **names = letter_batch_names(portion);
    struct letter_choices choices = {names, portion->rules->count, PORTION_BYTES, NULL};
    const struct letter_lock lock = {query->client_id, names, portion->rules->count,
                                     portion->store->waits};
    enum outcome outcome;
    bool taken = false;

    outcome =
        pg_run(connection, portion->store->impatient ? begin_impatient_sql : begin_sql, failure);
    if (outcome == OUTCOME_OK) {
        outcome = dead_letters_lock(connection, &lock, &taken, failure);
    }
    /* Asked under the lock, because a replay takes the same lock to begin. The service takes no
     * letters that a replay claims. */
    if (outcome == OUTCOME_OK && portion->store->waits) {
        const struct replay_owner owner = {query->client_id, NULL, names, portion->rules->count};

        outcome = replay_claims_read(connection, &owner, &portion->claims, failure);
    }
    if (outcome == OUTCOME_OK && taken) {
        outcome = dead_letters_choose(connection, query, &choices, failure);
    }
    if (outcome == OUTCOME_OK && choices.ids != NULL) {
        /* Since they were chosen, the service may have given some of them to other rules. */
        struct buf rules = {0};

        pg_quote_array(&rules, names, portion->rules->count);
        query->ids = choices.ids;
        query->rules = buf_string(&rules);
        outcome = dead_letters_read(connection, query, &portion->letters, failure);
        query->ids = query->rules = NULL;
        buf_fini(&rules);
    }
    free(choices.ids);
    free(names);
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_RETRY;
}

/* Writes the acknowledgments to the outbox. Their mark needs a new `stored_at`, so this function
 * updates the row of `progress` without moving its position. */
static enum store_result prepare_acks(const struct letter_batch *portion,
                                      struct pg_failure *failure)
{
    const struct store *store = portion->store;
    const struct progress_step step = {
        .journal = store->journal, .from = store->position, .to = store->position};
    struct outbox_mark mark = {.position = store->position};

    if (portion->batch->acks.count == 0) {
        return STORE_DONE;
    }
    if (progress_move(store->connection, &step, &mark.stored_at_us, failure) != OUTCOME_OK) {
        return store_result_of(failure);
    }
    return mark.stored_at_us == 0 ? STORE_STALE
                                  : store_prepare_acks(store, portion->batch, &mark, failure);
}

/* Runs the statements that a batch has in its transaction, except BEGIN, the move of `progress` and
 * COMMIT: this file sends its own. */
static enum outcome store_rows(const struct letter_batch *portion, struct store_failure *failure)
{
    struct transaction transaction;
    enum outcome outcome;

    transaction_init(&transaction, portion->store, portion->batch, failure);
    outcome = transaction_limit(&transaction);
    if (outcome == OUTCOME_OK) {
        outcome = transaction_rows(&transaction);
    }
    if (outcome == OUTCOME_OK) {
        outcome = transaction_notify(&transaction);
    }
    if (outcome == OUTCOME_OK) {
        outcome = transaction_flush(&transaction);
    }
    transaction_fini(&transaction);
    return outcome;
}

/* Sends COMMIT, then releases the acknowledgments or drops them. */
static enum store_result commit(const struct letter_batch *portion, struct store_failure *failure)
{
    const struct store *store = portion->store;

    (void) FAULT("store.commit.before");
    if (pg_commit(store->connection, &failure->pg) == OUTCOME_OK) {
        (void) FAULT("store.commit.after");
        store_release_acks(store);
        store_rows_committed(store, portion->batch);
        return STORE_DONE;
    }
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST; /* outcome unknown: the outbox file stays until `progress` shows it */
    }
    store_rollback(store);
    store_drop_acks(store);
    failure->place = (struct store_place){.kind = PLACE_COMMIT};
    return after_failure(portion, failure);
}

/* lock and read letters ─▶ map ─▶ rows, NOTIFY ─▶ letters leave or get new reasons ─▶
 * acknowledgments to the outbox ─▶ COMMIT. Everything before COMMIT can be rolled back. */
static enum store_result run_retry(struct letter_batch *portion, struct dead_letter_query *query,
                                   struct retry_counts *counts, struct store_failure *failure)
{
    enum store_result result;

    failure->place = (struct store_place){.kind = PLACE_OWN_TABLES, .own = "the table dead_letter"};
    if (begin(portion, query, &failure->pg) != OUTCOME_OK) {
        return give_back(portion, store_result_of(&failure->pg));
    }
    counts->portion = portion->letters.count;
    if (portion->letters.count == 0) {
        return give_back(portion, STORE_DONE);
    }
    letter_batch_map(portion);
    if (untaken_is_due(portion->store->untaken)) {
        return give_back(portion, STORE_AGAIN);
    }
    if (store_rows(portion, failure) != OUTCOME_OK) {
        return after_failure(portion, failure);
    }
    if (!store_count_acks(portion->store, portion->batch)) {
        return give_back(portion, STORE_AGAIN);
    }
    if (update_letters(portion, &failure->pg) != OUTCOME_OK) {
        return give_back(portion, store_result_of(&failure->pg));
    }
    result = prepare_acks(portion, &failure->pg);
    if (result != STORE_DONE) {
        return give_back(portion, result);
    }
    result = commit(portion, failure);
    if (result == STORE_DONE) {
        count_letters(portion, counts);
    }
    return result;
}

/* Is one of the rules held? If so, its table may still be locked, and other rules must not wait
 * long. */
static bool is_impatient(const struct store *store, const struct retry_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rule_state_is_held(rule_targets_get(store->targets, rules->list[i])->state)) {
            return true;
        }
    }
    return false;
}

enum store_result retry_letters(const struct store *store, const struct retry_rules *rules,
                                const struct dead_letter_query *query, struct retry_counts *counts,
                                struct pg_failure *failure)
{
    struct store strict = *store;
    struct letter_batch portion = {.store = &strict, .rules = rules};
    struct dead_letter_query locked = *query;
    struct store_failure found = {.pg = *failure};
    enum store_result result;

    assert(store->mapper != NULL && query->client_id != NULL && rules->count > 0);
    strict.letters = true;
    strict.impatient = is_impatient(store, rules);
    locked.lock = true;
    locked.rule = NULL;
    result = run_retry(&portion, &locked, counts, &found);
    *failure = found.pg;
    counts->fits = found.fits;
    if (result == STORE_DONE) {
        verdicts_reset(store->verdicts);
    }
    letter_batch_fini(&portion);
    return result;
}
