/* SPDX-License-Identifier: MIT */
#include "load/survey.h"

#include <assert.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "load/explain_lines.h"

struct survey *survey_new(const struct ruleset *ruleset)
{
    struct survey *survey = memory_alloc(sizeof(*survey));

    survey->ruleset = ruleset;
    survey->mapper = mapper_new(ruleset);
    if (ruleset->plans != NULL) {
        survey->copies = copies_new();
        copies_use(survey->copies, ruleset->plans);
        copies_look_back(survey->copies);
        mapper_set_copies(survey->mapper, survey->copies);
    }
    survey->rules = memory_alloc((ruleset->count + 1) * sizeof(*survey->rules));
    survey->topics = memory_alloc(SURVEY_TOPICS_MAX * sizeof(*survey->topics));
    for (size_t i = 0; i < ruleset->count; i++) {
        survey->rules[i].name = ruleset->rules[i]->name;
    }
    return survey;
}

void survey_free(struct survey *survey)
{
    if (survey == NULL) {
        return;
    }
    for (size_t i = 0; i < survey->ruleset->count; i++) {
        for (size_t k = 0; k < survey->rules[i].reason_count; k++) {
            free(survey->rules[i].reasons[k].kind);
            free(survey->rules[i].reasons[k].example);
            free(survey->rules[i].reasons[k].topic);
        }
    }
    for (size_t i = 0; i < survey->topic_count; i++) {
        free(survey->topics[i].topic);
    }
    free(survey->topics);
    free(survey->rules);
    mapper_free(survey->mapper);
    copies_free(survey->copies);
    free(survey);
}

/* --- reasons ---------------------------------------------------------------------------------- */

/* Appends the reason without the parts that differ from message to message: numbers become "#",
 * quoted texts become "…", except the names behind "column" and "rule". */
static void append_kind(struct buf *out, const char *reason)
{
    bool named = false;
    for (const char *at = reason; *at != '\0';) {
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (end != NULL && !named) {
            buf_append_text(out, "\"…\"");
            at = end + 1;
        } else if (end != NULL) {
            buf_append(out, at, (size_t) (end + 1 - at));
            at = end + 1;
        } else if (ascii_is_digit(*at)) {
            buf_append_text(out, "#");
            at += strspn(at, "0123456789.eE+-");
        } else {
            named = *at == ' ' && out->length >= 4 &&
                    (memcmp(out->data + out->length - 4, "lumn", 4) == 0 ||
                     memcmp(out->data + out->length - 4, "rule", 4) == 0);
            buf_append(out, at, 1);
            at++;
        }
    }
}

/* Counts a reject under the kind of its reason; the first message of each kind is the example. */
static void add_reason(struct survey_rule *rule, const struct message *message, const char *reason)
{
    struct buf kind = {0};

    assert(rule->reason_count <= SURVEY_REASONS_MAX);
    append_kind(&kind, reason);
    for (size_t i = 0; i < rule->reason_count; i++) {
        if (strcmp(rule->reasons[i].kind, buf_string(&kind)) == 0) {
            rule->reasons[i].count++;
            buf_fini(&kind);
            return;
        }
    }
    if (rule->reason_count < SURVEY_REASONS_MAX) {
        rule->reasons[rule->reason_count++] = (struct survey_reason){
            .kind = memory_copy(buf_slice(&kind)),
            .example = memory_strdup(reason),
            .topic = memory_copy(message->topic),
            .sequence = message->sequence,
            .count = 1,
        };
    }
    buf_fini(&kind);
}

/* Counts a topic that no rule takes. Beyond SURVEY_TOPICS_MAX topics only the total is counted. */
static void add_topic(struct survey *survey, struct slice topic)
{
    assert(survey->topic_count <= SURVEY_TOPICS_MAX);
    survey->unmatched++;
    for (size_t i = 0; i < survey->topic_count; i++) {
        if (slice_is(topic, survey->topics[i].topic)) {
            survey->topics[i].count++;
            return;
        }
    }
    if (survey->topic_count < SURVEY_TOPICS_MAX) {
        survey->topics[survey->topic_count++] =
            (struct survey_topic){.topic = memory_copy(topic), .count = 1};
    }
}

/* --- counting --------------------------------------------------------------------------------- */

static void count(struct survey_rule *rule, const struct message *message,
                  const struct mapped *mapped)
{
    rule->messages++;
    rule->rows += mapped->verdict == VERDICT_ROWS ? mapped->rows : 0;
    rule->filtered += mapped->verdict == VERDICT_FILTERED;
    if (mapped->verdict == VERDICT_REJECTED) {
        rule->rejected++;
        add_reason(rule, message, mapped->reason);
    }
}

bool survey_add(struct survey *survey, const struct message *message, struct buf *fates)
{
    const struct mapped *list = NULL;
    struct memory_entry learned;

    (void) mapper_learn(survey->mapper, message, &learned);
    size_t matches = mapper_map(survey->mapper, message, &list);
    if (mapper_routing(survey->mapper) == ROUTING_COPY) {
        survey->copy_count++;
        return false;
    }
    survey->messages++;
    for (size_t i = 0; i < matches; i++) {
        assert(list[i].rule_index < survey->ruleset->count);
        count(&survey->rules[list[i].rule_index], message, &list[i]);
        if (fates != NULL) {
            explain_append_mapped(fates, &list[i]);
        }
    }
    if (matches == 0) {
        add_topic(survey, message->topic);
    }
    return true;
}

/* The most frequent first. */
static int by_count(uint64_t left, uint64_t right)
{
    return (left < right) - (left > right);
}

static int compare_reasons(const void *left, const void *right)
{
    return by_count(((const struct survey_reason *) left)->count,
                    ((const struct survey_reason *) right)->count);
}

static int compare_topics(const void *left, const void *right)
{
    return by_count(((const struct survey_topic *) left)->count,
                    ((const struct survey_topic *) right)->count);
}

void survey_finish(struct survey *survey)
{
    for (size_t i = 0; i < survey->ruleset->count; i++) {
        qsort(survey->rules[i].reasons, survey->rules[i].reason_count,
              sizeof(survey->rules[i].reasons[0]), compare_reasons);
    }
    qsort(survey->topics, survey->topic_count, sizeof(survey->topics[0]), compare_topics);
}
