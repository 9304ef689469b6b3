/* From a message to rows or a reason: rules as a configuration would give them, without a database.
 *
 * SPDX-License-Identifier: MIT */
#include "load/mapper.h"

#include <time.h>

#include "base/text.h"
#include "core/property.h"
#include "row/copy_format.h"
#include "unit.h"

/* Places for the topics of the rules of one test. */
static struct option_text *topic_of(const char *topic)
{
    static struct option_text places[16];
    static size_t used;
    struct option_text *place = &places[used++ % (sizeof(places) / sizeof(places[0]))];

    *place = (struct option_text){.text = topic};
    return place;
}

static struct rule_options rule_of(const char *name, const char *topic)
{
    return (struct rule_options){.name = name,
                                 .topics = topic_of(topic),
                                 .topic_count = 1,
                                 .qos = 1,
                                 .share = "",
                                 .format = {.text = "json"},
                                 .table = {.text = "t"}};
}

static struct ruleset *compile(const struct rule_options *options, size_t count)
{
    struct problems problems = {0};
    struct ruleset *ruleset = ruleset_compile(options, count, "client", true, &problems);

    problems_print(&problems, stdout);
    if (!CHECK(ruleset != NULL)) {
        exit(1);
    }
    problems_fini(&problems);
    return ruleset;
}

/* "rule:{…}{…};rule:rejected reason;" */
static void describe(struct buf *out, const struct mapped *list, size_t count)
{
    buf_reset(out);
    for (size_t i = 0; i < count; i++) {
        const struct mapped *mapped = &list[i];
        buf_printf(out, "%s:", mapped->rule->name);
        if (mapped->verdict == VERDICT_REJECTED) {
            buf_printf(out, "rejected %s", mapped->reason);
        }
        if (mapped->verdict == VERDICT_FILTERED) {
            buf_append_text(out, "filtered");
        }
        for (size_t row = 0; row < mapped->rows; row++) {
            buf_append_text(out, "(");
            for (size_t j = 0; j < mapped->rule->column_count; j++) {
                if (j > 0) {
                    buf_append_text(out, ",");
                }
                datum_append_json(out, &mapped->datums[row * mapped->rule->column_count + j],
                                  &mapped->rule->declared->columns[j]);
            }
            buf_append_text(out, ")");
        }
        buf_append_text(out, ";");
    }
}

static void check_maps(const struct rule_options *options, size_t count, const char *topic,
                       const char *payload, const char *wanted)
{
    struct ruleset *ruleset = compile(options, count);
    struct mapper *mapper = mapper_new(ruleset);
    struct message message = {
        .kind = MESSAGE_PUBLISH, .qos = 1, .topic = slice_of(topic), .payload = slice_of(payload)};
    const struct mapped *list;
    struct buf text = {0};
    size_t found;

    found = mapper_map(mapper, &message, &list);
    describe(&text, list, found);
    CHECK_TEXT_EQ(buf_string(&text), wanted);
    buf_fini(&text);
    mapper_free(mapper);
    ruleset_free(ruleset);
}

static void test_one_row(void)
{
    struct rule_options rule = rule_of("r", "devices/{device}/telemetry");
    struct option_column columns[] = {{.name = "time", .expression = "$.ts | unix_ms"},
                                      {.name = "device", .expression = "{device}"},
                                      {.name = "n", .expression = "$.n :: bigint"}};

    rule.columns = columns;
    rule.column_count = 3;
    check_maps(&rule, 1, "devices/d1/telemetry", "{\"ts\":1700000000123,\"n\":9007199254740993}",
               "r:(\"2023-11-14 22:13:20.123+00\",\"d1\",9007199254740993);");
    check_maps(&rule, 1, "devices/d1/other", "{}", "");
    check_maps(&rule, 1, "devices/d1/telemetry", "{\"ts\":1,\"n\":1.5}",
               "r:rejected rule \"r\": column \"n\" (bigint): 1.5 has a fraction;");
}

static void test_where_and_rows(void)
{
    struct rule_options rule = rule_of("r", "a");
    struct option_column columns[] = {{.name = "i", .expression = "@key :: int"},
                                      {.name = "v", .expression = "$.v :: int"},
                                      {.name = "id", .expression = "$$.id"}};
    struct option_text where = {.text = "$.v > 1"};

    rule.columns = columns;
    rule.column_count = 3;
    rule.rows.text = "$.r[*]";
    rule.where = &where;
    rule.where_count = 1;
    check_maps(&rule, 1, "a", "{\"id\":\"x\",\"r\":[{\"v\":1},{\"v\":2},{\"v\":3}]}",
               "r:(1,2,\"x\")(2,3,\"x\");");
    check_maps(&rule, 1, "a", "{\"r\":[{\"v\":0}]}", "r:filtered;");
    check_maps(&rule, 1, "a", "{\"r\":[]}", "r:;");
    check_maps(&rule, 1, "a", "{\"r\":[{\"v\":2},{\"v\":9999999999}]}",
               "r:rejected rule \"r\": row 2: column \"v\" (integer): 9999999999 is out of range;");
}

static void test_a_rule_that_needs_no_payload_takes_any(void)
{
    struct rule_options rules[2] = {rule_of("blind", "a/{x}"), rule_of("json", "a/#")};
    struct option_column blind = {.name = "x", .expression = "{x}"};
    struct option_column json = {.name = "j", .expression = "$"};

    rules[0].columns = &blind;
    rules[1].columns = &json;
    rules[0].column_count = rules[1].column_count = 1;
    check_maps(rules, 2, "a/b", "[1, 2]", "blind:(\"b\");json:([1, 2]);");
    check_maps(
        rules, 2, "a/b", "{\"a\":",
        "blind:(\"b\");json:rejected rule \"json\": the payload is not json: byte 6: a value "
        "expected, but the text ends;");
}

/* A rule takes a message once, by the first of its topics that matches. */
static void test_several_topics(void)
{
    static struct option_text topics[] = {
        {.text = "a/{x}/t"}, {.text = "b/{y}/{x}"}, {.text = "a/#"}};
    struct rule_options rules[2] = {rule_of("several", NULL), rule_of("all", "#")};
    struct option_column columns[] = {{.name = "x", .expression = "{x} | default 'none'"},
                                      {.name = "y", .expression = "{y} | default null"}};
    struct option_column all = {.name = "t", .expression = "@topic"};

    rules[0].topics = topics;
    rules[0].topic_count = 3;
    rules[0].columns = columns;
    rules[0].column_count = 2;
    rules[1].columns = &all;
    rules[1].column_count = 1;
    check_maps(rules, 1, "a/1/t", "", "several:(\"1\",null);");
    check_maps(rules, 1, "b/1/2", "", "several:(\"2\",\"1\");");
    check_maps(rules, 1, "a/1", "", "several:(\"none\",null);");
    check_maps(rules, 1, "c", "", "");
    check_maps(rules, 2, "a/1/t", "", "several:(\"1\",null);all:(\"a/1/t\");");
}

/* The topic decides which rules take a message, the plan which copy of it counts. */
static void test_copies_for_overlapping_subscriptions(void)
{
    struct rule_options rules[2] = {rule_of("wide", "a/#"), rule_of("narrow", "a/+/c")};
    struct option_column column = {.name = "t", .expression = "@topic"};
    const struct {
        const char *filters[2];
        const char *payload;
        bool retained;
        const char *wanted;
        enum routing routing;
    } cases[] = {
        {{"a/+/c"}, "1", false, "wide:(\"a/b/c\");narrow:(\"a/b/c\");", ROUTING_TAKEN},
        {{"a/#"}, "1", false, "", ROUTING_COPY},
        {{"a/#", "a/+/c"}, "2", false, "wide:(\"a/b/c\");narrow:(\"a/b/c\");", ROUTING_TAKEN},
        {{"what nobody knows"}, "3", false, "wide:(\"a/b/c\");narrow:(\"a/b/c\");", ROUTING_TAKEN},
        {{NULL}, "4", false, "wide:(\"a/b/c\");narrow:(\"a/b/c\");", ROUTING_TAKEN},
        {{"a/#"}, "5", true, "wide:(\"a/b/c\");", ROUTING_TAKEN},
        {{"a/+/c"}, "5", true, "narrow:(\"a/b/c\");", ROUTING_TAKEN},
    };
    struct ruleset *ruleset;
    struct plans *plans;
    struct copies *copies = copies_new();
    struct mapper *mapper;
    struct buf properties = {0}, text = {0};

    rules[0].columns = rules[1].columns = &column;
    rules[0].column_count = rules[1].column_count = 1;
    rules[1].qos = 2;
    ruleset = compile(rules, 2);
    plans = plans_next(NULL, &ruleset->wanted, &(struct plan_moment){.mqtt5 = true});
    ruleset_set_plans(ruleset, plans);
    copies_use(copies, plans);
    mapper = mapper_new(ruleset);
    mapper_set_copies(mapper, copies);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message message = {.kind = MESSAGE_PUBLISH,
                                  .sequence = i + 1,
                                  .topic = slice_of("a/b/c"),
                                  .payload = slice_of(cases[i].payload),
                                  .retained = cases[i].retained};
        const struct mapped *list;
        size_t found;

        UNIT_CASE("copy %zu", i);
        buf_reset(&properties);
        for (size_t j = 0; j < 2 && cases[i].filters[j] != NULL; j++) {
            property_append(&properties, &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                                 .number = subscription_identifier(
                                                                     cases[i].filters[j])});
        }
        message.properties = buf_slice(&properties);
        found = mapper_map(mapper, &message, &list);
        describe(&text, list, found);
        CHECK_TEXT_EQ(buf_string(&text), cases[i].wanted);
        CHECK_INT_EQ(mapper_routing(mapper), cases[i].routing);
    }
    mapper_map(mapper, &(struct message){.kind = MESSAGE_PUBLISH, .topic = slice_of("b")},
               &(const struct mapped *){NULL});
    CHECK_INT_EQ(mapper_routing(mapper), ROUTING_UNMATCHED);
    UNIT_CASE("%s", "");
    buf_fini(&properties);
    buf_fini(&text);
    mapper_free(mapper);
    copies_free(copies);
    ruleset_free(ruleset);
    plans_free(plans);
}

static void test_retained_policies(void)
{
    struct rule_options rules[2] = {rule_of("takes", "a"), rule_of("ignores", "a")};
    struct option_column column = {.name = "r", .expression = "@retain"};
    struct message message = {.kind = MESSAGE_PUBLISH, .topic = slice_of("a"), .retained = true};
    struct ruleset *ruleset;
    struct mapper *mapper;
    const struct mapped *list;

    rules[0].columns = rules[1].columns = &column;
    rules[0].column_count = rules[1].column_count = 1;
    rules[1].retained = RETAINED_IGNORE;
    ruleset = compile(rules, 2);
    mapper = mapper_new(ruleset);
    CHECK_INT_EQ(mapper_map(mapper, &message, &list), 1);
    CHECK_TEXT_EQ(list[0].rule->name, "takes");
    message.retained = false;
    CHECK_INT_EQ(mapper_map(mapper, &message, &list), 2);
    mapper_free(mapper);
    ruleset_free(ruleset);
}

/* Many rows that take members of a large payload: searched for each row, that would be
 * 2,000,000,000 steps. Two paths from the payload and two from the level around the row. */
static void test_rows_of_a_large_payload(void)
{
    enum { MEMBERS = 20000, ROWS = 100000 };
    struct rule_options rule = rule_of("r", "a");
    struct option_column columns[] = {{.name = "n", .expression = "$ :: bigint"},
                                      {.name = "last", .expression = "$$.last :: bigint"},
                                      {.name = "first", .expression = "$$['0'] :: bigint"},
                                      {.name = "own", .expression = "$^.last :: bigint"},
                                      {.name = "none", .expression = "$^.none :: bigint"}};
    struct buf json = {0};
    struct timespec start;
    struct timespec end;
    const struct mapped *list;
    rule.columns = columns;
    rule.column_count = 5;
    rule.rows = (struct option_text){.text = "$.a[*].r[*]"};
    buf_append_byte(&json, '{');
    for (int i = 0; i < MEMBERS; i++) {
        buf_printf(&json, "\"%d\":7,", i);
    }
    buf_append_text(&json, "\"a\":[");
    for (int half = 0; half < 2; half++) {
        buf_append_text(&json, half == 0 ? "{\"r\":[" : ",{\"r\":[");
        for (int i = 0; i < ROWS / 2; i++) {
            buf_append_text(&json, i == 0 ? "1" : ",1");
        }
        buf_append_byte(&json, ']');
        for (int i = 0; i < MEMBERS; i++) {
            buf_printf(&json, ",\"%d\":0", i);
        }
        buf_printf(&json, ",\"last\":%d}", half);
    }
    buf_append_text(&json, "],\"last\":9}");
    struct ruleset *ruleset = compile(&rule, 1);
    struct mapper *mapper = mapper_new(ruleset);
    struct message message = {
        .kind = MESSAGE_PUBLISH, .qos = 1, .topic = slice_of("a"), .payload = buf_slice(&json)};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    CHECK_INT_EQ(mapper_map(mapper, &message, &list), 1);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    CHECK(end.tv_sec - start.tv_sec < 3);
    CHECK_INT_EQ(list->rows, ROWS);
    for (size_t row = 0; row < list->rows; row++) {
        const struct datum *datums = &list->datums[row * 5];
        bool good = datums[1].integer == 9 && datums[2].integer == 7 &&
                    datums[3].integer == (row >= ROWS / 2) && datums[4].null;
        if (!CHECK(good)) {
            break;
        }
    }
    buf_fini(&json);
    mapper_free(mapper);
    ruleset_free(ruleset);
}

UNIT_MAIN("load/mapper", {"one row", test_one_row}, {"where and rows", test_where_and_rows},
          {"a rule that needs no payload takes any", test_a_rule_that_needs_no_payload_takes_any},
          {"several topics", test_several_topics},
          {"copies for overlapping subscriptions", test_copies_for_overlapping_subscriptions},
          {"retained policies", test_retained_policies},
          {"rows of a large payload", test_rows_of_a_large_payload})
