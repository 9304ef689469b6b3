/* SPDX-License-Identifier: MIT */
#include "pg/pg_steps.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "pg/pg_session.h"

#ifndef LIBPQ_HAS_PIPELINING
_Static_assert(0, "mqtt2pg needs libpq 14 or newer (Debian 12 has it, Debian 11 does not)");
#endif

/* libpq copies the values into its output buffer and, in non-blocking mode, keeps what the socket
 * does not take. After this many bytes the buffer is sent before the next step is added, so a
 * pipeline of large steps needs little memory beyond its largest step. */
#define BUFFERED_BYTES ((size_t) 128 * 1024)
/* Bind counts the parameters in 16 bits (PostgreSQL's documentation, "Message Formats"). */
enum { VALUES_MAX = UINT16_MAX };

size_t pg_steps_add(struct pg_steps *steps, const char *sql, const struct slice *values,
                    size_t count, bool binary)
{
    assert(sql != NULL && count <= VALUES_MAX);
    assert(count == 0 || values != NULL);
    steps->list = memory_grow(steps->list, steps->count, &steps->capacity, sizeof(*steps->list));
    steps->list[steps->count] =
        (struct pg_step){.sql = sql, .values = values, .count = count, .binary = binary};
    for (size_t i = 0; i < count; i++) {
        steps->bytes += values[i].length;
    }
    return steps->count++;
}

void pg_steps_end_group(struct pg_steps *steps)
{
    assert(steps->count > 0);
    steps->list[steps->count - 1].ends_group = true;
}

/* The values as PQsendQueryParams() takes them. */
struct parameters {
    const char **values;
    int *lengths;
    int *formats;
    size_t capacity;
};

static void parameters_fini(struct parameters *parameters)
{
    free(parameters->values);
    free(parameters->lengths);
    free(parameters->formats);
}

static void parameters_fill(struct parameters *parameters, const struct pg_step *step)
{
    if (step->count > parameters->capacity) {
        parameters->capacity = step->count;
        parameters->values =
            memory_resize(parameters->values, step->count * sizeof(*parameters->values));
        parameters->lengths =
            memory_resize(parameters->lengths, step->count * sizeof(*parameters->lengths));
        parameters->formats =
            memory_resize(parameters->formats, step->count * sizeof(*parameters->formats));
    }
    if (step->count == 0) {
        return;
    }
    assert(step->values != NULL);
    assert(parameters->values != NULL);
    for (size_t i = 0; i < step->count; i++) {
        /* Text values end in NUL: they are C strings of the caller's. */
        assert(step->binary || step->values[i].data == NULL ||
               step->values[i].data[step->values[i].length] == '\0');
        parameters->values[i] = step->values[i].data;
        parameters->lengths[i] = (int) step->values[i].length;
        parameters->formats[i] = step->binary;
    }
}

/* Puts one step into libpq's buffer as Parse, Bind, Describe and Execute, and behind the last step
 * of a group a Sync. False: the connection is lost. */
static bool send_step(struct pg_connection *connection, const struct pg_step *step,
                      struct parameters *parameters)
{
    parameters_fill(parameters, step);
    return PQsendQueryParams(connection->pg, step->sql, (int) step->count, NULL, parameters->values,
                             parameters->lengths, parameters->formats, 0) == 1 &&
           (!step->ends_group || PQpipelineSync(connection->pg) == 1);
}

/* While this sends, pg_session_flush() also reads what the server answers: a server whose answers
 * are not read stops reading statements, and both sides would wait for ever. */
static enum outcome send_all(struct pg_connection *connection, const struct pg_steps *steps,
                             struct pg_failure *failure)
{
    struct parameters parameters = {0};
    size_t buffered = 0;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; outcome == OUTCOME_OK && i < steps->count; i++) {
        if (!send_step(connection, &steps->list[i], &parameters)) {
            outcome = pg_session_lost(connection, failure);
            break;
        }
        for (size_t j = 0; j < steps->list[i].count; j++) {
            buffered += steps->list[i].values[j].length;
        }
        if (buffered >= BUFFERED_BYTES || i + 1 == steps->count) {
            outcome = pg_session_flush(connection, failure);
            buffered = 0;
        }
    }
    assert(outcome != OUTCOME_OK || buffered == 0); /* nothing stays behind in libpq */
    parameters_fini(&parameters);
    return outcome;
}

/* The first failure of a step counts. */
static void note_failure(const struct pg_connection *connection, struct pg_step *step,
                         const PGresult *result)
{
    assert(step->failed == (step->failure != NULL));
    if (!step->failed) {
        step->failure = memory_alloc(sizeof(*step->failure));
        pg_session_failure(connection, result, NULL, step->failure);
    }
    step->failed = true;
}

/* Takes one result of a step and frees it. PGRES_PIPELINE_ABORTED leaves the step as it is, neither
 * done nor failed: an earlier step of its group has failed. */
static void note_result(const struct pg_connection *connection, struct pg_step *step,
                        PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        step->done = true;
        step->rolled_back = strcmp(PQcmdStatus(result), "ROLLBACK") == 0;
        step->affected = strtoll(PQcmdTuples(result), NULL, 10);
    } else if (status != PGRES_PIPELINE_ABORTED) {
        note_failure(connection, step, result);
    }
    PQclear(result);
}

/* Reads the results of one step, up to the NULL behind them. */
static enum outcome read_step(struct pg_connection *connection, struct pg_step *step,
                              struct pg_failure *failure)
{
    PGresult *result = NULL;

    do {
        if (pg_session_next(connection, &result, failure) != OUTCOME_OK) {
            return OUTCOME_RETRY;
        }
        if (result != NULL) {
            note_result(connection, step, result);
        }
    } while (result != NULL && PQstatus(connection->pg) == CONNECTION_OK);
    /* A server that shuts down sends FATAL as the last result while the socket is still open. */
    bool farewell = step->failed && step->failure->fatal;
    if (PQstatus(connection->pg) == CONNECTION_OK && !farewell) {
        return OUTCOME_OK;
    }
    if (step->failed) {
        *failure = *step->failure;
        pg_session_end(connection, failure);
        return OUTCOME_RETRY;
    }
    return pg_session_lost(connection, failure);
}

/* Behind the results of a group comes one PGRES_PIPELINE_SYNC, without a NULL behind it
 * (PostgreSQL's documentation, "Pipeline Mode"). */
static enum outcome read_sync(struct pg_connection *connection, struct pg_failure *failure)
{
    PGresult *result = NULL;

    if (pg_session_next(connection, &result, failure) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    return synced ? OUTCOME_OK : pg_session_lost(connection, failure);
}

static enum outcome read_all(struct pg_connection *connection, struct pg_steps *steps,
                             struct pg_failure *failure)
{
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; outcome == OUTCOME_OK && i < steps->count; i++) {
        outcome = read_step(connection, &steps->list[i], failure);
        if (outcome == OUTCOME_OK && steps->list[i].ends_group) {
            outcome = read_sync(connection, failure);
        }
    }
    return outcome;
}

enum outcome pg_steps_run(struct pg_connection *connection, struct pg_steps *steps,
                          struct pg_failure *failure)
{
    enum outcome outcome;

    if (steps->count == 0) {
        return OUTCOME_OK;
    }
    pg_steps_end_group(steps);
    assert(steps->list[steps->count - 1].ends_group);
    if (connection->pg == NULL || PQenterPipelineMode(connection->pg) != 1) {
        return pg_session_lost(connection, failure);
    }
    pg_session_begin(connection);
    outcome = send_all(connection, steps, failure);
    if (outcome == OUTCOME_OK && FAULT("pg.steps.sent")) {
        pg_disconnect(connection);
        return pg_failure_set(failure, SQL_RECONNECT, "fault point: connection cut behind steps");
    }
    if (outcome == OUTCOME_OK) {
        outcome = read_all(connection, steps, failure);
    }
    if (outcome == OUTCOME_OK && PQexitPipelineMode(connection->pg) != 1) {
        outcome = pg_session_lost(connection, failure);
    }
    return outcome;
}

const struct pg_step *pg_steps_failed(const struct pg_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        assert(!steps->list[i].failed || steps->list[i].failure != NULL);
        if (steps->list[i].failed) {
            return &steps->list[i];
        }
    }
    return NULL;
}

void pg_steps_reset(struct pg_steps *steps)
{
    assert(steps->count <= steps->capacity);
    for (size_t i = 0; i < steps->count; i++) {
        free(steps->list[i].failure);
    }
    steps->count = 0;
    steps->bytes = 0;
}

void pg_steps_fini(struct pg_steps *steps)
{
    pg_steps_reset(steps);
    free(steps->list);
    *steps = (struct pg_steps){0};
}
