/* SPDX-License-Identifier: MIT */
#include "pg/replay_progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

static int64_t number_at(const struct pg_rows *rows, int column)
{
    const char *text = pg_rows_text(rows, 0, column);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

enum outcome replay_progress_read(struct pg_connection *connection, const struct replay_key *key,
                                  struct replay_state *state, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_client_id(connection), key->journal, key->rule};
    enum outcome outcome =
        pg_query_schema(connection, sql_replay_read, PG_PARAMS(values), &rows, failure);

    *state = (struct replay_state){.found = outcome == OUTCOME_OK && pg_rows_count(rows) > 0};
    if (state->found) {
        state->done = (uint64_t) number_at(rows, 0);
        state->from_us = number_at(rows, 1);
        state->to_us = number_at(rows, 2);
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome replay_progress_begin(struct pg_connection *connection, const struct replay_key *key,
                                   const struct replay_state *state, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char from[NUMBER_TEXT], to[NUMBER_TEXT];
    const char *values[] = {pg_client_id(connection), key->journal, key->rule, from, to};

    snprintf(from, sizeof(from), "%" PRId64, state->from_us);
    snprintf(to, sizeof(to), "%" PRId64, state->to_us);
    enum outcome outcome =
        pg_query_schema(connection, sql_replay_begin, PG_PARAMS(values), &rows, failure);
    pg_rows_free(rows);
    return outcome;
}

/* --- numbers ---------------------------------------------------------------------------------- */

void replay_numbers_add(struct replay_numbers *numbers, uint64_t number)
{
    assert(numbers->count == 0 || numbers->list[numbers->count - 1] < number);
    numbers->list =
        memory_grow(numbers->list, numbers->count, &numbers->capacity, sizeof(*numbers->list));
    numbers->list[numbers->count++] = number;
}

static int by_number(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *) left, b = *(const uint64_t *) right;
    return (a > b) - (a < b);
}

bool replay_numbers_has(const struct replay_numbers *numbers, uint64_t number)
{
    return numbers->count > 0 && bsearch(&number, numbers->list, numbers->count,
                                         sizeof(*numbers->list), by_number) != NULL;
}

void replay_numbers_fini(struct replay_numbers *numbers)
{
    free(numbers->list);
    *numbers = (struct replay_numbers){0};
}

/* "3 17 20"; NULL is an empty list. */
static void parse_numbers(const char *text, struct replay_numbers *numbers)
{
    assert(numbers->count == 0);
    while (text != NULL && *text != '\0') {
        char *end;

        replay_numbers_add(numbers, strtoull(text, &end, 10));
        assert(end > text);
        text = *end == ' ' ? end + 1 : end;
    }
}

enum outcome replay_progress_letters(struct pg_connection *connection, const struct replay_key *key,
                                     struct replay_numbers *settled, struct replay_numbers *waiting,
                                     struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_client_id(connection), key->journal, key->rule};
    enum outcome outcome =
        pg_query_schema(connection, sql_replay_letters, PG_PARAMS(values), &rows, failure);

    if (outcome == OUTCOME_OK) {
        parse_numbers(pg_rows_text(rows, 0, 0), settled);
        parse_numbers(pg_rows_text(rows, 0, 1), waiting);
    }
    pg_rows_free(rows);
    return outcome;
}

/* --- a batch ---------------------------------------------------------------------------------- */

void replay_progress_statement(struct progress_statement *statement,
                               const struct pg_connection *connection,
                               const struct progress_step *step, const struct replay_step *replay)
{
    struct buf numbers = {0};
    char from[NUMBER_TEXT], to[NUMBER_TEXT];

    assert(step->from <= step->to);
    snprintf(from, sizeof(from), "%" PRIu64, step->from);
    snprintf(to, sizeof(to), "%" PRIu64, step->to);
    buf_append_text(&numbers, "{");
    for (size_t i = 0; i < replay->superseded->count; i++) {
        buf_printf(&numbers, "%s%" PRIu64, i > 0 ? "," : "", replay->superseded->list[i]);
    }
    buf_append_text(&numbers, "}");
    const char *values[] = {pg_client_id(connection),
                            step->journal,
                            replay->rule,
                            from,
                            to,
                            replay->finished ? "true" : "false",
                            buf_string(&numbers)};
    progress_statement_make(statement, connection, sql_replay_step, PG_PARAMS(values));
    buf_fini(&numbers);
}
