/* SPDX-License-Identifier: MIT */
#include "map/condition.h"

#include "../data/cases.h"
#include "fixture.h"
#include "unit.h"

static void run_condition_case(const struct test_case *test)
{
    struct fixture fixture;
    struct condition *condition = NULL;
    struct buf seen = {0};
    bool holds = false;
    CHECK_INT_EQ(test->count, 3);
    bool none = slice_is(test->fields[1], "-");
    fixture_init(&fixture, none ? slice_of("null") : test->fields[1]);
    if (condition_compile(test->fields[0], &fixture.scope, &condition, &fixture.error) !=
        OUTCOME_OK) {
        CHECK_INT_EQ(fixture.error.outcome, OUTCOME_REJECT);
        buf_printf(&seen, "error: %s", fixture.error.text);
    } else if (condition_holds(condition, &fixture.subject, fixture.arena, &holds,
                               &fixture.error) != OUTCOME_OK) {
        CHECK_INT_EQ(fixture.error.outcome, OUTCOME_REJECT);
        buf_printf(&seen, "rejected: %s", fixture.error.text);
    } else {
        buf_append_text(&seen, holds ? "holds" : "fails");
    }
    unit_check_slice(buf_slice(&seen), test->fields[2], __FILE__, __LINE__, "what was seen");
    condition_free(condition);
    buf_fini(&seen);
    fixture_fini(&fixture);
}

static void test_cases(void)
{
    cases_run("condition.cases", run_condition_case);
}

static void test_uses_payload(void)
{
    struct scope scope = {0};
    struct condition *condition;
    struct error error;
    CHECK_INT_EQ(condition_compile(slice_of("$.a > 1"), &scope, &condition, &error), OUTCOME_OK);
    CHECK(condition_uses_payload(condition));
    condition_free(condition);
    CHECK_INT_EQ(condition_compile(slice_of("@qos > 1"), &scope, &condition, &error), OUTCOME_OK);
    CHECK(!condition_uses_payload(condition));
    condition_free(condition);
    condition_free(NULL);
}

static struct condition *compiled(const char *text, const struct scope *scope)
{
    struct condition *condition = NULL;
    struct error error;
    CHECK_INT_EQ(condition_compile(slice_of(text), scope, &condition, &error), OUTCOME_OK);
    return condition;
}

static void test_exclude(void)
{
    static const struct {
        const char *left, *right;
        bool exclude;
    } cases[] = {
        {"$.a = 1", "$.a = 2", true},
        {"$.a = 1", "$.a = 1.0", false},
        {"$.a = 1", "$.b = 2", false},
        {"$.a > 5", "$.a < 3", true},
        {"$.a < 3", "$.a > 5", true},
        {"$.a > 3", "$.a < 5", false},
        {"$.a >= 5", "$.a <= 5", false},
        {"$.a > 5", "$.a <= 5", true},
        {"$.a > 5", "$.a = 5", true},
        {"$.a != 5", "$.a = 5", true},
        {"$.a != 5", "$.a != 6", false},
        {"$.a != 5", "$.a > 4", false},
        {"$.a = 'x'", "$.a = 'y'", true},
        {"$.a = 'x'", "$.a = 5", false}, /* left alone: kinds */
        {"$.a is null", "$.a is not null", true},
        {"$.a is null", "$.a = 1", true},
        {"$.a is null", "$.a != 1", false},
        {"$.a is not null", "$.a = 1", false},
        {"$.a is null", "$.a is null", false},
        {"  $.a   = 1", "$.a=2", true},
        {"$.a = true", "$.a = false", true},
        {"$.a is null", "$.a > 1", true},
        {"$.a in (1)", "$.a = 2", false}, /* left alone: lists */
        {"not $.a = 1", "$.a = 1", false},
        {"$.a like 'x'", "$.a is null", false},
    };
    const struct scope scope = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct condition *left = compiled(cases[i].left, &scope);
        struct condition *right = compiled(cases[i].right, &scope);
        UNIT_CASE("%s, %s", cases[i].left, cases[i].right);
        CHECK_INT_EQ(conditions_exclude(left, right), cases[i].exclude);
        CHECK_INT_EQ(conditions_exclude(right, left), cases[i].exclude);
        condition_free(left);
        condition_free(right);
    }
}

static void test_never(void)
{
    static const struct {
        const char *text;
        bool never;
    } cases[] = {
        {"1 = 2", true},           {"1 = 1", false},
        {"'a' is null", true},     {"{x} = true", true},
        {"{x} > 5", false},        {"{x} != true", false},
        {"1 = 2 or 1 = 1", false}, {"1 = 2 and $.a = 1", false},
        {"{x} = '5'", false},      {"{x} :: int = 5", false},
        {"$.a = 5", false},        {"{x} is null", false},
    };
    static const char *const captures[] = {"x"};
    const struct scope scope = {.captures = captures, .capture_count = 1};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct condition *condition = compiled(cases[i].text, &scope);
        UNIT_CASE("%s", cases[i].text);
        CHECK_INT_EQ(condition_is_never(condition), cases[i].never);
        condition_free(condition);
    }
}

/* What is known before the payload is decoded. */
static void test_early(void)
{
    static const struct {
        const char *text;
        enum truth truth;
    } cases[] = {
        {"{device} = 'd1'", TRUTH_HOLDS},
        {"{device} = 'd2'", TRUTH_FAILS},
        {"@payload = 'no json'", TRUTH_HOLDS},
        {"@payload != ''", TRUTH_HOLDS},
        {"$.a = 1", TRUTH_UNKNOWN},
        {"{device} = 'd2' and $.a = 1", TRUTH_FAILS},
        {"$.a = 1 and {device} = 'd2'", TRUTH_FAILS},
        {"{device} = 'd1' and $.a = 1", TRUTH_UNKNOWN},
        {"{device} = 'd1' or $.a = 1", TRUTH_HOLDS},
        {"not ($.a = 1 or {device} = 'd1')", TRUTH_FAILS},
        {"not $.a = 1", TRUTH_UNKNOWN},
        {"{device} | default $.a = 'd2'", TRUTH_UNKNOWN},
        {"{device} | number = 1", TRUTH_UNKNOWN}, /* rejects: told later */
        {"@key = 1", TRUTH_UNKNOWN},
    };
    struct fixture fixture;
    fixture_init(&fixture, slice_of("text:no json"));
    fixture.scope.row_levels = 1;
    fixture.subject.payload = fixture.subject.here = NULL;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct condition *condition = compiled(cases[i].text, &fixture.scope);
        UNIT_CASE("%s", cases[i].text);
        CHECK_INT_EQ(condition_early(condition, &fixture.subject, fixture.arena), cases[i].truth);
        condition_free(condition);
    }
    fixture_fini(&fixture);
}

UNIT_MAIN("condition", {"early", test_early}, {"exclude", test_exclude}, {"never", test_never},
          {"cases", test_cases}, {"uses payload", test_uses_payload})
