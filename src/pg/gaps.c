/* SPDX-License-Identifier: MIT */
#include "pg/gaps.h"

#include <inttypes.h>
#include <stdio.h>

#include "pg/dead_letter_row.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

static const char *number_text(char text[NUMBER_TEXT], int64_t number)
{
    snprintf(text, NUMBER_TEXT, "%" PRId64, number);
    return text;
}

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
    enum outcome outcome = pg_query_schema(connection, sql_gap_insert, 6, values, &rows, failure);
    pg_rows_free(rows);
    buf_fini(&cause);
    return outcome;
}
