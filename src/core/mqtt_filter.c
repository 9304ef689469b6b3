/* SPDX-License-Identifier: MIT */
#include "core/mqtt_filter.h"

#include <string.h>

#include "core/topic_level.h"

struct slice filter_share(const char *filter)
{
    const char *end;

    if (strncmp(filter, "$share/", 7) != 0 || (end = strchr(filter + 7, '/')) == NULL) {
        return slice_of("");
    }
    return slice_make(filter + 7, (size_t) (end - filter - 7));
}

struct slice filter_unshared(const char *filter)
{
    struct slice share = filter_share(filter);

    return slice_of(share.length == 0 ? filter : share.data + share.length + 1);
}

/* Does this level of a filter take any one level there? */
static bool is_any(struct slice level)
{
    return slice_is(level, "+");
}

/* A literal that no wildcard at the first level takes. */
static bool is_private(struct slice level, bool first)
{
    return first && topic_is_private(level);
}

bool mqtt_filter_matches(struct slice filter, struct slice topic)
{
    struct topic_rest filter_rest = topic_rest_of(filter);
    struct topic_rest topic_rest = topic_rest_of(topic);
    struct slice level;
    struct slice part;
    for (bool first = true; topic_next_level(&filter_rest, &level); first = false) {
        if (slice_is(level, "#")) {
            return !first || !topic_is_private(topic);
        }
        if (!topic_next_level(&topic_rest, &part)) {
            return false;
        }
        if (is_any(level) ? is_private(part, first) : !slice_equal(level, part)) {
            return false;
        }
    }
    return topic_rest.data == NULL;
}

bool mqtt_filters_overlap(struct slice left, struct slice right)
{
    struct topic_rest left_rest = topic_rest_of(left);
    struct topic_rest right_rest = topic_rest_of(right);
    for (bool first = true;; first = false) {
        struct slice a = {0};
        struct slice b = {0};
        bool more_left = topic_next_level(&left_rest, &a);
        bool more_right = topic_next_level(&right_rest, &b);
        /* "#" takes all that the other one may still hold, also nothing. */
        if ((more_left && slice_is(a, "#")) || (more_right && slice_is(b, "#"))) {
            return !is_private(a, first) && !is_private(b, first);
        }
        if (!more_left || !more_right) {
            return more_left == more_right;
        }
        bool any = is_any(a) || is_any(b);
        if (any ? is_private(a, first) || is_private(b, first) : !slice_equal(a, b)) {
            return false;
        }
    }
}

bool mqtt_filter_covers(struct slice wide, struct slice narrow)
{
    struct topic_rest wide_rest = topic_rest_of(wide);
    struct topic_rest narrow_rest = topic_rest_of(narrow);
    /* Every topic has a first level, so these two take the same topics. */
    if (slice_is(narrow, "#")) {
        return slice_is(wide, "#") || slice_is(wide, "+/#");
    }
    for (bool first = true;; first = false) {
        struct slice a = {0};
        struct slice b = {0};
        bool more_wide = topic_next_level(&wide_rest, &a);
        bool more_narrow = topic_next_level(&narrow_rest, &b);
        if (more_wide && slice_is(a, "#")) {
            return !is_private(b, first);
        }
        if (!more_wide || !more_narrow) {
            return more_wide == more_narrow;
        }
        bool within = is_any(a) ? !is_private(b, first) && !slice_is(b, "#") : slice_equal(a, b);
        if (!within) {
            return false;
        }
    }
}
