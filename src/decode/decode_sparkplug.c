/*
 * The payload is org.eclipse.tahu.protobuf.Payload of Sparkplug 3.0: 1 timestamp (ms), 2 metrics, 3
 * seq; 4 uuid and 5 body are passed over.
 *
 *   NBIRTH of E  ──learn──▶ memory "G/E"        at its number in the journal
 *   DBIRTH of D  ──learn──▶ memory "G/E/D"
 *   DDATA of D   ──decode──▶ the newest entry of "G/E/D" before its own number, unless "G/E" has
 *                            a newer one, which has ended it
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_sparkplug.h"

#include <assert.h>

#include "core/memory.h"
#include "decode/json_scan.h"
#include "decode/protobuf_wire.h"
#include "decode/sparkplug_birth.h"
#include "decode/sparkplug_metric.h"
#include "decode/sparkplug_topic.h"

/* Field numbers of a Payload. */
enum { PAYLOAD_TIMESTAMP = 1, PAYLOAD_METRICS, PAYLOAD_SEQ };

/* A metric becomes ten nodes at least. */
enum { METRICS_MAX = NODES_COUNT_MAX / 10 };

struct payload {
    struct sparkplug_metric *metrics;
    uint32_t count;
    uint64_t timestamp;
    uint64_t seq;
    bool has_timestamp;
    bool has_seq;
};

/* --- the payload ------------------------------------------------------------------------------ */

/* Two walks: the first one counts, so that metrics lie in one array. */
static bool read_payload(struct binary *binary, struct slice bytes, struct payload *payload)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    size_t count = 0;
    *payload = (struct payload){0};
    while (wire_next(&wire, &field)) {
        count += field.number == PAYLOAD_METRICS && field.type == WIRE_BYTES;
    }
    if (!sparkplug_wire_end(binary, &wire)) {
        return false;
    }
    if (count > METRICS_MAX) {
        return binary_fail(binary, binary->at, "too many metrics in one payload");
    }
    payload->metrics = arena_alloc(binary->nodes.arena, (count + 1) * sizeof(*payload->metrics));
    wire = wire_begin(bytes);
    while (wire_next(&wire, &field)) {
        if (field.number == PAYLOAD_TIMESTAMP && field.type == WIRE_VARINT) {
            payload->timestamp = field.integer;
            payload->has_timestamp = true;
        } else if (field.number == PAYLOAD_SEQ && field.type == WIRE_VARINT) {
            payload->seq = field.integer;
            payload->has_seq = true;
        } else if (field.number == PAYLOAD_METRICS && field.type == WIRE_BYTES &&
                   !sparkplug_metric_read(binary, field.bytes,
                                          &payload->metrics[payload->count++])) {
            return false;
        }
    }
    assert(payload->count == count); /* the second walk met what the first one counted */
    return true;
}

/* The metric "bdSeq" pairs an NDEATH, which the broker publishes as the will, with the NBIRTH of
 * the same session. Int64 by the standard; UInt64 is seen as well. */
static const uint64_t *bdseq_of(const struct payload *payload)
{
    for (uint32_t i = 0; i < payload->count; i++) {
        const struct sparkplug_metric *metric = &payload->metrics[i];
        if (metric->has_name && slice_is(metric->name, "bdSeq") &&
            (metric->value.kind == SPB_VALUE_LONG || metric->value.kind == SPB_VALUE_INT)) {
            return &metric->value.integer;
        }
    }
    return NULL;
}

/* --- births ----------------------------------------------------------------------------------- */

/* What is known of the edge node or device that sent DATA. */
enum knowledge {
    KNOWN,
    KNOWN_NOT,
    KNOWN_AT_ANOTHER_BROKER,
    KNOWN_TOO_LARGE,
    KNOWN_UNREADABLE,
    KNOWN_BUT_LEFT_OUT,
};

/* "alias 7 of G/E is unknown: …" */
static const char *const knowledge_reasons[] = {
    [KNOWN] = "its BIRTH has no such metric",
    [KNOWN_NOT] = "no BIRTH of it came before",
    [KNOWN_AT_ANOTHER_BROKER] = ("its BIRTH came from another address of broker.url (sparkplug: { "
                                 "cluster = true; } if both are one)"),
    [KNOWN_TOO_LARGE] = "its BIRTH has too many metrics to be remembered (4 MB)",
    [KNOWN_UNREADABLE] = "its BIRTH could not be read",
    [KNOWN_BUT_LEFT_OUT] = "the BIRTHs that are remembered take too much memory (256 MB)",
};

static_assert(SPARKPLUG_BIRTH_BYTES_MAX >> 20 == 4, "the reason says 4 MB");
static_assert(MEMORY_BYTES_MAX >> 20 == 256, "the reason says 256 MB");

/* By the message's number; a dead letter that came before any BIRTH may take the first one behind
 * it. */
static bool find(const struct decode_input *input, struct slice key, struct memory_entry *entry)
{
    return input->memory != NULL &&
           (memory_find(input->memory, MEMORY_SPARKPLUG, key, input->sequence, entry) ||
            (input->late &&
             memory_find_later(input->memory, MEMORY_SPARKPLUG, key, input->sequence, entry)));
}

/* Two brokers that are no cluster may each have an edge node of this name, with other aliases. The
 * number of a broker counts within one journal: an entry of another journal has sequence 0. */
static bool is_foreign(const struct decode_input *input, const struct memory_entry *entry,
                       const struct birth_head *head)
{
    bool cluster = input->options != NULL && input->options->sparkplug.cluster;
    return !cluster && input->broker != 0 && head->broker != 0 && entry->sequence != 0 &&
           input->broker != head->broker;
}

/* Can the metrics of the remembered BIRTH be used for this message, and if not, why not? */
static enum knowledge knowledge_of(const struct decode_input *input,
                                   const struct memory_entry *entry)
{
    struct birth_head head;
    if (entry->left_out) {
        return KNOWN_BUT_LEFT_OUT;
    }
    if (!sparkplug_birth_head(entry->content, &head)) {
        return KNOWN_UNREADABLE;
    }
    if (is_foreign(input, entry, &head)) {
        return KNOWN_AT_ANOTHER_BROKER;
    }
    return head.state == BIRTH_READ        ? KNOWN
           : head.state == BIRTH_TOO_LARGE ? KNOWN_TOO_LARGE
                                           : KNOWN_UNREADABLE;
}

/* What the BIRTH of this topic's edge node or device said. A device's BIRTH ends with the edge
 * node's next one. */
static enum knowledge find_birth(const struct decode_input *input,
                                 const struct sparkplug_topic *topic, struct arena *arena,
                                 struct slice *content)
{
    struct memory_entry node;
    struct memory_entry own;
    bool has_node = find(input, sparkplug_topic_node(topic, arena), &node);
    if (!find(input, sparkplug_topic_device(topic, arena), &own)) {
        return input->memory != NULL && memory_is_full(input->memory) ? KNOWN_BUT_LEFT_OUT
                                                                      : KNOWN_NOT;
    }
    if (topic->device.length > 0 && has_node && node.sequence > own.sequence) {
        return KNOWN_NOT;
    }
    *content = own.content;
    return knowledge_of(input, &own);
}

/* The reason why a metric is rejected: "alias 7 of plant/line1 is unknown: …". */
static enum outcome unknown(const struct sparkplug_topic *topic,
                            const struct sparkplug_metric *metric, enum knowledge knowledge,
                            struct error *error)
{
    assert(knowledge < sizeof(knowledge_reasons) / sizeof(knowledge_reasons[0]));
    char which[64];
    if (metric->has_name) {
        snprintf(which, sizeof(which), "a metric");
    } else {
        snprintf(which, sizeof(which), "alias %llu", (unsigned long long) metric->alias);
    }
    return error_set(error, OUTCOME_REJECT, "%s of %.*s/%.*s%s%.*s is unknown: %s", which,
                     SLICE_ARGS(topic->group), SLICE_ARGS(topic->edge),
                     topic->device.length > 0 ? "/" : "", SLICE_ARGS(topic->device),
                     knowledge_reasons[knowledge]);
}

/* The metric in the BIRTH, by its name if it has one, else by its alias. */
static bool find_metric(struct slice birth, const struct sparkplug_metric *metric,
                        struct birth_metric *known)
{
    return metric->has_name
               ? sparkplug_birth_by_name(birth, metric->name, known)
               : metric->has_alias && sparkplug_birth_by_alias(birth, metric->alias, known);
}

/* Names and datatypes by the BIRTH. A metric that brings its own name and datatype needs none: so
 * edge nodes without aliases are read even when their BIRTH is lost. */
static enum outcome complete(const struct decode_input *input, const struct sparkplug_topic *topic,
                             struct arena *arena, struct payload *payload, struct error *error)
{
    struct slice birth = {0};
    enum knowledge knowledge = find_birth(input, topic, arena, &birth);
    for (uint32_t i = 0; i < payload->count; i++) {
        struct sparkplug_metric *metric = &payload->metrics[i];
        struct birth_metric known;
        if (metric->has_name && metric->has_datatype) {
            continue;
        }
        if (knowledge != KNOWN || !find_metric(birth, metric, &known)) {
            return unknown(topic, metric, knowledge, error);
        }
        metric->name = arena_copy(arena, known.name);
        metric->has_name = true;
        if (!metric->has_datatype) {
            metric->datatype = known.datatype;
            metric->has_datatype = true;
        }
    }
    return OUTCOME_OK;
}

bool decode_sparkplug_wants_birth(const struct decode_input *input, struct arena *arena)
{
    struct sparkplug_topic topic;
    struct payload payload;
    struct binary binary;
    struct error error;
    struct memory_entry node;
    struct slice birth;
    if (!sparkplug_topic_parse(input->topic, &topic) || topic.type != SPARKPLUG_DATA) {
        return false;
    }
    enum knowledge knowledge = find_birth(input, &topic, arena, &birth);
    if (knowledge == KNOWN_TOO_LARGE || knowledge == KNOWN_BUT_LEFT_OUT) {
        return false; /* the next one would be no better */
    }
    if (knowledge != KNOWN || !find(input, sparkplug_topic_node(&topic, arena), &node)) {
        return true;
    }
    binary_init(&binary, input->payload, arena, &error);
    return read_payload(&binary, input->payload, &payload) &&
           complete(input, &topic, arena, &payload, &error) != OUTCOME_OK;
}

/* Is it the will of a session before the last NBIRTH? */
static bool is_stale_death(const struct decode_input *input, const struct sparkplug_topic *topic,
                           const struct payload *payload, struct arena *arena)
{
    struct memory_entry entry;
    struct birth_head head;
    const uint64_t *own = bdseq_of(payload);
    return topic->type == SPARKPLUG_DEATH && topic->device.length == 0 && own != NULL &&
           input->memory != NULL &&
           memory_find(input->memory, MEMORY_SPARKPLUG, sparkplug_topic_node(topic, arena),
                       input->sequence, &entry) &&
           !entry.left_out && sparkplug_birth_head(entry.content, &head) && head.has_bdseq &&
           head.bdseq != *own && !is_foreign(input, &entry, &head);
}

/* The metrics of a BIRTH that have a name; `metrics` has room for all of them. */
static size_t collect_metrics(const struct payload *payload, struct birth_metric *metrics)
{
    size_t count = 0;
    for (uint32_t i = 0; i < payload->count; i++) {
        const struct sparkplug_metric *metric = &payload->metrics[i];
        if (metric->has_name) {
            metrics[count++] = (struct birth_metric){.name = metric->name,
                                                     .alias = metric->alias,
                                                     .has_alias = metric->has_alias,
                                                     .datatype = metric->datatype};
        }
    }
    assert(count <= payload->count);
    return count;
}

/* Every BIRTH leaves an entry, also one that can't be read: otherwise the BIRTH before it would
 * still count. */
bool decode_sparkplug_learn(const struct decode_input *input, struct arena *arena,
                            struct memory_entry *entry)
{
    struct sparkplug_topic topic;
    struct payload payload = {0};
    struct binary binary;
    struct error error;
    struct birth_metric *metrics = NULL;
    size_t count = 0;
    if (!sparkplug_topic_parse(input->topic, &topic) || topic.type != SPARKPLUG_BIRTH) {
        return false;
    }
    struct birth_head head = {.broker = input->broker};
    binary_init(&binary, input->payload, arena, &error);
    if (read_payload(&binary, input->payload, &payload)) {
        metrics = arena_alloc(arena, (payload.count + 1) * sizeof(*metrics));
        count = collect_metrics(&payload, metrics);
        const uint64_t *bdseq = topic.device.length == 0 ? bdseq_of(&payload) : NULL;
        head.has_bdseq = bdseq != NULL;
        head.bdseq = bdseq != NULL ? *bdseq : 0;
    } else {
        head.state = BIRTH_UNREADABLE;
    }
    *entry = (struct memory_entry){.kind = MEMORY_SPARKPLUG,
                                   .key = sparkplug_topic_device(&topic, arena),
                                   .sequence = input->sequence,
                                   .content = sparkplug_birth_write(head, metrics, count, arena)};
    return true;
}

/* --- the document ----------------------------------------------------------------------------- */

/* In the order in which they came. */
static bool write_metrics(struct binary *binary, const struct payload *payload)
{
    const uint64_t *timestamp = payload->has_timestamp ? &payload->timestamp : NULL;
    struct binary_container array;
    if (!binary_open(binary, VALUE_ARRAY, slice_of("metrics"), binary->at, &array)) {
        return false;
    }
    for (; array.count < payload->count; array.count++) {
        if (!sparkplug_metric_write(binary, &payload->metrics[array.count], timestamp)) {
            return false;
        }
    }
    return binary_close(binary, &array);
}

/* All members are always there, null where nothing came: rules need no conditions. */
static bool write_document(struct binary *binary, const struct sparkplug_topic *topic,
                           const struct payload *payload)
{
    const struct slice none = {0};
    struct binary_container object;
    bool written = binary_open(binary, VALUE_OBJECT, none, binary->at, &object) &&
                   (payload->has_timestamp
                        ? sparkplug_time_write(binary, payload->timestamp, slice_of("timestamp"))
                        : binary_add(binary, VALUE_NULL, slice_of("timestamp"), none)) &&
                   (payload->has_seq ? binary_add_unsigned(binary, slice_of("seq"), payload->seq)
                                     : binary_add(binary, VALUE_NULL, slice_of("seq"), none)) &&
                   binary_add(binary, VALUE_TEXT, slice_of("group"), topic->group) &&
                   binary_add(binary, VALUE_TEXT, slice_of("edge"), topic->edge) &&
                   binary_add(binary, topic->device.length > 0 ? VALUE_TEXT : VALUE_NULL,
                              slice_of("device"), topic->device) &&
                   binary_add(binary, VALUE_TEXT, slice_of("type"), topic->type_name) &&
                   write_metrics(binary, payload);
    if (written) {
        nodes_close(&binary->nodes, object.index, 7);
    }
    return written;
}

/* {"online": true, "timestamp": 1700000000000} of a host application. */
static enum outcome decode_state(const struct decode_input *input,
                                 const struct sparkplug_topic *topic, struct arena *arena,
                                 const struct node **root, struct error *error)
{
    const struct node *json;
    struct binary binary;
    struct binary_container object;
    if (json_scan(input->payload, arena, &json, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    bool is_object = json->kind == VALUE_OBJECT;
    const struct node *online = is_object ? node_member(json, slice_of("online")) : NULL;
    const struct node *time = is_object ? node_member(json, slice_of("timestamp")) : NULL;
    if (online == NULL || online->kind != VALUE_BOOLEAN) {
        return error_set(error, OUTCOME_REJECT, "byte 1: STATE without \"online\"");
    }
    binary_init(&binary, input->payload, arena, error);
    bool written =
        binary_open(&binary, VALUE_OBJECT, (struct slice){0}, binary.at, &object) &&
        binary_add(&binary, time != NULL ? time->kind : VALUE_NULL, slice_of("timestamp"),
                   time != NULL ? time->text : (struct slice){0}) &&
        binary_add(&binary, VALUE_TEXT, slice_of("type"), topic->type_name) &&
        binary_add(&binary, VALUE_TEXT, slice_of("host"), topic->host) &&
        binary_add_boolean(&binary, slice_of("online"), online->boolean);
    assert(written);
    nodes_close(&binary.nodes, object.index, 4);
    *root = binary.nodes.list;
    return written ? OUTCOME_OK : OUTCOME_REJECT;
}

/* A payload of Protocol Buffers, with what the memory knows of it. */
static enum outcome decode_payload(const struct decode_input *input,
                                   const struct sparkplug_topic *topic, struct binary *binary,
                                   const struct node **root)
{
    struct arena *arena = binary->nodes.arena;
    struct payload payload;
    if (!read_payload(binary, input->payload, &payload)) {
        return OUTCOME_REJECT;
    }
    if (is_stale_death(input, topic, &payload, arena)) {
        *root = NULL;
        return OUTCOME_OK;
    }
    if (topic->type == SPARKPLUG_DATA &&
        complete(input, topic, arena, &payload, binary->error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    bool written = write_document(binary, topic, &payload);
    *root = binary->nodes.list;
    return written ? OUTCOME_OK : OUTCOME_REJECT;
}

enum outcome decode_sparkplug(const struct decode_input *input, struct arena *arena,
                              const struct node **root, struct error *error)
{
    struct sparkplug_topic topic;
    struct binary binary;
    if (!sparkplug_topic_parse(input->topic, &topic)) {
        return error_set(error, OUTCOME_REJECT,
                         "the topic is not spBv1.0/GROUP/TYPE/EDGE[/DEVICE] or "
                         "spBv1.0/STATE/HOST, or its names take more than 1024 bytes");
    }
    if (topic.type == SPARKPLUG_STATE) {
        return decode_state(input, &topic, arena, root, error);
    }
    binary_init(&binary, input->payload, arena, error);
    enum outcome outcome = decode_payload(input, &topic, &binary, root);
    return outcome;
}
