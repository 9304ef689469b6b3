/* SPDX-License-Identifier: MIT */
#include "map/row_source.h"

#include "../data/cases.h"
#include "fixture.h"
#include "unit.h"

static void write_items(struct buf *out, const struct row_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct value value = node_value(items[i].node);
        buf_append_text(out, i > 0 ? " " : "");
        buf_append_slice(out, items[i].key.text);
        buf_append_byte(out, '=');
        buf_append_slice(out, value.kind == VALUE_NULL ? slice_of("null") : value.text);
    }
}

static void run_rows_case(const struct test_case *test)
{
    struct fixture fixture;
    struct row_source *source = NULL;
    struct row_items items;
    struct buf seen = {0};
    CHECK_INT_EQ(test->count, 3);
    bool none = slice_is(test->fields[1], "-");
    fixture_init(&fixture, none ? slice_of("null") : test->fields[1]);
    if (row_source_compile(test->fields[0], &source, &fixture.error) != OUTCOME_OK) {
        buf_printf(&seen, "error: %s", fixture.error.text);
    } else if (row_source_items(source, fixture.subject.payload, fixture.arena, &items,
                                &fixture.error) != OUTCOME_OK) {
        CHECK_INT_EQ(fixture.error.outcome, OUTCOME_REJECT);
        buf_printf(&seen, "rejected: %s", fixture.error.text);
    } else {
        write_items(&seen, items.list, items.count);
    }
    unit_check_slice(buf_slice(&seen), test->fields[2], __FILE__, __LINE__, "what was seen");
    row_source_free(source);
    buf_fini(&seen);
    fixture_fini(&fixture);
}

static void test_cases(void)
{
    cases_run("rows.cases", run_rows_case);
}

static void test_many(void)
{
    struct fixture fixture;
    struct row_source *source;
    struct row_items items;
    struct buf payload = {0};
    buf_append_text(&payload, "[0");
    for (int i = 1; i < 10000; i++) {
        buf_printf(&payload, ",%d", i);
    }
    buf_append_text(&payload, "]");
    fixture_init(&fixture, buf_slice(&payload));
    CHECK_INT_EQ(row_source_compile(slice_of("$[*]"), &source, &fixture.error), OUTCOME_OK);
    CHECK_INT_EQ(
        row_source_items(source, fixture.subject.payload, fixture.arena, &items, &fixture.error),
        OUTCOME_OK);
    CHECK_INT_EQ(items.count, 10000);
    for (size_t i = 0; i < items.count; i++) {
        CHECK_INT_EQ(items.list[i].key.kind, VALUE_NUMBER);
        CHECK(slice_equal(items.list[i].key.text, items.list[i].node->text));
    }
    CHECK_INT_EQ(row_source_items(source, NULL, fixture.arena, &items, &fixture.error), OUTCOME_OK);
    CHECK_INT_EQ(items.count, 0);
    row_source_free(source);
    row_source_free(NULL);
    buf_fini(&payload);
    fixture_fini(&fixture);
}

UNIT_MAIN("row_source", {"cases", test_cases}, {"many", test_many})
