/* SPDX-License-Identifier: MIT */
#include "load/transaction.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "pg/dead_letter.h"
#include "pg/gaps.h"

/* COPY costs a round trip. It is used for runs of at least so many rows or bytes. */
#define COPY_ROWS_MIN 1000
#define COPY_BYTES_MIN ((size_t) 256 * 1024)

/* A round trip of FAR_US costs more than COPY saves for COPY_ROWS_MIN rows. */
#define FAR_US 3000
#define FAR_COPY_BYTES_MIN (STEPS_BYTES_MAX / 2)

/* A table that somebody has locked must not keep the rows of other rules waiting. Does not limit
 * the move of `progress`, which must wait for the end of an earlier transaction. */
#define LOCK_MS 2000
#define LOCK_IMPATIENT_MS 100

/* Sent after the rows. */
static const char immediate_sql[] = "set constraints all immediate";
static const char unlimited_sql[] = "set local statement_timeout to default";

void transaction_init(struct transaction *transaction, const struct store *store,
                      struct batch *batch, struct store_failure *failure)
{
    *transaction = (struct transaction){.store = store, .batch = batch, .failure = failure};
    statements_init(&transaction->statements, store->connection, batch, failure);
}

void transaction_fini(struct transaction *transaction)
{
    statements_fini(&transaction->statements);
    target_free(transaction->letters);
    buf_fini(&transaction->notify);
    buf_fini(&transaction->limits);
    progress_statement_fini(&transaction->move);
}

/* The statement after BEGIN and the move: limits how long later statements may wait for a lock, and
 * how long they may take. A shorter statement_timeout of the role, the database or the server is
 * kept. The setting's text reads as an interval: "500ms", "2min", "0". */
static const char *limits(struct transaction *transaction)
{
    bool impatient = transaction->store->impatient;
    /* Without an answer within pg_statement_ms() the connection is closed, so the limit must be
     * lower. */
    int64_t most_ms = pg_statement_ms(transaction->store->connection) / 2;
    int64_t limit_ms = impatient ? patience_row_ms(transaction->store->patience, true)
                                 : patience_limit_ms(transaction->store->patience);
    int lock_ms = impatient ? LOCK_IMPATIENT_MS : LOCK_MS;

    buf_reset(&transaction->limits);
    if (patience_limit_ms(transaction->store->patience) == 0) {
        buf_printf(&transaction->limits, "set local lock_timeout = %d", lock_ms);
        return buf_string(&transaction->limits);
    }
    limit_ms = limit_ms < most_ms ? limit_ms : most_ms;
    buf_printf(&transaction->limits,
               "select set_config('lock_timeout', '%d', true), set_config('statement_timeout', "
               "case when current_setting('statement_timeout')::interval between '1 ms' and "
               "'%" PRId64 " ms' then current_setting('statement_timeout') else '%" PRId64
               "' end, true)",
               lock_ms, limit_ms, limit_ms);
    return buf_string(&transaction->limits);
}

enum outcome transaction_limit(struct transaction *transaction)
{
    return patience_limit_ms(transaction->store->patience) == 0
               ? OUTCOME_OK
               : statements_add(&transaction->statements, limits(transaction),
                                (struct store_place){.kind = PLACE_BEGIN});
}

void transaction_begin(struct transaction *transaction)
{
    const struct progress_step step = {.journal = transaction->store->journal,
                                       .from = transaction->batch->from,
                                       .to = transaction->batch->to};

    assert(step.to >= step.from);

    if (transaction->store->replay != NULL) {
        replay_progress_statement(&transaction->move, transaction->store->connection, &step,
                                  transaction->store->replay);
    } else {
        progress_statement_init(&transaction->move, transaction->store->connection, &step);
    }
    statements_begin(&transaction->statements, &transaction->move, limits(transaction));
}

void transaction_begin_rehearsal(struct transaction *transaction)
{
    const char *values[] = {"rehearsal"};

    progress_statement_make(&transaction->move, transaction->store->connection, "select $1",
                            PG_PARAMS(values));
    statements_begin(&transaction->statements, &transaction->move, limits(transaction));
}

enum outcome transaction_flush(struct transaction *transaction)
{
    return statements_flush(&transaction->statements);
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

/* Is the message stored by a statement of its own, so that its acknowledgment can say how many of
 * its rows are stored? Such statements are not in the order of keys, so two writers of the same
 * keys may deadlock; the transaction that fails is repeated. */
static bool stands_alone(const struct transaction *transaction, const struct extent *extent)
{
    assert(extent->later <= transaction->batch->later_count);
    return extent->later > 0 &&
           rule_targets_get(transaction->store->targets, extent->rule)->counts_each;
}

static bool any_stands_alone(const struct transaction *transaction, const struct run *run)
{
    const struct write *write = &transaction->batch->runs.writes[run->write];

    for (size_t i = run->low; transaction->batch->later_count > 0 && i < run->high; i++) {
        if (stands_alone(transaction, &write->extents[i])) {
            return true;
        }
    }
    return false;
}

/* A row costs less by COPY, but COPY costs a round trip of its own and ends the segment of INSERTs
 * before it. So rows go to a far server by INSERT, unless the batch has a single run, and that run
 * is large. Tests of COPY's fault points need COPY for any number of rows. */
static bool goes_by_copy(const struct transaction *transaction, const struct target *target,
                         const struct run *run, struct slice bytes)
{
    bool far = pg_round_trip_us(transaction->store->connection) >= FAR_US;

    if (target->copy == NULL || target->statement_count == 0 ||
        any_stands_alone(transaction, run)) {
        return false;
    }
    return FAULT_ARMED("pg.copy.") ||
           ((run->rows >= COPY_ROWS_MIN || bytes.length >= COPY_BYTES_MIN) &&
            (!far || (transaction->batch->runs.count == 1 && bytes.length >= FAR_COPY_BYTES_MIN)));
}

/* For a rule's own SQL that needs a temporary table. Each statement must end before the next is
 * sent, so they are not queued: first all that is queued is sent. */
static enum outcome run_by_table(struct transaction *transaction, const struct target *target,
                                 const struct run *run, struct store_place place)
{
    const struct write *write = &transaction->batch->runs.writes[run->write];

    assert(target->statement_count == 0);
    if (statements_send(&transaction->statements) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    transaction->failure->place = place;
    return target_run(transaction->store->connection, target,
                      row_runs_bytes(write, run->low, run->high), (size_t) run->rows,
                      &transaction->failure->pg);
}

/* Inserts a run in portions of whole messages. A portion exceeds STEPS_BYTES_MAX by its last
 * message at most. A message that stands alone is a portion. */
static enum outcome insert_run(struct transaction *transaction, const struct target *target,
                               const struct run *run, struct store_place place)
{
    const struct write *write = &transaction->batch->runs.writes[run->write];
    enum outcome outcome = OUTCOME_OK;
    size_t low = run->low;

    for (size_t i = run->low; outcome == OUTCOME_OK && i < run->high; i++) {
        struct slice bytes = row_runs_bytes(write, low, i + 1);

        if (i + 1 == run->high || bytes.length >= STEPS_BYTES_MAX ||
            stands_alone(transaction, &write->extents[i]) ||
            stands_alone(transaction, &write->extents[i + 1])) {
            place.low = low;
            place.high = i + 1;
            outcome = statements_insert(&transaction->statements, target, bytes,
                                        row_runs_rows(write, low, i + 1), place);
            low = i + 1;
        }
    }
    assert(outcome != OUTCOME_OK || low == run->high);
    return outcome;
}

/* Chooses how the run is stored: by the temporary table of a rule's own SQL, by COPY, or by INSERT
 * over arrays. */
static enum outcome add_run(struct transaction *transaction, size_t index)
{
    const struct run *run = &transaction->batch->runs.list[index];
    const struct write *write = &transaction->batch->runs.writes[run->write];
    const struct target *target = target_of(transaction, run);
    /* The command tags of a rule's own SQL need not count rows of the batch. */
    const struct store_place place = {.kind = PLACE_ROWS,
                                      .run = index,
                                      .low = run->low,
                                      .high = run->high,
                                      .counts = target->check != NULL};
    struct slice bytes = row_runs_bytes(write, run->low, run->high);

    assert(run->low < run->high && index < transaction->batch->runs.count);

    if (target->statement_count == 0) {
        return run_by_table(transaction, target, run, place);
    }
    return goes_by_copy(transaction, target, run, bytes)
               ? statements_copy(&transaction->statements, target, bytes, place)
               : insert_run(transaction, target, run, place);
}

/* Queues the checks of types, one for each way to write a table, after the rows of all runs. */
static enum outcome add_checks(struct transaction *transaction)
{
    const struct row_runs *runs = &transaction->batch->runs;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; outcome == OUTCOME_OK && i < runs->count; i++) {
        const struct target *target = target_of(transaction, &runs->list[i]);

        if (target->check != NULL && runs->list[i].low == 0) {
            outcome = statements_add(&transaction->statements, target->check,
                                     (struct store_place){.kind = PLACE_TYPES, .run = i});
        }
    }
    return outcome;
}

/* Ends the time limit: statements for the bridge's own tables have none. Before that, deferred
 * constraints and triggers are run within the limit. */
static enum outcome end_limit(struct transaction *transaction)
{
    const struct store_place commit = {.kind = PLACE_COMMIT}, begin = {.kind = PLACE_BEGIN};

    return statements_add(&transaction->statements, immediate_sql, commit) == OUTCOME_OK
               ? statements_add(&transaction->statements, unlimited_sql, begin)
               : OUTCOME_RETRY;
}

/* The command tags of a rule's own SQL do not count rows of the batch, so all of its rows count as
 * stored. For other rules the command tags are added up. */
enum outcome transaction_rows(struct transaction *transaction)
{
    struct batch *batch = transaction->batch;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < batch->rule_count; i++) {
        bool own = transaction->store->ruleset->rules[i]->options->sql.text != NULL;

        batch->rules[i].rows_stored = own ? batch->rules[i].row_count : 0;
    }
    batch->uncounted = false;
    for (size_t i = 0; outcome == OUTCOME_OK && i < batch->runs.count; i++) {
        outcome = add_run(transaction, i);
    }
    if (outcome == OUTCOME_OK && patience_limit_ms(transaction->store->patience) > 0) {
        outcome = end_limit(transaction);
    }
    return outcome == OUTCOME_OK ? add_checks(transaction) : outcome;
}

/* Queues NOTIFY for rules that want it. PostgreSQL keeps notifications of the whole cluster in one
 * queue (8 GB with the usual block size); when it is full, a transaction with NOTIFY fails at
 * COMMIT, and the batch is stored later. See "NOTIFY" in PostgreSQL's manual. */
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
            outcome = statements_add(&transaction->statements, sql, place);
        }
    }
    free(starts);
    return outcome;
}

/* --- the bridge's own tables, COMMIT ---------------------------------------------------------- */

/* Inserts gaps. Gaps, and what formats have learned, are rare, so each is a statement of its
 * own. */
static enum outcome insert_gaps(struct transaction *transaction)
{
    const struct batch *batch = transaction->batch;
    struct pg_connection *connection = transaction->store->connection;
    struct pg_failure *pg = &transaction->failure->pg;
    enum outcome outcome;

    if (statements_send(&transaction->statements) != OUTCOME_OK) {
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

    assert(transaction->letters == NULL);
    if (batch->dead_letter_count > 0) {
        transaction->letters = dead_letters_target(transaction->store->connection);
        outcome =
            transaction->statements.segment == SEGMENT_QUERY || letters.length >= COPY_BYTES_MIN
                ? statements_copy(&transaction->statements, transaction->letters, letters, place)
                : statements_insert(&transaction->statements, transaction->letters, letters,
                                    batch->dead_letter_count, place);
    }
    bool more = batch->gap_count + batch->learned.count > 0;
    return outcome == OUTCOME_OK && more ? insert_gaps(transaction) : outcome;
}

/* Tests that stop the program around COMMIT need COMMIT in a message of its own. */
static enum outcome commit_apart(struct transaction *transaction)
{
    if (statements_send(&transaction->statements) != OUTCOME_OK) {
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
    if (statements_add(&transaction->statements, "commit",
                       (struct store_place){.kind = PLACE_COMMIT}) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    return transaction_flush(transaction);
}

enum outcome transaction_check_all(struct transaction *transaction)
{
    if (statements_add(&transaction->statements, "set constraints all immediate",
                       (struct store_place){.kind = PLACE_COMMIT}) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    return transaction_flush(transaction);
}
