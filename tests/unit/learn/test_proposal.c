/* SPDX-License-Identifier: MIT */
#include "learn/proposal.h"

#include "../data/cases.h"
#include "core/property.h"
#include "learn/column_name.h"
#include "learn/learner.h"
#include "learn/topic_fold.h"
#include "unit.h"

/* "a@text/csv" is the topic a with that content type. */
static void learn(struct learner *learner, struct slice topic, struct slice payload)
{
    struct message message = {.kind = MESSAGE_PUBLISH, .topic = topic, .payload = payload};
    struct buf properties = {0};
    const char *at = memchr(topic.data, '@', topic.length);
    if (at != NULL) {
        message.topic.length = (size_t) (at - topic.data);
        const struct property_item item = {
            .id = PROPERTY_CONTENT_TYPE,
            .value = slice_make(at + 1, topic.length - message.topic.length - 1)};
        property_append(&properties, &item);
        message.properties = buf_slice(&properties);
    }
    learner_take(learner, &message);
    buf_fini(&properties);
}

/* "topic payload", separated by " ; ". */
static void learn_all(struct learner *learner, struct slice text)
{
    while (text.length > 0) {
        const char *end = memmem(text.data, text.length, " ; ", 3);
        struct slice one = end == NULL ? text : slice_make(text.data, (size_t) (end - text.data));
        const char *space = memchr(one.data, ' ', one.length);
        size_t topic = (size_t) (space - one.data);
        struct slice payload = slice_make(space + 1, one.length - topic - 1);
        learn(learner, slice_make(one.data, topic),
              slice_is(payload, "(empty)") ? slice_of("") : payload);
        size_t taken = one.length + (end == NULL ? 0 : 3);
        text = slice_make(text.data + taken, text.length - taken);
    }
}

static void describe_rule(struct buf *out, const struct proposed_rule *rule)
{
    const char *comma = ":";
    buf_printf(out, "%s (%s%s%s%s%s%s%s%s%s)", rule->topic, rule->format,
               rule->details == NULL ? "" : ", ", rule->details == NULL ? "" : rule->details,
               rule->compression == NULL ? "" : ", compression ",
               rule->compression == NULL ? "" : rule->compression, rule->rows == NULL ? "" : ", ",
               rule->rows == NULL ? "" : rule->rows, rule->where == NULL ? "" : ", where ",
               rule->where == NULL ? "" : rule->where);
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct proposed_column *column = &rule->columns[i];
        if (strcmp(column->expression, "@received_at") != 0) {
            buf_printf(out, "%s %s = %s", comma, column->name,
                       column->off ? "-" : column->expression);
            comma = ",";
        }
    }
}

static void run_case(const struct test_case *test)
{
    struct learner *learner = learner_new();
    struct buf seen = {0};
    CHECK_INT_EQ(test->count, 2);
    learn_all(learner, test->fields[0]);
    topic_tree_collapse(learner->root, "#");
    topic_tree_fold(learner->root);
    struct proposal *proposal = proposal_new(learner->root, "#");
    for (size_t i = 0; i < proposal->rule_count; i++) {
        buf_append_text(&seen, i == 0 ? "" : " ; ");
        describe_rule(&seen, &proposal->rules[i]);
    }
    unit_check_slice(buf_slice(&seen), test->fields[1], __FILE__, __LINE__, "what was proposed");
    buf_fini(&seen);
    proposal_free(proposal);
    learner_free(learner);
}

static void test_cases(void)
{
    cases_run("learn.cases", run_case);
}

static struct proposal *propose(struct learner *learner, const char *filter)
{
    topic_tree_collapse(learner->root, filter);
    topic_tree_fold(learner->root);
    return proposal_new(learner->root, filter);
}

static void test_filter_names_levels(void)
{
    struct learner *learner = learner_new();
    learn(learner, slice_of("a/x1/b"), slice_of("1"));
    learn(learner, slice_of("a/x2/b"), slice_of("2"));
    struct proposal *proposal = propose(learner, "a/{plant}/#");
    CHECK_INT_EQ(proposal->rule_count, 1);
    CHECK_TEXT_EQ(proposal->rules[0].topic, "a/{plant}/b");
    CHECK_TEXT_EQ(proposal->rules[0].columns[0].name, "plant");
    proposal_free(proposal);
    learner_free(learner);
}

/* A pattern that would take another one's topics leaves them to it. */
static void test_no_message_for_two_rules(void)
{
    struct learner *learner = learner_new();
    learn(learner, slice_of("p/d1/r"), slice_of("{\"a\":1}"));
    learn(learner, slice_of("p/status/r"), slice_of("{\"b\":\"x\"}"));
    topic_tree_find(learner->root, slice_of("p/d1"), false)->varies = true;
    struct proposal *proposal = proposal_new(learner->root, "#");
    CHECK_INT_EQ(proposal->rule_count, 2);
    CHECK_TEXT_EQ(proposal->rules[0].where, "({p} != 'status')");
    CHECK(proposal->rules[1].where == NULL);
    proposal_free(proposal);
    learner_free(learner);
}

/* What the filter names is a capture, though only one thing was seen there, or several kinds. */
static void test_filter_makes_captures(void)
{
    struct learner *learner = learner_new();
    learn(learner, slice_of("house/boiler"), slice_of("{\"temp\":21.5}"));
    learn(learner, slice_of("house/pump"), slice_of("{\"on\":true}"));
    struct proposal *proposal = propose(learner, "house/{thing}");
    CHECK_INT_EQ(proposal->rule_count, 1);
    CHECK_TEXT_EQ(proposal->rules[0].topic, "house/{thing}");
    CHECK_INT_EQ(proposal->rules[0].column_count, 4); /* thing, time, temp, on */
    proposal_free(proposal);
    learner_free(learner);
}

/* One odd value among many decides nothing, and is told. */
static void test_odd_values(void)
{
    static const struct {
        const char *usual;
        const char *odd;
        const char *column;
        const char *note;
    } cases[] = {
        {"{\"v\":21.5}", "{\"v\":\"n/a\"}", "$.v :: double precision", "1 of the values seen"},
        {"{\"ts\":1700000000}", "{\"ts\":0}", "$.ts | unix_s | required", NULL},
        {"{\"d\":\"2026-11-23\"}", "{\"d\":\"never\"}", "$.d :: date", "1 of the values seen"},
        {"{\"at\":\"2026-11-23T10:00:00\"}", "{\"at\":\"2026-11-23T11:00:00\"}",
         "$.at | required :: timestamptz", "no zone"},
        {"{\"at\":\"2026-11-23T10:00:00Z\"}", "{\"at\":\"2026-11-23T11:00:00+01:00\"}",
         "$.at | required :: timestamptz", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct learner *learner = learner_new();
        UNIT_CASE("%s", cases[i].usual);
        for (int k = 0; k < 30; k++) {
            learn(learner, slice_of("a"), slice_of(k == 7 ? cases[i].odd : cases[i].usual));
        }
        struct proposal *proposal = propose(learner, "#");
        const struct proposed_column *column = &proposal->rules[0].columns[0];
        column += strcmp(column->expression, "@received_at") == 0;
        CHECK_TEXT_EQ(column->expression, cases[i].column);
        CHECK(cases[i].note == NULL
                  ? column->note == NULL
                  : column->note != NULL && strstr(column->note, cases[i].note) != NULL);
        proposal_free(proposal);
        learner_free(learner);
    }
}

/* What the bounds cut off is said, and nothing else happens. */
static void test_bounds(void)
{
    struct learner *learner = learner_new();
    struct buf text = {0};
    for (int i = 0; i < LEARNER_TOPICS_MAX + 10; i++) {
        buf_reset(&text);
        buf_printf(&text, "devices/d%d/x", i);
        learn(learner, buf_slice(&text), slice_of("{\"a\":1}"));
    }
    learn(learner, slice_of("devices"), slice_of("1"));
    CHECK_INT_EQ(learner->topics, LEARNER_TOPICS_MAX);
    CHECK_INT_EQ(learner->missed, 11);
    CHECK_INT_EQ(learner->messages, LEARNER_TOPICS_MAX + 11);
    struct proposal *proposal = propose(learner, "#");
    CHECK_INT_EQ(proposal->rule_count, 1);
    CHECK_TEXT_EQ(proposal->rules[0].topic, "devices/{device}/x");
    proposal_free(proposal);
    learner_free(learner);
    buf_fini(&text);
}

static void test_too_many_members(void)
{
    struct learner *learner = learner_new();
    struct buf text = {0};
    buf_append_text(&text, "{\"ts\":1700000000,\"m\":{\"k\":0");
    for (int i = 0; i < SHAPE_MEMBERS_MAX; i++) {
        buf_printf(&text, ",\"k%d\":%d", i, i);
    }
    buf_append_text(&text, "}}");
    learn(learner, slice_of("a"), buf_slice(&text));
    struct proposal *proposal = propose(learner, "#");
    CHECK_INT_EQ(proposal->rules[0].column_count, 3);
    CHECK_TEXT_EQ(proposal->rules[0].columns[2].expression, "$.m :: jsonb");
    proposal_free(proposal);
    learner_free(learner);
    buf_fini(&text);
}

static void test_budget(void)
{
    struct learner *learner = learner_new();
    learner->budget.left = 3;
    learn(learner, slice_of("a"), slice_of("{\"a\":1,\"b\":2,\"c\":3,\"d\":4}"));
    CHECK(learner->budget.exceeded);
    struct proposal *proposal = propose(learner, "#");
    CHECK_INT_EQ(proposal->rules[0].column_count, 4); /* with the time of arrival */
    proposal_free(proposal);
    learner_free(learner);
}

static void test_share_and_key(void)
{
    struct learner *learner = learner_new();
    learn(learner, slice_of("devices/d1"), slice_of("{\"ts\":1700000000,\"a\":1,\"b\":1}"));
    learn(learner, slice_of("devices/d2"), slice_of("{\"ts\":1700000000,\"a\":1}"));
    learn(learner, slice_of("devices/d2"), slice_of("{\"ts\":1700000000,\"a\":null}"));
    struct proposal *proposal = propose(learner, "#");
    const struct proposed_rule *rule = &proposal->rules[0];
    CHECK_INT_EQ(rule->column_count, 5); /* device, time, (received), a, b */
    CHECK_TEXT_EQ(rule->columns[3].note, "in 66 % of the messages");
    CHECK_TEXT_EQ(rule->columns[4].note, "in 33 % of the messages");
    CHECK_TEXT_EQ(rule->key, "\"device\", \"time\"");
    proposal_free(proposal);
    learner_free(learner);
}

static void test_snake(void)
{
    static const char *const cases[][2] = {
        {"temperature", "temperature"},
        {"batteryLevel", "battery_level"},
        {"HTTPCode", "http_code"},
        {"a.b-c d", "a_b_c_d"},
        {"kWh", "kwh"},
        {"pm2.5", "pm2_5"},
        {"_x_", "x"},
        {"7", "_7"},
        {"", ""},
        {"温", "温"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        UNIT_CASE("%s", cases[i][0]);
        name_append_snake(&out, slice_of(cases[i][0]));
        CHECK_TEXT_EQ(buf_string(&out), cases[i][1]);
        buf_fini(&out);
    }
}

static void test_singular(void)
{
    static const char *const cases[][2] = {
        {"devices", "device"},
        {"factories", "factory"},
        {"status", "status"},
        {"switches", "switch"},
        {"boxes", "box"},
        {"gas", "gas"},
        {"glass", "glass"},
        {"buses", "bus"},
        {"site", "site"},
        {"cameras", "camera"},
        {"s", "s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        UNIT_CASE("%s", cases[i][0]);
        name_append_singular(&out, slice_of(cases[i][0]));
        CHECK_TEXT_EQ(buf_string(&out), cases[i][1]);
        buf_fini(&out);
    }
}

static void test_name_list(void)
{
    struct name_list list = {0};
    const char *long_name =
        "x123456789012345678901234567890123456789012345678901234567890\xe6\xb8\xa9x";
    CHECK_TEXT_EQ(name_list_add(&list, slice_of("a")), "a");
    CHECK_TEXT_EQ(name_list_add(&list, slice_of("a")), "a_2");
    CHECK_TEXT_EQ(name_list_add(&list, slice_of("a")), "a_3");
    CHECK_INT_EQ(strlen(name_list_add(&list, slice_of(long_name))), 61);
    CHECK(strlen(name_list_add(&list, slice_of(long_name))) <= 63);
    name_list_fini(&list);
}

static void test_quoted(void)
{
    struct buf out = {0};
    proposal_append_quoted(&out, "a\"b\\c\n${x}$$.a");
    CHECK_TEXT_EQ(buf_string(&out), "\"a\\\"b\\\\c\\x0a$${x}$$.a\"");
    buf_fini(&out);
}

UNIT_MAIN("proposal", {"cases", test_cases}, {"filter_names_levels", test_filter_names_levels},
          {"no message for two rules", test_no_message_for_two_rules},
          {"filter makes captures", test_filter_makes_captures}, {"odd values", test_odd_values},
          {"bounds", test_bounds}, {"too_many_members", test_too_many_members},
          {"budget", test_budget}, {"share_and_key", test_share_and_key}, {"snake", test_snake},
          {"singular", test_singular}, {"name_list", test_name_list}, {"quoted", test_quoted})
