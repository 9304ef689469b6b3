/* SPDX-License-Identifier: MIT */
#include "pg/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pg/pg_quote.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

static const char *number_text(char text[NUMBER_TEXT], uint64_t number)
{
    int length = snprintf(text, NUMBER_TEXT, "%" PRIu64, number);

    assert(length > 0 && length < NUMBER_TEXT);
    return text;
}

void progress_schema_sql(struct buf *out, const char *schema)
{
    pg_append_for_schema(out, sql_mqtt2pg, schema);
}

/* The answer of schema-state.sql: lists for a message to a person, borrowed from its rows. */
struct schema_state {
    const char *missing; /* columns; NULL = none */
    const char *denied;  /* privileges; NULL = none */
    bool closed;         /* no USAGE on the schema */
    const char *spared;  /* indexes and columns that storing can do without; NULL = none */
};

/* On OUTCOME_OK the caller frees `rows`, which `state` borrows from. */
static enum outcome read_state(struct pg_connection *connection, struct pg_rows **rows,
                               struct schema_state *state, struct error *error)
{
    struct pg_failure failure = {0};
    const char *schema = pg_schema(connection);
    const char *values[] = {schema};
    if (pg_query(connection, sql_schema_state, PG_PARAMS(values), rows, &failure) != OUTCOME_OK) {
        return error_set(error, OUTCOME_RETRY, "looking for the schema \"%s\": %s", schema,
                         failure.message);
    }
    state->missing = pg_rows_text(*rows, 0, 0);
    state->denied = pg_rows_text(*rows, 0, 1);
    state->closed = slice_is(pg_rows_slice(*rows, 0, 2), "t");
    state->spared = pg_rows_text(*rows, 0, 3);
    return OUTCOME_OK;
}

/* Checks the privileges on a schema that is complete. */
static enum outcome check_privileges(const struct schema_state *state, const char *schema,
                                     const char *role, struct error *error)
{
    assert(state->missing == NULL);
    if (state->closed) {
        return error_set(error, OUTCOME_FATAL,
                         "%s: no privilege to use the schema \"%s\": grant usage on schema \"%s\" "
                         "to the role, or run sql/role.sql",
                         role, schema, schema);
    }
    if (state->denied != NULL) {
        return error_set(error, OUTCOME_FATAL,
                         "%s: privileges are missing in the schema \"%s\": %s; grant them, or run "
                         "sql/role.sql",
                         role, schema, state->denied);
    }
    return OUTCOME_OK;
}

/* Makes the schema in one transaction under an advisory lock, because two bridges may start at once
 * on a new database. After a failure the transaction is rolled back; when even that fails, the
 * connection is closed. */
static enum outcome create_schema(struct pg_connection *connection, const char *missing,
                                  struct error *error)
{
    const char *schema = pg_schema(connection);
    struct buf sql = {0};
    struct pg_failure failure = {0};

    assert(missing != NULL);
    buf_append_text(
        &sql, "begin; select pg_advisory_xact_lock(hashtextextended('mqtt2pg schema', 0));\n");
    progress_schema_sql(&sql, schema);
    enum outcome outcome = pg_run(connection, buf_string(&sql), &failure);
    if (outcome == OUTCOME_OK) {
        outcome = pg_commit(connection, &failure);
    }
    if (outcome == OUTCOME_OK) {
        log_info("made the schema in the database", F_TEXT("schema", schema));
    } else if (failure.action == SQL_RULE || failure.action == SQL_ROW) {
        outcome = error_set(error, OUTCOME_FATAL,
                            "the schema \"%s\" lacks %s, and making it failed: %s; run "
                            "`mqtt2pg schema | psql` as a role that may, then sql/role.sql",
                            schema, missing, failure.message);
    } else {
        outcome = error_set(error, OUTCOME_RETRY, "making the schema \"%s\": %s", schema,
                            failure.message);
    }
    if (outcome != OUTCOME_OK) {
        memcpy(error->sqlstate, failure.sqlstate, sizeof(error->sqlstate));
        if (pg_run(connection, "rollback", &failure) != OUTCOME_OK) {
            pg_disconnect(connection);
        }
    }
    buf_fini(&sql);
    return outcome;
}

/* What a later version has added, and storing can do without: an index makes the bridge faster, a
 * column serves `replay` or `gaps`. So a role that may not make it goes on. OUTCOME_RETRY: the
 * connection is lost. */
static enum outcome add_spared(struct pg_connection *connection, const char *spared,
                               struct error *error)
{
    struct error refused = {0};

    if (create_schema(connection, spared, &refused) != OUTCOME_OK) {
        if (!pg_is_connected(connection)) {
            *error = refused;
            return refused.outcome;
        }
        log_warn("the bridge's own tables are of an earlier version: storing goes on, but the "
                 "commands replay and gaps may fail, and large numbers of dead letters are slow",
                 F_TEXT("missing", spared), F_TEXT("reason", refused.text));
    }
    return OUTCOME_OK;
}

/* Reads the state again after making the schema: a schema of the same name that holds other tables
 * survives CREATE TABLE IF NOT EXISTS, and still lacks our columns. */
enum outcome progress_ensure_schema(struct pg_connection *connection, struct error *error)
{
    struct pg_rows *rows = NULL;
    struct schema_state state = {0};
    const char *schema = pg_schema(connection);

    enum outcome outcome = read_state(connection, &rows, &state, error);
    if (outcome == OUTCOME_OK && state.missing != NULL) {
        outcome = create_schema(connection, state.missing, error);
        pg_rows_free(rows);
        rows = NULL;
        if (outcome == OUTCOME_OK) {
            outcome = read_state(connection, &rows, &state, error);
        }
        if (outcome == OUTCOME_OK && state.missing != NULL) {
            outcome = error_set(error, OUTCOME_FATAL,
                                "the schema \"%s\" has tables of another program or version: it "
                                "lacks %s; set database.schema to another name",
                                schema, state.missing);
        }
    }
    if (outcome == OUTCOME_OK) {
        outcome = check_privileges(&state, schema, pg_target(connection), error);
    }
    if (outcome == OUTCOME_OK && state.spared != NULL) {
        outcome = add_spared(connection, state.spared, error);
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome progress_lock(struct pg_connection *connection, struct progress_lock *lock,
                           struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_schema(connection), pg_client_id(connection)};

    *lock = (struct progress_lock){.holder = ""};
    enum outcome outcome =
        pg_query(connection, sql_progress_lock, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK) {
        const char *holder = pg_rows_text(rows, 0, 2);
        lock->taken = slice_is(pg_rows_slice(rows, 0, 0), "t");
        lock->holder_waits = slice_is(pg_rows_slice(rows, 0, 1), "t");
        snprintf(lock->holder, sizeof(lock->holder), "%s", holder != NULL ? holder : "");
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome progress_read(struct pg_connection *connection, const char *journal,
                           struct progress *progress, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_client_id(connection), journal};

    struct buf sql = {0};

    assert(journal != NULL);
    *progress = (struct progress){0};
    buf_append_text(&sql, sql_progress_read);
    if (pg_is_pooled(connection)) {
        /* A COMMIT of our previous backend may still be under way: behind a pooler there is no
         * session lock that shows that this backend has ended. FOR SHARE waits for the row, so the
         * returned position includes that COMMIT, and its acknowledgments are not dropped. */
        buf_append_text(&sql, " for share");
    }
    enum outcome outcome =
        pg_query_schema(connection, buf_string(&sql), PG_PARAMS(values), &rows, failure);
    buf_fini(&sql);
    if (outcome == OUTCOME_OK && pg_rows_count(rows) > 0) {
        snprintf(progress->client_id, sizeof(progress->client_id), "%s", pg_rows_text(rows, 0, 0));
        snprintf(progress->journal, sizeof(progress->journal), "%s", pg_rows_text(rows, 0, 1));
        progress->position = strtoull(pg_rows_text(rows, 0, 2), NULL, 10);
        progress->stored_at_us = strtoll(pg_rows_text(rows, 0, 3), NULL, 10);
        progress->owner = strcmp(progress->journal, journal) != 0 ? PROGRESS_OTHER_JOURNAL
                          : strcmp(progress->client_id, pg_client_id(connection)) == 0
                              ? PROGRESS_OURS
                              : PROGRESS_RENAMED;
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome progress_adopt(struct pg_connection *connection, const char *journal,
                            const char *former, bool *adopted, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_client_id(connection), journal, former, pg_schema(connection)};

    assert(strcmp(former, pg_client_id(connection)) != 0); /* the row is not our own */
    enum outcome outcome =
        pg_query_schema(connection, sql_progress_adopt, PG_PARAMS(values), &rows, failure);
    *adopted = outcome == OUTCOME_OK && pg_rows_count(rows) == 1;
    pg_rows_free(rows);
    return outcome;
}

enum outcome progress_write(struct pg_connection *connection, const char *journal,
                            uint64_t position, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char number[NUMBER_TEXT];
    const char *values[] = {pg_client_id(connection), journal, number_text(number, position)};
    enum outcome outcome =
        pg_query_schema(connection, sql_progress_write, PG_PARAMS(values), &rows, failure);
    pg_rows_free(rows);
    return outcome;
}

enum outcome progress_move(struct pg_connection *connection, const struct progress_step *step,
                           int64_t *stored_at_us, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char numbers[2][NUMBER_TEXT];
    const char *values[] = {pg_client_id(connection), step->journal,
                            number_text(numbers[0], step->from), number_text(numbers[1], step->to)};

    assert(step->from <= step->to);
    *stored_at_us = 0;
    enum outcome outcome =
        pg_query_schema(connection, sql_progress_move, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK && pg_rows_count(rows) == 1) {
        *stored_at_us = strtoll(pg_rows_text(rows, 0, 0), NULL, 10);
    }
    pg_rows_free(rows);
    return outcome;
}

/* Replaces $1 and so on by the values as literals, for the simple protocol, which has no
 * parameters. The statement is ours and has no "$" elsewhere. */
static void append_filled(struct progress_statement *statement)
{
    for (const char *at = buf_string(&statement->sql); *at != '\0'; at++) {
        if (at[0] == '$' && at[1] >= '1' && (size_t) (at[1] - '1') < statement->count) {
            pg_quote_literal(&statement->text, statement->values[at[1] - '1']);
            at++;
        } else {
            buf_append_byte(&statement->text, (uint8_t) *at);
        }
    }
}

/* The values are copied into `store` one after another. The slices are made only after the last
 * copy, because the store may move while it grows. */
void progress_statement_make(struct progress_statement *statement,
                             const struct pg_connection *connection, const char *sql,
                             struct pg_params params)
{
    size_t starts[PROGRESS_VALUES_MAX];

    assert(params.count > 0 && params.count <= PROGRESS_VALUES_MAX);
    *statement = (struct progress_statement){.count = (size_t) params.count};
    pg_append_for_schema(&statement->sql, sql, pg_schema(connection));
    for (int i = 0; i < params.count; i++) {
        starts[i] = statement->store.length;
        buf_append(&statement->store, params.values[i], strlen(params.values[i]) + 1);
    }
    for (int i = 0; i < params.count; i++) {
        statement->values[i] = slice_of(statement->store.data + starts[i]);
    }
    append_filled(statement);
}

void progress_statement_init(struct progress_statement *statement,
                             const struct pg_connection *connection,
                             const struct progress_step *step)
{
    char numbers[2][NUMBER_TEXT];
    const char *values[] = {pg_client_id(connection), step->journal,
                            number_text(numbers[0], step->from), number_text(numbers[1], step->to)};

    assert(step->from <= step->to);
    progress_statement_make(statement, connection, sql_progress_step, PG_PARAMS(values));
}

void progress_statement_fini(struct progress_statement *statement)
{
    buf_fini(&statement->sql);
    buf_fini(&statement->text);
    buf_fini(&statement->store);
}
