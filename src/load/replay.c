/* SPDX-License-Identifier: MIT */
#include "load/replay.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "load/twins.h"
#include "row/copy_format.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24, REPORTED_MAX = 20 };

/* The rows of one message. */
struct part {
    uint64_t sequence;
    size_t offset, length, rows;
};

/* One batch, and what leads to it. */
struct replay {
    const struct replay_options *options;
    const struct rule *rule;
    struct replay_counts *counts;
    struct pg_failure *failure;
    struct twins twins;
    struct buf rows;
    struct part *parts;
    size_t part_count, part_capacity;
    size_t row_count;
    uint64_t from, to; /* positions before and behind the batch */
};

static const char *client_id(const struct replay *replay)
{
    return replay->options->ruleset->client_id;
}

/* --- mqtt2pg.replay --------------------------------------------------------------------------- */

static const char *number(char text[NUMBER_TEXT], uint64_t value)
{
    snprintf(text, NUMBER_TEXT, "%" PRIu64, value);
    return text;
}

static const char *signed_number(char text[NUMBER_TEXT], int64_t value)
{
    snprintf(text, NUMBER_TEXT, "%" PRId64, value);
    return text;
}

static int64_t number_at(const struct pg_rows *rows, int column)
{
    const char *text = pg_rows_text(rows, 0, column);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

enum outcome replay_read(const struct replay_options *options, struct replay_state *state,
                         struct pg_failure *failure)
{
    struct journal_info info;
    struct pg_rows *rows = NULL;

    journal_info(options->journal, &info);
    const char *values[] = {options->ruleset->client_id, info.uuid,
                            options->ruleset->rules[options->rule]->name};
    enum outcome outcome =
        pg_query_schema(options->connection, sql_replay_read, PG_PARAMS(values), &rows, failure);
    *state = (struct replay_state){.found = outcome == OUTCOME_OK && pg_rows_count(rows) > 0};
    if (state->found) {
        state->done = (uint64_t) number_at(rows, 0);
        state->from_us = number_at(rows, 1);
        state->to_us = number_at(rows, 2);
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome replay_begin(const struct replay_options *options, struct pg_failure *failure)
{
    struct journal_info info;
    struct pg_rows *rows = NULL;
    char from[NUMBER_TEXT], to[NUMBER_TEXT];

    journal_info(options->journal, &info);
    const char *values[] = {
        options->ruleset->client_id, info.uuid, options->ruleset->rules[options->rule]->name,
        signed_number(from, options->from_us), signed_number(to, options->to_us)};
    enum outcome outcome =
        pg_query_schema(options->connection, sql_replay_begin, PG_PARAMS(values), &rows, failure);
    pg_rows_free(rows);
    return outcome;
}

/* The first statement of a batch's transaction. */
static enum outcome move(const struct replay *replay, bool finished)
{
    struct journal_info info;
    struct pg_rows *rows = NULL;
    char from[NUMBER_TEXT], to[NUMBER_TEXT];

    journal_info(replay->options->journal, &info);
    const char *values[] = {client_id(replay),      info.uuid,
                            replay->rule->name,     number(from, replay->from),
                            number(to, replay->to), finished ? "true" : "false"};
    enum outcome outcome = pg_query_schema(replay->options->connection, sql_replay_move,
                                           PG_PARAMS(values), &rows, replay->failure);
    if (outcome == OUTCOME_OK && pg_rows_count(rows) == 0) {
        pg_failure_set(replay->failure, SQL_STOP,
                       "another replay of this rule goes on, or took its place");
        outcome = OUTCOME_RETRY;
    }
    pg_rows_free(rows);
    return outcome;
}

/* --- storing ---------------------------------------------------------------------------------- */

/* The rows of the messages from `low` up to `high`: they lie one behind the other. */
static enum outcome store_parts(const struct replay *replay, size_t low, size_t high)
{
    const struct part *first = &replay->parts[low], *last = &replay->parts[high - 1];

    assert(low < high && high <= replay->part_count);
    struct slice rows =
        slice_make(replay->rows.data + first->offset, last->offset + last->length - first->offset);
    size_t count = 0;

    for (size_t i = low; i < high; i++) {
        count += replay->parts[i].rows;
    }
    return target_run(replay->options->connection, replay->options->target->target, rows, count,
                      replay->failure);
}

/* For the person at the terminal; the first REPORTED_MAX messages by number. */
static void report(const struct replay *replay, uint64_t sequence, const char *reason)
{
    if (replay->counts->rejected <= REPORTED_MAX) {
        fprintf(stderr, "mqtt2pg: message %" PRIu64 " is not stored: %s\n", sequence, reason);
    }
    if (replay->counts->rejected == REPORTED_MAX) {
        fprintf(stderr, "mqtt2pg: more are counted, not named\n");
    }
}

/* Each message behind a savepoint: what PostgreSQL refuses is passed over. */
static enum outcome store_one_by_one(struct replay *replay)
{
    struct pg_connection *connection = replay->options->connection;
    struct pg_failure ignored;

    for (size_t i = 0; i < replay->part_count; i++) {
        if (pg_run(connection, "savepoint one_message", replay->failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        if (store_parts(replay, i, i + 1) == OUTCOME_OK) {
            continue;
        }
        if (!pg_is_connected(connection) || replay->failure->action != SQL_ROW ||
            pg_run(connection, "rollback to savepoint one_message", &ignored) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        replay->counts->rejected++;
        replay->counts->rows -= replay->parts[i].rows;
        report(replay, replay->parts[i].sequence, replay->failure->message);
    }
    return OUTCOME_OK;
}

static void roll_back(const struct replay *replay)
{
    struct pg_failure ignored;
    if (pg_is_connected(replay->options->connection) &&
        pg_run(replay->options->connection, "rollback", &ignored) != OUTCOME_OK) {
        pg_disconnect(replay->options->connection);
    }
}

/* One transaction; `one_by_one` after the rows together were refused. */
static enum outcome try_batch(struct replay *replay, bool finished, bool one_by_one)
{
    struct pg_connection *connection = replay->options->connection;
    /* As batches do: a locked table is told in seconds. */
    static const char begin_sql[] =
        "begin isolation level read committed; set local lock_timeout = '2s'";
    enum outcome outcome = pg_run(connection, begin_sql, replay->failure);

    if (outcome == OUTCOME_OK) {
        outcome = move(replay, finished);
    }
    if (outcome == OUTCOME_OK && replay->part_count > 0) {
        outcome =
            one_by_one ? store_one_by_one(replay) : store_parts(replay, 0, replay->part_count);
    }
    if (outcome == OUTCOME_OK) {
        outcome = pg_commit(connection, replay->failure);
    }
    if (outcome != OUTCOME_OK) {
        roll_back(replay);
    }
    (void) FAULT("replay.batch.stored");
    return outcome;
}

/* Stores the batch at once and, when PostgreSQL refuses a row, once more message by message. A dry
 * run only counts. The next batch begins where this one ends. */
static enum outcome store_batch_of(struct replay *replay, bool finished)
{
    enum outcome outcome = OUTCOME_OK;

    if (!replay->options->dry_run) {
        outcome = try_batch(replay, finished, false);
        if (outcome != OUTCOME_OK && pg_is_connected(replay->options->connection) &&
            replay->failure->action == SQL_ROW) {
            outcome = try_batch(replay, finished, true);
        }
    }
    replay->from = replay->to;
    replay->part_count = replay->row_count = 0;
    buf_reset(&replay->rows);
    return outcome;
}

/* --- mapping ---------------------------------------------------------------------------------- */

/* The range of the rows' times, by the rule's first column of a time type: for the person, who may
 * have to refresh what was computed from that range (microseconds since 2000, as in PostgreSQL). */
static void note_times(struct replay *replay, const struct mapped *mapped)
{
    const struct row_plan *plan = replay->options->target->plan;
    struct replay_counts *counts = replay->counts;
    size_t column = 0;

    while (column < plan->count && plan->columns[column]->family != TYPE_TIMESTAMPTZ &&
           plan->columns[column]->family != TYPE_TIMESTAMP) {
        column++;
    }
    for (size_t row = 0; column < plan->count && row < mapped->rows; row++) {
        const struct datum *datum = &mapped->datums[row * plan->count + column];
        int64_t time_us = datum->integer;

        /* infinity and -infinity are no times between which rows could stand */
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

/* Appends the message's rows to the batch, and remembers where they lie: after a refusal they are
 * stored message by message. */
static void add_part(struct replay *replay, uint64_t sequence, const struct mapped *mapped)
{
    const struct row_plan *plan = replay->options->target->plan;
    struct part part = {.sequence = sequence, .offset = replay->rows.length, .rows = mapped->rows};

    for (size_t i = 0; i < mapped->rows; i++) {
        copy_append_row(&replay->rows, plan->format, mapped->datums + i * plan->count,
                        plan->columns, plan->count);
    }
    part.length = replay->rows.length - part.offset;
    if (replay->part_count == replay->part_capacity) {
        replay->part_capacity = replay->part_capacity * 2 + 64;
        replay->parts =
            memory_resize(replay->parts, replay->part_capacity * sizeof(*replay->parts));
    }
    assert(replay->part_count < replay->part_capacity);
    replay->parts[replay->part_count++] = part;
    replay->row_count += mapped->rows;
    replay->counts->rows += mapped->rows;
}

/* A message of the right time; *taken when it is one of the rule's. */
static void add_message(struct replay *replay, const struct message *message)
{
    struct replay_counts *counts = replay->counts;
    struct buf properties = {0};
    struct message alone = *message;
    const struct mapped *mapped;
    struct memory_entry learned;

    twins_strip(message, &properties);
    alone.properties = buf_slice(&properties);
    (void) mapper_learn(replay->options->mapper, &alone, &learned);
    if (mapper_map_rule(replay->options->mapper, replay->options->rule, &alone, &mapped)) {
        counts->messages++;
        counts->first_us = counts->first_us == 0 ? message->received_at_us : counts->first_us;
        counts->last_us = message->received_at_us;
        counts->filtered += mapped->verdict == VERDICT_FILTERED;
        if (mapped->verdict == VERDICT_REJECTED) {
            counts->rejected++;
            report(replay, message->sequence, mapped->reason);
        }
        if (mapped->verdict == VERDICT_ROWS && mapped->rows > 0) {
            note_times(replay, mapped);
            add_part(replay, message->sequence, mapped);
        }
    }
    buf_fini(&properties);
}

/* --- the journal ------------------------------------------------------------------------------ */

/* Behind what an earlier run has done, and received in the time that was asked for. */
static bool is_wanted(const struct replay *replay, const struct message *message, uint64_t done)
{
    return message->sequence > done && message->kind == MESSAGE_PUBLISH &&
           message->received_at_us >= replay->options->from_us &&
           message->received_at_us <= replay->options->to_us;
}

/* All messages up to `stored`, from the journal's first, so that copies are known. */
static enum outcome read_journal(struct replay *replay, struct journal_reader *reader,
                                 uint64_t done, uint64_t stored)
{
    const struct replay_options *options = replay->options;
    struct journal_next next;
    enum journal_read read = JOURNAL_READ_MESSAGE;
    enum outcome outcome = OUTCOME_OK;

    if (journal_reader_seek(reader, journal_first(options->journal), &next.error) != OUTCOME_OK) {
        read = JOURNAL_READ_FAILED;
    }
    while (outcome == OUTCOME_OK && read != JOURNAL_READ_FAILED &&
           journal_reader_position(reader) <= stored &&
           (read = journal_reader_next(reader, &next)) != JOURNAL_READ_END) {
        if (read != JOURNAL_READ_MESSAGE || twins_has(&replay->twins, &next.message) ||
            !is_wanted(replay, &next.message, done)) {
            continue;
        }
        add_message(replay, &next.message);
        replay->to = next.message.sequence;
        if (replay->row_count >= options->rows_max || replay->rows.length >= options->bytes_max) {
            outcome = store_batch_of(replay, false);
        }
    }
    if (read == JOURNAL_READ_FAILED) {
        pg_failure_set(replay->failure, SQL_STOP, "%s", next.error.text);
        outcome = OUTCOME_RETRY;
    }
    return outcome;
}

enum outcome replay_run(const struct replay_options *options, uint64_t done,
                        struct replay_counts *counts, struct pg_failure *failure)
{
    struct replay replay = {.options = options,
                            .rule = options->ruleset->rules[options->rule],
                            .counts = counts,
                            .failure = failure,
                            .from = done,
                            .to = done};
    struct journal_reader *reader = journal_reader_new(options->journal);
    struct journal_info info;

    assert(options->rows_max > 0 && options->bytes_max > 0);
    assert(options->rule < options->ruleset->count);
    *counts = (struct replay_counts){0};
    journal_info(options->journal, &info);
    enum outcome outcome = read_journal(&replay, reader, done, info.stored);
    if (outcome == OUTCOME_OK) {
        outcome = store_batch_of(&replay, true);
    }
    journal_reader_free(reader);
    buf_fini(&replay.rows);
    free(replay.parts);
    return outcome;
}
