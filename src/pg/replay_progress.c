/* SPDX-License-Identifier: MIT */
#include "pg/replay_progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

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

/* The other way round, as an array of PostgreSQL. */
static void append_numbers(struct buf *out, const struct replay_numbers *numbers)
{
    buf_append_text(out, "{");
    for (size_t i = 0; i < numbers->count; i++) {
        buf_printf(out, "%s%" PRIu64, i > 0 ? "," : "", numbers->list[i]);
    }
    buf_append_text(out, "}");
}

/* --- an unfinished replay --------------------------------------------------------------------- */

/* The columns of replay-read.sql. */
enum { RULE, JOURNAL, POSITION, FROM_US, TO_US, LAST, LEFT_OUT };

static int64_t number_at(const struct pg_rows *rows, int row, int column)
{
    const char *text = pg_rows_text(rows, row, column);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

void replay_state_fini(struct replay_state *state)
{
    replay_numbers_fini(&state->left_out);
}

static void read_state(const struct pg_rows *rows, int row, struct replay_state *state)
{
    state->found = true;
    state->done = (uint64_t) number_at(rows, row, POSITION);
    state->from_us = number_at(rows, row, FROM_US);
    state->to_us = number_at(rows, row, TO_US);
    state->last = (uint64_t) number_at(rows, row, LAST);
    parse_numbers(pg_rows_text(rows, row, LEFT_OUT), &state->left_out);
}

/* The caller frees *rows. */
static enum outcome read_unfinished(struct pg_connection *connection,
                                    const struct replay_owner *owner, struct pg_rows **rows,
                                    struct pg_failure *failure)
{
    struct buf names = {0};

    assert(owner->client_id != NULL && owner->rule_count > 0);
    pg_quote_array(&names, owner->rules, owner->rule_count);
    const char *values[] = {owner->client_id, owner->journal, buf_string(&names)};
    enum outcome outcome =
        pg_query_schema(connection, sql_replay_read, PG_PARAMS(values), rows, failure);
    buf_fini(&names);
    return outcome;
}

enum outcome replay_progress_read(struct pg_connection *connection, const struct replay_key *key,
                                  struct replay_state *state, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const struct replay_owner owner = {pg_client_id(connection), key->journal, &key->rule, 1};
    enum outcome outcome = read_unfinished(connection, &owner, &rows, failure);

    *state = (struct replay_state){0};
    if (outcome == OUTCOME_OK && pg_rows_count(rows) > 0) {
        assert(pg_rows_count(rows) == 1); /* the primary key */
        read_state(rows, 0, state);
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome replay_progress_begin(struct pg_connection *connection, const struct replay_key *key,
                                   const struct replay_state *state, bool *begun,
                                   struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf left_out = {0};
    char from[NUMBER_TEXT], to[NUMBER_TEXT], last[NUMBER_TEXT];

    snprintf(from, sizeof(from), "%" PRId64, state->from_us);
    snprintf(to, sizeof(to), "%" PRId64, state->to_us);
    snprintf(last, sizeof(last), "%" PRIu64, state->last);
    append_numbers(&left_out, &state->left_out);
    const char *values[] = {pg_client_id(connection), key->journal, key->rule, from, to, last,
                            buf_string(&left_out)};
    enum outcome outcome =
        pg_query_schema(connection, sql_replay_begin, PG_PARAMS(values), &rows, failure);
    *begun = outcome == OUTCOME_OK && pg_rows_count(rows) == 1;
    pg_rows_free(rows);
    buf_fini(&left_out);
    return outcome;
}

/* --- letters ---------------------------------------------------------------------------------- */

void replay_letters_fini(struct replay_letters *letters)
{
    replay_numbers_fini(&letters->settled);
    replay_numbers_fini(&letters->waiting);
}

void replay_state_leave_out(struct replay_state *state, const struct replay_letters *before,
                            const struct replay_letters *now)
{
    const struct replay_numbers *lists[] = {&before->settled, &before->waiting, &now->waiting};
    size_t at[3] = {0};

    assert(state->left_out.count == 0);
    while (true) { /* in ascending order: the lowest of the three heads */
        uint64_t lowest = UINT64_MAX;

        for (size_t i = 0; i < 3; i++) {
            if (at[i] < lists[i]->count && lists[i]->list[at[i]] < lowest) {
                lowest = lists[i]->list[at[i]];
            }
        }
        if (lowest == UINT64_MAX) {
            return;
        }
        for (size_t i = 0; i < 3; i++) {
            at[i] += at[i] < lists[i]->count && lists[i]->list[at[i]] == lowest;
        }
        if (!replay_numbers_has(&now->settled, lowest) ||
            replay_numbers_has(&before->waiting, lowest)) {
            replay_numbers_add(&state->left_out, lowest);
        }
    }
}

enum outcome replay_progress_letters(struct pg_connection *connection, const struct replay_key *key,
                                     const char *rules, struct replay_letters *letters,
                                     struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_client_id(connection), key->journal, key->rule, rules};
    enum outcome outcome =
        pg_query_schema(connection, sql_replay_letters, PG_PARAMS(values), &rows, failure);

    if (outcome == OUTCOME_OK) {
        parse_numbers(pg_rows_text(rows, 0, 0), &letters->settled);
        parse_numbers(pg_rows_text(rows, 0, 1), &letters->waiting);
    }
    pg_rows_free(rows);
    return outcome;
}

/* --- claims ----------------------------------------------------------------------------------- */

void replay_claims_fini(struct replay_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        free(claims->list[i].rule);
        free(claims->list[i].journal);
        replay_state_fini(&claims->list[i].state);
    }
    free(claims->list);
    *claims = (struct replay_claims){0};
}

enum outcome replay_claims_read(struct pg_connection *connection, const struct replay_owner *owner,
                                struct replay_claims *claims, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    enum outcome outcome = read_unfinished(connection, owner, &rows, failure);

    assert(claims->count == 0);
    if (outcome == OUTCOME_OK) {
        claims->count = (size_t) pg_rows_count(rows);
        claims->list = memory_alloc((claims->count + 1) * sizeof(*claims->list));
    }
    for (size_t i = 0; i < claims->count; i++) {
        struct replay_claim *claim = &claims->list[i];

        claim->rule = memory_strdup(pg_rows_text(rows, (int) i, RULE));
        claim->journal = memory_strdup(pg_rows_text(rows, (int) i, JOURNAL));
        read_state(rows, (int) i, &claim->state);
    }
    pg_rows_free(rows);
    return outcome;
}

bool replay_claims_have(const struct replay_claims *claims, const struct replay_message *message)
{
    for (size_t i = 0; message->journal != NULL && i < claims->count; i++) {
        const struct replay_claim *claim = &claims->list[i];

        if (strcmp(claim->rule, message->rule) == 0 &&
            strcmp(claim->journal, message->journal) == 0) {
            return message->sequence > claim->state.done &&
                   message->sequence <= claim->state.last &&
                   message->received_at_us >= claim->state.from_us &&
                   message->received_at_us <= claim->state.to_us &&
                   !replay_numbers_has(&claim->state.left_out, message->sequence);
        }
    }
    return false;
}

/* --- a batch ---------------------------------------------------------------------------------- */

void replay_progress_statement(struct progress_statement *statement,
                               const struct pg_connection *connection,
                               const struct progress_step *step, const struct replay_step *replay)
{
    struct buf numbers = {0}, times = {0};
    char from[NUMBER_TEXT], to[NUMBER_TEXT];

    assert(step->from <= step->to);
    snprintf(from, sizeof(from), "%" PRIu64, step->from);
    snprintf(to, sizeof(to), "%" PRIu64, step->to);
    buf_printf(&numbers, "{%s}", replay->superseded);
    buf_printf(&times, "{%s}", replay->superseded_us);
    const char *values[] = {pg_client_id(connection),
                            step->journal,
                            replay->rule,
                            from,
                            to,
                            replay->finished ? "true" : "false",
                            buf_string(&numbers),
                            buf_string(&times)};
    progress_statement_make(statement, connection, sql_replay_step, PG_PARAMS(values));
    buf_fini(&numbers);
    buf_fini(&times);
}
