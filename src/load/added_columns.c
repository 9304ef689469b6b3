/*
 * One line a column, of four JSON texts:
 *
 *   ["telemetry","public.telemetry","power","$.power :: double precision"]
 *
 * SPDX-License-Identifier: MIT
 */
#include "load/added_columns.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "decode/json_scan.h"

static const char file_name[] = "columns";

#define FILE_BYTES_MAX ((size_t) 16 * 1024 * 1024)

enum { FIELDS = 4, REFUSED_MAX = 1000 };

/* The members of `fields`, in the order in which a line has them. */
enum { RULE, TABLE, COLUMN, EXPRESSION };

/* Texts that stay where they are, for the rules that borrow them. */
struct added_column {
    char *fields[FIELDS]; /* owned */
    bool gone;            /* dropped from the table: no rule uses it, and it is not saved */
};

/* A key that PostgreSQL has refused. */
struct refused_key {
    char *rule;       /* owned */
    char *expression; /* owned */
};

struct added_columns {
    pthread_mutex_t mutex; /* for all members below */
    struct added_column *list;
    size_t count;
    size_t capacity;
    struct refused_key *refused;
    size_t refused_count;
    size_t refused_capacity;
    unsigned changes;
};

/* --- the list --------------------------------------------------------------------------------- */

/* An added column is for one rule and one table. When the rule gets another table or loses
 * add_columns, the column is ignored and kept: the change may be taken back. */
static bool belongs(const struct added_column *column, const struct rule_options *rule)
{
    return !column->gone && rule->add_columns && rule->table.text != NULL &&
           strcmp(column->fields[RULE], rule->name) == 0 &&
           strcmp(column->fields[TABLE], rule->table.text) == 0;
}

static size_t count_of(const struct added_columns *added, const struct rule_options *rule)
{
    size_t count = 0;

    for (size_t i = 0; i < added->count; i++) {
        count += belongs(&added->list[i], rule);
    }
    return count;
}

/* Under the mutex, or before anybody else has the list. */
static void append(struct added_columns *added, const struct slice fields[FIELDS])
{
    struct added_column *column;

    added->list = memory_grow(added->list, added->count, &added->capacity, sizeof(*added->list));
    column = &added->list[added->count++];
    column->gone = false;
    for (size_t i = 0; i < FIELDS; i++) {
        column->fields[i] = memory_copy(fields[i]);
    }
}

bool added_columns_have_room(struct added_columns *added, const struct rule_options *rule)
{
    bool room;

    pthread_mutex_lock(&added->mutex);
    room = count_of(added, rule) < ADDED_COLUMNS_MAX;
    pthread_mutex_unlock(&added->mutex);
    return room;
}

bool added_columns_add(struct added_columns *added, const struct rule_options *rule,
                       const char *column, const char *expression)
{
    const struct slice fields[FIELDS] = {slice_of(rule->name), slice_of(rule->table.text),
                                         slice_of(column), slice_of(expression)};
    bool known = false;
    bool room;

    assert(rule->add_columns && rule->table.text != NULL);
    pthread_mutex_lock(&added->mutex);
    for (size_t i = 0; i < added->count; i++) {
        known |=
            belongs(&added->list[i], rule) && strcmp(added->list[i].fields[COLUMN], column) == 0;
    }
    room = known || count_of(added, rule) < ADDED_COLUMNS_MAX;
    if (!known && room) {
        append(added, fields);
        added->changes++;
    }
    pthread_mutex_unlock(&added->mutex);
    return room;
}

size_t added_columns_drop(struct added_columns *added, const struct rule_options *rule,
                          const struct table_shape *shape)
{
    size_t dropped = 0;

    assert(rule->name != NULL && shape != NULL);
    pthread_mutex_lock(&added->mutex);
    for (size_t i = 0; i < added->count; i++) {
        struct added_column *column = &added->list[i];

        if (belongs(column, rule) &&
            table_shape_find(shape, slice_of(column->fields[COLUMN])) == NULL) {
            column->gone = true;
            dropped++;
        }
    }
    added->changes += dropped > 0;
    pthread_mutex_unlock(&added->mutex);
    return dropped;
}

unsigned added_columns_changes(struct added_columns *added)
{
    unsigned changes;

    pthread_mutex_lock(&added->mutex);
    changes = added->changes;
    pthread_mutex_unlock(&added->mutex);
    return changes;
}

/* --- refused ---------------------------------------------------------------------------------- */

/* With a full list everything counts as refused: a device with random keys must not make the
 * service ask for columns without end. */
static bool is_refused(const struct added_columns *added, const char *rule, const char *expression)
{
    for (size_t i = 0; i < added->refused_count; i++) {
        if (strcmp(added->refused[i].rule, rule) == 0 &&
            strcmp(added->refused[i].expression, expression) == 0) {
            return true;
        }
    }
    return added->refused_count == REFUSED_MAX;
}

bool added_columns_refused(struct added_columns *added, const char *rule, const char *expression)
{
    bool refused;

    pthread_mutex_lock(&added->mutex);
    refused = is_refused(added, rule, expression);
    pthread_mutex_unlock(&added->mutex);
    return refused;
}

/* The list is for this process only: after a restart or a reload the key is tried again. */
void added_columns_refuse(struct added_columns *added, const char *rule, const char *expression)
{
    pthread_mutex_lock(&added->mutex);
    if (!is_refused(added, rule, expression)) {
        added->refused = memory_grow(added->refused, added->refused_count, &added->refused_capacity,
                                     sizeof(*added->refused));
        added->refused[added->refused_count++] = (struct refused_key){
            .rule = memory_strdup(rule), .expression = memory_strdup(expression)};
    }
    assert(added->refused_count <= REFUSED_MAX);
    pthread_mutex_unlock(&added->mutex);
}

static void forget_refused(struct added_columns *added)
{
    for (size_t i = 0; i < added->refused_count; i++) {
        free(added->refused[i].rule);
        free(added->refused[i].expression);
    }
    added->refused_count = 0;
}

void added_columns_forgive(struct added_columns *added)
{
    pthread_mutex_lock(&added->mutex);
    forget_refused(added);
    pthread_mutex_unlock(&added->mutex);
}

/* --- the file --------------------------------------------------------------------------------- */

/* False: the line is not what append_lines() writes, and nothing of it is taken. */
static bool read_line(struct added_columns *added, struct slice line, struct arena *arena)
{
    const struct node *root = NULL;
    struct slice fields[FIELDS];
    struct error error;

    if (json_scan(line, arena, &root, &error) != OUTCOME_OK || root->kind != VALUE_ARRAY ||
        root->count != FIELDS) {
        return false;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        const struct node *field = node_element(root, (int64_t) i);

        if (field->kind != VALUE_TEXT || text_has_nul(field->text)) {
            return false;
        }
        fields[i] = field->text;
    }
    append(added, fields);
    return true;
}

/* Stops at the first damaged line. The bridge finds the columns of the rest in the payloads
 * again. */
static void read_lines(struct added_columns *added, struct slice text, const char *path)
{
    struct arena *arena = arena_new(4096);
    bool good = true;

    while (text.length > 0 && good) {
        const char *end = memchr(text.data, '\n', text.length);
        size_t length = end == NULL ? text.length : (size_t) (end - text.data);

        good = read_line(added, slice_make(text.data, length), arena);
        length += end != NULL;
        text = slice_make(text.data + length, text.length - length);
        arena_reset(arena);
    }
    if (!good) {
        log_warn("the file with the columns that were added is damaged", F_TEXT("file", path));
    }
    arena_free(arena);
}

/* A file that can't be read costs no messages: the columns are in the table, and their keys are
 * found again. */
struct added_columns *added_columns_load(const char *directory)
{
    struct added_columns *added = memory_alloc(sizeof(*added));
    struct buf content = {0};
    struct error error;
    char *path = memory_printf("%s/%s", directory, file_name);

    pthread_mutex_init(&added->mutex, NULL);
    if (access(path, F_OK) == 0) {
        if (file_load_regular(path, FILE_BYTES_MAX, &content, &error) == OUTCOME_OK) {
            read_lines(added, buf_slice(&content), path);
        } else {
            log_warn("could not read the columns that were added", F_TEXT("reason", error.text));
        }
    }
    free(path);
    buf_fini(&content);
    return added;
}

void added_columns_free(struct added_columns *added)
{
    if (added == NULL) {
        return;
    }
    for (size_t i = 0; i < added->count; i++) {
        for (size_t f = 0; f < FIELDS; f++) {
            free(added->list[i].fields[f]);
        }
    }
    forget_refused(added);
    free(added->refused);
    free(added->list);
    pthread_mutex_destroy(&added->mutex);
    free(added);
}

static void append_lines(struct added_columns *added, struct buf *content)
{
    pthread_mutex_lock(&added->mutex);
    for (size_t i = 0; i < added->count; i++) {
        if (added->list[i].gone) {
            continue;
        }
        for (size_t f = 0; f < FIELDS; f++) {
            buf_append_byte(content, f == 0 ? '[' : ',');
            text_append_json(content, slice_of(added->list[i].fields[f]));
        }
        buf_append_text(content, "]\n");
    }
    pthread_mutex_unlock(&added->mutex);
}

enum outcome added_columns_save(struct added_columns *added, const char *directory,
                                struct error *error)
{
    struct buf content = {0};
    enum outcome outcome;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return error_errno(error, OUTCOME_RETRY, "could not open directory \"%s\"", directory);
    }
    append_lines(added, &content);
    outcome = file_replace(fd, file_name, buf_slice(&content), error);
    close(fd);
    buf_fini(&content);
    return outcome;
}

/* --- the rules -------------------------------------------------------------------------------- */

/* Does the rule write this column already, by an expression or by compute? */
static bool has_column(const struct rule_options *rule, const char *name)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        if (rule->columns[i].name != NULL && strcmp(rule->columns[i].name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < rule->compute_count; i++) {
        if (rule->compute[i].name != NULL && strcmp(rule->compute[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A column that a person has written takes precedence over an added one. */
static void extend(const struct added_columns *added, struct rule_options *rule)
{
    struct option_column *columns;

    assert(rule->name != NULL && rule->add_columns);
    columns = memory_alloc((rule->column_count + count_of(added, rule) + 1) * sizeof(*columns));
    if (rule->column_count > 0) {
        memcpy(columns, rule->columns, rule->column_count * sizeof(*columns));
    }
    rule->columns = columns;
    for (size_t i = 0; i < added->count; i++) {
        const struct added_column *column = &added->list[i];

        if (belongs(column, rule) && !has_column(rule, column->fields[COLUMN])) {
            columns[rule->column_count++] = (struct option_column){
                .name = column->fields[COLUMN],
                .expression = column->fields[EXPRESSION],
                .place = rule->place,
            };
        }
    }
}

struct rule_options *added_columns_extend(struct added_columns *added,
                                          const struct rule_options *rules, size_t count)
{
    struct rule_options *extended = memory_alloc((count + 1) * sizeof(*extended));

    pthread_mutex_lock(&added->mutex);
    for (size_t i = 0; i < count; i++) {
        extended[i] = rules[i];
        if (rules[i].add_columns && rules[i].name != NULL) {
            extend(added, &extended[i]);
        }
    }
    pthread_mutex_unlock(&added->mutex);
    return extended;
}

void added_columns_release(struct rule_options *extended, size_t count)
{
    for (size_t i = 0; extended != NULL && i < count; i++) {
        if (extended[i].add_columns && extended[i].name != NULL) {
            free(extended[i].columns);
        }
    }
    free(extended);
}
