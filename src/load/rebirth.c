/* SPDX-License-Identifier: MIT */
#include "load/rebirth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decode/decode_sparkplug.h"
#include "decode/protobuf_wire.h"
#include "decode/sparkplug_topic.h"

enum { PAYLOAD_SEQ = 3, SEQ_COUNT = 256 };
#define INTERVAL_US (REBIRTH_INTERVAL_S * INT64_C(1000000))

struct edge {
    char *name;        /* owned: "GROUP/EDGE" */
    uint64_t sequence; /* of the last message that was looked at */
    int seq;           /* Sparkplug's, of that message; -1 = none yet */
    int64_t asked_us;  /* when the message came because of which the node was last asked */
};

struct rebirth {
    enum rebirth_policy policy;
    const char *rule;
    struct edge *edges; /* owned, by name */
    size_t count;
    size_t capacity;
};

struct rebirth *rebirth_new(enum rebirth_policy policy, const char *rule)
{
    assert(policy != REBIRTH_NEVER && rule != NULL);
    struct rebirth *rebirth = memory_alloc(sizeof(*rebirth));

    rebirth->policy = policy;
    rebirth->rule = rule;
    return rebirth;
}

void rebirth_free(struct rebirth *rebirth)
{
    if (rebirth == NULL) {
        return;
    }
    for (size_t i = 0; i < rebirth->count; i++) {
        free(rebirth->edges[i].name);
    }
    free(rebirth->edges);
    free(rebirth);
}

/* Removes the edge node that was silent longest; returns the index that it had. */
static size_t forget_silent(struct rebirth *rebirth)
{
    size_t silent = 0;

    assert(rebirth->count > 0);
    for (size_t i = 1; i < rebirth->count; i++) {
        silent = rebirth->edges[i].sequence < rebirth->edges[silent].sequence ? i : silent;
    }
    free(rebirth->edges[silent].name);
    rebirth->count--;
    memmove(&rebirth->edges[silent], &rebirth->edges[silent + 1],
            (rebirth->count - silent) * sizeof(*rebirth->edges));
    return silent;
}

/* The edge node of this name; a new one is added. */
static struct edge *edge_of(struct rebirth *rebirth, const char *name)
{
    size_t low = 0, high = rebirth->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(rebirth->edges[middle].name, name);

        if (order == 0) {
            return &rebirth->edges[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    if (rebirth->count == REBIRTH_EDGES_MAX) {
        size_t silent = forget_silent(rebirth);
        low -= silent < low;
    }
    rebirth->edges =
        memory_grow(rebirth->edges, rebirth->count, &rebirth->capacity, sizeof(*rebirth->edges));
    memmove(&rebirth->edges[low + 1], &rebirth->edges[low],
            (rebirth->count - low) * sizeof(*rebirth->edges));
    assert(low <= rebirth->count);
    rebirth->count++;
    assert(rebirth->count <= REBIRTH_EDGES_MAX);
    rebirth->edges[low] = (struct edge){.name = memory_strdup(name), .seq = -1};
    return &rebirth->edges[low];
}

/* Payload.seq, which counts from 0 to 255 and begins anew; -1: the payload has none. In a damaged
 * payload the fields before the damage count. */
static int seq_of(struct slice payload)
{
    struct wire wire = wire_begin(payload);
    struct wire_field field;
    int seq = -1;

    while (wire_next(&wire, &field)) {
        if (field.number == PAYLOAD_SEQ && field.type == WIRE_VARINT) {
            seq = (int) (field.integer % SEQ_COUNT);
        }
    }
    return seq;
}

/* Remembers the message's seq. True when it does not follow the last seq: messages are missing. */
static bool has_hole(struct edge *edge, const struct sparkplug_topic *topic, struct slice payload)
{
    bool begins = topic->type == SPARKPLUG_BIRTH && topic->device.length == 0;
    int before = edge->seq;
    int seq = seq_of(payload);

    assert(before >= -1 && before < SEQ_COUNT && seq >= -1 && seq < SEQ_COUNT);

    if (seq < 0) {
        return false; /* NDEATH has no seq: the broker sends it as the will */
    }
    edge->seq = seq;
    return !begins && before >= 0 && seq != (before + 1) % SEQ_COUNT;
}

/*
 * The payload of an NCMD message, which has the metric "Node Control/Rebirth" = true (Sparkplug
 * 3.0, "NCMD"; field numbers of sparkplug_b.proto):
 *
 *   08 varint                   Payload.timestamp, milliseconds
 *   12 1a                       Payload.metrics, 26 bytes
 *      0a 14 "Node Control/…"   Metric.name, 20 bytes
 *      20 0b                    Metric.datatype = Boolean
 *      70 01                    Metric.boolean_value = true
 */
static struct slice command(struct arena *arena, int64_t now_us)
{
    static const char metric[] = "\x12\x1a\x0a\x14Node Control/Rebirth\x20\x0b\x70\x01";
    char *out = arena_alloc(arena, sizeof(metric) + 12);
    size_t length = 0;

    out[length++] = 0x08; /* timestamp */
    for (uint64_t rest = (uint64_t) (now_us / 1000);; rest >>= 7) {
        out[length++] = (char) ((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        if (rest <= 0x7f) {
            break;
        }
    }
    assert(length <= 12); /* tag, and a varint of at most ten bytes */
    memcpy(out + length, metric, sizeof(metric) - 1);
    return slice_make(out, length + sizeof(metric) - 1);
}

bool rebirth_wanted(struct rebirth *rebirth, const struct rebirth_look *look, struct arena *arena,
                    struct ack *ack)
{
    const struct message *message = look->message;
    struct sparkplug_topic topic;

    if (!sparkplug_topic_parse(message->topic, &topic) || topic.type == SPARKPLUG_STATE ||
        topic.type == SPARKPLUG_COMMAND) {
        return false;
    }
    struct slice node = sparkplug_topic_node(&topic, arena);
    struct edge *edge = edge_of(rebirth, node.data);
    if (message->sequence <= edge->sequence) {
        return false; /* the batch is built again, and the message was looked at already */
    }
    edge->sequence = message->sequence;
    bool hole = has_hole(edge, &topic, look->input->payload) && rebirth->policy == REBIRTH_GAP;
    bool unknown = decode_sparkplug_wants_birth(look->input, arena);
    int64_t came_us = message->received_at_us;
    bool just_came = look->now_us - came_us < INTERVAL_US;
    if ((!hole && !unknown) || !just_came ||
        (edge->asked_us != 0 && came_us - edge->asked_us < INTERVAL_US)) {
        return false;
    }
    edge->asked_us = came_us;
    *ack = (struct ack){
        .rule = slice_of(rebirth->rule),
        .topic = sparkplug_topic_command(&topic, arena),
        .payload = command(arena, look->now_us),
    };
    return true;
}
