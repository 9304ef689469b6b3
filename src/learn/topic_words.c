/* SPDX-License-Identifier: MIT */
#include "learn/topic_words.h"

#include <string.h>

/* First levels of common MQTT software, and what its next level names. */
static const struct {
    const char *above;
    const char *name;
} known_levels[] = {
    {"home", "room"},      {"house", "room"},       {"zigbee2mqtt", "device"}, {"tele", "device"},
    {"stat", "device"},    {"cmnd", "device"},      {"shellies", "device"},    {"homie", "device"},
    {"frigate", "camera"}, {"owntracks", "person"},
};

const char *topic_level_known(const char *above)
{
    for (size_t i = 0; i < sizeof(known_levels) / sizeof(known_levels[0]); i++) {
        if (strcmp(above, known_levels[i].above) == 0) {
            return known_levels[i].name;
        }
    }
    return NULL;
}

bool topic_level_is_name(const char *level)
{
    return strpbrk(level, "0123456789") != NULL;
}

struct slice topic_filter_level(const char *filter, size_t index)
{
    const char *at = filter;
    for (; index > 0 && at != NULL; index--) {
        at = strchr(at, '/');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL ? slice_of("") : slice_make(at, strcspn(at, "/"));
}
