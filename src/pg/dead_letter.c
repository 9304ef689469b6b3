/* SPDX-License-Identifier: MIT */
#include "pg/dead_letter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/dead_letter_row.h"
#include "pg/pg_quote.h"
#include "row/copy_format.h"
#include "sql_text.h"

enum { NUMBER_TEXT = 24 };

static const char *number_text(char text[NUMBER_TEXT], int64_t number)
{
    int length = snprintf(text, NUMBER_TEXT, "%" PRId64, number);

    assert(length > 0 && length < NUMBER_TEXT);
    return text;
}

/* The types of the columns in dead-letter-copy.sql (pg_type.dat). */
enum { BOOL = 16, BYTEA = 17, INT8 = 20, INT2 = 21, TEXT = 25, TIMESTAMPTZ = 1184 };
enum { UUID = 2950, JSONB = 3802 };
static const uint32_t field_types[] = {TIMESTAMPTZ, TIMESTAMPTZ, TEXT, TEXT, BYTEA, INT2, BOOL,
                                       JSONB,       TEXT,        TEXT, BOOL, TEXT,  UUID, INT8};

/* The columns and their types are the bridge's own (sql/mqtt2pg.sql), so this needs neither the
 * catalog nor a `check`. */
struct target *dead_letters_target(const struct pg_connection *connection)
{
    struct target *target = memory_alloc(sizeof(*target));
    struct buf sql = {0};

    pg_append_for_schema(&sql, sql_dead_letter_copy, pg_schema(connection));
    target->copy = memory_copy(buf_slice(&sql));
    target->relation = memory_strdup("dead_letter");
    buf_reset(&sql);
    pg_append_for_schema(&sql, sql_dead_letter_insert, pg_schema(connection));
    target->statements = memory_alloc(sizeof(*target->statements));
    target->statements[0] =
        (struct target_statement){.sql = memory_copy(buf_slice(&sql)), .takes_rows = true};
    target->statement_count = 1;
    target->format = COPY_BINARY;
    target->column_count = sizeof(field_types) / sizeof(field_types[0]);
    target->elements = memory_alloc(sizeof(field_types));
    memcpy(target->elements, field_types, sizeof(field_types));
    buf_fini(&sql);
    return target;
}

/* The columns of dead-letter-read.sql. */
enum {
    ID,
    RECEIVED_AT,
    FAILED_AT,
    RULE,
    TOPIC,
    PAYLOAD,
    QOS,
    RETAINED,
    DUPLICATE,
    PROPERTIES,
    REASON,
    SQLSTATE,
    PARKED,
    CLIENT_ID,
    JOURNAL,
    SEQUENCE,
    WHOLE_BYTES,
    WAITS,
    COLUMNS
};

/* Copies a field to the end of `store` as a C string; NULL for null. The caller has reserved room
 * for all fields, so the store does not move under the texts that point into it. */
static const char *keep_text(struct buf *store, const struct pg_rows *rows, int row, int column)
{
    if (pg_rows_text(rows, row, column) == NULL) {
        return NULL;
    }
    size_t start = store->length;
    const char *data = store->data;

    buf_append_slice(store, pg_rows_slice(rows, row, column));
    buf_append_byte(store, '\0');
    assert(store->data == data); /* texts handed out before still point into it */
    return store->data + start;
}

/* Decodes a bytea field at the end of `store`. The room is enough, because read_rows() counted the
 * hex form, which has two digits a byte. */
static struct slice keep_bytes(struct buf *store, const struct pg_rows *rows, int row, int column)
{
    size_t start = store->length;
    const char *data = store->data;

    pg_rows_bytes(rows, row, column, store);
    assert(store->data == data); /* as in keep_text() */
    return slice_make(store->data + start, store->length - start);
}

static void read_row(struct dead_letter_row *out, struct buf *store, const struct pg_rows *rows,
                     int row)
{
    out->message = (struct message){
        .kind = pg_rows_integer(rows, row, WHOLE_BYTES) > 0 ? MESSAGE_HEAD : MESSAGE_PUBLISH,
        .whole_bytes = (uint64_t) pg_rows_integer(rows, row, WHOLE_BYTES),
        .qos = (uint8_t) pg_rows_integer(rows, row, QOS),
        .retained = pg_rows_is_true(rows, row, RETAINED),
        .duplicate = pg_rows_is_true(rows, row, DUPLICATE),
        .sequence = (uint64_t) pg_rows_integer(rows, row, SEQUENCE),
        .received_at_us = pg_rows_integer(rows, row, RECEIVED_AT),
        .topic = keep_bytes(store, rows, row, TOPIC),
        .properties = keep_bytes(store, rows, row, PROPERTIES),
        .payload = keep_bytes(store, rows, row, PAYLOAD),
    };
    out->origin = (struct dead_letter_origin){
        .client_id = keep_text(store, rows, row, CLIENT_ID),
        .journal = keep_text(store, rows, row, JOURNAL),
    };
    out->letter = (struct dead_letter){
        .id = pg_rows_integer(rows, row, ID),
        .failed_at_us = pg_rows_integer(rows, row, FAILED_AT),
        .rule = keep_text(store, rows, row, RULE),
        .message = &out->message,
        .reason = keep_text(store, rows, row, REASON),
        .sqlstate = keep_text(store, rows, row, SQLSTATE),
        .parked = pg_rows_is_true(rows, row, PARKED),
        .waits = pg_rows_is_true(rows, row, WAITS),
    };
}

/* Copies the whole result: the first pass counts the bytes for one reservation, the second copies.
 * `out` lives on when the result is freed. */
static void read_rows(struct dead_letter_rows *out, const struct pg_rows *rows)
{
    int count = pg_rows_count(rows);
    size_t bytes = 1;
    for (int row = 0; row < count; row++) {
        for (int column = 0; column < COLUMNS; column++) {
            bytes += pg_rows_slice(rows, row, column).length + 1;
        }
    }
    buf_reserve(&out->store, bytes);
    out->count = (size_t) count;
    out->list = memory_alloc(out->count * sizeof(*out->list));
    for (int row = 0; row < count; row++) {
        read_row(&out->list[row], &out->store, rows, row);
    }
}

static const char *parked_text(int parked)
{
    assert(parked >= -1 && parked <= 1);
    return parked < 0 ? NULL : parked == 0 ? "false" : "true";
}

static const char *waiting_text(enum letters_wait waiting)
{
    return waiting == LETTERS_ALL ? NULL : waiting == LETTERS_REJECTED ? "false" : "true";
}

/* The server adds the lengths up, so no payload travels only to be counted. */
enum outcome dead_letters_fit(struct pg_connection *connection, struct dead_letter_query *query,
                              int64_t bytes, struct pg_failure *failure)
{
    struct pg_rows *result = NULL;
    char numbers[4][NUMBER_TEXT];
    const char *values[] = {
        query->rule,
        query->id != 0 ? number_text(numbers[0], query->id) : NULL,
        query->after_id != 0 ? number_text(numbers[1], query->after_id) : NULL,
        parked_text(query->parked),
        query->client_id,
        number_text(numbers[2], query->limit),
        number_text(numbers[3], bytes),
        waiting_text(query->waiting),
    };
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_fitting, PG_PARAMS(values), &result, failure);

    assert(bytes > 0);
    if (outcome == OUTCOME_OK) {
        query->limit = (int) pg_rows_integer(result, 0, 0);
    }
    pg_rows_free(result);
    return outcome;
}

/* The answer has one array, or null. Frees it; NULL after a failure. */
static void take_ids(struct letter_choices *choices, struct pg_rows *result)
{
    choices->ids = NULL;
    if (result != NULL && pg_rows_count(result) == 1 && pg_rows_text(result, 0, 0) != NULL) {
        choices->ids = memory_strdup(pg_rows_text(result, 0, 0));
    }
    pg_rows_free(result);
}

enum outcome dead_letters_choose(struct pg_connection *connection,
                                 const struct dead_letter_query *query,
                                 struct letter_choices *choices, struct pg_failure *failure)
{
    struct pg_rows *result = NULL;
    struct buf names = {0};
    char numbers[4][NUMBER_TEXT];

    assert(query->limit > 0 && choices->bytes > 0 && choices->rule_count > 0);
    pg_quote_array(&names, choices->rules, choices->rule_count);
    const char *values[] = {
        buf_string(&names),
        query->id != 0 ? number_text(numbers[0], query->id) : NULL,
        query->after_id != 0 ? number_text(numbers[1], query->after_id) : NULL,
        parked_text(query->parked),
        query->client_id,
        number_text(numbers[2], query->limit),
        number_text(numbers[3], choices->bytes),
        waiting_text(query->waiting),
    };
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_choose, PG_PARAMS(values), &result, failure);

    take_ids(choices, result);
    buf_fini(&names);
    return outcome;
}

enum outcome dead_letters_newest(struct pg_connection *connection, int count,
                                 struct letter_choices *choices, struct pg_failure *failure)
{
    struct pg_rows *result = NULL;
    struct buf names = {0};
    char number[NUMBER_TEXT];

    assert(count > 0 && choices->rule_count > 0);
    pg_quote_array(&names, choices->rules, choices->rule_count);
    const char *values[] = {buf_string(&names), pg_client_id(connection),
                            number_text(number, count)};
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_newest, PG_PARAMS(values), &result, failure);

    take_ids(choices, result);
    buf_fini(&names);
    return outcome;
}

enum outcome dead_letters_read(struct pg_connection *connection,
                               const struct dead_letter_query *query, struct dead_letter_rows *rows,
                               struct pg_failure *failure)
{
    struct pg_rows *result = NULL;
    struct buf sql = {0};
    char numbers[4][NUMBER_TEXT];
    const char *values[] = {
        query->rule,
        query->id != 0 ? number_text(numbers[0], query->id) : NULL,
        query->after_id != 0 ? number_text(numbers[1], query->after_id) : NULL,
        parked_text(query->parked),
        query->older_than_us != 0 ? number_text(numbers[2], query->older_than_us) : NULL,
        query->limit != 0 ? number_text(numbers[3], query->limit) : NULL,
        query->client_id,
        waiting_text(query->waiting),
        query->ids,
        query->rules,
    };

    *rows = (struct dead_letter_rows){0};
    pg_append_for_schema(&sql, sql_dead_letter_read, pg_schema(connection));
    if (query->lock) {
        /* Letters that another session is storing are left to that session. */
        buf_append_text(&sql, " for update of d skip locked");
    }
    enum outcome outcome =
        pg_query(connection, buf_string(&sql), PG_PARAMS(values), &result, failure);
    if (outcome == OUTCOME_OK) {
        read_rows(rows, result);
    }
    pg_rows_free(result);
    buf_fini(&sql);
    return outcome;
}

void dead_letter_rows_fini(struct dead_letter_rows *rows)
{
    free(rows->list);
    buf_fini(&rows->store);
    *rows = (struct dead_letter_rows){0};
}

/* A yes-or-no question about rules; have[i] is the answer for names[i]. */
struct rules_question {
    const char *sql;
    const char *const *names;
    size_t count;
    bool *have;
};

/* The statement answers with the places of rules in the array, which PostgreSQL counts from 1. */
static enum outcome ask_rules(struct pg_connection *connection, const struct rules_question *rules,
                              struct pg_failure *failure)
{
    struct pg_rows *found = NULL;
    struct buf names = {0};

    assert(rules->count == 0 || (rules->names != NULL && rules->have != NULL));
    memset(rules->have, 0, rules->count * sizeof(*rules->have));
    pg_quote_array(&names, rules->names, rules->count);
    const char *values[] = {buf_string(&names), pg_client_id(connection)};
    enum outcome outcome =
        pg_query_schema(connection, rules->sql, PG_PARAMS(values), &found, failure);
    for (int row = 0; outcome == OUTCOME_OK && row < pg_rows_count(found); row++) {
        unsigned long place = strtoul(pg_rows_text(found, row, 0), NULL, 10);

        if (place >= 1 && place <= rules->count) {
            rules->have[place - 1] = true;
        }
    }
    pg_rows_free(found);
    buf_fini(&names);
    return outcome;
}

enum outcome dead_letters_parked(struct pg_connection *connection, const char *const *rules,
                                 size_t count, bool *parked, struct pg_failure *failure)
{
    return ask_rules(connection,
                     &(struct rules_question){sql_dead_letter_parked, rules, count, parked},
                     failure);
}

enum outcome dead_letters_wait(struct pg_connection *connection, const char *const *rules,
                               size_t count, bool *waits, struct pg_failure *failure)
{
    return ask_rules(connection,
                     &(struct rules_question){sql_dead_letter_waits, rules, count, waits}, failure);
}

enum outcome dead_letters_lock(struct pg_connection *connection, const struct letter_lock *lock,
                               bool *taken, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf names = {0};

    assert(lock->client_id != NULL && lock->rule_count > 0);
    pg_quote_array(&names, lock->rules, lock->rule_count);
    const char *values[] = {pg_schema(connection), lock->client_id, buf_string(&names),
                            lock->wait ? "true" : "false"};
    enum outcome outcome =
        pg_query(connection, sql_dead_letter_lock, PG_PARAMS(values), &rows, failure);

    *taken = outcome == OUTCOME_OK && pg_rows_count(rows) == 1 && pg_rows_is_true(rows, 0, 0);
    if (outcome != OUTCOME_OK && strcmp(failure->sqlstate, "55P03") == 0) {
        snprintf(failure->message, sizeof(failure->message),
                 "another command, or the service, works on dead letters of rule \"%.200s\"%s",
                 lock->rules[0], lock->rule_count > 1 ? " or of another rule of its table" : "");
    }
    pg_rows_free(rows);
    buf_fini(&names);
    return outcome;
}

enum outcome dead_letters_delete(struct pg_connection *connection, const int64_t *ids, size_t count,
                                 struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf array = {0};

    assert(count > 0);
    buf_append_byte(&array, '{');
    for (size_t i = 0; i < count; i++) {
        assert(ids[i] > 0);
        buf_printf(&array, "%s%" PRId64, i == 0 ? "" : ",", ids[i]);
    }
    buf_append_byte(&array, '}');
    const char *values[] = {buf_string(&array)};
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_delete, PG_PARAMS(values), &rows, failure);
    buf_fini(&array);
    pg_rows_free(rows);
    return outcome;
}

/* A reason quotes the server or the message, so it may hold bytes that are no text of PostgreSQL:
 * dead_letter_append_text() escapes them. */
enum outcome dead_letter_update(struct pg_connection *connection, const struct dead_letter *letter,
                                struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf clean = {0};
    char number[NUMBER_TEXT];
    bool has_state = letter->sqlstate != NULL && letter->sqlstate[0] != '\0';

    assert(letter->id != 0 && letter->reason != NULL);
    dead_letter_append_text(&clean, slice_of(letter->reason));
    const char *values[] = {number_text(number, letter->id), buf_string(&clean),
                            has_state ? letter->sqlstate : NULL, letter->waits ? "true" : "false"};
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_update, PG_PARAMS(values), &rows, failure);
    pg_rows_free(rows);
    buf_fini(&clean);
    return outcome;
}

enum outcome dead_letters_purge(struct pg_connection *connection,
                                const struct dead_letter_query *letters, int64_t *purged,
                                struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    char number[NUMBER_TEXT];
    int64_t time_us = letters->older_than_us;
    const char *values[] = {time_us != 0 ? number_text(number, time_us) : NULL, letters->rule,
                            letters->client_id, letters->parked < 0 ? "true" : "false"};

    *purged = 0;
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_purge, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK) {
        *purged = pg_rows_affected(rows);
    }
    pg_rows_free(rows);
    return outcome;
}

enum outcome dead_letters_find_strays(struct pg_connection *connection,
                                      struct dead_letter_strays *strays, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf known = {0};

    assert(strays->known_count == 0 || strays->known != NULL);
    pg_quote_array(&known, strays->known, strays->known_count);
    const char *values[] = {buf_string(&known), pg_client_id(connection)};
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_strays, PG_PARAMS(values), &rows, failure);
    if (outcome == OUTCOME_OK) {
        strays->letters = strtoll(pg_rows_text(rows, 0, 0), NULL, 10);
        buf_append_slice(&strays->rules, pg_rows_slice(rows, 0, 1));
        strays->others = strtoll(pg_rows_text(rows, 0, 2), NULL, 10);
        buf_append_slice(&strays->clients, pg_rows_slice(rows, 0, 3));
    }
    pg_rows_free(rows);
    buf_fini(&known);
    return outcome;
}

enum outcome dead_letters_count(struct pg_connection *connection, struct dead_letter_counts *counts,
                                struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    struct buf names = {0}, known = {0};

    assert(counts->rule_count == 0 || (counts->rules != NULL && counts->parked != NULL));
    pg_quote_array(&names, counts->rules, counts->rule_count);
    pg_quote_array(&known, counts->known, counts->known_count);
    const char *values[] = {pg_client_id(connection), buf_string(&names), buf_string(&known)};
    enum outcome outcome =
        pg_query_schema(connection, sql_dead_letter_counts, PG_PARAMS(values), &rows, failure);
    for (int row = 0; outcome == OUTCOME_OK && row < pg_rows_count(rows); row++) {
        const char *name = pg_rows_text(rows, row, 0);
        int64_t letters = strtoll(pg_rows_text(rows, row, 1), NULL, 10);
        if (name == NULL) {
            counts->rejected = letters;
        }
        for (size_t i = 0; name != NULL && i < counts->rule_count; i++) {
            if (strcmp(name, counts->rules[i]) == 0) {
                counts->parked[i] = letters;
            }
        }
    }
    pg_rows_free(rows);
    buf_fini(&names);
    buf_fini(&known);
    return outcome;
}
