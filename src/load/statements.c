/* SPDX-License-Identifier: MIT */
#include "load/statements.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The level is named because a role or a database may have another default. From REPEATABLE READ
 * on, an UPDATE of a row that another transaction has changed fails with 40001 instead of waiting
 * and going on with the new row (see "Transaction Isolation" in PostgreSQL's manual). */
static const char begin_sql[] = "begin isolation level read committed";

void statements_init(struct statements *statements, struct pg_connection *connection,
                     struct batch *batch, struct store_failure *failure)
{
    *statements = (struct statements){.connection = connection, .batch = batch, .failure = failure};
    copy_append_header(&statements->header, COPY_BINARY);
    copy_append_trailer(&statements->trailer, COPY_BINARY);
}

void statements_begin(struct statements *statements, struct progress_statement *move,
                      const char *lock)
{
    assert(statements->segment == SEGMENT_EMPTY && statements->move == NULL);
    statements->move = move;
    statements->lock = lock;
}

/* Nothing is queued any more. Buffers keep their memory for the next segment. */
static void reset_segment(struct statements *statements)
{
    for (size_t i = 0; i < statements->value_count; i++) {
        target_values_fini(&statements->values[i]);
    }
    statements->value_count = 0;
    statements->stream_count = 0;
    statements->place_count = 0;
    statements->segment = SEGMENT_EMPTY;
    pg_steps_reset(&statements->steps);
    buf_reset(&statements->sql);
}

void statements_fini(struct statements *statements)
{
    reset_segment(statements);
    pg_steps_fini(&statements->steps);
    free(statements->values);
    buf_fini(&statements->sql);
    free(statements->streams);
    free(statements->parts);
    free(statements->places);
    buf_fini(&statements->header);
    buf_fini(&statements->trailer);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Records the failure of this statement of the segment, with its place, from which blame() learns
 * what the statement was for. */
static void fail_at(struct statements *statements, size_t statement,
                    const struct pg_failure *failure)
{
    assert(statement < statements->place_count);
    statements->failure->place = statements->places[statement];
    statements->failure->pg = *failure;
    if (statements->failure->place.kind == PLACE_TYPES &&
        strcmp(failure->sqlstate, TARGET_CHECK_STATE) == 0) {
        target_check_failure(&statements->failure->pg);
    }
}

/* The server has not answered each statement: closes the connection, since nobody knows to which
 * statement the next answer would belong. After reconnecting, `progress` shows whether COMMIT took
 * effect. */
static enum outcome not_answered(struct statements *statements, size_t answered)
{
    pg_disconnect(statements->connection);
    return pg_failure_set(&statements->failure->pg, SQL_RECONNECT,
                          "the server answered %zu of %zu statements", answered,
                          statements->place_count);
}

/* COMMIT of a transaction that has failed is no error for PostgreSQL: it rolls back and answers
 * with the command tag ROLLBACK (see "COMMIT" in its manual, CommandComplete in its protocol). */
static enum outcome not_committed(struct statements *statements)
{
    struct pg_failure failure;

    pg_failure_set(&failure, SQL_RETRY, "the transaction had failed and was rolled back");
    fail_at(statements, statements->place_count - 1, &failure);
    return OUTCOME_RETRY;
}

static void count_stored(const struct statements *statements, const struct store_place *place,
                         int64_t affected)
{
    assert(place->counts && affected >= 0);
    batch_count_stored(statements->batch, place->run, place->low, place->high, (uint64_t) affected);
}

/* Sends the steps in one message and reads their answers in order. Only the first failure counts:
 * the later statements fail because of it. */
static enum outcome run_steps(struct statements *statements)
{
    struct pg_steps *steps = &statements->steps;

    assert(statements->place_count == steps->count);

    if (pg_steps_run(statements->connection, steps, &statements->failure->pg) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    for (size_t i = 0; i < steps->count; i++) {
        const struct pg_step *step = &steps->list[i];

        if (step->failed) {
            fail_at(statements, i, step->failure);
            return OUTCOME_RETRY;
        }
        if (step->rolled_back) {
            return not_committed(statements);
        }
        if (!step->done) {
            return not_answered(statements, i);
        }
        if (statements->places[i].counts && step->count > 0) {
            count_stored(statements, &statements->places[i], step->affected);
        }
    }
    return OUTCOME_OK;
}

/* Sends the texts as one Query. The server asks for the data of each COPY in turn
 * (CopyInResponse), which is why each costs a round trip. `query.done` counts the statements that
 * were answered. */
static enum outcome run_query(struct statements *statements)
{
    struct pg_query query = {.sql = buf_string(&statements->sql),
                             .streams = statements->streams,
                             .count = statements->stream_count};
    struct pg_failure failure;

    assert(statements->stream_count <= statements->place_count);
    for (size_t i = 0; i < query.count; i++) {
        query.streams[i].parts = statements->parts[i];
    }
    if (pg_query_run(statements->connection, &query, &failure) != OUTCOME_OK) {
        statements->failure->pg = failure;
        if (query.done >= statements->place_count) {
            return not_answered(statements, query.done);
        }
        if (pg_is_connected(statements->connection)) {
            fail_at(statements, query.done, &failure);
        }
        return OUTCOME_RETRY;
    }
    if (query.rolled_back) {
        return not_committed(statements);
    }
    if (query.done != statements->place_count) {
        return not_answered(statements, query.done);
    }
    for (size_t i = 0, stream = 0; i < statements->place_count; i++) {
        if (statements->places[i].copy) {
            int64_t affected = query.streams[stream++].affected;

            if (statements->places[i].counts) {
                count_stored(statements, &statements->places[i], affected);
            }
        }
    }
    return OUTCOME_OK;
}

enum outcome statements_flush(struct statements *statements)
{
    enum outcome outcome = OUTCOME_OK;

    switch (statements->segment) {
    case SEGMENT_EMPTY:
        break;
    case SEGMENT_STEPS:
        outcome = run_steps(statements);
        break;
    case SEGMENT_QUERY:
        outcome = run_query(statements);
        break;
    }
    reset_segment(statements);
    assert(statements->segment == SEGMENT_EMPTY && statements->place_count == 0);
    return outcome;
}

/* --- queueing --------------------------------------------------------------------------------- */

static void add_place(struct statements *statements, struct store_place place)
{
    statements->places = memory_grow(statements->places, statements->place_count,
                                     &statements->place_capacity, sizeof(*statements->places));
    statements->places[statements->place_count++] = place;
}

/* add_step() and add_text() queue a statement without values. Each adds exactly one place: see the
 * invariant in statements.h. */
static void add_step(struct statements *statements, const char *sql, struct store_place place)
{
    assert(statements->segment == SEGMENT_STEPS);
    (void) pg_steps_add(&statements->steps, sql, NULL, 0, false);
    add_place(statements, place);
}

static void add_text(struct statements *statements, const char *sql, struct store_place place)
{
    assert(statements->segment == SEGMENT_QUERY);
    buf_printf(&statements->sql, "%s%s", statements->sql.length > 0 ? ";\n" : "", sql);
    add_place(statements, place);
}

/* Makes the segment one of this kind, with BEGIN in front when that is still to be sent. */
static enum outcome open_segment(struct statements *statements, enum segment segment)
{
    const struct store_place begin = {.kind = PLACE_BEGIN};

    assert(segment != SEGMENT_EMPTY);

    if (statements->segment != segment && statements_flush(statements) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    statements->segment = segment;
    if (statements->move == NULL) {
        return OUTCOME_OK;
    }
    if (segment == SEGMENT_QUERY) {
        add_text(statements, begin_sql, begin);
        add_text(statements, buf_string(&statements->move->text), begin);
        add_text(statements, statements->lock, begin);
    } else {
        add_step(statements, begin_sql, begin);
        (void) pg_steps_add(&statements->steps, buf_string(&statements->move->sql),
                            statements->move->values, statements->move->count, false);
        add_place(statements, begin);
        add_step(statements, statements->lock, begin);
    }
    statements->move = NULL;
    return OUTCOME_OK;
}

enum outcome statements_add(struct statements *statements, const char *sql,
                            struct store_place place)
{
    if (statements->segment == SEGMENT_QUERY) {
        add_text(statements, sql, place);
        return OUTCOME_OK;
    }
    if (open_segment(statements, SEGMENT_STEPS) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    add_step(statements, sql, place);
    return OUTCOME_OK;
}

enum outcome statements_copy(struct statements *statements, const struct target *target,
                             struct slice bytes, struct store_place place)
{
    bool binary = target->format == COPY_BINARY;
    size_t capacity = statements->stream_capacity;
    size_t at;

    assert(target->copy != NULL);
    assert(place.kind == PLACE_ROWS || place.kind == PLACE_OWN_TABLES);
    if (open_segment(statements, SEGMENT_QUERY) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    at = statements->stream_count++;
    statements->streams =
        memory_grow(statements->streams, at, &capacity, sizeof(*statements->streams));
    statements->parts = memory_grow(statements->parts, at, &statements->stream_capacity,
                                    sizeof(*statements->parts));
    statements->parts[at][0] = binary ? buf_slice(&statements->header) : slice_make("", 0);
    statements->parts[at][1] = bytes;
    statements->parts[at][2] = binary ? buf_slice(&statements->trailer) : slice_make("", 0);
    statements->streams[at] = (struct pg_stream){.relation = target->relation, .count = 3};
    place.copy = true;
    add_text(statements, target->copy, place);
    return OUTCOME_OK;
}

enum outcome statements_insert(struct statements *statements, const struct target *target,
                               struct slice bytes, uint64_t rows, struct store_place place)
{
    struct target_values *values;
    size_t before;

    assert(target->statement_count > 0 && rows > 0);
    if ((statements->steps.bytes >= STEPS_BYTES_MAX &&
         statements_flush(statements) != OUTCOME_OK) ||
        open_segment(statements, SEGMENT_STEPS) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    statements->values = memory_grow(statements->values, statements->value_count,
                                     &statements->value_capacity, sizeof(*statements->values));
    values = &statements->values[statements->value_count++];
    target_values_init(values, target, bytes, (size_t) rows);
    before = statements->steps.count;
    target_add_steps(target, values, &statements->steps);
    for (size_t i = before; i < statements->steps.count; i++) {
        add_place(statements, place);
    }
    return OUTCOME_OK;
}

enum outcome statements_send(struct statements *statements)
{
    return open_segment(statements, SEGMENT_STEPS) == OUTCOME_OK ? statements_flush(statements)
                                                                 : OUTCOME_RETRY;
}
