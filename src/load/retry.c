/* SPDX-License-Identifier: MIT */
#include "load/retry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "load/batch_acks.h"
#include "load/blame.h"
#include "load/transaction.h"
#include "pg/progress.h"

/* Bytes of payloads in one portion. Memory holds each payload several times: as text, as bytes and
 * as rows. */
#define PORTION_BYTES (2 * 1024 * 1024)

/* A letter that fails this often alone, each time for a reason that may pass, is given up. */
enum { FUTILE_MAX = 5 };

static const char begin_sql[] =
    "begin isolation level read committed; set local lock_timeout = '2s'";
static const char begin_impatient_sql[] =
    "begin isolation level read committed; set local lock_timeout = '100ms'; "
    "set local statement_timeout = '5s'";

/* What today's rule makes of a letter. */
struct second_verdict {
    size_t of; /* whose letter it is: a place in retry->rules */
    enum verdict verdict;
    char reason[RULE_REASON_MAX]; /* of VERDICT_REJECTED */
    char sqlstate[6];             /* of VERDICT_REJECTED; "" = not PostgreSQL's */
    bool waits;                   /* rejected for now: the service tries the letter again */
};

/* One call of retry_letters(). Its batch has the letters' ids in place of sequences, so that
 * load/blame finds the refused letters as it finds refused messages. */
struct retry {
    const struct store *store;
    const struct retry_rules *rules;
    struct dead_letter_rows letters;
    struct second_verdict *verdicts; /* one per letter */
    struct batch *batch;             /* rows and acknowledgments; does not move the position */
};

/* Which of the rules the letter is of. The letters were chosen by the rules' names. */
static size_t rule_of(const struct retry *retry, const struct dead_letter *letter)
{
    size_t i = 0;

    while (i + 1 < retry->rules->count &&
           strcmp(retry->store->ruleset->rules[retry->rules->list[i]]->name, letter->rule) != 0) {
        i++;
    }
    assert(strcmp(retry->store->ruleset->rules[retry->rules->list[i]]->name, letter->rule) == 0);
    return i;
}

/* The letter stays in the table, with this reason. */
static void give_up(struct second_verdict *verdict, const char *reason)
{
    assert(reason != NULL);
    verdict->verdict = VERDICT_REJECTED;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
}

/* PostgreSQL has refused this letter's rows in an earlier round: blame() left a verdict. */
static void refuse(const struct retry *retry, size_t i, const struct verdict_row *row)
{
    struct second_verdict *verdict = &retry->verdicts[i];
    const struct refused refused = {row->reason, row->sqlstate, row->may_pass};

    assert(i < retry->letters.count);

    give_up(verdict, row->reason);
    memcpy(verdict->sqlstate, row->sqlstate, sizeof(verdict->sqlstate));
    verdict->waits = batch_retries(retry->store->ruleset->rules[row->rule],
                                   &retry->letters.list[i].message, &refused);
}

/* The device of a letter that is neither parked nor waiting has been told "rejected" already. It
 * gets a second acknowledgment only when the letter is stored after all. */
static bool wants_ack(const struct retry *retry, const struct dead_letter *letter,
                      const struct second_verdict *verdict)
{
    assert(!verdict->waits || verdict->verdict == VERDICT_REJECTED);
    return retry->store->outbox != NULL && verdict->verdict != VERDICT_FILTERED &&
           !verdict->waits && (letter->parked || letter->waits || verdict->verdict == VERDICT_ROWS);
}

/* What today's rule makes of the i-th letter. Rows and acknowledgment go into the batch. */
static void map_letter(struct retry *retry, size_t i)
{
    const struct dead_letter_row *row = &retry->letters.list[i];
    struct second_verdict *verdict = &retry->verdicts[i];
    size_t of = verdict->of = rule_of(retry, &row->letter);
    unsigned rule = retry->rules->list[of];
    const struct verdict_row *refused =
        verdicts_find(retry->store->verdicts, (uint64_t) row->letter.id, rule);
    const struct rule_target *target = rule_targets_get(retry->store->targets, rule);
    const struct mapped *mapped;

    assert(i < retry->letters.count);
    if (row->message.kind == MESSAGE_HEAD) {
        give_up(verdict, row->letter.reason); /* only the head is kept */
        return;
    }
    if (!mapper_map_rule(retry->store->mapper, rule, &row->message, &mapped)) {
        give_up(verdict, "the rule's topic does not match any more");
        return;
    }
    verdict->verdict = mapped->verdict;
    if (refused != NULL) {
        refuse(retry, i, refused);
    } else if (mapped->verdict == VERDICT_REJECTED) {
        give_up(verdict, mapped->reason);
    }
    if (verdict->verdict == VERDICT_ROWS && !batch_add_rows(retry->batch, i, mapped, target)) {
        give_up(verdict, batch_too_large);
    }
    if (!wants_ack(retry, &row->letter, verdict)) {
        return;
    }
    if (verdict->verdict == VERDICT_REJECTED) {
        const struct refused why = {.reason = verdict->reason, .sqlstate = verdict->sqlstate};

        batch_ack_refused(retry->batch, retry->store->mapper, mapped, &why);
    } else {
        batch_ack_stored(retry->batch, retry->store->mapper, mapped, target);
    }
}

/* Makes the batch. Its position does not move: letters are no part of the journal's order. */
static void map_letters(struct retry *retry)
{
    size_t count = retry->letters.count;

    assert(retry->verdicts == NULL && retry->batch == NULL);
    retry->verdicts = memory_alloc((count + 1) * sizeof(*retry->verdicts));
    retry->batch = batch_new(retry->store->ruleset->count);
    retry->batch->sequences = memory_alloc((count + 1) * sizeof(*retry->batch->sequences));
    retry->batch->count = count;
    retry->batch->from = retry->batch->to = retry->store->position;
    for (size_t i = 0; i < count; i++) {
        retry->batch->sequences[i] = (uint64_t) retry->letters.list[i].letter.id;
        map_letter(retry, i);
    }
    batch_finish(retry->batch);
}

/* Deletes the letters that are stored or filtered; gives the others their new reason. */
static enum outcome settle_letters(const struct retry *retry, struct pg_failure *failure)
{
    struct pg_connection *connection = retry->store->connection;
    int64_t *gone = memory_alloc((retry->letters.count + 1) * sizeof(*gone));
    size_t gone_count = 0;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; outcome == OUTCOME_OK && i < retry->letters.count; i++) {
        const struct second_verdict *verdict = &retry->verdicts[i];
        int64_t id = retry->letters.list[i].letter.id;

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
    assert(gone_count <= retry->letters.count);
    if (outcome == OUTCOME_OK && gone_count > 0) {
        outcome = dead_letters_delete(connection, gone, gone_count, failure);
    }
    free(gone);
    return outcome;
}

static void count_letter(const struct second_verdict *verdict, struct retry_counts *counts)
{
    counts->letters++;
    counts->stored += verdict->verdict == VERDICT_ROWS;
    counts->filtered += verdict->verdict == VERDICT_FILTERED;
    counts->waiting += verdict->waits;
    counts->rejected += verdict->verdict == VERDICT_REJECTED && !verdict->waits;
    assert(counts->stored + counts->filtered + counts->rejected + counts->waiting ==
           counts->letters);
}

/* Adds the portion to the caller's counts; only after COMMIT, or a portion would be counted
 * twice. */
static void count_letters(const struct retry *retry, struct retry_counts *counts)
{
    struct retry_counts *each = retry->rules->each;

    for (size_t i = 0; i < retry->letters.count; i++) {
        count_letter(&retry->verdicts[i], counts);
        if (each != NULL) {
            count_letter(&retry->verdicts[i], &each[retry->verdicts[i].of]);
        }
        counts->last_id = retry->letters.list[i].letter.id;
    }
    for (size_t i = 0; i < retry->rules->count; i++) {
        uint64_t rows = retry->batch->rules[retry->rules->list[i]].rows_stored;

        counts->rows += rows;
        if (each != NULL) {
            each[i].rows += rows;
        }
    }
}

/* Has blame() set one of the rules aside? HELD before PARKED; RULE_WORKS when it has not. */
static enum rule_state set_aside(const struct retry *retry, unsigned *rule)
{
    enum rule_state state = RULE_WORKS;

    for (size_t i = 0; i < retry->rules->count && state != RULE_HELD; i++) {
        enum rule_state now = rule_targets_get(retry->store->targets, retry->rules->list[i])->state;

        if (now == RULE_PARKED || now == RULE_HELD) {
            state = now;
            *rule = retry->rules->list[i];
        }
    }
    return state;
}

/* Whether the portion is a single letter that has failed FUTILE_MAX times in a row. */
static bool gives_up_letter(const struct retry *retry, const struct store_failure *failure)
{
    return retry->letters.count == 1 && blame_kind_of(&failure->pg) == BLAME_TWICE &&
           rule_targets_futile(retry->store->targets, retry->rules->list[retry->verdicts[0].of]) >=
               FUTILE_MAX;
}

/* After an ERROR: rolls back and lets blame() find the cause. The caller can use new verdicts at
 * once (STORE_AGAIN). A rule that is parked or held waits for its next try (STORE_WAIT). */
static enum store_result after_failure(const struct retry *retry, struct store_failure *failure)
{
    const struct store *store = retry->store;
    enum store_result result;
    enum rule_state state;
    unsigned rule = 0;

    if (!pg_is_connected(store->connection)) {
        return STORE_LOST;
    }
    store_rollback(store);
    result = blame(store, retry->batch, failure);
    state = set_aside(retry, &rule);
    if (result != STORE_AGAIN || state == RULE_WORKS) {
        return result;
    }
    /* A timeout: fewer letters may be quick enough. A single letter has FUTILE_MAX tries. */
    if (state == RULE_HELD && blame_kind_of(&failure->pg) == BLAME_TWICE &&
        retry->letters.count > 1) {
        rule_targets_resume(store->targets, rule);
        return STORE_SMALLER;
    }
    if (gives_up_letter(retry, failure) && blame_message(store, retry->batch, &failure->pg)) {
        if (state == RULE_HELD) {
            rule_targets_resume(store->targets, rule);
        }
        return STORE_AGAIN;
    }
    return STORE_WAIT;
}

/* Rolls back, so the letters' locks go and other sessions may have them. */
static enum store_result give_back(const struct retry *retry, enum store_result result)
{
    if (!pg_is_connected(retry->store->connection)) {
        return STORE_LOST;
    }
    store_rollback(retry->store);
    return result;
}

/* Locks one portion of letters, with as many as have payloads that fit into PORTION_BYTES, and reads
 * them. No letters are read when another session has them. */
static enum outcome begin(struct retry *retry, struct dead_letter_query *query,
                          struct pg_failure *failure)
{
    struct pg_connection *connection = retry->store->connection;
    const char **names = memory_alloc(retry->rules->count * sizeof(*names));
    struct letter_choices choices = {names, retry->rules->count, PORTION_BYTES, NULL};
    const struct letter_lock lock = {query->client_id, names, retry->rules->count,
                                     retry->store->waits};
    enum outcome outcome;
    bool taken = false;

    for (size_t i = 0; i < retry->rules->count; i++) {
        names[i] = retry->store->ruleset->rules[retry->rules->list[i]]->name;
    }
    outcome =
        pg_run(connection, retry->store->impatient ? begin_impatient_sql : begin_sql, failure);
    if (outcome == OUTCOME_OK) {
        outcome = dead_letters_lock(connection, &lock, &taken, failure);
    }
    if (outcome == OUTCOME_OK && taken) {
        outcome = dead_letters_choose(connection, query, &choices, failure);
    }
    if (outcome == OUTCOME_OK && choices.ids != NULL) {
        query->ids = choices.ids;
        outcome = dead_letters_read(connection, query, &retry->letters, failure);
        query->ids = NULL;
    }
    free(choices.ids);
    free(names);
    return outcome == OUTCOME_OK ? OUTCOME_OK : OUTCOME_RETRY;
}

/* Writes the acknowledgments to the outbox. Their mark needs a new `stored_at`, so this function
 * updates the row of `progress` without moving its position. */
static enum store_result prepare_acks(const struct retry *retry, struct pg_failure *failure)
{
    const struct store *store = retry->store;
    const struct progress_step step = {
        .journal = store->journal, .from = store->position, .to = store->position};
    struct outbox_mark mark = {.position = store->position};

    if (retry->batch->acks.count == 0) {
        return STORE_DONE;
    }
    if (progress_move(store->connection, &step, &mark.stored_at_us, failure) != OUTCOME_OK) {
        return store_result_of(failure);
    }
    return mark.stored_at_us == 0 ? STORE_STALE
                                  : store_prepare_acks(store, retry->batch, &mark, failure);
}

/* The statements of a batch's transaction, without BEGIN, progress, letters and COMMIT: these are
 * this file's own. */
static enum outcome store_rows(const struct retry *retry, struct store_failure *failure)
{
    struct transaction transaction;
    enum outcome outcome;

    transaction_init(&transaction, retry->store, retry->batch, failure);
    outcome = transaction_rows(&transaction);
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
static enum store_result commit(const struct retry *retry, struct store_failure *failure)
{
    const struct store *store = retry->store;

    (void) FAULT("store.commit.before");
    if (pg_commit(store->connection, &failure->pg) == OUTCOME_OK) {
        (void) FAULT("store.commit.after");
        store_release_acks(store);
        store_rows_committed(store, retry->batch);
        return STORE_DONE;
    }
    if (!pg_is_connected(store->connection)) {
        return STORE_LOST; /* outcome unknown: the outbox keeps its file until `progress` tells */
    }
    store_rollback(store);
    store_drop_acks(store);
    failure->place = (struct store_place){.kind = PLACE_COMMIT};
    return after_failure(retry, failure);
}

/* lock and read letters ─▶ map ─▶ rows, NOTIFY ─▶ letters leave or get new reasons ─▶
 * acknowledgments to the outbox ─▶ COMMIT. Everything before COMMIT can be rolled back. */
static enum store_result run_retry(struct retry *retry, struct dead_letter_query *query,
                                   struct retry_counts *counts, struct store_failure *failure)
{
    enum store_result result;

    failure->place = (struct store_place){.kind = PLACE_OWN_TABLES, .own = "the table dead_letter"};
    if (begin(retry, query, &failure->pg) != OUTCOME_OK) {
        return give_back(retry, store_result_of(&failure->pg));
    }
    counts->portion = retry->letters.count;
    if (retry->letters.count == 0) {
        return give_back(retry, STORE_DONE);
    }
    map_letters(retry);
    if (store_rows(retry, failure) != OUTCOME_OK) {
        return after_failure(retry, failure);
    }
    if (!store_count_acks(retry->store, retry->batch)) {
        return give_back(retry, STORE_AGAIN);
    }
    if (settle_letters(retry, &failure->pg) != OUTCOME_OK) {
        return give_back(retry, store_result_of(&failure->pg));
    }
    result = prepare_acks(retry, &failure->pg);
    if (result != STORE_DONE) {
        return give_back(retry, result);
    }
    result = commit(retry, failure);
    if (result == STORE_DONE) {
        count_letters(retry, counts);
    }
    return result;
}

/* Is one of the rules held? Then its table may still be locked, and others must not wait long. */
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
    struct retry retry = {.store = &strict, .rules = rules};
    struct dead_letter_query locked = *query;
    struct store_failure found = {.pg = *failure};
    enum store_result result;

    assert(store->mapper != NULL && query->client_id != NULL && rules->count > 0);
    strict.letters = true;
    strict.impatient = is_impatient(store, rules);
    locked.lock = true;
    locked.rule = NULL;
    result = run_retry(&retry, &locked, counts, &found);
    *failure = found.pg;
    if (result == STORE_DONE) {
        verdicts_reset(store->verdicts);
    }
    dead_letter_rows_fini(&retry.letters);
    free(retry.verdicts);
    batch_free(retry.batch);
    return result;
}
