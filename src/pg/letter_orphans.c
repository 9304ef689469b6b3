/* SPDX-License-Identifier: MIT */
#include "pg/letter_orphans.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

/* The columns of letter-orphans.sql. */
enum { ID, RULE, TOPIC, MARK, RULES, MARKS, MESSAGE };

/* Topics are decoded into one buffer. The texts of the rows have two digits a byte, so their length
 * is room enough, and the buffer does not move. */
static void take_rows(struct letter_orphans *orphans)
{
    size_t bytes = 1;

    orphans->count = (size_t) pg_rows_count(orphans->rows);
    orphans->list = memory_alloc((orphans->count + 1) * sizeof(*orphans->list));
    for (size_t i = 0; i < orphans->count; i++) {
        bytes += pg_rows_slice(orphans->rows, (int) i, TOPIC).length;
    }
    buf_reserve(&orphans->topics, bytes);
    for (size_t i = 0; i < orphans->count; i++) {
        struct letter_orphan *orphan = &orphans->list[i];
        size_t start = orphans->topics.length;
        const char *data = orphans->topics.data;

        pg_rows_bytes(orphans->rows, (int) i, TOPIC, &orphans->topics);
        assert(orphans->topics.data == data);
        orphan->id = strtoll(pg_rows_text(orphans->rows, (int) i, ID), NULL, 10);
        orphan->rule = pg_rows_text(orphans->rows, (int) i, RULE);
        orphan->topic = slice_make(data + start, orphans->topics.length - start);
        orphan->mark = pg_rows_slice(orphans->rows, (int) i, MARK);
        orphan->rules = pg_rows_slice(orphans->rows, (int) i, RULES);
        orphan->marks = pg_rows_slice(orphans->rows, (int) i, MARKS);
        orphan->message = pg_rows_slice(orphans->rows, (int) i, MESSAGE);
    }
}

enum outcome letter_orphans_read(struct pg_connection *connection,
                                 const struct orphans_query *query, struct letter_orphans *orphans,
                                 struct pg_failure *failure)
{
    struct buf known = {0}, topics = {0}, marks = {0};
    char after[NUMBER_TEXT], limit[NUMBER_TEXT];
    enum outcome outcome;

    assert(query->limit > 0 && query->after_id >= 0);
    *orphans = (struct letter_orphans){0};
    pg_quote_array(&known, query->known, query->known_count);
    pg_quote_array(&marks, query->marks, query->known_count);
    if (query->topics != NULL) {
        pg_quote_array(&topics, query->topics, query->known_count);
    }
    snprintf(after, sizeof(after), "%" PRId64, query->after_id);
    snprintf(limit, sizeof(limit), "%d", query->limit);
    const char *values[] = {pg_client_id(connection),
                            buf_string(&known),
                            after,
                            limit,
                            query->topics == NULL ? NULL : buf_string(&topics),
                            buf_string(&marks)};
    outcome =
        pg_query_schema(connection, sql_letter_orphans, PG_PARAMS(values), &orphans->rows, failure);
    if (outcome == OUTCOME_OK) {
        take_rows(orphans);
    }
    buf_fini(&known);
    buf_fini(&topics);
    buf_fini(&marks);
    return outcome;
}

void letter_orphans_fini(struct letter_orphans *orphans)
{
    free(orphans->list);
    buf_fini(&orphans->topics);
    pg_rows_free(orphans->rows);
    *orphans = (struct letter_orphans){0};
}

/* Appends one element to an array literal whose closing brace is missing. */
static void append_element(struct buf *array, const char *text)
{
    buf_append_byte(array, array->length == 0 ? '{' : ',');
    if (text == NULL) {
        buf_append_text(array, "null");
        return;
    }
    struct buf one = {0};

    pg_quote_array(&one, &text, 1);
    assert(one.length >= 2);
    buf_append(array, one.data + 1, one.length - 2); /* without the braces */
    buf_fini(&one);
}

void letter_heirs_add(struct letter_heirs *heirs, int64_t id, const char *rule, const char *table)
{
    char number[NUMBER_TEXT];

    assert(id > 0 && rule != NULL);
    snprintf(number, sizeof(number), "%" PRId64, id);
    append_element(&heirs->ids, number);
    append_element(&heirs->rules, rule);
    append_element(&heirs->tables, table);
    heirs->count++;
}

void letter_heirs_fini(struct letter_heirs *heirs)
{
    buf_fini(&heirs->ids);
    buf_fini(&heirs->rules);
    buf_fini(&heirs->tables);
    *heirs = (struct letter_heirs){0};
}

enum outcome letter_heirs_give(struct pg_connection *connection, struct letter_heirs *heirs,
                               struct pg_rows **rows, struct pg_failure *failure)
{
    assert(heirs->count > 0);
    buf_append_byte(&heirs->ids, '}');
    buf_append_byte(&heirs->rules, '}');
    buf_append_byte(&heirs->tables, '}');
    const char *values[] = {buf_string(&heirs->ids), buf_string(&heirs->rules),
                            buf_string(&heirs->tables)};
    return pg_query_schema(connection, sql_letter_inherit, PG_PARAMS(values), rows, failure);
}
