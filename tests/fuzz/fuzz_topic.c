/*
 * Lines of bytes: rules' topics up to an empty line, then messages' topics. What compiles
 * subscribes to a filter that matches the same topics, and the router says what asking every filter
 * says, with a cache and without.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/text.h"
#include "core/topic.h"
#include "fuzz.h"
#include "route/router.h"

enum { RULES_MAX = 16, TOPICS_MAX = 64 };

static void check_topic(struct router *router, struct topic_filter *const *filters, size_t count,
                        struct slice topic)
{
    const struct route *routes = NULL;
    size_t found = router_find(router, topic, &routes);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice mqtt = slice_of(topic_filter_mqtt(filters[i]));
        size_t capture_count;
        topic_filter_captures(filters[i], &capture_count);
        struct slice *captures = calloc(capture_count + 1, sizeof(*captures));
        bool matches = topic_filter_match(filters[i], topic, captures);
        require(mqtt_filter_matches(mqtt, topic) == matches);
        if (matches) {
            require(at < found && routes[at].rule == i);
            for (size_t k = 0; k < capture_count; k++) {
                require(slice_equal(routes[at].captures[k], captures[k]));
            }
            at++;
        }
        free(captures);
    }
    require(at == found);
    topic_is_publishable(topic);
}

static void check_relations(const struct topic_filter *left, const struct topic_filter *right)
{
    struct slice a = slice_of(topic_filter_mqtt(left));
    struct slice b = slice_of(topic_filter_mqtt(right));
    bool covers = mqtt_filter_covers(a, b);
    require(mqtt_filters_overlap(a, b) == mqtt_filters_overlap(b, a));
    require(!covers || mqtt_filters_overlap(a, b));
    require(mqtt_filter_covers(a, a));
}

static size_t compile_rules(struct slice *rest, struct topic_filter **filters)
{
    size_t count = 0;
    while (rest->length > 0 && count < RULES_MAX) {
        struct error error = {0};
        struct slice line = take_line(rest);
        if (line.length == 0) {
            break;
        }
        if (topic_filter_compile(line, &filters[count], &error) == OUTCOME_OK) {
            check_relations(filters[count], filters[0]);
            count++;
        } else {
            require(error.outcome == OUTCOME_REJECT && error.text[0] != '\0');
        }
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topic_filter *filters[RULES_MAX];
    struct slice rest = {(const char *) data, size};
    size_t count = compile_rules(&rest, filters);
    struct router *plain = router_new(filters, count, 0);
    struct router *cached = router_new(filters, count, 1000);
    for (int i = 0; i < TOPICS_MAX && rest.length > 0; i++) {
        struct slice topic = take_line(&rest);
        check_topic(plain, filters, count, topic);
        check_topic(cached, filters, count, topic);
        check_topic(cached, filters, count, topic);
    }
    router_free(plain);
    router_free(cached);
    for (size_t i = 0; i < count; i++) {
        topic_filter_free(filters[i]);
    }
    return 0;
}
