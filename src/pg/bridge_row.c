/* SPDX-License-Identifier: MIT */
#include "pg/bridge_row.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "pg/pg_clock.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 32 };

static const char *integer_text(char text[NUMBER_TEXT], int64_t number)
{
    int length = snprintf(text, NUMBER_TEXT, "%" PRId64, number);

    assert(length > 0 && length < NUMBER_TEXT);
    return text;
}

static const char *real_text(char text[NUMBER_TEXT], double number)
{
    snprintf(text, NUMBER_TEXT, "%.3f", number);
    return text;
}

enum outcome bridge_row_write(struct pg_connection *connection, const struct bridge_row *row,
                              int lease_s, bool *ours, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct pg_clock_sent sent = pg_clock_now();
    /* One text for each number of the row, alive until the statement is sent. */
    char numbers[8][NUMBER_TEXT];
    const char *values[] = {
        pg_client_id(connection),
        row->journal,
        row->version,
        row->host,
        integer_text(numbers[0], row->started_at_us),
        integer_text(numbers[1], row->connected_at_us),
        integer_text(numbers[2], (int64_t) row->backlog),
        real_text(numbers[3], row->delay_seconds),
        real_text(numbers[4], row->messages_per_second),
        real_text(numbers[5], row->rows_per_second),
        row->last_error,
        row->last_error != NULL ? integer_text(numbers[6], row->last_error_at_us) : NULL,
        lease_s != 0 ? integer_text(numbers[7], lease_s) : NULL,
    };

    assert(row->journal != NULL && lease_s >= 0);
    enum outcome outcome =
        pg_query_schema(connection, sql_bridge_write, PG_PARAMS(values), &rows, failure);
    *ours = outcome == OUTCOME_OK && pg_rows_count(rows) == 1;
    if (*ours) {
        pg_clock_take(connection, sent, rows, 0);
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome bridge_row_refreshed(struct pg_connection *connection, char when[BRIDGE_WHEN_BYTES],
                                  struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    const char *values[] = {pg_client_id(connection)};
    const char *found = NULL;

    if (pg_query_schema(connection, sql_bridge_refreshed, PG_PARAMS(values), &rows, failure) ==
            OUTCOME_OK &&
        pg_rows_count(rows) == 1) {
        found = pg_rows_text(rows, 0, 0);
    }
    snprintf(when, BRIDGE_WHEN_BYTES, "%s", found != NULL ? found : "");
    pg_rows_free(rows);
    return pg_is_connected(connection) ? OUTCOME_OK : OUTCOME_RETRY;
}
