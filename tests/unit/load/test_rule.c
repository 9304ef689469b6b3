/* What a person reads who made a mistake in a rule that only its compiler can see.
 *
 * SPDX-License-Identifier: MIT */
#include "load/rule.h"

#include "load/ruleset.h"
#include "unit.h"

/* A rule that is right, for each case to spoil. */
struct rule_case {
    struct rule_options rule;
    struct option_column columns[2];
    struct option_text topics[2], where, key;
    struct option_column field;
};

static struct rule_options *right_rule(struct rule_case *made)
{
    const struct place place = {"a.cfg", 7};

    *made = (struct rule_case){
        .columns = {{.name = "device", .expression = "{device}", .place = place},
                    {.name = "temp", .expression = "$.temp", .place = place}},
        .topics = {{"devices/{device}/t", place}, {NULL, place}},
        .where = {.place = place},
        .key = {.place = place},
        .field = {.name = "id", .place = place},
    };
    made->rule = (struct rule_options){.name = "r",
                                       .place = place,
                                       .topics = made->topics,
                                       .topic_count = 1,
                                       .qos = 1,
                                       .share = "",
                                       .format = {"json", place},
                                       .table = {"t", place},
                                       .columns = made->columns,
                                       .column_count = 2};
    return &made->rule;
}

static void check_problem(const struct rule_options *rule, const char *wanted)
{
    struct problems problems = {0};
    struct rule *compiled = rule_compile(rule, &problems);

    if (wanted == NULL) {
        CHECK(compiled != NULL);
        CHECK_INT_EQ(problems.count, 0);
    } else {
        CHECK(compiled == NULL);
        CHECK_INT_EQ(problems.errors, 1);
        if (problems.count > 0) {
            CHECK_TEXT_EQ(problems.list[0].text, wanted);
        }
    }
    rule_free(compiled);
    problems_fini(&problems);
}

static void test_a_right_rule_compiles(void)
{
    struct rule_case made;

    check_problem(right_rule(&made), NULL);
}

static void test_topic_and_format(void)
{
    struct rule_case made;

    right_rule(&made);
    made.topics[0].text = "devices/{device}x/t";
    made.rule.column_count = 0;
    check_problem(&made.rule,
                  "a.cfg:7: topic: level 2, \"{device}x\": a capture takes its whole level");
    right_rule(&made)->format.text = "jsn";
    check_problem(&made.rule, "a.cfg:7: format: unknown format \"jsn\" (did you mean json?)");
}

static void test_several_topics(void)
{
    struct rule_case made;

    right_rule(&made)->topic_count = 2;
    made.topics[1].text = "{device}/new/#";
    check_problem(&made.rule, NULL);
    made.topics[1].text = "new/{site}";
    check_problem(&made.rule, "a.cfg:7: columns.device: not each topic of the rule has {device} at "
                              "character 1 ({device} | default 'none', or | default null)");
    made.columns[0].expression = "{device} | concat '/' | default {site}";
    check_problem(&made.rule, NULL);
    made.columns[0].expression = "'x' | concat {device}";
    check_problem(&made.rule, "a.cfg:7: columns.device: not each topic of the rule has {device} at "
                              "character 1 ({device} | default 'none', or | default null)");
    made.columns[0].expression = "$.device";
    made.where.text = "{device} is null or {site} = 'x'";
    made.rule.where = &made.where;
    made.rule.where_count = 1;
    check_problem(&made.rule, NULL);
    made.rule.ack = (struct ack_options){
        .wanted = true, .topic = {"acks/{device}", {"a.cfg", 9}}, .on_stored = true, .qos = 1};
    check_problem(&made.rule, "a.cfg:9: ack.topic: not each topic of the rule has {device}");
    right_rule(&made)->topic_count = 2;
    made.topics[1].text = "new/{site}x";
    made.columns[0].expression = "{device} | concat {site}";
    check_problem(&made.rule,
                  "a.cfg:7: topic: level 2, \"{site}x\": a capture takes its whole level");
}

static void test_partition(void)
{
    const struct place place = {"a.cfg", 8};
    struct rule_case made;

    right_rule(&made)->partition =
        (struct partition_options){.wanted = true, .by = {"tmp", place}, .every_ms = 3600000};
    check_problem(&made.rule, "a.cfg:8: partition.by: \"tmp\" is not one of this rule's columns "
                              "(did you mean temp?)");
    made.rule.partition.by.text = "temp";
    check_problem(&made.rule, NULL); /* the table's column decides */
    made.rule.create = true;
    check_problem(&made.rule, "a.cfg:8: partition.by: \"temp\" would be created as text: its "
                              "expression needs a time, like $.ts | unix_ms, or $.time :: "
                              "timestamptz");
    made.columns[1].expression = "$.temp :: date";
    check_problem(&made.rule, "a.cfg:8: partition.by: \"temp\" is a date: every must be a number "
                              "of whole days");
    made.columns[1].expression = "$.temp | unix_ms";
    check_problem(&made.rule, NULL);
}

static void test_expressions_name_their_column(void)
{
    struct rule_case made;

    right_rule(&made);
    made.columns[1].expression = "$.t | unix";
    check_problem(&made.rule, "a.cfg:7: columns.temp: unknown filter \"unix\" at character 7 (did "
                              "you mean unix_s, unix_ms, unix_us, unix_ns?)");
    right_rule(&made);
    made.columns[0].expression = "{devise}";
    check_problem(&made.rule, "a.cfg:7: columns.device: unknown capture {devise} at character 1 "
                              "(did you mean device?)");
}

static void test_key_is_one_of_the_columns(void)
{
    struct rule_case made;

    right_rule(&made)->key = &made.key;
    made.rule.key_count = 1;
    made.key.text = "devise";
    check_problem(&made.rule, "a.cfg:7: key: \"devise\" is not one of this rule's columns (did you "
                              "mean device?)");
}

static void test_acknowledgments(void)
{
    struct rule_case made;

    right_rule(&made)->ack = (struct ack_options){.wanted = true,
                                                  .topic = {"devices/{devise}/ack", {"a.cfg", 9}},
                                                  .on_stored = true,
                                                  .qos = 1};
    check_problem(&made.rule, "a.cfg:9: ack.topic: the rule's topic has no {devise} (did you mean "
                              "{device}?)");
    made.rule.ack.topic.text = "devices/+/ack";
    check_problem(&made.rule, "a.cfg:9: ack.topic: nothing can be published to it: \"+\", "
                              "\"#\" or invalid UTF-8 in it, or it is too long");
    made.rule.ack.topic.text = "devices/{device}/ack";
    check_problem(&made.rule, NULL);
}

/* What is missing altogether, the configuration has reported when it was read. */
static void test_what_is_missing_is_not_reported_again(void)
{
    struct rule_case made;
    struct problems problems = {0};

    right_rule(&made)->on_conflict = CONFLICT_UPDATE;
    made.rule.column_count = 0;
    ruleset_free(ruleset_compile(&made.rule, 1, "client", true, &problems));
    CHECK_INT_EQ(problems.count, 0);
    made.rule.key = &made.key;
    made.rule.key_count = 1;
    made.key.text = "device";
    made.rule.ack = (struct ack_options){.wanted = true, .place = {"a.cfg", 9}};
    rule_free(rule_compile(&made.rule, &problems));
    CHECK_INT_EQ(problems.count, 0);
    problems_fini(&problems);
}

static void test_every_mistake_is_reported(void)
{
    struct rule_case made[3];
    struct rule_options rules[3];
    struct problems problems = {0};

    for (size_t i = 0; i < 3; i++) {
        rules[i] = *right_rule(&made[i]);
        made[i].columns[0].expression = "{x";
        made[i].columns[1].expression = "$.";
    }
    CHECK(ruleset_compile(rules, 3, "client", true, &problems) == NULL);
    CHECK_INT_EQ(problems.errors, 6);
    problems_fini(&problems);
}

UNIT_MAIN("load/rule", {"a right rule compiles", test_a_right_rule_compiles},
          {"topic and format", test_topic_and_format}, {"several topics", test_several_topics},
          {"partition", test_partition},
          {"expressions name their column", test_expressions_name_their_column},
          {"key is one of the columns", test_key_is_one_of_the_columns},
          {"acknowledgments", test_acknowledgments},
          {"what is missing is not reported again", test_what_is_missing_is_not_reported_again},
          {"every mistake is reported", test_every_mistake_is_reported})
