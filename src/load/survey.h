/*
 * survey: what a configuration's rules make of many messages, counted. For `explain --journal`.
 * Nothing is stored.
 *
 * Which rules a message belongs to, and which copy of a message counts, is decided as the service
 * does (route/copies).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_SURVEY_H
#define MQTT2PG_LOAD_SURVEY_H

#include "load/mapper.h"

enum {
    SURVEY_REASONS_MAX = 20, /* kinds of rejections a rule that are kept apart */
    SURVEY_TOPICS_MAX = 1000 /* topics without a rule that are kept apart */
};

/* Rejections that differ in numbers and quoted values only. */
struct survey_reason {
    char *kind;    /* owned */
    char *example; /* owned; the first one, whole */
    char *topic;   /* owned; of the first one */
    uint64_t sequence;
    uint64_t count;
};

struct survey_rule {
    const char *name; /* borrowed */
    uint64_t messages, rows, filtered, rejected;
    struct survey_reason reasons[SURVEY_REASONS_MAX]; /* the most frequent first, after a sort */
    size_t reason_count;
};

struct survey_topic {
    char *topic; /* owned */
    uint64_t count;
};

struct survey {
    const struct ruleset *ruleset; /* borrowed */
    struct mapper *mapper;
    struct survey_rule *rules; /* one per rule of the ruleset */
    uint64_t messages, unmatched;
    struct survey_topic *topics; /* of messages that no rule takes */
    size_t topic_count;
    struct copies *copies; /* owned; NULL: the ruleset has no plans, and every copy counts */
    uint64_t copy_count;
};

struct survey *survey_new(const struct ruleset *ruleset);
void survey_free(struct survey *survey);

/* Counts a message; false when it is a copy of a message that was counted. Appends to `fates`,
 * unless NULL, the lines of `explain` for each matching rule: a JSON object for each row, or one
 * that says why there is none. */
bool survey_add(struct survey *survey, const struct message *message, struct buf *fates);

/* Sorts reasons and topics, the most frequent first. */
void survey_finish(struct survey *survey);

#endif
