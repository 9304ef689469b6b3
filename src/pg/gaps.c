/* SPDX-License-Identifier: MIT */
#include "pg/gaps.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pg/dead_letter_row.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

static const char *number_text(char text[NUMBER_TEXT], int64_t number)
{
    int length = snprintf(text, NUMBER_TEXT, "%" PRId64, number);

    assert(length > 0 && length < NUMBER_TEXT);
    return text;
}

/* Unknown values (0 for a time, -1 for the number of messages) are null in the table. Odd bytes of
 * the cause are escaped, because PostgreSQL refuses a text that is not UTF-8. */
enum outcome gap_insert(struct pg_connection *connection, const struct gap *gap,
                        struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf cause = {0};
    char numbers[4][NUMBER_TEXT];

    dead_letter_append_text(&cause, gap->cause);
    const char *values[] = {
        number_text(numbers[0], gap->noticed_at_us),
        pg_client_id(connection),
        buf_string(&cause),
        gap->from_us != 0 ? number_text(numbers[1], gap->from_us) : NULL,
        gap->to_us != 0 ? number_text(numbers[2], gap->to_us) : NULL,
        gap->messages >= 0 ? number_text(numbers[3], gap->messages) : NULL,
    };
    enum outcome outcome =
        pg_query_schema(connection, sql_gap_insert, PG_PARAMS(values), &rows, failure);
    pg_rows_free(rows);
    buf_fini(&cause);
    return outcome;
}

/* The columns of gaps-read.sql. */
enum { ID, NOTICED_AT, CLIENT_ID, CAUSE, FROM_TIME, TO_TIME, MESSAGES, ACKNOWLEDGED_AT };

/* Copies a field to the end of `store` as a C string, "" for null. read_rows() has reserved room
 * for all fields, so the store does not move under the texts that point into it. */
static const char *keep_text(struct buf *store, const struct pg_rows *rows, int row, int column)
{
    size_t start = store->length;
    const char *data = store->data;

    buf_append_slice(store, pg_rows_slice(rows, row, column));
    buf_append_byte(store, '\0');
    assert(store->data == data); /* texts handed out before still point into it */
    return store->data + start;
}

static void read_rows(struct gap_rows *out, const struct pg_rows *rows)
{
    int count = pg_rows_count(rows);
    size_t bytes = 1;
    for (int row = 0; row < count; row++) {
        bytes += pg_rows_slice(rows, row, CLIENT_ID).length + 1;
        bytes += pg_rows_slice(rows, row, CAUSE).length + 1;
    }
    buf_reserve(&out->store, bytes);
    out->count = (size_t) count;
    out->list = memory_alloc((out->count + 1) * sizeof(*out->list));
    for (int row = 0; row < count; row++) {
        out->list[row] = (struct gap_row){
            .id = pg_rows_integer(rows, row, ID),
            .client_id = keep_text(&out->store, rows, row, CLIENT_ID),
            .cause = keep_text(&out->store, rows, row, CAUSE),
            .noticed_at_us = pg_rows_integer(rows, row, NOTICED_AT),
            .from_us = pg_rows_integer(rows, row, FROM_TIME),
            .to_us = pg_rows_integer(rows, row, TO_TIME),
            .messages = pg_rows_text(rows, row, MESSAGES) == NULL
                            ? -1
                            : pg_rows_integer(rows, row, MESSAGES),
            .acknowledged_at_us = pg_rows_integer(rows, row, ACKNOWLEDGED_AT),
        };
    }
    assert(out->store.length < bytes);
}

enum outcome gaps_read(struct pg_connection *connection, const struct gap_query *query,
                       struct gap_rows *rows, struct pg_failure *failure)
{
    struct pg_rows *result = NULL;
    char number[NUMBER_TEXT];
    const char *values[] = {query->client_id, query->unacknowledged_only ? "true" : "false",
                            query->id != 0 ? number_text(number, query->id) : NULL};

    *rows = (struct gap_rows){0};
    enum outcome outcome =
        pg_query_schema(connection, sql_gaps_read, PG_PARAMS(values), &result, failure);
    if (outcome == OUTCOME_OK) {
        read_rows(rows, result);
    }
    pg_rows_free(result);
    return outcome;
}

void gap_rows_fini(struct gap_rows *rows)
{
    free(rows->list);
    buf_fini(&rows->store);
    *rows = (struct gap_rows){0};
}

enum outcome gaps_acknowledge(struct pg_connection *connection, const struct gap_query *query,
                              int64_t *count, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char number[NUMBER_TEXT];
    const char *values[] = {query->client_id,
                            query->id != 0 ? number_text(number, query->id) : NULL};

    *count = 0;
    enum outcome outcome =
        pg_query_schema(connection, sql_gaps_acknowledge, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK) {
        *count = pg_rows_affected(rows);
    }
    pg_rows_free(rows);
    return outcome;
}
