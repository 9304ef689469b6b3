/*
 * A compiled topic is a list of parts, each literal bytes or a capture's index; "@response_topic"
 * has no parts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ack/ack_template.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "core/document.h"
#include "core/property.h"
#include "core/topic.h"

static const char response_topic[] = "@response_topic";

struct topic_part {
    char *literal;  /* owned; NULL: a capture */
    size_t capture; /* index in subject.captures */
};

struct ack_field {
    char *name;
    struct expression *expression;
    bool uses_rows;
};

/* Stands in a payload where the value of a field is not known yet. JSON has no such byte: its texts
 * write control characters as escapes. */
#define HOLE '\x01'

struct ack_template {
    char *rule;
    bool on_stored;
    bool on_rejected;
    uint8_t qos;
    bool retain;
    bool respond; /* to the response topic */
    struct topic_part *parts;
    size_t part_count;
    struct ack_field *fields;
    size_t field_count;
};

static const struct option_column default_fields[] = {
    {.name = "status", .expression = "@status"},
    {.name = "reason", .expression = "@reason"},
};

/* --- compiling -------------------------------------------------------------------------------- */

static struct topic_part *part_add(struct ack_template *ack)
{
    ack->parts = memory_resize(ack->parts, (ack->part_count + 1) * sizeof(ack->parts[0]));
    struct topic_part *part = &ack->parts[ack->part_count++];
    *part = (struct topic_part){0};
    return part;
}

static bool capture_find(const struct scope *scope, struct slice name, size_t *index)
{
    for (size_t i = 0; i < scope->capture_count; i++) {
        if (slice_is(name, scope->captures[i])) {
            *index = i;
            return true;
        }
    }
    return false;
}

static void report_unknown(struct slice name, const struct scope *scope, const struct place *place,
                           struct problems *problems)
{
    const char *meant =
        text_suggest(name, scope->captures, scope->capture_count, sizeof(scope->captures[0]));
    problem_error(problems, *place, "ack.topic", "the rule's topic has no {%.*s}%s%s%s",
                  SLICE_ARGS(name), meant != NULL ? " (did you mean {" : "",
                  meant != NULL ? meant : "", meant != NULL ? "}?)" : "");
}

/* Compiles one "{name}". *at points behind the opening brace and is moved behind the closing
 * one. */
static void compile_capture(struct ack_template *ack, const char **at, const struct scope *scope,
                            const struct place *place, struct problems *problems)
{
    const char *close = strchr(*at, '}');
    if (close == NULL) {
        problem_error(problems, *place, "ack.topic", "\"{\" without \"}\"");
        *at += strlen(*at);
        return;
    }
    struct slice name = slice_make(*at, (size_t) (close - *at));
    size_t index = 0;
    if (capture_find(scope, name, &index)) {
        part_add(ack)->capture = index;
        if (scope->partial != NULL && scope->partial[index]) {
            problem_error(problems, *place, "ack.topic", "not each topic of the rule has {%.*s}",
                          SLICE_ARGS(name));
        }
    } else {
        report_unknown(name, scope, place, problems);
    }
    *at = close + 1;
}

static void compile_literal(struct ack_template *ack, struct slice text, const struct place *place,
                            struct problems *problems)
{
    if (!topic_is_publishable(text)) {
        problem_error(problems, *place, "ack.topic",
                      "nothing can be published to it: \"+\", \"#\" or invalid UTF-8 in it, or it "
                      "is too long");
    }
    part_add(ack)->literal = memory_copy(text);
}

static void compile_topic(struct ack_template *ack, const struct option_text *topic,
                          const struct place *group, const struct scope *scope,
                          struct problems *problems)
{
    if (topic->text == NULL || topic->text[0] == '\0') {
        problem_error(problems, topic->text == NULL ? *group : topic->place, "ack",
                      "topic is missing");
        return;
    }
    if (topic->text[0] == '@') {
        ack->respond = strcmp(topic->text, response_topic) == 0;
        if (!ack->respond) {
            problem_error(problems, topic->place, "ack.topic",
                          "\"%.40s\" is not known: a topic with {captures}, or \"%s\"", topic->text,
                          response_topic);
        }
        return;
    }
    const char *at = topic->text;
    while (*at != '\0') {
        if (*at == '{') {
            at++;
            compile_capture(ack, &at, scope, &topic->place, problems);
        } else {
            size_t length = strcspn(at, "{");
            compile_literal(ack, slice_make(at, length), &topic->place, problems);
            at += length;
        }
    }
}

static void report_field(const struct option_column *column, const char *text,
                         struct problems *problems)
{
    char *setting = memory_printf("ack.fields.%s", column->name);

    problem_error(problems, column->place, setting, "%s", text);
    free(setting);
}

/* Marks a field that uses @rows. The value of @rows is known after the rows are stored, when the
 * message is gone: the rest of the expression must not need the message. */
static void find_rows(struct ack_field *field, const struct option_column *column,
                      struct problems *problems)
{
    bool alone;

    field->uses_rows = expression_uses_rows(field->expression, &alone);
    if (field->uses_rows && !alone) {
        report_field(column, "@rows stands alone: only filters with constants may follow it",
                     problems);
    }
}

static void compile_fields(struct ack_template *ack, const struct option_column *columns,
                           size_t count, const struct scope *scope, struct problems *problems)
{
    struct scope inside = *scope;
    inside.in_ack = true;
    inside.row_levels = 0;
    ack->fields = memory_alloc((count + 1) * sizeof(ack->fields[0]));
    ack->field_count = count;
    for (size_t i = 0; i < count; i++) {
        struct error error = {0};
        ack->fields[i].name = memory_strdup(columns[i].name);
        if (expression_compile(slice_of(columns[i].expression), &inside, &ack->fields[i].expression,
                               &error) != OUTCOME_OK) {
            report_field(&columns[i], error.text, problems);
            continue;
        }
        find_rows(&ack->fields[i], &columns[i], problems);
    }
}

struct ack_template *ack_template_compile(const struct ack_options *options, const char *rule,
                                          const struct scope *scope, struct problems *problems)
{
    size_t errors = problems->errors;
    struct ack_template *ack = memory_alloc(sizeof(*ack));
    ack->rule = memory_strdup(rule);
    ack->on_stored = options->on_stored;
    ack->on_rejected = options->on_rejected;
    ack->qos = options->qos;
    ack->retain = options->retain;
    compile_topic(ack, &options->topic, &options->place, scope, problems);
    if (options->field_count > 0) {
        compile_fields(ack, options->fields, options->field_count, scope, problems);
    } else {
        compile_fields(ack, default_fields, sizeof(default_fields) / sizeof(default_fields[0]),
                       scope, problems);
    }
    if (problems->errors > errors) {
        ack_template_free(ack);
        return NULL;
    }
    return ack;
}

void ack_template_free(struct ack_template *ack)
{
    if (ack == NULL) {
        return;
    }
    for (size_t i = 0; i < ack->part_count; i++) {
        free(ack->parts[i].literal);
    }
    for (size_t i = 0; i < ack->field_count; i++) {
        free(ack->fields[i].name);
        expression_free(ack->fields[i].expression);
    }
    free(ack->parts);
    free(ack->fields);
    free(ack->rule);
    free(ack);
}

bool ack_template_wants(const struct ack_template *ack, bool stored)
{
    return stored ? ack->on_stored : ack->on_rejected;
}

bool ack_template_uses_payload(const struct ack_template *ack)
{
    for (size_t i = 0; i < ack->field_count; i++) {
        if (expression_uses_payload(ack->fields[i].expression)) {
            return true;
        }
    }
    return false;
}

bool ack_template_uses_rows(const struct ack_template *ack)
{
    for (size_t i = 0; i < ack->field_count; i++) {
        if (ack->fields[i].uses_rows) {
            return true;
        }
    }
    return false;
}

/* --- making one ------------------------------------------------------------------------------- */

/* Makes the topic; false when there is none, or it can't be published to. */
static bool make_topic(const struct ack_template *ack, const struct subject *subject,
                       struct buf *out)
{
    struct property_item item;
    if (ack->respond) {
        if (!property_find(subject->message->properties, PROPERTY_RESPONSE_TOPIC, &item)) {
            return false;
        }
        buf_append_slice(out, item.value);
    }
    for (size_t i = 0; i < ack->part_count; i++) {
        const struct topic_part *part = &ack->parts[i];
        if (part->literal != NULL) {
            buf_append_text(out, part->literal);
            continue;
        }
        struct slice capture = subject->captures[part->capture];
        if (capture.data == NULL) {
            return false;
        }
        buf_append_slice(out, capture);
    }
    return topic_is_publishable(buf_slice(out));
}

static void append_bytes(struct buf *out, struct slice bytes)
{
    if (text_is_utf8(bytes)) {
        text_append_json(out, bytes);
        return;
    }
    buf_append_byte(out, '"');
    buf_append_hex(out, bytes);
    buf_append_byte(out, '"');
}

/* Appends the value as JSON: bytes that are UTF-8 as text, others in hex. */
static void append_value(struct buf *out, const struct value *value)
{
    if (value->kind == VALUE_BYTES) {
        append_bytes(out, value->text);
    } else {
        value_append_json(out, value);
    }
}

/* Appends the field's value as JSON: null where its expression rejects, HOLE where the value is not
 * known yet. */
static void append_field(struct buf *out, const struct ack_field *field,
                         const struct subject *subject, struct arena *arena)
{
    struct value value = value_null();
    struct error error;

    if (field->uses_rows && subject->ack->rows_later) {
        buf_append_byte(out, HOLE);
        return;
    }
    if (expression_evaluate(field->expression, subject, arena, &value, &error) != OUTCOME_OK) {
        value = value_null();
    }
    append_value(out, &value);
}

/* cJSON builds the object and writes the names; values go in as they are (CreateRaw), because its
 * numbers are doubles and its strings end at NUL. */
static char *make_payload(const struct ack_template *ack, const struct subject *subject,
                          struct arena *arena)
{
    struct buf text = {0};
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < ack->field_count; i++) {
        buf_reset(&text);
        append_field(&text, &ack->fields[i], subject, arena);
        cJSON_AddItemToObject(object, ack->fields[i].name, cJSON_CreateRaw(buf_string(&text)));
    }
    char *payload = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    buf_fini(&text);
    return payload;
}

void ack_template_append(const struct ack_template *ack, const struct subject *subject,
                         struct arena *arena, struct ack_batch *batch)
{
    struct buf topic = {0};
    if (make_topic(ack, subject, &topic)) {
        struct property_item item = {0};
        bool correlated = ack->respond && property_find(subject->message->properties,
                                                        PROPERTY_CORRELATION_DATA, &item);
        char *payload = make_payload(ack, subject, arena);
        ack_batch_append(batch, &(struct ack){
                                    .rule = slice_of(ack->rule),
                                    .stored = subject->ack->stored,
                                    .qos = ack->qos,
                                    .retain = ack->retain,
                                    .topic = buf_slice(&topic),
                                    .payload = slice_of(payload),
                                    .correlation_data = correlated ? item.value : (struct slice){0},
                                });
        cJSON_free(payload);
    }
    buf_fini(&topic);
}

void ack_template_fill(const struct ack_template *ack, struct slice payload, uint64_t rows,
                       struct arena *arena, struct buf *out)
{
    const struct ack_facts facts = {.stored = true, .rows = rows};
    const struct subject subject = {.ack = &facts};
    size_t field = 0;

    for (size_t i = 0; i < payload.length; i++) {
        if (payload.data[i] != HOLE) {
            buf_append_byte(out, (uint8_t) payload.data[i]);
            continue;
        }
        while (field < ack->field_count && !ack->fields[field].uses_rows) {
            field++;
        }
        assert(field < ack->field_count); /* a hole for each such field, in their order */
        append_field(out, &ack->fields[field++], &subject, arena);
    }
}
