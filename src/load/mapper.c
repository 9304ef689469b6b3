/* SPDX-License-Identifier: MIT */
#include "load/mapper.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "decode/json_scan.h"
#include "load/rebirth.h"
#include "load/row_size.h"
#include "row/convert.h"

enum { ROWS_BYTES_MAX = 64 * 1024 * 1024 }; /* of one message's rows under one rule */
#define ARENA_BLOCK_BYTES ((size_t) 64 * 1024)

/* The columns that one rule's values are converted for. */
struct rule_columns {
    const struct column_shape *const *columns; /* borrowed */
    const struct column_shape **declared;      /* owned */
};

/* A payload decoded for one format. */
struct decoded {
    const struct format *format;
    const struct node *root; /* NULL: `error` says why, or the message has no meaning of its own */
    enum outcome outcome;
    struct error error;
};

struct mapper {
    const struct ruleset *ruleset;
    struct copies *copies; /* borrowed; NULL: every copy counts */
    enum routing routing;  /* of the message last mapped */
    struct rule_columns *rules;
    struct arena *arena;
    const struct message *message; /* borrowed; of mapper_find() */
    struct route *routes;          /* of this message */
    size_t route_count;
    struct mapped *list;     /* one per route */
    struct decoded *decoded; /* one per format met in this message */
    size_t decoded_count;
    struct memory *memory;  /* owned; NULL: no format has state */
    struct format learning; /* for all rules with state: see make_learning() */
    struct format_options learning_options;
    bool late;               /* dead letters are mapped */
    struct rebirth *rebirth; /* owned; NULL: nobody is to be asked */
};

/* All rules with state share what is learned, so no setting of a single rule counts: a payload is
 * decompressed when its first bytes show it. No plain payload of Sparkplug B begins like that. */
static void make_learning(struct mapper *mapper, const struct rule *rule)
{
    struct format_options *options = &mapper->learning_options;
    const struct format_options *own = rule->format->options;

    if (mapper->memory == NULL) {
        mapper->memory = memory_new(MEMORY_BYTES_MAX);
        options->compression = COMPRESSION_AUTO;
        mapper->learning = (struct format){.decoder = rule->decoder, .options = options};
    }
    assert(mapper->learning.decoder == rule->decoder); /* only one format has state */
    if (own->max_decoded_bytes > options->max_decoded_bytes) {
        options->max_decoded_bytes = own->max_decoded_bytes;
    }
    options->sparkplug.cluster |= own->sparkplug.cluster;
}

/* All rules share one watcher of edge nodes. Its policy is that of the rule which asks most: the
 * policies are ordered by how much they ask for. */
static void make_rebirth(struct mapper *mapper)
{
    const struct rule *asking = NULL;
    enum rebirth_policy policy = REBIRTH_NEVER;

    for (size_t i = 0; i < mapper->ruleset->count; i++) {
        const struct rule *rule = mapper->ruleset->rules[i];

        if (rule_rebirth(rule) > policy) {
            policy = rule_rebirth(rule);
            asking = rule;
        }
    }
    if (asking != NULL) {
        mapper->rebirth = rebirth_new(policy, asking->name);
    }
}

struct mapper *mapper_new(const struct ruleset *ruleset)
{
    struct mapper *mapper = memory_alloc(sizeof(*mapper));

    mapper->ruleset = ruleset;
    mapper->arena = arena_new(ARENA_BLOCK_BYTES);
    mapper->rules = memory_alloc((ruleset->count + 1) * sizeof(*mapper->rules));
    mapper->routes = memory_alloc((ruleset->count + 1) * sizeof(*mapper->routes));
    mapper->list = memory_alloc((ruleset->count + 1) * sizeof(*mapper->list));
    mapper->decoded = memory_alloc((ruleset->count + 1) * sizeof(*mapper->decoded));
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];
        struct rule_columns *columns = &mapper->rules[i];

        if (rule->decoder->learn != NULL) {
            make_learning(mapper, rule);
        }
        columns->declared = memory_alloc((rule->column_count + 1) * sizeof(*columns->declared));
        for (size_t j = 0; j < rule->column_count; j++) {
            columns->declared[j] = &rule->declared->columns[j];
        }
        columns->columns = columns->declared;
    }
    make_rebirth(mapper);
    return mapper;
}

void mapper_free(struct mapper *mapper)
{
    if (mapper == NULL) {
        return;
    }
    for (size_t i = 0; i < mapper->ruleset->count; i++) {
        free(mapper->rules[i].declared);
    }
    arena_free(mapper->arena);
    memory_free(mapper->memory);
    rebirth_free(mapper->rebirth);
    free(mapper->rules);
    free(mapper->routes);
    free(mapper->list);
    free(mapper->decoded);
    free(mapper);
}

void mapper_set_columns(struct mapper *mapper, unsigned rule_index,
                        const struct column_shape *const *columns)
{
    assert(rule_index < mapper->ruleset->count);
    mapper->rules[rule_index].columns =
        columns == NULL ? mapper->rules[rule_index].declared : columns;
}

void mapper_set_copies(struct mapper *mapper, struct copies *copies)
{
    mapper->copies = copies;
}

enum routing mapper_routing(const struct mapper *mapper)
{
    return mapper->routing;
}

struct arena *mapper_arena(struct mapper *mapper)
{
    return mapper->arena;
}

/* Not `late`: only messages of the journal are learned from, in their order. */
static struct decode_input input_of(const struct mapper *mapper, const struct message *message)
{
    return (struct decode_input){.payload = message->payload,
                                 .topic = message->topic,
                                 .sequence = message->sequence,
                                 .broker = message->broker,
                                 .memory = mapper->memory};
}

/* The payload in this rule's format; decoded once, however many rules want it. */
static const struct decoded *decode_for(struct mapper *mapper, const struct rule *rule,
                                        const struct message *message)
{
    struct decode_input input = input_of(mapper, message);
    struct decoded *decoded;

    input.late = mapper->late;
    for (size_t i = 0; i < mapper->decoded_count; i++) {
        if (format_same(mapper->decoded[i].format, rule->format)) {
            return &mapper->decoded[i];
        }
    }
    decoded = &mapper->decoded[mapper->decoded_count++];
    assert(mapper->decoded_count <= mapper->ruleset->count);
    decoded->format = rule->format;
    decoded->root = NULL;
    decoded->outcome =
        format_decode(rule->format, &input, mapper->arena, &decoded->root, &decoded->error);
    if (decoded->outcome != OUTCOME_OK) {
        decoded->root = NULL;
    }
    return decoded;
}

static void reject(struct mapper *mapper, struct mapped *mapped, const char *where,
                   const struct error *error)
{
    mapped->verdict = VERDICT_REJECTED;
    mapped->rows = 0;
    mapped->reason =
        arena_printf(mapper->arena, "rule \"%s\": %s%s", mapped->rule->name, where, error->text)
            .data;
}

/* Does `where` fail whatever the payload holds? Such a message is filtered before it is decoded, so
 * its payload need not be well-formed. */
static bool fails_early(struct mapper *mapper, const struct rule *rule,
                        const struct subject *subject)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (condition_early(rule->conditions[i], subject, mapper->arena) == TRUTH_FAILS) {
            return true;
        }
    }
    return false;
}

/* Does `where` hold for this row? */
static enum outcome conditions_hold(struct mapper *mapper, const struct rule *rule,
                                    const struct subject *subject, bool *hold, struct error *error)
{
    *hold = true;
    for (size_t i = 0; i < rule->condition_count && *hold; i++) {
        enum outcome outcome =
            condition_holds(rule->conditions[i], subject, mapper->arena, hold, error);
        if (outcome != OUTCOME_OK) {
            error_prefix(error, "where");
            return outcome;
        }
    }
    return OUTCOME_OK;
}

/* @payload, and bytes of the format raw, go into json and jsonb columns when they are JSON. */
static enum outcome read_bytes_as_json(struct value *value, const struct column_shape *column,
                                       struct arena *arena, struct error *error)
{
    const struct node *root;

    if (value->kind != VALUE_BYTES || column->array ||
        (column->family != TYPE_JSON && column->family != TYPE_JSONB)) {
        return OUTCOME_OK;
    }
    if (json_scan(value->text, arena, &root, error) != OUTCOME_OK) {
        error_prefix(error, "the bytes are not JSON");
        return OUTCOME_REJECT;
    }
    *value = node_value(root);
    return OUTCOME_OK;
}

/* Are all times of the row within the rule's time_range? */
static enum outcome believe_times(const struct rule *rule, const struct message *message,
                                  const struct datum *row,
                                  const struct column_shape *const *columns, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; rule->has_time_range && outcome == OUTCOME_OK && i < rule->column_count;
         i++) {
        outcome = time_range_check(&rule->time_range, &row[i], columns[i], message->received_at_us,
                                   error);
    }
    return outcome;
}

/* One row: each column's expression, converted to the column's type. */
static enum outcome map_row(struct mapper *mapper, const struct mapped *mapped,
                            const struct subject *subject, struct datum *datums,
                            struct error *error)
{
    const struct rule *rule = mapped->rule;
    const struct column_shape *const *columns = mapper->rules[mapped->rule_index].columns;
    struct value value;

    for (size_t i = 0; i < rule->column_count; i++) {
        enum outcome outcome =
            expression_evaluate(rule->columns[i], subject, mapper->arena, &value, error);
        if (outcome == OUTCOME_OK) {
            outcome = read_bytes_as_json(&value, columns[i], mapper->arena, error);
        }
        if (outcome != OUTCOME_OK) {
            error_prefix(error, "column \"%s\"", rule->column_names[i]);
            return outcome;
        }
        outcome = convert_value(&value, columns[i], mapper->arena, &datums[i], error);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
    }
    return believe_times(rule, subject->message, datums, columns, error);
}

/* A small payload can become many large rows, when `rows` has many items and each row takes the
 * whole payload ("$$" or @payload). */
static void reject_size(struct mapper *mapper, struct mapped *mapped, size_t count)
{
    struct error error;

    error_set(&error, OUTCOME_REJECT, "its %zu rows take more than %d MB", count,
              ROWS_BYTES_MAX / (1024 * 1024));
    reject(mapper, mapped, "", &error);
}

/* Every item that `where` lets through becomes a row; one that fails rejects the whole message. */
static void map_items(struct mapper *mapper, struct mapped *mapped, const struct row_item *items,
                      size_t count)
{
    const struct rule *rule = mapped->rule;
    size_t bytes = count * (rule->column_count * sizeof(struct datum) + sizeof(*items));
    struct subject subject = mapped->subject;
    struct path_memo memo = {0};
    struct error error;
    char where[48];
    bool hold;

    if (bytes > ROWS_BYTES_MAX) {
        reject_size(mapper, mapped, count);
        return;
    }
    struct datum *datums =
        arena_alloc(mapper->arena, (count * rule->column_count + 1) * sizeof(*datums));
    mapped->datums = datums;
    subject.memo = &memo;
    for (size_t i = 0; i < count; i++) {
        struct datum *row = datums + mapped->rows * rule->column_count;

        subject.here = items[i].node;
        subject.key = items[i].key;
        subject.outer = items[i].outer;
        if (conditions_hold(mapper, rule, &subject, &hold, &error) != OUTCOME_OK ||
            (hold && map_row(mapper, mapped, &subject, row, &error) != OUTCOME_OK)) {
            snprintf(where, sizeof(where), "row %zu: ", i + 1);
            reject(mapper, mapped, rule->rows == NULL ? "" : where, &error);
            return;
        }
        if (hold) {
            mapped->rows++;
            bytes += row_size(row, rule->column_count);
        }
        if (bytes > ROWS_BYTES_MAX) {
            reject_size(mapper, mapped, count);
            return;
        }
    }
    assert(mapped->rows <= count);
    if (mapped->rows == 0 && count > 0) {
        mapped->verdict = VERDICT_FILTERED;
    }
}

/* What one rule makes of the message: conditions that need no payload, then decoding, then a row
 * for each item. */
static void map_route(struct mapper *mapper, const struct route *route,
                      const struct message *message, struct mapped *mapped)
{
    const struct rule *rule = mapper->ruleset->rules[route->rule];
    const struct decoded *decoded = NULL;
    struct row_items items;
    struct error error;

    assert(route->rule < mapper->ruleset->count);
    *mapped = (struct mapped){
        .rule = rule,
        .rule_index = route->rule,
        .verdict = VERDICT_ROWS,
        .subject = {.message = message,
                    .captures = route->captures,
                    .rule = rule->name,
                    .client_id = mapper->ruleset->client_id},
    };
    if (fails_early(mapper, rule, &mapped->subject)) {
        mapped->verdict = VERDICT_FILTERED;
        return;
    }
    if (rule->uses_payload) {
        decoded = decode_for(mapper, rule, message);
        if (decoded->outcome == OUTCOME_OK && decoded->root == NULL) {
            mapped->verdict = VERDICT_FILTERED;
            return;
        }
        if (decoded->root == NULL) {
            reject(mapper, mapped,
                   arena_printf(mapper->arena, "the payload is not %s: ", rule->decoder->name).data,
                   &decoded->error);
            return;
        }
        mapped->subject.payload = mapped->subject.here = decoded->root;
    }
    if (rule->rows == NULL) {
        const struct row_item whole = {.node = mapped->subject.here};
        map_items(mapper, mapped, &whole, 1);
        return;
    }
    if (row_source_items(rule->rows, mapped->subject.payload, mapper->arena, &items, &error) !=
        OUTCOME_OK) {
        reject(mapper, mapped, "", &error);
    } else {
        map_items(mapper, mapped, items.list, items.count);
    }
}

void mapper_forget(struct mapper *mapper)
{
    arena_reset(mapper->arena);
    mapper->decoded_count = 0;
    mapper->route_count = 0;
    mapper->message = NULL;
}

size_t mapper_find(struct mapper *mapper, const struct message *message)
{
    assert(!mapper->late);
    mapper_forget(mapper);
    mapper->message = message;
    mapper->routing = ruleset_find(mapper->ruleset, mapper->copies, message, mapper->routes,
                                   &mapper->route_count);
    assert(mapper->route_count <= mapper->ruleset->count);
    return mapper->route_count;
}

size_t mapper_found(const struct mapper *mapper)
{
    return mapper->route_count;
}

unsigned mapper_rule(const struct mapper *mapper, size_t found)
{
    assert(found < mapper->route_count);
    return mapper->routes[found].rule;
}

const struct mapped *mapper_map_found(struct mapper *mapper, size_t found)
{
    assert(found < mapper->route_count);
    assert(mapper->message != NULL);
    map_route(mapper, &mapper->routes[found], mapper->message, &mapper->list[found]);
    return &mapper->list[found];
}

size_t mapper_map(struct mapper *mapper, const struct message *message, const struct mapped **list)
{
    size_t count = mapper_find(mapper, message);

    for (size_t i = 0; i < count; i++) {
        (void) mapper_map_found(mapper, i);
    }
    *list = mapper->list;
    return count;
}

struct memory *mapper_memory(struct mapper *mapper)
{
    return mapper->memory;
}

bool mapper_learn(struct mapper *mapper, const struct message *message, struct memory_entry *entry)
{
    const struct decode_input input = input_of(mapper, message);

    if (mapper->memory == NULL) {
        return false;
    }
    arena_reset(mapper->arena);
    if (!format_learn(&mapper->learning, &input, mapper->arena, entry)) {
        return false;
    }
    memory_keep(mapper->memory, entry);
    return true;
}

bool mapper_rebirth(struct mapper *mapper, const struct message *message, int64_t now_us,
                    struct ack *ack)
{
    const struct decode_input input = input_of(mapper, message);
    struct decode_input inner;
    struct error error;
    const struct rebirth_look look = {.message = message, .input = &inner, .now_us = now_us};

    return mapper->rebirth != NULL &&
           format_open(&mapper->learning, &input, mapper->arena, &inner, &error) == OUTCOME_OK &&
           rebirth_wanted(mapper->rebirth, &look, mapper->arena, ack);
}

bool mapper_map_rule(struct mapper *mapper, unsigned rule_index, const struct message *message,
                     const struct mapped **mapped)
{
    const struct rule *rule = mapper->ruleset->rules[rule_index];
    struct route route = {.rule = rule_index};
    struct slice *captures;

    assert(rule_index < mapper->ruleset->count);
    mapper_forget(mapper);
    captures = arena_alloc(mapper->arena, (rule->topics.capture_count + 1) * sizeof(*captures));
    if (!rule_topics_match(&rule->topics, message->topic, captures)) {
        return false;
    }
    route.captures = captures;
    mapper->late = true;
    map_route(mapper, &route, message, &mapper->list[0]);
    mapper->late = false;
    *mapped = &mapper->list[0];
    return true;
}
