/* SPDX-License-Identifier: MIT */
#include "load/retry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

/* What a letter's rule makes of it today. */
struct second_verdict {
    enum verdict verdict;
    char reason[RULE_REASON_MAX]; /* of REJECTED */
    char sqlstate[6];
};

/* One round of retry_letters(). The letters' ids stand where a batch of the journal has sequences,
 * so that isolation works the same. */
struct retry {
    const struct store *store;
    struct mapper *mapper;
    unsigned rule;
    struct dead_letter_rows letters;
    struct second_verdict *verdicts; /* one per letter */
    struct batch *batch; /* of rows and acknowledgments; it leaves the position where it is */
};

static void give_up(struct second_verdict *verdict, const char *reason, const char *sqlstate)
{
    verdict->verdict = VERDICT_REJECTED;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
    snprintf(verdict->sqlstate, sizeof(verdict->sqlstate), "%s", sqlstate == NULL ? "" : sqlstate);
}

/* The acknowledgment that this message has waited for. A letter that was rejected before has had
 * its own. */
static void append_ack(struct retry *retry, const struct dead_letter *letter,
                       const struct mapped *mapped, const char *reason, const char *sqlstate)
{
    const struct ack_facts facts = {.stored = reason == NULL,
                                    .reason = reason,
                                    .sqlstate = sqlstate,
                                    .rows = mapped->rows,
                                    .stored_at_us = clock_wall_us()};
    struct subject subject = mapped->subject;

    if (retry->store->outbox == NULL || mapped->rule->ack == NULL ||
        !ack_template_wants(mapped->rule->ack, facts.stored) ||
        (!facts.stored && !letter->parked)) {
        return;
    }
    subject.here = subject.payload;
    subject.ack = &facts;
    ack_template_append(mapped->rule->ack, &subject, mapper_arena(retry->mapper),
                        &retry->batch->acks);
}

static void map_letter(struct retry *retry, size_t i)
{
    const struct dead_letter_row *row = &retry->letters.list[i];
    struct second_verdict *verdict = &retry->verdicts[i];
    const struct verdict_row *refused =
        verdicts_find(retry->store->verdicts, (uint64_t) row->letter.id, retry->rule);
    const struct mapped *mapped;

    if (!mapper_map_rule(retry->mapper, retry->rule, &row->message, &mapped)) {
        give_up(verdict, "the rule's topic does not match any more", NULL);
        return;
    }
    verdict->verdict = mapped->verdict;
    if (refused != NULL) {
        give_up(verdict, refused->reason, refused->sqlstate);
    } else if (mapped->verdict == VERDICT_REJECTED) {
        give_up(verdict, mapped->reason, NULL);
    }
    if (verdict->verdict == VERDICT_ROWS) {
        batch_add_rows(retry->batch, i, mapped,
                       rule_targets_get(retry->store->targets, retry->rule)->plan);
    }
    if (verdict->verdict != VERDICT_FILTERED) {
        bool rejected = verdict->verdict == VERDICT_REJECTED;
        append_ack(retry, &row->letter, mapped, rejected ? verdict->reason : NULL,
                   rejected ? verdict->sqlstate : NULL);
    }
}

static void map_letters(struct retry *retry)
{
    bool skipped = mapper_skips(retry->mapper, retry->rule);
    size_t count = retry->letters.count;

    retry->verdicts = memory_alloc((count + 1) * sizeof(*retry->verdicts));
    retry->batch = batch_new(retry->store->ruleset->count);
    retry->batch->sequences = memory_alloc((count + 1) * sizeof(*retry->batch->sequences));
    retry->batch->count = count;
    retry->batch->from = retry->batch->to = retry->store->position;
    mapper_skip(retry->mapper, retry->rule, false);
    for (size_t i = 0; i < count; i++) {
        retry->batch->sequences[i] = (uint64_t) retry->letters.list[i].letter.id;
        map_letter(retry, i);
    }
    mapper_skip(retry->mapper, retry->rule, skipped);
}

/* The letters leave the table or get their new reason. */
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
            outcome = dead_letter_update(connection, id, verdict->reason, verdict->sqlstate, false,
                                         failure);
        }
    }
    if (outcome == OUTCOME_OK && gone_count > 0) {
        outcome = dead_letters_delete(connection, gone, gone_count, failure);
    }
    free(gone);
    return outcome;
}

static void count_letters(const struct retry *retry, struct retry_counts *counts)
{
    for (size_t i = 0; i < retry->letters.count; i++) {
        counts->stored += retry->verdicts[i].verdict == VERDICT_ROWS;
        counts->filtered += retry->verdicts[i].verdict == VERDICT_FILTERED;
        counts->rejected += retry->verdicts[i].verdict == VERDICT_REJECTED;
    }
    counts->letters += retry->letters.count;
    counts->rows += retry->batch->rules[retry->rule].row_count;
    if (retry->letters.count > 0) {
        counts->last_id = retry->letters.list[retry->letters.count - 1].letter.id;
    }
}

/* What is learned is of use at once, unless it is that the table does not work. */
static enum store_result blame_letter(const struct retry *retry, struct pg_failure *failure)
{
    const struct store *store = retry->store;
    enum store_result result = store_blame_rows(store, retry->batch, retry->rule, failure);
    bool works = rule_targets_get(store->targets, retry->rule)->plan != NULL;

    return result == STORE_AGAIN && !works ? STORE_WAIT : result;
}

/* After a rollback of the rows: find who is to blame, or park. */
static enum store_result after_failure(const struct retry *retry, bool in_rows,
                                       struct pg_failure *failure)
{
    if (!pg_is_connected(retry->store->connection)) {
        return STORE_LOST;
    }
    store_rollback(retry->store);
    if (in_rows && failure->action == SQL_RULE) {
        rule_targets_park(retry->store->targets, retry->rule, failure->message, failure->sqlstate);
        return STORE_WAIT;
    }
    if (in_rows && failure->action == SQL_ROW) {
        return blame_letter(retry, failure);
    }
    return store_result_of(failure);
}

static enum store_result give_back(const struct retry *retry, enum store_result result)
{
    if (!pg_is_connected(retry->store->connection)) {
        return STORE_LOST;
    }
    store_rollback(retry->store);
    return result;
}

static enum store_result run_retry(struct retry *retry, const struct dead_letter_query *query,
                                   struct retry_counts *counts, struct pg_failure *failure)
{
    struct pg_connection *connection = retry->store->connection;
    const struct rule_batch *rows;
    enum store_result result;
    int64_t stored_at_us = 0;
    unsigned changed;

    if (pg_run(connection, "begin", failure) != OUTCOME_OK ||
        dead_letters_read(connection, query, &retry->letters, failure) != OUTCOME_OK) {
        return after_failure(retry, false, failure);
    }
    map_letters(retry);
    rows = &retry->batch->rules[retry->rule];
    if (retry->batch->acks.count > 0) {
        result = store_move(retry->store, retry->batch, &stored_at_us, failure);
        if (result != STORE_DONE) {
            return give_back(retry, result);
        }
    }
    if (rows->row_count > 0 &&
        (store_rows(retry->store, retry->batch, retry->rule, 0, rows->extent_count, failure) !=
             OUTCOME_OK ||
         store_check_types(retry->store, retry->batch, &changed, failure) != OUTCOME_OK ||
         store_notify(retry->store, retry->batch, failure) != OUTCOME_OK)) {
        return after_failure(retry, true, failure);
    }
    if (settle_letters(retry, failure) != OUTCOME_OK) {
        return after_failure(retry, false, failure);
    }
    result = store_commit(retry->store, retry->batch, stored_at_us, failure);
    if (result == STORE_DONE) {
        count_letters(retry, counts);
    }
    return result;
}

enum store_result retry_letters(const struct store *store, struct mapper *mapper, unsigned rule,
                                const struct dead_letter_query *query, struct retry_counts *counts,
                                struct pg_failure *failure)
{
    struct retry retry = {.store = store, .mapper = mapper, .rule = rule};
    struct dead_letter_query locked = *query;
    enum store_result result;

    assert(query->client_id != NULL); /* a rule of another bridge may have the same name */
    locked.lock = true;
    locked.rule = store->ruleset->rules[rule]->name;
    result = run_retry(&retry, &locked, counts, failure);
    if (result == STORE_DONE) {
        verdicts_reset(store->verdicts);
    }
    dead_letter_rows_fini(&retry.letters);
    free(retry.verdicts);
    batch_free(retry.batch);
    return result;
}
