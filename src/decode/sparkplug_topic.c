/*
 *   [prefix/]spBv1.0/GROUP/TYPE/EDGE[/DEVICE]      TYPE: N or D, then BIRTH, DEATH, DATA, CMD
 *   [prefix/]spBv1.0/STATE/HOST
 *
 * N stands without a DEVICE and D with one. Names may hold anything but "/", "+" and "#".
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/sparkplug_topic.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

enum { LEVELS_MAX = 5 };

/* An entry of a PostgreSQL index has at most 2,704 bytes. These names are the key in the table
 * memory and must fit beside the client_id: otherwise no batch with this message could be
 * stored. */
enum { NAMES_BYTES_MAX = 1024 };

/* What stands before the level "spBv1.0"; the whole topic when there is no such level. */
static struct slice prefix_of(struct slice topic)
{
    static const char root[] = "spBv1.0/";
    size_t length = sizeof(root) - 1;
    for (size_t i = 0; i + length <= topic.length; i++) {
        bool begins = i == 0 || topic.data[i - 1] == '/';
        if (begins && memcmp(topic.data + i, root, length) == 0) {
            return slice_make(topic.data, i);
        }
    }
    return topic;
}

/* The levels of the topic; 0 when there are more than LEVELS_MAX or one is empty. */
static size_t split(struct slice topic, struct slice levels[LEVELS_MAX])
{
    size_t count = 0;
    const char *at = topic.data;
    const char *end = topic.data + topic.length;
    while (count < LEVELS_MAX) {
        const char *slash = at < end ? memchr(at, '/', (size_t) (end - at)) : NULL;
        const char *stop = slash != NULL ? slash : end;
        levels[count] = slice_make(at, (size_t) (stop - at));
        if (levels[count++].length == 0) {
            return 0;
        }
        if (slash == NULL) {
            return count;
        }
        at = slash + 1;
    }
    return 0;
}

bool sparkplug_topic_parse(struct slice topic, struct sparkplug_topic *parsed)
{
    static const struct {
        const char *name; /* behind N for nodes, D for devices */
        enum sparkplug_type type;
    } types[] = {{"BIRTH", SPARKPLUG_BIRTH},
                 {"DEATH", SPARKPLUG_DEATH},
                 {"DATA", SPARKPLUG_DATA},
                 {"CMD", SPARKPLUG_COMMAND}};
    struct slice levels[LEVELS_MAX];
    if (topic.length == 0 || !text_is_utf8(topic) || text_has_nul(topic)) {
        return false;
    }
    struct slice prefix = prefix_of(topic);
    size_t count =
        split(slice_make(topic.data + prefix.length, topic.length - prefix.length), levels);
    *parsed = (struct sparkplug_topic){.prefix = prefix};
    if (count < 3) {
        return false;
    }
    if (count == 3) {
        parsed->type = SPARKPLUG_STATE;
        parsed->type_name = levels[1];
        parsed->host = levels[2];
        return slice_is(levels[1], "STATE");
    }
    parsed->group = levels[1];
    parsed->type_name = levels[2];
    parsed->edge = levels[3];
    parsed->device = count == 5 ? levels[4] : (struct slice){0};
    if (prefix.length + parsed->group.length + parsed->edge.length + parsed->device.length >
        NAMES_BYTES_MAX) {
        return false;
    }
    assert(levels[2].length > 0); /* split() refuses empty levels */
    struct slice name = slice_make(levels[2].data + 1, levels[2].length - 1);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_is(name, types[i].name)) {
            parsed->type = types[i].type;
            return levels[2].data[0] == (count == 5 ? 'D' : 'N');
        }
    }
    return false;
}

struct slice sparkplug_topic_node(const struct sparkplug_topic *topic, struct arena *arena)
{
    assert(topic->type != SPARKPLUG_STATE);
    return arena_printf(arena, "%.*s%.*s/%.*s", SLICE_ARGS(topic->prefix), SLICE_ARGS(topic->group),
                        SLICE_ARGS(topic->edge));
}

struct slice sparkplug_topic_device(const struct sparkplug_topic *topic, struct arena *arena)
{
    return topic->device.length == 0
               ? sparkplug_topic_node(topic, arena)
               : arena_printf(arena, "%.*s%.*s/%.*s/%.*s", SLICE_ARGS(topic->prefix),
                              SLICE_ARGS(topic->group), SLICE_ARGS(topic->edge),
                              SLICE_ARGS(topic->device));
}

struct slice sparkplug_topic_command(const struct sparkplug_topic *topic, struct arena *arena)
{
    assert(topic->group.length > 0 && topic->edge.length > 0); /* not of STATE */
    return arena_printf(arena, "%.*sspBv1.0/%.*s/NCMD/%.*s", SLICE_ARGS(topic->prefix),
                        SLICE_ARGS(topic->group), SLICE_ARGS(topic->edge));
}
