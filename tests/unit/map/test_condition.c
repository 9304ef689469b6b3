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

UNIT_MAIN("condition", {"cases", test_cases}, {"uses payload", test_uses_payload})
