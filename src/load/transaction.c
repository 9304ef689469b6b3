/* SPDX-License-Identifier: MIT */
#include "load/transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "pg/dead_letter.h"
#include "pg/gaps.h"

/* A run is worth a COPY, which costs a round trip, from so many rows or bytes on. */
#define COPY_ROWS_MIN 1000
#define COPY_BYTES_MIN ((size_t) 256 * 1024)
/* Arrays are a copy of the rows: so much of them is in memory at once. */
#define STEPS_BYTES_MAX ((size_t) 1024 * 1024)

static const char begin_sql[] = "begin isolation level read committed";

/* A table that somebody has locked must not keep the rows of other rules waiting. Behind the move
 * of the progress, which waits for what became of an earlier COMMIT. */
static const char lock_sql[] = "set local lock_timeout = '2s'";
static const char short_lock_sql[] = "set local lock_timeout = '100ms'";

void transaction_init(struct transaction *transaction, const struct store *store,
                      struct batch *batch, struct store_failure *failure)
{
    *transaction = (struct transaction){.store = store, .batch = batch, .failure = failure};
    copy_append_header(&transaction->header, COPY_BINARY);
    copy_append_trailer(&transaction->trailer, COPY_BINARY);
}

static void reset_segment(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->value_count; i++) {
        target_values_fini(&transaction->values[i]);
    }
    transaction->value_count = 0;
    transaction->stream_count = 0;
    transaction->place_count = 0;
    transaction->segment = SEGMENT_EMPTY;
    pg_steps_reset(&transaction->steps);
    buf_reset(&transaction->sql);
}

void transaction_fini(struct transaction *transaction)
{
    reset_segment(transaction);
    pg_steps_fini(&transaction->steps);
    free(transaction->values);
    buf_fini(&transaction->sql);
    free(transaction->streams);
    free(transaction->parts);
    free(transaction->places);
    buf_fini(&transaction->header);
    buf_fini(&transaction->trailer);
    target_free(transaction->letters);
    buf_fini(&transaction->notify);
    progress_statement_fini(&transaction->move);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The rule's rows that one more statement over this run has stored. Of rules that share a run it is
 * not known whose rows were left out: the first ones count as stored. */
static void count_stored(struct transaction *transaction, size_t run_index, uint64_t affected)
{
    const struct rule_targets *targets = transaction->store->targets;
    struct batch *batch = transaction->batch;
    const struct run *run = &batch->runs.list[run_index];
    const struct write *write = &batch->runs.writes[run->write];

    if (rule_targets_get(targets, write->extents[run->low].rule)->target->check == NULL) {
        return; /* SQL of its own: what its statements count need not be rows of the batch */
    }
    for (size_t i = run->low; i < run->high && affected > 0; i++) {
        const struct extent *extent = &write->extents[i];
        uint64_t rows = extent->rows < affected ? extent->rows : affected;

        batch->rules[extent->rule].rows_stored += rows;
        affected -= rows;
    }
}

static void fail_at(struct transaction *transaction, size_t statement,
                    const struct pg_failure *failure)
{
    assert(statement < transaction->place_count);
    transaction->failure->place = transaction->places[statement];
    transaction->failure->pg = *failure;
    if (transaction->failure->place.kind == PLACE_TYPES &&
        strcmp(failure->sqlstate, TARGET_CHECK_STATE) == 0) {
        target_check_failure(&transaction->failure->pg);
    }
}

/* The server has not answered each statement: whether COMMIT took effect, `progress` tells. */
static enum outcome not_answered(struct transaction *transaction, size_t answered)
{
    pg_disconnect(transaction->store->connection);
    return pg_failure_set(&transaction->failure->pg, SQL_RECONNECT,
                          "the server answered %zu of %zu statements", answered,
                          transaction->place_count);
}

/* COMMIT of a transaction that had failed answers with success and the tag ROLLBACK. */
static enum outcome not_committed(struct transaction *transaction)
{
    struct pg_failure failure;

    pg_failure_set(&failure, SQL_RETRY, "the transaction had failed and was rolled back");
    fail_at(transaction, transaction->place_count - 1, &failure);
    return OUTCOME_RETRY;
}

static enum outcome run_steps(struct transaction *transaction)
{
    struct pg_steps *steps = &transaction->steps;

    if (pg_steps_run(transaction->store->connection, steps, &transaction->failure->pg) !=
        OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    for (size_t i = 0; i < steps->count; i++) {
        const struct pg_step *step = &steps->list[i];

        if (step->failed) {
            fail_at(transaction, i, step->failure);
            return OUTCOME_RETRY;
        }
        if (step->rolled_back) {
            return not_committed(transaction);
        }
        if (!step->done) {
            return not_answered(transaction, i);
        }
        if (transaction->places[i].kind == PLACE_ROWS && step->count > 0) {
            count_stored(transaction, transaction->places[i].run, (uint64_t) step->affected);
        }
    }
    return OUTCOME_OK;
}

static enum outcome run_query(struct transaction *transaction)
{
    struct pg_query query = {.sql = buf_string(&transaction->sql),
                             .streams = transaction->streams,
                             .count = transaction->stream_count};
    struct pg_failure failure;

    for (size_t i = 0; i < query.count; i++) {
        query.streams[i].parts = transaction->parts[i];
    }
    if (pg_query_run(transaction->store->connection, &query, &failure) != OUTCOME_OK) {
        transaction->failure->pg = failure;
        if (query.done >= transaction->place_count) {
            return not_answered(transaction, query.done);
        }
        if (pg_is_connected(transaction->store->connection)) {
            fail_at(transaction, query.done, &failure);
        }
        return OUTCOME_RETRY;
    }
    if (query.rolled_back) {
        return not_committed(transaction);
    }
    if (query.done != transaction->place_count) {
        return not_answered(transaction, query.done);
    }
    for (size_t i = 0, stream = 0; i < transaction->place_count; i++) {
        if (transaction->places[i].copy) {
            int64_t affected = query.streams[stream++].affected;

            if (transaction->places[i].kind == PLACE_ROWS) {
                count_stored(transaction, transaction->places[i].run, (uint64_t) affected);
            }
        }
    }
    return OUTCOME_OK;
}

enum outcome transaction_flush(struct transaction *transaction)
{
    enum outcome outcome = OUTCOME_OK;

    switch (transaction->segment) {
    case SEGMENT_EMPTY:
        break;
    case SEGMENT_STEPS:
        outcome = run_steps(transaction);
        break;
    case SEGMENT_QUERY:
        outcome = run_query(transaction);
        break;
    }
    reset_segment(transaction);
    return outcome;
}

/* --- queueing --------------------------------------------------------------------------------- */

static void add_place(struct transaction *transaction, struct store_place place)
{
    transaction->places = memory_grow(transaction->places, transaction->place_count,
                                      &transaction->place_capacity, sizeof(*transaction->places));
    transaction->places[transaction->place_count++] = place;
}

static void add_step(struct transaction *transaction, const char *sql, struct store_place place)
{
    (void) pg_steps_add(&transaction->steps, sql, NULL, 0, false);
    add_place(transaction, place);
}

static void add_text(struct transaction *transaction, const char *sql, struct store_place place)
{
    buf_printf(&transaction->sql, "%s%s", transaction->sql.length > 0 ? ";\n" : "", sql);
    add_place(transaction, place);
}

/* Makes the segment one of this kind, with BEGIN in front when that is still to be sent. */
static enum outcome open_segment(struct transaction *transaction, enum segment segment)
{
    const struct store_place begin = {.kind = PLACE_BEGIN};
    const char *lock = transaction->store->impatient ? short_lock_sql : lock_sql;

    if (transaction->segment != segment && transaction_flush(transaction) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    transaction->segment = segment;
    if (!transaction->begin_queued) {
        return OUTCOME_OK;
    }
    transaction->begin_queued = false;
    if (segment == SEGMENT_QUERY) {
        add_text(transaction, begin_sql, begin);
        add_text(transaction, buf_string(&transaction->move.text), begin);
        add_text(transaction, lock, begin);
    } else {
        add_step(transaction, begin_sql, begin);
        (void) pg_steps_add(&transaction->steps, buf_string(&transaction->move.sql),
                            transaction->move.values, PROGRESS_VALUES, false);
        add_place(transaction, begin);
        add_step(transaction, lock, begin);
    }
    return OUTCOME_OK;
}

/* A statement without parameters goes into whatever segment is open. */
static enum outcome add_statement(struct transaction *transaction, const char *sql,
                                  struct store_place place)
{
    if (transaction->segment == SEGMENT_QUERY) {
        add_text(transaction, sql, place);
        return OUTCOME_OK;
    }
    if (open_segment(transaction, SEGMENT_STEPS) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    add_step(transaction, sql, place);
    return OUTCOME_OK;
}

void transaction_begin(struct transaction *transaction)
{
    const struct progress_step step = {.journal = transaction->store->journal,
                                       .from = transaction->batch->from,
                                       .to = transaction->batch->to};

    progress_statement_init(&transaction->move, transaction->store->connection, &step);
    transaction->begin_queued = true;
}

static enum outcome add_copy(struct transaction *transaction, const struct target *target,
                             struct slice bytes, struct store_place place)
{
    bool binary = target->format == COPY_BINARY;
    size_t capacity = transaction->stream_capacity;
    size_t at;

    if (open_segment(transaction, SEGMENT_QUERY) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    at = transaction->stream_count++;
    transaction->streams =
        memory_grow(transaction->streams, at, &capacity, sizeof(*transaction->streams));
    transaction->parts = memory_grow(transaction->parts, at, &transaction->stream_capacity,
                                     sizeof(*transaction->parts));
    transaction->parts[at][0] = binary ? buf_slice(&transaction->header) : slice_make("", 0);
    transaction->parts[at][1] = bytes;
    transaction->parts[at][2] = binary ? buf_slice(&transaction->trailer) : slice_make("", 0);
    transaction->streams[at] = (struct pg_stream){.relation = target->relation, .count = 3};
    place.copy = true;
    add_text(transaction, target->copy, place);
    return OUTCOME_OK;
}

static enum outcome add_insert(struct transaction *transaction, const struct target *target,
                               struct slice bytes, uint64_t rows, struct store_place place)
{
    struct target_values *values;
    size_t before;

    if ((transaction->steps.bytes >= STEPS_BYTES_MAX &&
         transaction_flush(transaction) != OUTCOME_OK) ||
        open_segment(transaction, SEGMENT_STEPS) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    transaction->values = memory_grow(transaction->values, transaction->value_count,
                                      &transaction->value_capacity, sizeof(*transaction->values));
    values = &transaction->values[transaction->value_count++];
    target_values_init(values, target, bytes, (size_t) rows);
    before = transaction->steps.count;
    target_add_steps(target, values, &transaction->steps);
    for (size_t i = before; i < transaction->steps.count; i++) {
        add_place(transaction, place);
    }
    return OUTCOME_OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

static const struct target *target_of(const struct transaction *transaction, const struct run *run)
{
    const struct write *write = &transaction->batch->runs.writes[run->write];
    const struct rule_target *target =
        rule_targets_get(transaction->store->targets, write->extents[run->low].rule);

    assert(target->target != NULL);
    return target->target;
}

static bool goes_by_copy(const struct target *target, const struct run *run, struct slice bytes)
{
    return target->copy != NULL && target->statement_count > 0 &&
           (run->rows >= COPY_ROWS_MIN || bytes.length >= COPY_BYTES_MIN ||
            FAULT_ARMED("pg.copy."));
}

/* The temporary table has statements of its own. */
static enum outcome run_by_table(struct transaction *transaction, const struct target *target,
                                 const struct run *run, struct store_place place)
{
    const struct write *write = &transaction->batch->runs.writes[run->write];

    if (open_segment(transaction, SEGMENT_STEPS) != OUTCOME_OK ||
        transaction_flush(transaction) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    transaction->failure->place = place;
    return target_run(transaction->store->connection, target,
                      row_runs_bytes(write, run->low, run->high), (size_t) run->rows,
                      &transaction->failure->pg);
}

/* Inserts a run in portions of whole messages. */
static enum outcome insert_run(struct transaction *transaction, const struct target *target,
                               const struct run *run, struct store_place place)
{
    const struct write *write = &transaction->batch->runs.writes[run->write];
    enum outcome outcome = OUTCOME_OK;
    size_t low = run->low;

    for (size_t i = run->low; outcome == OUTCOME_OK && i < run->high; i++) {
        struct slice bytes = row_runs_bytes(write, low, i + 1);

        if (i + 1 == run->high || bytes.length >= STEPS_BYTES_MAX) {
            outcome =
                add_insert(transaction, target, bytes, row_runs_rows(write, low, i + 1), place);
            low = i + 1;
        }
    }
    return outcome;
}

static enum outcome add_run(struct transaction *transaction, size_t index)
{
    const struct run *run = &transaction->batch->runs.list[index];
    const struct write *write = &transaction->batch->runs.writes[run->write];
    const struct target *target = target_of(transaction, run);
    const struct store_place place = {.kind = PLACE_ROWS, .run = index};
    struct slice bytes = row_runs_bytes(write, run->low, run->high);

    if (target->statement_count == 0) {
        return run_by_table(transaction, target, run, place);
    }
    return goes_by_copy(target, run, bytes) ? add_copy(transaction, target, bytes, place)
                                            : insert_run(transaction, target, run, place);
}

/* Behind the rows of all: each way to write a table is asked once. */
static enum outcome add_checks(struct transaction *transaction)
{
    const struct row_runs *runs = &transaction->batch->runs;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; outcome == OUTCOME_OK && i < runs->count; i++) {
        const struct target *target = target_of(transaction, &runs->list[i]);

        if (target->check != NULL && runs->list[i].low == 0) {
            outcome = add_statement(transaction, target->check,
                                    (struct store_place){.kind = PLACE_TYPES, .run = i});
        }
    }
    return outcome;
}

enum outcome transaction_rows(struct transaction *transaction)
{
    struct batch *batch = transaction->batch;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < batch->rule_count; i++) {
        bool own = transaction->store->ruleset->rules[i]->options->sql.text != NULL;

        batch->rules[i].rows_stored = own ? batch->rules[i].row_count : 0;
    }
    for (size_t i = 0; outcome == OUTCOME_OK && i < batch->runs.count; i++) {
        outcome = add_run(transaction, i);
    }
    return outcome == OUTCOME_OK ? add_checks(transaction) : outcome;
}

/* Where NOTIFY is refused (a channel's queue is full), the database can't commit. */
enum outcome transaction_notify(struct transaction *transaction)
{
    const struct batch *batch = transaction->batch;
    const struct store_place place = {.kind = PLACE_OWN_TABLES, .own = "NOTIFY"};
    size_t *starts = memory_alloc((batch->rule_count + 1) * sizeof(*starts));
    enum outcome outcome = OUTCOME_OK;

    buf_reset(&transaction->notify);
    for (size_t i = 0; i < batch->rule_count; i++) {
        starts[i] = transaction->notify.length;
        target_notify_sql(&transaction->notify, transaction->store->ruleset->rules[i]->options,
                          batch->rules[i].row_count);
        buf_append_byte(&transaction->notify, '\0');
    }
    for (size_t i = 0; outcome == OUTCOME_OK && i < batch->rule_count; i++) {
        const char *sql = transaction->notify.data + starts[i];

        if (sql[0] != '\0') {
            outcome = add_statement(transaction, sql, place);
        }
    }
    free(starts);
    return outcome;
}

/* --- the bridge's own tables, COMMIT ---------------------------------------------------------- */

static enum outcome insert_gaps(struct transaction *transaction)
{
    const struct batch *batch = transaction->batch;
    struct pg_connection *connection = transaction->store->connection;
    struct pg_failure *pg = &transaction->failure->pg;
    enum outcome outcome;

    if (open_segment(transaction, SEGMENT_STEPS) != OUTCOME_OK ||
        transaction_flush(transaction) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    transaction->failure->place =
        (struct store_place){.kind = PLACE_OWN_TABLES, .own = "the table memory"};
    outcome = memory_rows_insert(connection, transaction->store->journal, &batch->learned, pg);
    for (size_t i = 0; outcome == OUTCOME_OK && i < batch->gap_count; i++) {
        transaction->failure->place.own = "the table gap";
        outcome = gap_insert(connection, &batch->gaps[i], pg);
    }
    return outcome;
}

enum outcome transaction_letters(struct transaction *transaction)
{
    const struct batch *batch = transaction->batch;
    const struct store_place place = {.kind = PLACE_OWN_TABLES, .own = "the table dead_letter"};
    struct slice letters = buf_slice(&batch->dead_letters);
    enum outcome outcome = OUTCOME_OK;

    if (batch->dead_letter_count > 0) {
        transaction->letters = dead_letters_target(transaction->store->connection);
        outcome = transaction->segment == SEGMENT_QUERY || letters.length >= COPY_BYTES_MIN
                      ? add_copy(transaction, transaction->letters, letters, place)
                      : add_insert(transaction, transaction->letters, letters,
                                   batch->dead_letter_count, place);
    }
    bool more = batch->gap_count + batch->learned.count > 0;
    return outcome == OUTCOME_OK && more ? insert_gaps(transaction) : outcome;
}

/* Tests that stop the program at a point around COMMIT want it in a message of its own. */
static enum outcome commit_apart(struct transaction *transaction)
{
    if (open_segment(transaction, SEGMENT_STEPS) != OUTCOME_OK ||
        transaction_flush(transaction) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    (void) FAULT("store.commit.before");
    transaction->failure->place = (struct store_place){.kind = PLACE_COMMIT};
    return pg_commit(transaction->store->connection, &transaction->failure->pg);
}

enum outcome transaction_commit(struct transaction *transaction)
{
    if (FAULT_ARMED("store.commit.before") || FAULT_ARMED("pg.commit.")) {
        return commit_apart(transaction);
    }
    if (add_statement(transaction, "commit", (struct store_place){.kind = PLACE_COMMIT}) !=
        OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    return transaction_flush(transaction);
}
