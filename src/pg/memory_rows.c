/* SPDX-License-Identifier: MIT */
#include "pg/memory_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

void memory_rows_fini(struct memory_rows *rows)
{
    buf_fini(&rows->kinds);
    buf_fini(&rows->keys);
    buf_fini(&rows->sequences);
    buf_fini(&rows->contents);
    rows->count = 0;
}

void memory_rows_reset(struct memory_rows *rows)
{
    buf_reset(&rows->kinds);
    buf_reset(&rows->keys);
    buf_reset(&rows->sequences);
    buf_reset(&rows->contents);
    rows->count = 0;
}

/* An element in quotes, as array_in() of PostgreSQL reads it: a backslash goes before a quote and
 * before a backslash (PostgreSQL's documentation, "Array Input and Output Syntax"). */
static void append_quoted(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            buf_append_byte(out, '\\');
        }
        buf_append_byte(out, (uint8_t) text.data[i]);
    }
    buf_append_byte(out, '"');
}

/* Opens the array, or takes its end back: between two appends each array is whole, so it can be
 * sent at any time. */
static void begin_element(struct buf *array)
{
    if (array->length == 0) {
        buf_append_byte(array, '{');
    } else {
        assert(array->data[array->length - 1] == '}');
        array->data[array->length - 1] = ',';
    }
}

static void end_element(struct buf *array)
{
    buf_append_byte(array, '}');
    (void) buf_string(array);
}

static void append_text(struct buf *array, struct slice text)
{
    begin_element(array);
    append_quoted(array, text);
    end_element(array);
}

void memory_rows_append(struct memory_rows *rows, const struct memory_entry *entry)
{
    append_text(&rows->kinds, slice_of(entry->kind));
    append_text(&rows->keys, entry->key);
    begin_element(&rows->sequences);
    buf_printf(&rows->sequences, "%" PRIu64, entry->sequence);
    end_element(&rows->sequences);
    begin_element(&rows->contents);
    buf_append_hex(&rows->contents, entry->content);
    end_element(&rows->contents);
    rows->count++;
}

size_t memory_rows_bytes(const struct memory_rows *rows)
{
    return rows->keys.length + rows->contents.length;
}

enum outcome memory_rows_insert(struct pg_connection *connection, const char *journal,
                                const struct memory_rows *rows, struct pg_failure *failure)
{
    struct pg_rows *result = NULL;
    const char *values[] = {pg_client_id(connection), journal,
                            rows->kinds.data,         rows->keys.data,
                            rows->sequences.data,     rows->contents.data};
    if (rows->count == 0) {
        return OUTCOME_OK;
    }
    assert(values[2] != NULL && values[3] != NULL && values[4] != NULL && values[5] != NULL);
    enum outcome outcome =
        pg_query_schema(connection, sql_memory_insert, PG_PARAMS(values), &result, failure);
    pg_rows_free(result);
    return outcome;
}

enum { KIND, KEY, SEQUENCE, CONTENT, IN_JOURNAL, IN_SEQUENCE };

/* Bytes of a page; a larger entry is a page of its own. */
#define PAGE_BYTES "4194304"

/* Kinds are constants of the formats: an entry of a kind that no format has is left out. */
static const char *known_kind(const char *kind)
{
    static const char *const kinds[] = {MEMORY_SPARKPLUG};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kind != NULL && strcmp(kind, kinds[i]) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

static struct memory_entry entry_at(const struct pg_rows *rows, int row)
{
    const char *sequence = pg_rows_text(rows, row, SEQUENCE);
    return (struct memory_entry){
        .kind = known_kind(pg_rows_text(rows, row, KIND)),
        .key = pg_rows_slice(rows, row, KEY),
        .sequence = sequence == NULL ? 0 : strtoull(sequence, NULL, 10),
    };
}

static void keep_rows(struct memory *memory, const struct pg_rows *rows)
{
    for (int row = 0; row < pg_rows_count(rows); row++) {
        struct buf content = {0};
        struct memory_entry entry = entry_at(rows, row);
        pg_rows_bytes(rows, row, CONTENT, &content);
        entry.content = buf_slice(&content);
        if (entry.kind != NULL) {
            memory_keep(memory, &entry);
        }
        buf_fini(&content);
    }
}

/* Where the next page begins: the primary key of the last row. */
struct page_end {
    char *journal; /* owned, all of them */
    char *kind;
    char *key;
    char *sequence;
};

static void page_end_fini(struct page_end *end)
{
    free(end->journal);
    free(end->kind);
    free(end->key);
    free(end->sequence);
}

static struct page_end page_end_of(const struct pg_rows *rows)
{
    int last = pg_rows_count(rows) - 1;

    assert(last >= 0); /* an empty page ends the reading */
    return (struct page_end){.journal = memory_strdup(pg_rows_text(rows, last, IN_JOURNAL)),
                             .kind = memory_strdup(pg_rows_text(rows, last, KIND)),
                             .key = memory_strdup(pg_rows_text(rows, last, KEY)),
                             .sequence = memory_strdup(pg_rows_text(rows, last, IN_SEQUENCE))};
}

enum outcome memory_rows_read(struct pg_connection *connection, struct memory *memory,
                              struct pg_failure *failure)
{
    enum outcome outcome;
    bool more;
    struct page_end end = {.journal = memory_strdup("00000000-0000-0000-0000-000000000000"),
                           .kind = memory_strdup(""),
                           .key = memory_strdup(""),
                           .sequence = memory_strdup("-1")};
    do {
        struct pg_rows *rows = NULL;
        const char *values[] = {
            pg_client_id(connection), end.journal, end.kind, end.key, end.sequence, PAGE_BYTES};
        outcome = pg_query_schema(connection, sql_memory_read, PG_PARAMS(values), &rows, failure);
        more = outcome == OUTCOME_OK && pg_rows_count(rows) > 0;
        if (more) {
            keep_rows(memory, rows);
            page_end_fini(&end);
            end = page_end_of(rows);
        }
        pg_rows_free(rows);
    } while (more);
    page_end_fini(&end);
    return outcome;
}

enum outcome memory_rows_prune(struct pg_connection *connection, const char *journal,
                               uint64_t position, struct memory *memory, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char number[NUMBER_TEXT];
    snprintf(number, sizeof(number), "%" PRIu64, position);
    const char *values[] = {pg_client_id(connection), journal, number};
    enum outcome outcome =
        pg_query_schema(connection, sql_memory_prune, PG_PARAMS(values), &rows, failure);
    for (int row = 0; outcome == OUTCOME_OK && row < pg_rows_count(rows); row++) {
        struct memory_entry entry = entry_at(rows, row);
        if (entry.kind != NULL) {
            memory_forget(memory, &entry);
        }
    }
    pg_rows_free(rows);
    return outcome;
}
