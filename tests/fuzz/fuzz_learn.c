/*
 * Lines of bytes, "topic payload", the first one the filter that is listened to: whatever comes,
 * what `learn` proposes is text that libconfig reads as rules with names of their own, topics that
 * compile and columns of different names.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <libconfig.h>

#include "base/text.h"
#include "core/topic.h"
#include "fuzz.h"
#include "learn/learner.h"
#include "learn/proposal.h"
#include "learn/topic_fold.h"
#include "route/topic_filter.h"

/* A broker delivers no other topics; nobody can subscribe to what begins like a shared
 * subscription. */
static void learn(struct learner *learner, struct slice line)
{
    const char *space = line.length > 0 ? memchr(line.data, ' ', line.length) : NULL;
    size_t length = space != NULL ? (size_t) (space - line.data) : line.length;
    struct slice topic = slice_make(line.data, length);
    struct slice payload =
        slice_make(line.data + length + (space != NULL), line.length - length - (space != NULL));
    const struct message message = {.kind = MESSAGE_PUBLISH, .topic = topic, .payload = payload};
    bool shared = topic.length >= 7 && memcmp(topic.data, "$share/", 7) == 0;
    if (topic_is_publishable(topic) && !shared) {
        learner_take(learner, &message);
    }
}

static void check_rule(const struct proposal *proposal, size_t number)
{
    const struct proposed_rule *rule = &proposal->rules[number];
    struct topic_filter *filter = NULL;
    struct error error = {0};
    require(topic_filter_compile(slice_of(rule->topic), &filter, &error) == OUTCOME_OK);
    topic_filter_free(filter);
    require(rule->name[0] != '\0' && text_is_utf8(slice_of(rule->name)));
    for (size_t i = 0; i < number; i++) {
        require(strcmp(proposal->rules[i].name, rule->name) != 0);
    }
    for (size_t i = 0; i < rule->column_count; i++) {
        require(rule->columns[i].name[0] != '\0');
        require(text_is_utf8(slice_of(rule->columns[i].name)));
        for (size_t k = 0; k < i; k++) {
            require(strcmp(rule->columns[k].name, rule->columns[i].name) != 0);
        }
    }
}

static void check_text(const struct proposal *proposal)
{
    struct buf text = {0};
    config_t config;
    proposal_append(&text, proposal);
    config_init(&config);
    require(text_is_utf8(buf_slice(&text)));
    require(config_read_string(&config, buf_string(&text)) == CONFIG_TRUE);
    config_setting_t *rules = config_lookup(&config, "rules");
    require(rules != NULL && (size_t) config_setting_length(rules) == proposal->rule_count);
    config_destroy(&config);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *) data, size};
    struct learner *learner = learner_new();
    struct slice first = take_line(&rest);
    char *filter = strndup(first.data, first.length);
    struct topic_filter *compiled = NULL;
    struct error error = {0};
    bool good = topic_filter_compile(slice_of(filter), &compiled, &error) == OUTCOME_OK;
    topic_filter_free(compiled);
    while (rest.length > 0) {
        learn(learner, take_line(&rest));
    }
    topic_tree_collapse(learner->root, good ? filter : "#");
    topic_tree_fold(learner->root);
    struct proposal *proposal = proposal_new(learner->root, good ? filter : "#");
    for (size_t i = 0; i < proposal->rule_count; i++) {
        check_rule(proposal, i);
    }
    check_text(proposal);
    proposal_free(proposal);
    learner_free(learner);
    free(filter);
    return 0;
}
