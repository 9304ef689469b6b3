/* SPDX-License-Identifier: MIT */
#include "load/takeover.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "route/topic_filter.h"

/* Changes of one rule; what is older is forgotten. */
enum { STEPS_MAX = 16 };

/* The turning point from one subscription to the next. */
struct step {
    uint32_t identifier; /* of the subscription that is left */
    char *filter;        /* owned; its MQTT filter */
    uint64_t behind;     /* copies for the next one up to here are of an earlier time */
    uint64_t since;      /* first message of the next subscription; 0 = not seen yet */
    bool twin;           /* that one equals the last of this one */
};

/* The way of one class of QoS, oldest step first. */
struct way {
    struct step steps[STEPS_MAX];
    size_t count;
    uint64_t last_hash; /* of the last copy that was taken */
    bool has_last;
};

struct takeover {
    struct way ways[2];  /* QoS 0; QoS 1 and 2 */
    uint32_t identifier; /* of the subscription at the end */
};

static void step_add(struct way *way, uint32_t identifier, const char *filter)
{
    if (way->count == STEPS_MAX) {
        free(way->steps[0].filter);
        memmove(&way->steps[0], &way->steps[1], (STEPS_MAX - 1) * sizeof(way->steps[0]));
        way->count--;
    }
    way->steps[way->count++] =
        (struct step){.identifier = identifier, .filter = memory_strdup(filter)};
}

struct takeover *takeover_copy(const struct takeover *takeover)
{
    struct takeover *copy = memory_alloc(sizeof(*copy));

    *copy = *takeover;
    for (size_t w = 0; w < 2; w++) {
        for (size_t i = 0; i < copy->ways[w].count; i++) {
            copy->ways[w].steps[i].filter = memory_strdup(takeover->ways[w].steps[i].filter);
        }
    }
    return copy;
}

struct takeover *takeover_new(const struct takeover *before, uint32_t former,
                              const char *former_filter, uint32_t identifier)
{
    struct takeover *takeover =
        before == NULL ? memory_alloc(sizeof(*takeover)) : takeover_copy(before);

    takeover->identifier = identifier;
    for (size_t w = 0; w < 2; w++) {
        step_add(&takeover->ways[w], former, former_filter);
    }
    return takeover;
}

void takeover_set_behind(struct takeover *takeover, uint64_t sequence)
{
    for (size_t w = 0; w < 2; w++) {
        struct way *way = &takeover->ways[w];

        way->steps[way->count - 1].behind = sequence;
    }
}

void takeover_free(struct takeover *takeover)
{
    if (takeover == NULL) {
        return;
    }
    for (size_t w = 0; w < 2; w++) {
        for (size_t i = 0; i < takeover->ways[w].count; i++) {
            free(takeover->ways[w].steps[i].filter);
        }
    }
    free(takeover);
}

void takeover_each(const struct takeover *takeover,
                   void (*each)(void *context, uint32_t identifier, const char *filter),
                   void *context)
{
    const struct way *way = &takeover->ways[1];

    for (size_t i = 0; i < way->count; i++) {
        each(context, way->steps[i].identifier, way->steps[i].filter);
    }
}

static void remember(struct way *way, const struct message *message)
{
    way->last_hash = message_hash(message);
    way->has_last = true;
}

static bool is_turned(const struct step *step, const struct message *message)
{
    return step->since != 0 && step->since <= message->sequence;
}

/*
 * Behind how many steps stands the subscription whose copy of this message the rule takes? A step
 * from a subscription that does not bring the topic has no say: its turning point would never come.
 */
static size_t steps_behind(const struct way *way, const struct message *message)
{
    size_t steps = 0;

    while (steps < way->count &&
           (is_turned(&way->steps[steps], message) ||
            !mqtt_filter_matches(slice_of(way->steps[steps].filter), message->topic))) {
        steps++;
    }
    return steps;
}

/* The subscription behind so many steps. */
static uint32_t identifier_behind(const struct takeover *takeover, const struct way *way,
                                  size_t steps)
{
    return steps < way->count ? way->steps[steps].identifier : takeover->identifier;
}

/* The first message that came for a later subscription: here end those before it that bring its
 * topic. */
static bool turn(struct way *way, size_t from, size_t to, const struct message *message)
{
    bool twin = way->has_last && way->last_hash == message_hash(message);

    for (size_t i = from; i < to; i++) {
        if (!is_turned(&way->steps[i], message) &&
            mqtt_filter_matches(slice_of(way->steps[i].filter), message->topic)) {
            way->steps[i].since = message->sequence;
            way->steps[i].twin = twin;
        }
    }
    remember(way, message);
    return !twin;
}

/* In a batch that is built again: was it left out, as the twin at a turning point? */
static bool was_twin(const struct way *way, const struct message *message)
{
    for (size_t i = 0; i < way->count; i++) {
        if (way->steps[i].since == message->sequence && way->steps[i].twin) {
            return true;
        }
    }
    return false;
}

void takeover_saw(struct takeover *takeover, const struct message *message)
{
    struct way *way = &takeover->ways[message->qos > 0];

    if (message_came_for(message, identifier_behind(takeover, way, steps_behind(way, message)))) {
        remember(way, message);
    }
}

bool takeover_takes(struct takeover *takeover, const struct message *message)
{
    struct way *way = &takeover->ways[message->qos > 0];
    size_t steps = steps_behind(way, message);

    if (message_came_for(message, identifier_behind(takeover, way, steps))) {
        if (was_twin(way, message)) {
            return false;
        }
        remember(way, message);
        return true;
    }
    for (size_t to = steps + 1; to <= way->count; to++) {
        if (message->sequence > way->steps[to - 1].behind &&
            message_came_for(message, identifier_behind(takeover, way, to))) {
            return turn(way, steps, to, message);
        }
    }
    return false;
}
