/* SPDX-License-Identifier: MIT */
#include "load/replay.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/memory.h"
#include "load/blame.h"
#include "load/copies_recall.h"
#include "load/store.h"
#include "pg/pg_quote.h"

#define REPORTED_MAX 20
#define SOON_MAX 10 /* attempts in a row after a deadlock or another failure that passes */

/* One call of replay_run(). */
struct replay {
    const struct replay_options *options;
    const struct rule_target *target;
    struct replay_counts *counts;
    struct pg_failure *failure;
    struct journal_reader *reader;
    struct copies *copies;
    struct verdicts verdicts;
    struct batch *batch;
    struct batch_builder builder;
    struct store store;
    struct replay_letters letters; /* of the rule's messages */

    uint64_t done;                        /* messages up to this one are stored again */
    uint64_t last;                        /* the last message that is to be looked at */
    struct buf superseded, superseded_us; /* of the batch, see struct replay_step */
    uint64_t left;                        /* messages that the batch leaves to the service */
    bool at_end;                          /* no message follows the batch */
    size_t records_max;                   /* of the batch; small after a refusal of a whole batch */
    unsigned soon;                        /* refusals in a row that may pass by themselves */
};

struct replay_key replay_key(const struct replay_options *options)
{
    assert(options->rule < options->ruleset->count);
    return (struct replay_key){.journal = journal_uuid(options->journal),
                               .rule = options->ruleset->rules[options->rule]->name};
}

enum outcome replay_read_letters(const struct replay_options *options,
                                 struct replay_letters *letters, struct pg_failure *failure)
{
    const struct ruleset *ruleset = options->ruleset;
    const struct replay_key key = replay_key(options);
    const char **names = memory_alloc((ruleset->count + 1) * sizeof(*names));
    struct buf array = {0};
    enum outcome outcome;

    for (size_t i = 0; i < ruleset->count; i++) {
        names[i] = ruleset->rules[i]->name;
    }
    pg_quote_array(&array, names, ruleset->count);
    outcome =
        replay_progress_letters(options->connection, &key, buf_string(&array), letters, failure);
    buf_fini(&array);
    free(names);
    return outcome;
}

/* --- one batch -------------------------------------------------------------------------------- */

/* Widens the range of times in the counts to hold the rows' times: the values of the rule's first
 * column of a time type, in microseconds since 2000. The command prints the range, because
 * aggregates that were computed over it may have to be refreshed. */
static void note_times(struct replay *replay, const struct mapped *mapped)
{
    const struct row_plan *plan = replay->target->plan;
    struct replay_counts *counts = replay->counts;
    size_t column = 0;

    while (column < plan->count && plan->columns[column]->family != TYPE_TIMESTAMPTZ &&
           plan->columns[column]->family != TYPE_TIMESTAMP) {
        column++;
    }
    for (size_t row = 0; column < plan->count && row < mapped->rows; row++) {
        const struct datum *datum = &mapped->datums[row * plan->count + column];
        int64_t time_us = datum->integer;

        /* infinity and -infinity would make the range useless. */
        if (datum->null || datum->array || time_us == INT64_MIN || time_us == INT64_MAX) {
            continue;
        }
        counts->times_from_us =
            !counts->has_times || time_us < counts->times_from_us ? time_us : counts->times_from_us;
        counts->times_to_us =
            !counts->has_times || time_us > counts->times_to_us ? time_us : counts->times_to_us;
        counts->has_times = true;
    }
}

/* Would the service give this message to the rule? The answer depends on earlier messages, so the
 * caller asks about every message, in the journal's order. */
static bool is_taken(struct replay *replay, const struct message *message)
{
    size_t count = mapper_find(replay->options->mapper, message);
    bool taken = false;

    for (size_t i = 0; i < count; i++) {
        taken = taken || mapper_rule(replay->options->mapper, i) == replay->options->rule;
    }
    return taken;
}

/* Does the message lie behind the progress of earlier runs and within the requested time? */
static bool is_wanted(const struct replay *replay, const struct message *message)
{
    return message->sequence > replay->done && message->kind == MESSAGE_PUBLISH &&
           message->received_at_us >= replay->options->state.from_us &&
           message->received_at_us <= replay->options->state.to_us;
}

/* Does the service, or `dead-letters retry`, store this message from its dead letter, or has one of
 * them done so since this replay began? */
static bool is_left_out(const struct replay *replay, const struct message *message)
{
    return replay_numbers_has(&replay->letters.waiting, message->sequence) ||
           replay_numbers_has(&replay->options->state.left_out, message->sequence);
}

/* Notes the message's dead letter: the transaction that stores the message deletes the letter. */
static void supersede(struct replay *replay, const struct message *message)
{
    const char *comma = replay->superseded.length > 0 ? "," : "";

    buf_printf(&replay->superseded, "%s%" PRIu64, comma, message->sequence);
    buf_printf(&replay->superseded_us, "%s%" PRId64, comma, message->received_at_us);
}

static void add(struct replay *replay, const struct message *message)
{
    struct memory_entry learned;
    const struct mapped *mapped;

    (void) mapper_learn(replay->options->mapper, message, &learned);
    if (!is_taken(replay, message) || !is_wanted(replay, message)) {
        return;
    }
    if (is_left_out(replay, message)) {
        replay->left++;
        return;
    }
    if (replay_numbers_has(&replay->letters.settled, message->sequence)) {
        supersede(replay, message);
    }
    batch_add_message(replay->batch, message);
    bool matches =
        mapper_map_rule(replay->options->mapper, replay->options->rule, message, &mapped);
    assert(matches);
    (void) matches;
    if (mapped->verdict == VERDICT_ROWS) {
        note_times(replay, mapped);
    }
    batch_add_mapped(replay->batch, &replay->builder, mapped);
}

/* Makes the next batch from the messages behind `done`. */
static enum outcome fill(struct replay *replay)
{
    struct batch *batch = replay->batch;
    struct journal_next next;
    enum journal_read read = JOURNAL_READ_MESSAGE;

    batch_begin(batch, &replay->builder);
    batch->from = batch->to = replay->done;
    buf_reset(&replay->superseded);
    buf_reset(&replay->superseded_us);
    replay->left = 0;
    while (!batch_is_full(batch, &replay->options->batch) && batch->count < replay->records_max &&
           journal_reader_position(replay->reader) <= replay->last &&
           (read = journal_reader_next(replay->reader, &next)) != JOURNAL_READ_END) {
        if (read == JOURNAL_READ_FAILED) {
            return pg_failure_set(replay->failure, SQL_STOP, "%s", next.error.text);
        }
        if (read == JOURNAL_READ_MESSAGE && message_is_delivery(&next.message)) {
            add(replay, &next.message);
            batch->to = next.message.sequence > batch->to ? next.message.sequence : batch->to;
        }
    }
    replay->at_end =
        read == JOURNAL_READ_END || journal_reader_position(replay->reader) > replay->last;
    batch_finish(batch);
    return OUTCOME_OK;
}

/* After a batch that was not stored: moves the reader and `copies` back to `done`, so that fill()
 * makes the batch again. */
static enum outcome go_back(struct replay *replay)
{
    struct error error;

    copies_recall(replay->reader, NULL, replay->options->ruleset, replay->copies, replay->done);
    if (journal_reader_seek(replay->reader, replay->done + 1, &error) != OUTCOME_OK) {
        return pg_failure_set(replay->failure, SQL_STOP, "%s", error.text);
    }
    return OUTCOME_OK;
}

/* --- storing ---------------------------------------------------------------------------------- */

/* Prints the batch's rejected messages; of the whole replay, the first REPORTED_MAX. */
static void report(const struct replay *replay)
{
    const struct batch *batch = replay->batch;
    uint64_t before = replay->counts->rejected;

    for (size_t i = 0; i < batch_rejects_kept(batch); i++) {
        if (before + i < REPORTED_MAX) {
            fprintf(stderr, "mqtt2pg: %s: %s\n", batch->rejects[i].topic, batch->rejects[i].reason);
        }
    }
    if (before < REPORTED_MAX && before + batch->reject_count > REPORTED_MAX) {
        fprintf(stderr, "mqtt2pg: more messages are rejected; they are only counted\n");
    }
}

/* The batch is stored, or counted by a dry run. */
static void finish_batch(struct replay *replay)
{
    const struct batch *batch = replay->batch;
    const struct rule_batch *rule = &batch->rules[replay->options->rule];
    struct replay_counts *counts = replay->counts;

    assert(batch->to >= replay->done && rule->parked == 0 && rule->waiting == 0);
    if (!replay->options->silent) {
        report(replay);
    }
    /* times are not ascending when the clock was set back */
    for (size_t i = 0; i < batch->count; i++) {
        int64_t at_us = batch->received_us[i];

        counts->first_us =
            counts->first_us == 0 || at_us < counts->first_us ? at_us : counts->first_us;
        counts->last_us = at_us > counts->last_us ? at_us : counts->last_us;
    }
    counts->messages += batch->count;
    counts->rows += replay->options->dry_run && !replay->options->rehearses ? rule->row_count
                                                                            : rule->rows_stored;
    counts->filtered += rule->filtered;
    counts->rejected += rule->rejected;
    counts->left += replay->left;
    replay->done = batch->to;
    replay->soon = 0;
    replay->records_max = replay->records_max < SIZE_MAX / 2 ? replay->records_max * 2 : SIZE_MAX;
    verdicts_reset(&replay->verdicts);
}

/* After a batch that was rolled back: OUTCOME_OK when it should be tried again; else the replay's
 * failure is set. */
static enum outcome after_failure(struct replay *replay, enum store_result result)
{
    if (result == STORE_AGAIN && replay->target->plan != NULL &&
        replay->target->state != RULE_PARKED && replay->target->state != RULE_HELD) {
        return OUTCOME_OK;
    }
    if (result == STORE_SMALLER && replay->batch->count > 1) {
        replay->records_max = replay->batch->count / 2;
        return OUTCOME_OK;
    }
    if (result == STORE_SOON && replay->soon++ < SOON_MAX) {
        return OUTCOME_OK;
    }
    if (result == STORE_AGAIN) {
        pg_failure_set(replay->failure, SQL_STOP, "%s", replay->target->reason);
    }
    if (result == STORE_STALE) {
        pg_failure_set(replay->failure, SQL_STOP,
                       "another replay of this rule is running, or took its place");
    }
    return OUTCOME_RETRY;
}

static enum outcome store(struct replay *replay)
{
    const struct replay_step step = {
        .rule = replay->options->ruleset->rules[replay->options->rule]->name,
        .superseded = buf_string(&replay->superseded),
        .superseded_us = buf_string(&replay->superseded_us),
        .finished = replay->at_end};
    struct store_failure failure = {.pg.message = ""};
    enum store_result result;

    replay->store.replay = &step;
    result = replay->options->dry_run ? store_rehearse(&replay->store, replay->batch, &failure)
                                      : store_batch(&replay->store, replay->batch, &failure);
    if (result == STORE_REFUSED) {
        result = blame(&replay->store, replay->batch, &failure);
    }
    replay->store.replay = NULL;
    if (result == STORE_DONE) {
        finish_batch(replay);
        (void) FAULT("replay.batch.stored");
        return OUTCOME_OK;
    }
    *replay->failure = failure.pg;
    replay->at_end = false;
    return after_failure(replay, result) == OUTCOME_OK ? go_back(replay) : OUTCOME_RETRY;
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum outcome go_through(struct replay *replay)
{
    const struct replay_options *options = replay->options;
    struct error error;
    enum outcome outcome = replay_read_letters(options, &replay->letters, replay->failure);

    /* Start at the journal's first message: copies and stateful formats depend on what came before
     * the replayed range. */
    if (outcome == OUTCOME_OK &&
        journal_reader_seek(replay->reader, journal_first(options->journal), &error) !=
            OUTCOME_OK) {
        outcome = pg_failure_set(replay->failure, SQL_STOP, "%s", error.text);
    }
    while (outcome == OUTCOME_OK && !replay->at_end) {
        outcome = fill(replay);
        if (outcome == OUTCOME_OK && options->dry_run && !options->rehearses) {
            finish_batch(replay);
        } else if (outcome == OUTCOME_OK) {
            outcome = store(replay);
        }
    }
    return outcome;
}

static void begin(struct replay *replay)
{
    const struct replay_options *options = replay->options;
    struct journal_info info;

    journal_info(options->journal, &info);
    replay->target = rule_targets_get(options->targets, options->rule);
    replay->done = options->state.done;
    /* When the database went back in time, the journal may take more messages for stored than the
     * database has: the service stores the rest. */
    replay->last = info.stored < options->state.last ? info.stored : options->state.last;
    replay->records_max = SIZE_MAX;
    replay->reader = journal_reader_new(options->journal);
    replay->copies = copies_new();
    copies_use(replay->copies, options->ruleset->plans);
    copies_look_back(replay->copies);
    mapper_set_copies(options->mapper, replay->copies);
    replay->batch = batch_new(options->ruleset->count);
    replay->builder = (struct batch_builder){
        .reader = replay->reader,
        .ruleset = options->ruleset,
        .mapper = options->mapper,
        .targets = options->targets,
        .verdicts = &replay->verdicts,
        .options = &options->batch,
        .origin = {options->ruleset->client_id, journal_uuid(options->journal)},
        .replays = true};
    replay->store = (struct store){.connection = options->connection,
                                   .journal = journal_uuid(options->journal),
                                   .ruleset = options->ruleset,
                                   .mapper = options->mapper,
                                   .targets = options->targets,
                                   .verdicts = &replay->verdicts};
}

enum outcome replay_run(const struct replay_options *options, struct replay_counts *counts,
                        struct pg_failure *failure)
{
    struct replay replay = {.options = options, .counts = counts, .failure = failure};
    enum outcome outcome;

    assert(options->batch.max_rows > 0 && options->batch.max_bytes > 0);
    assert(options->rule < options->ruleset->count && options->ruleset->plans != NULL);
    *counts = (struct replay_counts){0};
    begin(&replay);
    outcome = go_through(&replay);
    mapper_set_copies(options->mapper, NULL);
    copies_free(replay.copies);
    batch_free(replay.batch);
    verdicts_fini(&replay.verdicts);
    journal_reader_free(replay.reader);
    replay_letters_fini(&replay.letters);
    buf_fini(&replay.superseded);
    buf_fini(&replay.superseded_us);
    return outcome;
}
