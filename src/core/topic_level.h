/*
 * topic_level: a topic or topic filter, level by level.
 *
 * An empty topic has one level, which is empty; "a/" has two.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_TOPIC_LEVEL_H
#define MQTT2PG_CORE_TOPIC_LEVEL_H

#include "base/slice.h"

/* The levels that are not yet taken; `data` is NULL after the last one was taken. */
struct topic_rest {
    const char *data;
    const char *end;
};

static inline struct topic_rest topic_rest_of(struct slice topic)
{
    const char *data = topic.length > 0 ? topic.data : "";
    return (struct topic_rest){data, data + topic.length};
}

/* Takes the next level; false when there is none. Its data is never NULL. */
static inline bool topic_next_level(struct topic_rest *rest, struct slice *level)
{
    if (rest->data == NULL) {
        return false;
    }
    const char *slash = memchr(rest->data, '/', (size_t) (rest->end - rest->data));
    *level = slice_make(rest->data, (size_t) ((slash != NULL ? slash : rest->end) - rest->data));
    rest->data = slash != NULL ? slash + 1 : NULL;
    return true;
}

/* Topics that begin with "$" are the broker's own: no wildcard at the first level matches them
 * (MQTT 5.0, section 4.7.2). */
static inline bool topic_is_private(struct slice topic)
{
    return topic.length > 0 && topic.data[0] == '$';
}

#endif
