/* SPDX-License-Identifier: MIT */
#include "load/rule_topics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- captures --------------------------------------------------------------------------------- */

static bool is_capture(const struct rule_topics *topics, const char *name)
{
    for (size_t i = 0; i < topics->capture_count; i++) {
        if (strcmp(topics->captures[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes ownership of `name`. */
static void add_capture(struct rule_topics *topics, char *name)
{
    if (is_capture(topics, name)) {
        free(name);
        return;
    }
    topics->captures =
        memory_resize(topics->captures, (topics->capture_count + 1) * sizeof(topics->captures[0]));
    topics->captures[topics->capture_count++] = name;
}

/* Adds all that looks like a capture in a topic that has a mistake. */
static void guess_captures(struct rule_topics *topics, const char *topic)
{
    for (const char *at = topic; (at = strchr(at, '{')) != NULL; at++) {
        add_capture(topics, memory_copy(slice_make(at + 1, strcspn(at + 1, ".}"))));
    }
}

/* Does this topic have the capture? */
static bool has_capture(const struct topic_filter *filter, const char *name)
{
    size_t count;
    const char *const *names = topic_filter_captures(filter, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Each filter gives its captures in the order of the rule's. */
static void arrange_captures(struct rule_topics *topics)
{
    topics->partial = memory_alloc((topics->capture_count + 1) * sizeof(topics->partial[0]));
    for (size_t i = 0; i < topics->count; i++) {
        for (size_t k = 0; k < topics->capture_count; k++) {
            topics->partial[k] |= !has_capture(topics->filters[i], topics->captures[k]);
        }
    }
    for (size_t i = 0; i < topics->count; i++) {
        topic_filter_arrange(topics->filters[i], (const char *const *) topics->captures,
                             topics->capture_count);
    }
}

/* --- compiling -------------------------------------------------------------------------------- */

/* Warns of a topic that never matches first, because an earlier topic takes all its messages. */
static void check_covered(const struct rule_topics *topics, const struct rule_options *options,
                          struct problems *problems)
{
    assert(topics->count > 0);
    size_t last = topics->count - 1;
    struct slice narrow = slice_of(topic_filter_mqtt(topics->filters[last]));
    for (size_t i = 0; i < last; i++) {
        if (mqtt_filter_covers(slice_of(topic_filter_mqtt(topics->filters[i])), narrow)) {
            problem_warning(problems, options->topics[last].place, "topic",
                            "\"%s\" takes nothing: \"%s\" before it takes all of its messages",
                            options->topics[last].text, options->topics[i].text);
            return;
        }
    }
}

/* Captures are arranged last, when those of all topics are known. After a mistake they are not
 * arranged: the rule is dropped, and only its columns are still checked. */
void rule_topics_compile(struct rule_topics *topics, const struct rule_options *options,
                         struct problems *problems)
{
    size_t errors = problems->errors;
    topics->filters = memory_alloc((options->topic_count + 1) * sizeof(topics->filters[0]));
    for (size_t i = 0; i < options->topic_count; i++) {
        struct topic_filter **filter = &topics->filters[topics->count];
        const struct option_text *topic = &options->topics[i];
        struct error error;
        if (topic_filter_compile(slice_of(topic->text), filter, &error) != OUTCOME_OK) {
            problem_error(problems, topic->place, "topic", "%s", error.text);
            guess_captures(topics, topic->text);
            continue;
        }
        size_t count;
        const char *const *names = topic_filter_captures(*filter, &count);
        for (size_t k = 0; k < count; k++) {
            add_capture(topics, memory_strdup(names[k]));
        }
        topics->count++;
        if (problems->errors == errors) {
            check_covered(topics, options, problems);
        }
    }
    if (problems->errors == errors) {
        arrange_captures(topics);
    }
}

void rule_topics_fini(struct rule_topics *topics)
{
    for (size_t i = 0; i < topics->count; i++) {
        topic_filter_free(topics->filters[i]);
    }
    for (size_t i = 0; i < topics->capture_count; i++) {
        free(topics->captures[i]);
    }
    free(topics->filters);
    free(topics->captures);
    free(topics->partial);
    *topics = (struct rule_topics){0};
}

/* --- asking ----------------------------------------------------------------------------------- */

void rule_topics_scope(const struct rule_topics *topics, struct scope *scope)
{
    scope->captures = (const char *const *) topics->captures;
    scope->capture_count = topics->capture_count;
    scope->partial = topics->partial;
}

bool rule_topics_match(const struct rule_topics *topics, struct slice topic, struct slice *captures)
{
    for (size_t i = 0; i < topics->count; i++) {
        if (topic_filter_match(topics->filters[i], topic, captures)) {
            return true;
        }
    }
    return false;
}

bool rule_topics_equal(const struct rule_topics *left, const struct rule_topics *right)
{
    bool equal = left->count == right->count;
    for (size_t i = 0; equal && i < left->count; i++) {
        equal =
            strcmp(topic_filter_mqtt(left->filters[i]), topic_filter_mqtt(right->filters[i])) == 0;
    }
    return equal;
}

void rule_topics_append(struct buf *out, const struct rule_options *options)
{
    for (size_t i = 0; i < options->topic_count; i++) {
        buf_printf(out, "%s%s", i > 0 ? ", " : "", options->topics[i].text);
    }
}
